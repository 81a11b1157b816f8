"""Elementary functions and memory for wide numbers: activations that never lose a tail, and registers with exponents.

Wide numbers lie in `Rows`, a pair of arrays (sizes, exponents) of the same shape. So the memory that a kernel is given
decides with which kind of number it computes.
"""

from collections import namedtuple

from numba.core import types

from fastlstm.kernel import elementary, scale
from fastlstm.kernel.elementary import Activation
from fastlstm.kernel.lanes import memory, simd
from fastlstm.kernel.lanes.convert import by_width
from fastlstm.kernel.lanes.jit import choose_meaning, inline, meaning
from fastlstm.kernel.wide import (
    Wide,
    narrow,
    normalised,
    pair,
    pick,
    plain_if_in_range,
    plain_lanes,
    scale_of,
    size_of,
    widen,
)

# Rows of sizes (float) and exponents (integer): row k of a register is sizes[k] * 2^exponents[k]
Rows = namedtuple("Rows", "sizes exponents")

MOST_DECAY = by_width(2.0**21, 2.0**30)  # what exp_in_parts takes


@meaning(elementary.log, Wide)
def _log(v):
    return scale.log_scaled(size_of(v), scale_of(v))


@meaning(elementary.log_sigmoid, Wide)
def _log_sigmoid(z):
    return elementary.log_sigmoid(narrow(z))


@inline
def _decay(a):
    """exp(-a) for plain lanes a >= 0; beyond what exp_in_parts takes, the 16th power of exp(-a / 16)."""
    limit = MOST_DECAY(a)
    far = a > limit
    k, q = elementary.exp_in_parts(-simd.minimum(simd.select(far, 0.0625 * a, a), limit))
    e = normalised(1.0 + q, k)
    squared = e * e
    fourth = squared * squared
    eighth = fourth * fourth
    return pick(far, eighth * eighth, e)


@inline
def _sigmoid(v, plain):
    larger = widen(plain.larger)
    smaller = _decay(simd.absolute(v)) * larger
    value = plain_if_in_range(plain.value, pick(v < 0.0, smaller, larger))
    return Activation(value, plain_if_in_range(plain.slope, smaller * larger), larger)


@inline
def _tanh(z, v, plain):
    larger = widen(plain.larger)
    smaller = _decay(2.0 * simd.absolute(v)) * larger
    value = plain_if_in_range(plain.value, z)  # where it is tiny, tanh(z) is z
    return Activation(value, plain_if_in_range(plain.slope, 4.0 * (smaller * larger)), larger)


@meaning(elementary.sigmoid, Wide)
def _sigmoid_of(z):
    v = narrow(z)
    return _sigmoid(v, elementary.sigmoid(v))


@meaning(elementary.tanh, Wide)
def _tanh_of(z):
    v = narrow(z)
    return _tanh(z, v, elementary.tanh(v))


@meaning(elementary.gates, Wide)
def _gates_of(z_f, z_i, z_o, z_c):
    v_f, v_i, v_o, v_c = plain_lanes(z_f), plain_lanes(z_i), plain_lanes(z_o), plain_lanes(z_c)
    f, i, o, g = elementary.gates(v_f, v_i, v_o, v_c)
    return _sigmoid(v_f, f), _sigmoid(v_i, i), _sigmoid(v_o, o), _tanh(z_c, v_c, g)


# --- memory --------------------------------------------------------------------------------------


@choose_meaning(memory.load)
def _load(array, index):
    if isinstance(array, types.BaseTuple):
        return lambda array, index: pair(memory.load(array[0], index), memory.load(array[1], index))
    return None


@choose_meaning(memory.store)
def _store(array, index, v):
    if isinstance(array, types.BaseTuple):
        return _store_pair
    if isinstance(v, Wide):
        return lambda array, index, v: memory.store(array, index, narrow(v))
    return None


def _store_pair(array, index, v):
    memory.store(array[0], index, size_of(v))
    memory.store(array[1], index, scale_of(v))


def of_kind(array, v):
    """A register of plain lanes as the kind of number that an array holds."""


@choose_meaning(of_kind)
def _of_kind(array, v):
    return (lambda array, v: widen(v)) if isinstance(array, types.BaseTuple) else (lambda array, v: v)
