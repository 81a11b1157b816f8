"""What a caller gives, checked and broadcast to arrays of one type that fit together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastlstm.kernel.lanes.simd import lanes_of
from fastlstm.names import PARAMETERS
from fastlstm.threads import available_threads

Array = NDArray[Any]
Params = ArrayLike | Mapping[str, ArrayLike]
Readout = Literal["sigmoid", "linear"]

_STEPS_A_TASK = 1_000_000  # draws x steps handed to a thread at once


@dataclass(frozen=True)
class Inputs:
    """Arrays of one type that fit together."""

    params: Array  # (draws, 14)
    state: Array  # (draws, 2): h_0, C_0
    x: Array  # (draws, steps)
    dtype: str

    def of(self, draws: Array, dtype: str) -> "Inputs":
        """Those of some draws, the same numbers in a type that holds them."""
        params, state, x = (array[draws].astype(dtype, copy=False) for array in (self.params, self.state, self.x))
        return Inputs(params, state, x, dtype)

    def slices(self) -> tuple[list[slice], int]:
        """Whole registers of draws for the threads, and how many threads are worth starting."""
        draws, steps = self.x.shape
        lanes = lanes_of(self.dtype)
        size = max(1, _STEPS_A_TASK // (steps * lanes)) * lanes
        tasks = [slice(start, min(start + size, draws)) for start in range(0, draws, size)]
        return tasks, max(1, min(available_threads(), len(tasks)))


def real_array(name: str, values: Any) -> Array:
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"{name} is a masked array, and every value takes part: fill it, or leave draws out, first")
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} has the type {array.dtype}; it must hold real numbers")
    return array


def _named_columns(params: Any) -> Mapping[str, ArrayLike] | None:
    """The columns by name of a mapping, a data frame, a table, or a row of one; None of what has no names.

    Known by what they can do, so that no package is imported: pandas and polars have `columns`, pyarrow
    `column_names`, and a pandas Series, such as a row, `keys`.
    """
    if isinstance(params, Mapping):
        return params
    names = getattr(params, "column_names", getattr(params, "columns", None))
    if names is None and hasattr(params, "index") and hasattr(params, "keys"):
        names = params.keys()
    return None if names is None else {str(name): params[name] for name in names}


def refuse_other_index(columns: Mapping[str, Any]) -> None:
    """Raises ValueError if things count the same draws differently, as pandas objects with different indices do."""
    first: dict[int, str] = {}  # the first of each length: one row may serve all draws
    for name, column in columns.items():
        if hasattr(getattr(column, "index", None), "equals"):
            other = first.setdefault(len(column), name)
            if not column.index.equals(columns[other].index):
                raise ValueError(
                    f"{name} and {other} have different indices, so it is open which draws belong together; "
                    "align them, or pass arrays"
                )


def _parameter_array(params: Params) -> Array:
    columns_by_name = _named_columns(params)
    if columns_by_name is None:
        array = real_array("params", params)
        if array.ndim not in (1, 2) or array.shape[-1] != len(PARAMETERS):
            raise ValueError(f"params has shape {array.shape}; it must be (draws, 14) or (14,)")
        return np.atleast_2d(array)
    unknown = [name for name in columns_by_name if name not in PARAMETERS]
    missing = [name for name in PARAMETERS if name not in columns_by_name]
    if unknown or missing:
        names = " ".join(PARAMETERS)
        raise ValueError(f"params lacks {missing} and has unknown {unknown}; the names are {names}")
    refuse_other_index(columns_by_name)
    columns = [np.atleast_1d(real_array(name, columns_by_name[name])) for name in PARAMETERS]
    lengths = {column.shape for column in columns} - {(1,)}
    if len(lengths) > 1 or any(len(shape) > 1 for shape in lengths):
        shapes = {name: column.shape for name, column in zip(PARAMETERS, columns, strict=True)}
        raise ValueError(f"the parameters' shapes do not fit together: {shapes}; each must be a number or (draws,)")
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def sequence_array(name: str, values: ArrayLike) -> Array:
    array = real_array(name, values)
    if array.ndim not in (1, 2) or array.shape[-1] == 0:
        raise ValueError(f"{name} has shape {array.shape}; it must be (draws, steps) or (steps,), steps > 0")
    return np.atleast_2d(array)


def inputs(params: Params, x: ArrayLike, h0: ArrayLike, C0: ArrayLike) -> Inputs:
    """Check and broadcast what a caller gave. Raises ValueError, which names the shapes that do not fit."""
    refuse_other_index({"x": x, "h0": h0, "C0": C0} | ({"params": params} if hasattr(params, "columns") else {}))
    params, x = _parameter_array(params), sequence_array("x", x)
    dtype = "float32" if all(a.dtype.newbyteorder("=") == np.float32 for a in (params, x)) else "float64"
    try:
        (draws,) = np.broadcast_shapes(params.shape[:1], x.shape[:1], np.shape(h0), np.shape(C0))
    except ValueError as error:
        raise ValueError(
            f"draws do not agree: params has shape {params.shape}, x {x.shape}, "
            f"h0 {np.shape(h0)}, C0 {np.shape(C0)}; the first axis must be one number or 1"
        ) from error
    return Inputs(
        np.broadcast_to(params.astype(dtype, copy=False), (draws, 14)),
        side_by_side(real_array("h0", h0), real_array("C0", C0), draws, dtype),
        np.broadcast_to(x.astype(dtype, copy=False), (draws, x.shape[1])),
        dtype,
    )


def side_by_side(first: Array, second: Array, draws: int, dtype: str) -> Array:
    """Two numbers, or (draws,), of each draw as (draws, 2); two numbers that all draws share take no memory."""
    if first.size == second.size == 1:
        both = np.array([first.item(), second.item()]).astype(dtype)
        return np.broadcast_to(both, (draws, 2))
    columns = columns_of_draws(2, draws, dtype)
    columns[:, 0], columns[:, 1] = first, second
    return columns


def columns_of_draws(columns: int, draws: int, dtype: str) -> Array:
    """Memory (draws, columns) whose columns are contiguous: what has fewer than a kernel transposes by tiles."""
    return np.empty((columns, draws), dtype).T


def size_in_words(array: Array) -> str:
    """The size of an array (draws, steps)."""
    draws, steps = array.shape
    return f"{_counted(draws, 'draw')} x {_counted(steps, 'step')}, {array.dtype}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def choice(name: str, value: object, words: Any) -> None:
    """Refuse a word that is none of a Literal's."""
    if value not in get_args(words):
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(get_args(words))}")


def of_each_draw(name: str, values: ArrayLike, units: Inputs) -> Array:
    """One number, or (draws,)."""
    array = real_array(name, values)
    if array.shape not in ((), (1,), (len(units.x),)):
        raise ValueError(f"{name} has shape {array.shape}; it must be one number or (draws,), here ({len(units.x)},)")
    return array


def of_each_step(name: str, values: ArrayLike, units: Inputs) -> Array:
    """(draws, steps) from an array of that shape, or (steps,)."""
    array = sequence_array(name, values)
    if array.shape[1] != units.x.shape[1] or array.shape[0] not in (1, len(units.x)):
        raise ValueError(f"{name} has shape {np.shape(values)}; it must fit the shape of x, {units.x.shape}")
    return np.broadcast_to(array.astype(units.dtype, copy=False), units.x.shape)
