"""The forward pass on arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fastlstm.kernel import arrays
from fastlstm.kernel.lstm import READOUTS
from fastlstm.kernel.passes import allocate_scratch, memory_kind
from fastlstm.kernel.suspicion import AFTER
from fastlstm.threads import in_order, once_a_thread
from fastlstm.unit.inputs import Array, Inputs, Params, Readout, choice, inputs, size_in_words


@dataclass(frozen=True, repr=False)
class Trace:
    """The forward pass: gates f, i, o, candidate g, cell C, hidden state h, output y, each (draws, steps).

    Examples
    --------
    >>> import numpy as np
    >>> import fastlstm
    >>> trace = fastlstm.forward([0.5] * 14, [0.0, 1.0, 2.0])
    >>> trace.f.shape, bool(np.allclose(trace.h, trace.o * np.tanh(trace.C)))
    ((1, 3), True)
    """

    f: Array
    i: Array
    o: Array
    g: Array
    C: Array
    h: Array
    y: Array

    def __repr__(self) -> str:
        return f"Trace of {size_in_words(self.h)}"


def forward(
    params: Params, x: ArrayLike, *, h0: ArrayLike = 0.0, C0: ArrayLike = 0.0, readout: Readout = "sigmoid"
) -> Trace:
    """Run the unit forward.

    params: (draws, 14) or (14,) in the order of PARAMETERS, or a data frame with a column for each of the 14 names, or
    a mapping of the names to numbers or (draws,).
    x: (draws, steps) or (steps,). h0, C0: numbers or (draws,). Any strides; nothing is copied unless the
    type changes. If params and x are float32 so is the result, otherwise everything is float64.
    readout: "sigmoid", y_t = s(W_y h_t + b_y); or "linear", without the sigmoid.

    A float32 draw whose pre-activations may leave what a gate of float32 takes is computed in float64, from the float32
    values.
    Raises ValueError for shapes that do not fit together. Equations: docs/derivation.md, F1 to F7.

    Examples
    --------
    A cell that starts at 1, behind a forget gate held at s(4) = 0.982 and without input, keeps 0.982^100 of it.

    >>> import numpy as np
    >>> import fastlstm
    >>> params = dict.fromkeys(fastlstm.PARAMETERS, 0.0) | {"b_f": 4.0}
    >>> trace = fastlstm.forward(params, np.zeros((1, 100)), C0=1.0)
    >>> trace.C.shape
    (1, 100)
    >>> round(float(trace.C[0, -1]), 4), round(float(trace.f[0, 0] ** 100), 4)
    (0.1628, 0.1628)
    """
    choice("readout", readout, Readout)
    units = inputs(params, x, h0, C0)
    return run_forward(units, readout, units.dtype)


def run_forward(units: Inputs, readout: str, arithmetic: str) -> Trace:
    """The trace in an arithmetic, in the type of the inputs; draws that leave its range are computed again."""
    return Trace(*_rows(units, readout, arithmetic))


def _rows(units: Inputs, readout: str, arithmetic: str) -> Array:
    """The rows of a trace, (7, draws, steps)."""
    dtype, _ = memory_kind(arithmetic)
    computed = units.of(np.arange(len(units.x)), dtype) if dtype != units.dtype else units
    fill = arrays.build_trace(arithmetic)
    out = np.empty((7, *units.x.shape), dtype)
    suspect = np.empty((len(units.x), 1), np.uint8)

    scratch = once_a_thread(lambda: allocate_scratch(arithmetic, units.x.shape[1]))

    def work(part: slice) -> None:
        units = computed.params[part], computed.state[part], computed.x[part]
        fill(*units, READOUTS[readout], scratch(), out[:, part], suspect[part])

    tasks, threads = units.slices()
    for _ in in_order(work, tasks, threads=threads):
        pass
    rare = np.flatnonzero(suspect.view(np.bool_))
    if len(rare):
        after = AFTER[arithmetic]
        out[:, rare] = _rows(computed.of(rare, memory_kind(after)[0]), readout, after)
    return out.astype(units.dtype, copy=False)
