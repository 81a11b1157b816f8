"""Applies a function of lanes to an array, so that tests can speak of numbers."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from fastlstm.kernel.lanes.cache import cache_of
from fastlstm.kernel.lanes.jit import source_digest
from fastlstm.kernel.lanes.memory import load, store
from fastlstm.kernel.lanes.simd import Vec, lanes_of

Array = NDArray[Any]
MOST_RESULTS = 4

# What the package compiles for its kernels cannot be called from Python; what a test calls is compiled like this.
compiled = numba.njit(error_model="numpy")


def kept(*options: object) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function like that, and keep it on disk, as the package keeps its kernels.

    On disk it is known by its name and file, `options`, and all sources of the kernel: it closes over nothing else.
    """

    def compiled_or_loaded(function: Callable[..., Any]) -> Any:
        dispatcher = compiled(function)
        dispatcher._cache = cache_of(function, (source_digest(), repr(options)))
        return dispatcher

    return compiled_or_loaded


def apply(function: Callable[..., Any], values: Array) -> list[Array]:
    """All results of function(register), as arrays like `values`, which is float32 or float64."""
    lanes = lanes_of(values.dtype)
    registers = np.ones((-(-values.size // lanes), lanes), values.dtype)
    registers.reshape(-1)[: values.size] = values.reshape(-1)
    results = np.empty((MOST_RESULTS, *registers.shape), values.dtype)
    count = _kernel(function)(registers, results)
    return [result.reshape(-1)[: values.size].reshape(values.shape) for result in results[:count]]


def assembly(function: Callable[..., Any], dtype: Any) -> str:
    """The machine code of a function of lanes."""
    apply(function, np.ones(1, dtype))
    return "".join(_kernel(function).inspect_asm().values())


@cache
def _kernel(function: Callable[..., Any]) -> Any:
    @numba.njit(error_model="numpy")
    def kernel(registers, results):  # type: ignore[no-untyped-def]
        count = 0
        for row in range(len(registers)):
            count = _store_all(results, row, function(load(registers, (row,))))
        return count

    return kernel


def _store_all(results, row, result):  # type: ignore[no-untyped-def]
    """Write a register, or each register of a tuple, and say how many."""


@overload(_store_all)
def _choose_store_all(results, row, result):  # type: ignore[no-untyped-def]
    def one(results, row, result):  # type: ignore[no-untyped-def]
        store(results, (0, row), result)
        return 1

    def several(results, row, result):  # type: ignore[no-untyped-def]
        for place in range(len(result)):
            store(results, (place, row), result[place])
        return len(result)

    return one if isinstance(result, Vec) else several
