"""The unit on arrays: the trace of the forward pass, and the gradients for a given dy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastlstm.kernel import arrays
from fastlstm.kernel.lanes.simd import LANES
from fastlstm.kernel.passes import allocate_scratch
from fastlstm.names import PARAMETERS
from fastlstm.threads import available_threads, in_order

Array = NDArray[Any]
Mode = Literal["full", "cec", "local"]
Params = ArrayLike | Mapping[str, ArrayLike]

_STEPS_A_TASK = 1_000_000  # draws x steps handed to a thread at once


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Gradients:
    """dL/d(params) (draws, 14) in the order of PARAMETERS, dL/dx (draws, steps), dL/dh_0 and dL/dC_0 (draws,).

    Examples
    --------
    >>> import fastlstm
    >>> grads = fastlstm.gradients([0.5] * 14, [0.0, 1.0, 2.0], [0.0, 0.0, 1.0])
    >>> grads.params.shape, grads.x.shape, grads.h0.shape
    ((1, 14), (1, 3), (1,))
    >>> bool(grads["b_y"] == grads.params[:, fastlstm.PARAMETERS.index("b_y")])
    True
    """

    params: Array
    x: Array
    h0: Array
    C0: Array

    def put(self, places: NDArray[np.intp], others: "Gradients") -> None:
        """Take the gradients of some draws from others."""
        for mine, theirs in zip(vars(self).values(), vars(others).values(), strict=True):
            mine[places] = theirs

    def in_type(self, dtype: str) -> "Gradients":
        """The same in a type, inf where they leave its range."""
        with np.errstate(over="ignore"):
            return Gradients(*(array.astype(dtype, copy=False) for array in vars(self).values()))

    def __getitem__(self, name: str) -> Array:
        """The gradient of one parameter by its name, (draws,)."""
        return self.params[:, PARAMETERS.index(name)]


@dataclass(frozen=True)
class Inputs:
    """Arrays of one type that fit together."""

    params: Array  # (draws, 14)
    state: Array  # (draws, 2): h_0, C_0
    x: Array  # (draws, steps)
    dtype: str

    def slices(self) -> tuple[list[slice], int]:
        """Whole registers of draws for the threads, and how many threads are worth starting."""
        draws, steps = self.x.shape
        size = max(1, _STEPS_A_TASK // (steps * LANES)) * LANES
        tasks = [slice(start, min(start + size, draws)) for start in range(0, draws, size)]
        return tasks, max(1, min(available_threads(), len(tasks)))

    def of(self, places: NDArray[np.intp]) -> "Inputs":
        """Those of some draws."""
        return Inputs(self.params[places], self.state[places], self.x[places], self.dtype)

    def in_float64(self) -> "Inputs":
        """The same numbers as float64."""
        params, state, x = (array.astype("float64", copy=False) for array in (self.params, self.state, self.x))
        return Inputs(params, state, x, "float64")


def _real_array(name: str, values: ArrayLike) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} has the type {array.dtype}; it must hold real numbers")
    return array


def _parameter_array(params: Params) -> Array:
    if not isinstance(params, Mapping):
        array = _real_array("params", params)
        if array.ndim not in (1, 2) or array.shape[-1] != len(PARAMETERS):
            raise ValueError(f"params has shape {array.shape}; it must be (draws, 14) or (14,)")
        return np.atleast_2d(array)
    unknown = [name for name in params if name not in PARAMETERS]
    missing = [name for name in PARAMETERS if name not in params]
    if unknown or missing:
        names = " ".join(PARAMETERS)
        raise ValueError(f"params lacks {missing} and has unknown {unknown}; the names are {names}")
    columns = [np.atleast_1d(_real_array(name, params[name])) for name in PARAMETERS]
    lengths = {column.shape for column in columns} - {(1,)}
    if len(lengths) > 1 or any(len(shape) > 1 for shape in lengths):
        shapes = {name: column.shape for name, column in zip(PARAMETERS, columns, strict=True)}
        raise ValueError(f"the parameters' shapes do not fit together: {shapes}; each must be a number or (draws,)")
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def _sequence_array(name: str, values: ArrayLike) -> Array:
    array = _real_array(name, values)
    if array.ndim not in (1, 2) or array.shape[-1] == 0:
        raise ValueError(f"{name} has shape {array.shape}; it must be (draws, steps) or (steps,), steps > 0")
    return np.atleast_2d(array)


def unit_inputs(params: Params, x: ArrayLike, h0: ArrayLike, C0: ArrayLike) -> Inputs:
    """Check and broadcast what a caller gave. Raises ValueError, which names the shapes that do not fit."""
    params, x = _parameter_array(params), _sequence_array("x", x)
    dtype = "float32" if all(a.dtype.newbyteorder("=") == np.float32 for a in (params, x)) else "float64"
    try:
        (draws,) = np.broadcast_shapes(params.shape[:1], x.shape[:1], np.shape(h0), np.shape(C0))
    except ValueError as error:
        raise ValueError(
            f"draws do not agree: params has shape {params.shape}, x {x.shape}, "
            f"h0 {np.shape(h0)}, C0 {np.shape(C0)}; the first axis must be one number or 1"
        ) from error
    state = np.empty((draws, 2), dtype)
    state[:, 0] = _real_array("h0", h0)
    state[:, 1] = _real_array("C0", C0)
    return Inputs(
        np.broadcast_to(params.astype(dtype, copy=False), (draws, 14)),
        state,
        np.broadcast_to(x.astype(dtype, copy=False), (draws, x.shape[1])),
        dtype,
    )


def forward(params: Params, x: ArrayLike, *, h0: ArrayLike = 0.0, C0: ArrayLike = 0.0) -> Trace:
    """Run the unit forward.

    params: (draws, 14) or (14,) in the order of PARAMETERS, or a mapping of the 14 names to numbers or (draws,).
    x: (draws, steps) or (steps,). h0, C0: numbers or (draws,). Any strides; nothing is copied unless the
    type changes. If params and x are float32 so is the result, otherwise everything is float64.

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
    return Trace(*_traced(unit_inputs(params, x, h0, C0)))


def _traced(units: Inputs, arithmetic: str | None = None) -> Array:
    """The rows of a Trace, (7, draws, steps); draws that leave the range of the arithmetic are computed again."""
    arithmetic = arithmetic or units.dtype
    fill = arrays.build_trace(arithmetic)
    out = np.empty((7, *units.x.shape), units.dtype)
    suspect = np.empty((len(units.x), 1), units.dtype)

    def work(part: slice) -> None:
        scratch = allocate_scratch(arithmetic, units.x.shape[1])
        fill(units.params[part], units.state[part], units.x[part], scratch, out[:, part], suspect[part])

    tasks, threads = units.slices()
    for _ in in_order(work, tasks, threads=threads):
        pass
    places = np.flatnonzero(suspect)
    if len(places):
        out[:, places] = retraced(units.of(places))
    return out


def retraced(units: Inputs) -> Array:
    """The rows of the trace of draws that are suspect: those of float32 in float64, others with wide numbers."""
    again = _traced(units.in_float64(), "float64" if units.dtype == "float32" else "wide")
    return again.astype(units.dtype, copy=False)


def gradients(
    params: Params,
    x: ArrayLike,
    dy: ArrayLike,
    *,
    h0: ArrayLike = 0.0,
    C0: ArrayLike = 0.0,
    mode: Mode = "full",
    inputs: bool = True,
) -> Gradients:
    """Gradients of a loss L by backpropagation through time, given dy_t = dL/dy_t.

    params, x, h0 and C0 as in `forward`; dy has the shape of x, or (steps,).
    mode: "full"; "cec", the truncation of 1997 that keeps only the cell path; "local", which drops
    everything that comes through step t+1.
    inputs: whether dL/dx is wanted; without it, `x` of the result is empty, (draws, 0).

    A float32 draw that leaves the range of its type on the way is computed in float64, from the float32 values, so
    that it follows the orbit of float64; so does its trace, where pre-activations leave the range. A gradient beyond
    the range of the type is inf, or 0; for its logarithm see `simulate`.
    Raises ValueError for shapes that do not fit together. Equations: docs/derivation.md, B1 to B16.

    Examples
    --------
    The gradient of the last output, for a thousand draws; and what the one-step gradient gets wrong in it.

    >>> import numpy as np
    >>> import fastlstm
    >>> random = np.random.default_rng(1)
    >>> params, x = random.normal(size=(1000, 14)), random.normal(size=(1000, 50))
    >>> dy = np.zeros(50)
    >>> dy[-1] = 1.0
    >>> full = fastlstm.gradients(params, x, dy)
    >>> full["W_hi"].shape, full.params.shape, full.x.shape
    ((1000,), (1000, 14), (1000, 50))
    >>> local = fastlstm.gradients(params, x, dy, mode="local")
    >>> bool((np.sign(local["W_hi"]) != np.sign(full["W_hi"])).mean() > 0.05)
    True
    """
    if mode not in get_args(Mode):
        raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(get_args(Mode))}")
    units = unit_inputs(params, x, h0, C0)
    dy = _sequence_array("dy", dy)
    if dy.shape[1] != units.x.shape[1] or dy.shape[0] not in (1, len(units.x)):
        raise ValueError(f"dy has shape {np.shape(dy)}; it must fit the shape of x, {units.x.shape}")
    dy = np.broadcast_to(dy.astype(units.dtype, copy=False), units.x.shape)
    return run_gradients(units, dy, mode, inputs=inputs)


def run_gradients(
    units: Inputs,
    target: Array,
    mode: Mode,
    *,
    loss: str = "given",
    first_loss_step: int = 0,
    inputs: bool = True,
    arithmetic: str | None = None,
) -> Gradients:
    """Gradients for a loss of its own, whose targets (draws, steps) stand in for dy; see arrays.build_gradients.

    Draws that leave the range of the arithmetic, which is that of the type, are computed again.
    """
    arithmetic = arithmetic or units.dtype
    kernel = arrays.build_gradients(arithmetic, mode, loss, inputs)
    draws, steps = units.x.shape
    params, state, suspect = (np.empty((draws, width), units.dtype) for width in (len(PARAMETERS), 2, 1))
    x = np.empty((draws, steps if inputs else 0), units.dtype)

    def work(part: slice) -> None:
        kernel(
            units.params[part], units.state[part], units.x[part], target[part], first_loss_step,
            allocate_scratch(arithmetic, steps, inputs=inputs), params[part], state[part], x[part], suspect[part],
        )  # fmt: skip

    tasks, threads = units.slices()
    for _ in in_order(work, tasks, threads=threads):
        pass
    filled = Gradients(params, x, state[:, 0], state[:, 1])
    places = np.flatnonzero(suspect)
    if len(places):
        terms = {"loss": loss, "first_loss_step": first_loss_step, "inputs": inputs}
        filled.put(places, run_again(units.of(places), target[places], mode, **terms))
    return filled


def run_again(units: Inputs, target: Array, mode: Mode, **terms: Any) -> Gradients:
    """The gradients of draws that are suspect: those of float32 in float64, others with wide numbers."""
    arithmetic = "float64" if units.dtype == "float32" else "wide"
    again = run_gradients(units.in_float64(), target.astype("float64"), mode, arithmetic=arithmetic, **terms)
    return again.in_type(units.dtype)
