"""What a function may return, by name, and what the twin's table makes of the same draws."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Literal

import numpy as np

from fastlstm.diagnosis.mistake import RIGHT
from fastlstm.diagnosis.probes import Probe
from fastlstm.oracles.naive import NAMES, Array, Parameters, Quantities, backward_quantities, forward_quantities

Kind = Literal["gradients", "forward"]

# The name of an output -> its key among the twin's quantities.
SUMS = {name: f"grad_{name}" for name in NAMES}
STATE = {"h0": "dh0", "C0": "dC0"}
ADJOINTS = {name: name for name in ("dh", "dC", "df", "di", "do", "dg", "dz_f", "dz_i", "dz_o", "dz_c", "dx")}
TRACE = {name: name for name in "fiogChy"}
LOSS = {"loss": "loss"}  # the sum of y_t
OUTPUTS: dict[Kind, dict[str, str]] = {"gradients": SUMS | STATE | ADJOINTS, "forward": TRACE | LOSS}
BY_STEP = {*ADJOINTS, *TRACE}
_STEP = 1e-30  # of a complex step: its square is 0 beside 1


def label(name: str) -> str:
    """An output's name as a reader knows it: dW_hi for W_hi."""
    return f"d{name}" if name in SUMS else {"h0": "dh_0", "C0": "dC_0"}.get(name, name)


def columns(names: Iterable[str], steps: int) -> list[tuple[str, int | None]]:
    """The columns of some outputs: name and step, or None for what has no steps."""
    return [(name, t) for name in names for t in (range(1, steps + 1) if name in BY_STEP else (None,))]


def computed(probe: Probe, names: Iterable[str], lines: Mapping[str, str], trace: Quantities | None = None) -> Array:
    """(draws, columns) of a table with some lines of its own; `trace` spares its forward pass."""
    values = trace or forward_pass(probe, lines)
    kind: Kind = "gradients" if any(name in OUTPUTS["gradients"] for name in names) else "forward"
    if kind == "gradients":
        values = backward_quantities(values, probe.dy, lines)
    else:
        values = values | {"loss": sum(values["y"][1:-1])}
    rows: list[Array] = []
    for name in names:
        value = values[OUTPUTS[kind][name]]
        rows += value[1:-1] if name in BY_STEP else [value]
    return np.array(rows).T


def computed_column(probe: Probe, name: str, t: int | None, lines: Mapping[str, str], trace: Quantities) -> Array:
    """(draws,): one column alone, which is much cheaper than all."""
    if name in OUTPUTS["forward"]:
        return computed(probe, (name,), lines, trace)[:, (t or 1) - 1]
    key = OUTPUTS["gradients"][name]
    values = backward_quantities(trace, probe.dy, lines, only=ancestors(key, lines, probe.steps))
    column: Array = values[key] if t is None else values[key][t]
    return column


def ancestors(key: str, lines: Mapping[str, str], steps: int) -> frozenset[str]:
    """The quantities that one quantity is made of, itself among them; with one step none is made of a next one."""
    seen, left = {key}, [key]
    while left:
        name = left.pop()
        new = _references(lines.get(name, RIGHT[name]), steps == 1) - seen
        seen |= new
        left += new
    return frozenset(seen)


@cache
def _references(expression: str, of_one_step: bool) -> frozenset[str]:
    """The quantities of the table that an expression reads."""
    references = re.findall(r"([A-Za-z]\w*)\[([^\[\]]*)\]", expression)
    return frozenset(name for name, index in references if name in RIGHT and not (of_one_step and index == "t+1"))


def forward_pass(probe: Probe, lines: Mapping[str, str]) -> Quantities:
    """The trace of a table with some lines of its own."""
    return forward_quantities(Parameters(*probe.params.T), probe.x, probe.h0, probe.C0, lines)


def differentiated(probe: Probe, names: Iterable[str], lines: Mapping[str, str]) -> Array:
    """(draws, columns) of the gradients of a table's own forward pass, right or wrong, by complex steps."""
    steps, draws = probe.steps, len(probe.params)
    inputs = np.concatenate([probe.params, probe.x, probe.h0[:, None], probe.C0[:, None]], axis=1)
    moved = np.repeat(inputs[None], inputs.shape[1], axis=0) + 1j * _STEP * np.eye(inputs.shape[1])[:, None]
    moved = moved.reshape(-1, inputs.shape[1])
    params, x, (h0, C0) = moved[:, :14], moved[:, 14:-2], moved[:, -2:].T
    y = forward_quantities(Parameters(*params.T), x, h0, C0, lines)["y"][1:-1]
    loss = sum(dy * y_t for dy, y_t in zip(np.tile(probe.dy, (inputs.shape[1], 1)).T, y, strict=True))
    slopes = np.imag(loss).reshape(-1, draws) / _STEP
    place = {name: [at] for at, name in enumerate(NAMES)}
    place |= {"dx": list(range(14, 14 + steps)), "h0": [14 + steps], "C0": [15 + steps]}
    chosen: Array = slopes[[at for name in names for at in place[name]]].T
    return chosen
