"""One row of a run, again: its spec, its parameters and sequence, the whole trace, its gradients."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fastlstm.kernel.suspicion import AFTER
from fastlstm.names import PARAMETERS
from fastlstm.runs import Run, SpecSource, as_spec
from fastlstm.spec import Spec
from fastlstm.sweep.simulation import Draw, Simulation
from fastlstm.unit import Gradients, StepGradients, Trace
from fastlstm.unit.gradients import Task, run_gradients, run_step_gradients
from fastlstm.unit.inputs import inputs
from fastlstm.unit.trace import run_forward

# What a table of steps has of the gradients, in the order of the derivation; dx is the gradient of x
_OF_STEPS = (
    "dz_y", "dh", "dC", "do", "df", "di", "dg", "dz_o", "dz_f", "dz_i", "dz_c",
    "dW_ho_t", "dW_hf_t", "dW_hi_t", "dW_hc_t", "x",
)  # fmt: skip


class StepRange(NamedTuple):
    """The steps first to last, counted from 1, both included."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str | None, steps: int) -> "StepRange":
        """From A:B, where either may be left out. Raises ValueError."""
        if text is None:
            return cls(1, steps)
        first, colon, last = text.partition(":")
        numbers = [first or "1", last or str(steps)]
        if not colon or not all(number.isdecimal() for number in numbers):
            raise ValueError(f"{text!r} is no range of steps; give A:B, for example 1:{steps}")
        chosen = cls(*map(int, numbers))
        if not 1 <= chosen.first <= chosen.last <= steps:
            raise ValueError(f"{text} is not within the steps, which are 1:{steps}")
        return chosen

    @property
    def slice(self) -> slice:
        """Of arrays that begin with step 1."""
        return slice(self.first - 1, self.last)


class NoSuchDraw(ValueError):
    """The spec has no such point, or the point no such draw."""


@dataclass(frozen=True)
class Replay:
    """A draw made again; unpacks as `spec, trace, grads`. `replay` gives grads with those of every step.

    drawn: its parameters, h0, C0, inputs and targets; drawn.measures: all columns of its row, before they are stored.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 1000, "steps": 10, "params": {"default": {"normal": {"std": 2.0}}}}
    >>> replayed = fastlstm.replay(spec, point=0, draw=17)
    >>> replayed.drawn.params.shape, replayed.drawn.x.shape
    ((14,), (10,))
    """

    spec: Spec
    trace: Trace
    grads: Gradients
    drawn: Draw

    def __iter__(self) -> Iterator[Any]:
        return iter((self.spec, self.trace, self.grads))

    @property
    def plot(self) -> Any:
        """Its figures, as `replayed.plot.gates()`; see fastlstm.report.plot."""
        # by name, when one is asked for: the report stands above, and draws what is made again here
        return import_module("fastlstm.report.plot").ReplayPlot(self)

    def forward_table(self) -> pd.DataFrame:
        """The forward pass, a row for each step: input, target, pre-activations, gates, states, output (F1 to F7)."""
        drawn, trace = self.drawn, self.trace
        p = dict(zip(PARAMETERS, drawn.params, strict=True))
        h_before = np.concatenate([[drawn.h0], trace.h[0, :-1]])
        z = {f"z_{k}": p[f"W_h{k}"] * h_before + p[f"W_x{k}"] * drawn.x + p[f"b_{k}"] for k in "fioc"}
        columns = {"x": drawn.x} | ({} if np.isnan(drawn.target).all() else {"target": drawn.target}) | z
        columns |= {name: getattr(trace, name)[0] for name in ("f", "i", "o", "g", "C")}
        columns |= {"tanh_C": np.tanh(trace.C[0]), "h": trace.h[0], "z_y": p["W_y"] * trace.h[0] + p["b_y"]}
        return pd.DataFrame(columns | {"y": trace.y[0]}, index=self._steps())

    def gradient_table(self) -> pd.DataFrame:
        """The gradients of every step, a row for each (B1 to B9, B14); see `StepGradients`."""
        return self._of_steps(lambda grads, name: grads[name])

    def log10_table(self) -> pd.DataFrame:
        """log10 of their absolute values, whatever their size; -inf for a true 0."""
        return self._of_steps(lambda grads, name: grads.log10(name))

    def sign_table(self) -> pd.DataFrame:
        """Their signs, whatever their size."""
        return self._of_steps(lambda grads, name: grads.sign(name))

    def _of_steps(self, column: Callable[[StepGradients, str], Any]) -> pd.DataFrame:
        assert isinstance(self.grads, StepGradients), "only `replay` makes gradients of every step"
        columns = {"dx" if name == "x" else name: column(self.grads, name)[0] for name in _OF_STEPS}
        return pd.DataFrame(columns, index=self._steps())

    def _steps(self) -> pd.RangeIndex:
        return pd.RangeIndex(1, len(self.drawn.x) + 1, name="t")


def replay(source: SpecSource, *, point: int, draw: int) -> Replay:
    """Make one draw of a run directory or spec again, to the same bits; the run's rows are not needed.

    Raises NoSuchDraw, a ValueError; NotARun; SpecError.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 1000, "steps": 10, "params": {"default": {"normal": {"std": 2.0}}}}
    >>> spec, trace, grads = fastlstm.replay(spec, point=0, draw=17)
    >>> trace.C.shape, grads.params.shape
    ((1, 10), (1, 14))
    """
    match source:
        case str() | os.PathLike() if Path(source).is_dir():
            spec = Run(source).spec()
        case _:
            spec = as_spec(source)
    points = spec.points()
    if not 0 <= point < len(points):
        count = "there is 1 point" if len(points) == 1 else f"there are {len(points)} points"
        raise NoSuchDraw(f"point {point}: {count}; the points are 0 .. {len(points) - 1}")
    if not 0 <= draw < spec.draws:
        raise NoSuchDraw(f"draw {draw}: each point has {spec.draws}; the draws of a point are 0 .. {spec.draws - 1}")
    return make(spec, Simulation(spec, points[point]), draw, steps=True)


def make(spec: Spec, simulation: Simulation, draw: int, *, steps: bool = False) -> Replay:
    """One draw of a simulation, with its trace and gradients; steps: those of every step too."""
    drawn, loss = simulation.make(draw), simulation.point.loss
    units = inputs(drawn.params, drawn.x, drawn.h0, drawn.C0)
    problem = Task(
        units,
        target=np.atleast_2d(drawn.target),
        last=np.zeros((1, 2), spec.dtype),
        first_loss_step=drawn.first_loss_step,
        loss=loss.kind,
        readout=loss.readout,
        mode="full",
        window=1,
        arithmetic=spec.dtype,
    )
    grads = run_step_gradients(problem) if steps else run_gradients(problem)
    arithmetic = AFTER[spec.dtype] if drawn.strained else spec.dtype
    trace = run_forward(units, loss.readout, arithmetic)
    return Replay(spec, trace, grads, drawn)
