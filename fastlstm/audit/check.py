"""An audit on this machine: gradients against 50-digit arithmetic and the naive twin, rows against their replay."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from mpmath import mp
from numpy.typing import NDArray

from fastlstm.audit.replay import Replay, make
from fastlstm.measures import CLASSES, GATES
from fastlstm.names import PARAMETERS, STATE
from fastlstm.oracles import exact, naive
from fastlstm.runs import Run
from fastlstm.spec import Spec, load
from fastlstm.sweep.simulation import Simulation
from fastlstm.tables.regimes import classify

DRAWS = 32  # audited by default
_NAMES = (*PARAMETERS, *STATE)
# Of the largest component of a gradient. Rounding is amplified in some draws, in any arithmetic: an error that the
# naive twin in the same type makes too, within this factor, is the draw's and not the code's.
_BOUND = {"float32": 2e-4, "float64": 1e-12}
_TWIN_FACTOR = 20.0
_COMPLEX_STEPS = 400  # T times draws that the slow second oracle is worth

BUILT_IN = {
    "title": "Ordinary and saturated gates",
    "seed": 1,
    "draws": 1000,
    "steps": 30,
    "params": {
        "default": {"normal": {"mean": 0.0, "std": {"grid": [1.0, 4.0]}}},
        "b_f": {"grid": [0.0, 8.0, -40.0]},
    },
    "state": {"h": {"uniform": {"low": -1.0, "high": 1.0}}, "C": {"normal": {}}},
    "loss": {"kind": "mse", "target": {"uniform": {"low": 0.0, "high": 1.0}}},
}


@dataclass(frozen=True)
class Audit:
    """What an audit found: the table to show, one line that sums it up, and whether all is within the bounds."""

    table: pd.DataFrame
    summary: str
    passed: bool


def check_gradients(spec: Spec, *, draws: int = DRAWS) -> Audit:
    """Audit evenly spread draws of a spec: the worst error by regime and parameter.

    Errors are relative to the largest of a draw's 14 gradients and those of h_0 and C_0. The reference is
    backpropagation in 50 digits, itself held against complex steps on the first draws.
    """
    points = spec.points()
    worst: dict[str, NDArray[Any]] = {}
    failures, audited = 0, 0
    for place in range(draws):
        index = place * len(points) // draws
        draw = (place * spec.draws // draws + place) % spec.draws
        replayed = make(spec, Simulation(spec, points[index]), draw)
        reference = _reference(replayed, confirm=(audited + 1) * points[index].steps <= _COMPLEX_STEPS)
        scale = np.max(np.abs(reference), initial=0.0) or 1.0
        grads = replayed.grads
        ours = np.abs(np.concatenate([grads.params[0], grads.h0, grads.C0]) - reference) / scale
        twin = np.abs(_twin(replayed) - reference) / scale
        failures += bool(np.max(ours) > max(_BOUND[spec.dtype], _TWIN_FACTOR * np.max(twin)))
        regime = _regime(replayed, spec.measure.majority)
        worst[regime] = np.maximum(worst.get(regime, np.zeros(len(_NAMES))), ours)
        audited += 1
    table = pd.DataFrame(worst, index=pd.Index(_NAMES)).T.sort_index()
    table.index.name = "f i o"
    summary = (
        f"{audited} draws of {len(points)} points in {spec.dtype}: worst error {table.to_numpy().max():.1e} of the "
        f"largest component; {failures} draws beyond the bound"
    )
    return Audit(table, summary, failures == 0)


def _delta(replayed: Replay, trace: exact.Trace) -> list[Any]:
    """dL/dz^y of every step in 50 digits."""
    kind, silent = replayed.spec.loss.kind, replayed.drawn.first_loss_step
    deltas = []
    for t, (y, slope) in enumerate(zip(trace.y, trace.slope_y, strict=True)):
        if t < silent:
            deltas.append(exact.number(0))
        elif kind in ("mse", "bce"):
            gap = y - exact.number(float(replayed.drawn.target[t]))
            deltas.append(gap * slope if kind == "mse" else gap)
        else:
            deltas.append(slope)
    return deltas


def _reference(replayed: Replay, *, confirm: bool) -> NDArray[np.float64]:
    """The gradients of the 14 parameters, h_0 and C_0, rounded from 50 digits."""
    drawn = replayed.drawn
    params, x = [float(v) for v in drawn.params], [float(v) for v in drawn.x]
    h0, C0 = float(drawn.h0), float(drawn.C0)
    with mp.workdps(50):
        trace = exact.forward(params, x, h0, C0)
        delta = _delta(replayed, trace)
        gradients = exact.gradients(params, x, None, h0, C0, delta=delta)
        if confirm:
            dy = [d / slope for d, slope in zip(delta, trace.slope_y, strict=True)]
            stepped = exact.complex_step(params, x, dy, h0, C0, inputs=False)
            both = ((*each.params, each.h0, each.C0) for each in (gradients, stepped))
            for one, other in zip(*both, strict=True):
                if abs(one - other) > exact.number(1e-30) * max(map(abs, gradients.params)):
                    raise ArithmeticError("the two references disagree; please report this")
        return np.array([float(v) for v in (*gradients.params, gradients.h0, gradients.C0)])


def _twin(replayed: Replay) -> NDArray[Any]:
    """The same gradients by the naive twin, in the type of the spec."""
    drawn = replayed.drawn
    params, x, target = (np.atleast_2d(v) for v in (drawn.params, drawn.x, drawn.target))
    trace = naive.forward(params, x, drawn.h0, drawn.C0)
    _, dy, delta = naive.loss_and_dy(
        replayed.spec.loss.kind, trace.y, target, trace.z_y, silent_steps=drawn.first_loss_step
    )
    gradients = naive.gradients(params, x, dy, drawn.h0, drawn.C0, delta=delta)
    return np.concatenate([gradients.params[0], gradients.h0, gradients.C0]).astype(np.float64)


def _regime(replayed: Replay, majority: float) -> str:
    shares = replayed.drawn.measures
    sides = ((np.atleast_1d(shares[f"{gate}_left"]), np.atleast_1d(shares[f"{gate}_right"])) for gate in GATES)
    return " ".join(CLASSES[classify(left, right, majority)[0]] for left, right in sides)


def check_rows(path: str | os.PathLike[str], *, draws: int = DRAWS) -> Audit:
    """Replay evenly spread rows of a run and compare every column with what is stored, bit for bit."""
    run = Run(path)
    spec = run.spec()
    rows = run.draws()
    places = np.unique(np.linspace(0, len(rows) - 1, draws).astype(np.int64))
    differing: dict[str, int] = {}
    for _, row in rows.iloc[places].iterrows():
        replayed = Simulation(spec, spec.points()[int(row["point"])]).make(int(row["draw"]))
        for name, value in replayed.measures.items():
            if name in rows and not _same(rows[name].dtype.type(value), row[name]):
                differing[name] = differing.get(name, 0) + 1
    table = pd.DataFrame({"rows that differ": differing}, dtype=np.int64)
    summary = f"{len(places)} of {len(rows):,} rows replayed: {len(differing)} columns differ"
    return Audit(table, summary, not differing)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other or (np.isnan(one) and np.isnan(other)))


def built_in() -> Spec:
    """The spec that is audited when none is given."""
    return load(BUILT_IN)
