"""Elementary functions and memory for wide numbers: activations that never lose a tail, and registers with exponents.

Wide numbers lie in `Rows`, a pair of arrays (sizes, exponents) of the same shape. So the memory that a kernel is given
decides with which kind of number it computes.
"""

from collections import namedtuple

from numba.core import types

from fastlstm.kernel import elementary, scale
from fastlstm.kernel.elementary import Sigmoid, Tanh
from fastlstm.kernel.lanes import memory, simd
from fastlstm.kernel.lanes.jit import choose_meaning, inline, meaning
from fastlstm.kernel.wide import (
    Wide,
    narrow,
    normalised,
    pair,
    pick,
    plain_if_in_range,
    scale_of,
    size_of,
    widen,
)

# Rows of sizes (float) and exponents (integer): row k of a register is sizes[k] * 2^exponents[k]
Rows = namedtuple("Rows", "sizes exponents")

MOST_DECAY = 2.0**30  # what exp_in_parts takes


@meaning(elementary.log, Wide)
def _log(v):
    return scale.log_scaled(size_of(v), scale_of(v))


@inline
def _decay(a):
    """exp(-a) for plain lanes a >= 0; beyond what exp_in_parts takes, the 16th power of exp(-a / 16)."""
    far = a > MOST_DECAY
    k, q = elementary.exp_in_parts(-simd.minimum(simd.select(far, 0.0625 * a, a), MOST_DECAY))
    e = normalised(1.0 + q, k)
    squared = e * e
    fourth = squared * squared
    eighth = fourth * fourth
    return pick(far, eighth * eighth, e)


@inline
def _within_range(v):
    """The nearest that the plain gates take."""
    return simd.maximum(-elementary.GATE_RANGE(v), simd.minimum(v, elementary.GATE_RANGE(v)))


@inline
def _is_within_range(v):
    return simd.absolute(v) <= elementary.GATE_RANGE(v)


@inline
def _sigmoid(v, plain):
    """The sigmoid of v, given that of _within_range(v), which it is where it may be."""
    larger = widen(simd.maximum(plain.value, plain.complement))
    smaller = _decay(simd.absolute(v)) * larger
    near, left = _is_within_range(v), v < 0.0
    return Sigmoid(
        value=pick(near, widen(plain.value), pick(left, smaller, larger)),
        complement=pick(near, widen(plain.complement), pick(left, larger, smaller)),
        slope=pick(near, widen(plain.slope), smaller * larger),
    )


@inline
def _tanh(z, v, plain):
    """The tanh of wide z, of which v is the plain number, given that of v."""
    value = plain_if_in_range(plain.value, z)  # where it is tiny, tanh(z) is z
    near = _is_within_range(2.0 * v)
    return Tanh(value, slope=pick(near, widen(plain.slope), 4.0 * _decay(2.0 * simd.absolute(v))))


@meaning(elementary.log_sigmoid, Wide)
def _log_sigmoid(z):
    v = narrow(z)
    far = simd.minimum(z, 0.0) - _decay(simd.absolute(v))  # ln (1 + e) is e
    return pick(_is_within_range(v), widen(elementary.log_sigmoid(_within_range(v))), far)


@meaning(elementary.sigmoid, Wide)
def _sigmoid_of(z):
    v = narrow(z)
    return _sigmoid(v, elementary.sigmoid(_within_range(v)))


@meaning(elementary.tanh, Wide)
def _tanh_of(z):
    v = narrow(z)
    return _tanh(z, v, elementary.tanh(v))


@meaning(elementary.gates, Wide)
def _gates_of(z_f, z_i, z_o, z_c):
    return elementary.sigmoid(z_f), elementary.sigmoid(z_i), elementary.sigmoid(z_o), elementary.tanh(z_c)


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
