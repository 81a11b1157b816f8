"""Numbers with an exponent of their own, so that no growth over time leaves the range of a float.

A quantity is held as v * 2^k, k an integer register of v's width. Scaling is by powers of two and
therefore exact.
"""

from fastlstm.elementary import log, log10
from fastlstm.jit import inline
from fastlstm.simd import (
    absolute,
    as_float,
    as_integer,
    exponent_bias,
    fill,
    fma,
    load,
    mantissa_bits,
    maximum,
    minimum,
    square_root,
    to_float,
)

LOG10_2 = 0.30102999566398119521
LN_2 = 0.69314718055994530942


@inline
def exponent(v):
    """floor(log2 |v|); of zero and subnormal numbers, one less than of the smallest normal number."""
    return (as_integer(absolute(v)) >> mantissa_bits(v)) - exponent_bias(v)


@inline
def power_of_two(k):
    """2^k; 0 below the normal range, the largest power of two above it."""
    like = as_float(k)
    field = minimum(maximum(k + exponent_bias(like), 0), 2 * exponent_bias(like))
    return as_float(field << mantissa_bits(like))


@inline
def times_power_of_two(v, k):
    """v * 2^k where 2^k itself may lie outside the range; too large is inf, too small 0."""
    half = k >> 1
    return v * power_of_two(half) * power_of_two(k - half)


@inline
def log_scaled(v, k):
    """ln |v * 2^k|; -inf for zero."""
    return log(absolute(v)) + to_float(k) * LN_2


@inline
def log10_scaled(v, k):
    """log10 |v * 2^k|; -inf for zero."""
    return log10(absolute(v)) + to_float(k) * LOG10_2


@inline
def norm(rows, first, last):
    """The L2 norm over rows first..last-1 of scratch as (size, k), meaning size * 2^k with size about 1, or 0."""
    largest = absolute(load(rows, (first,)))
    for row in range(first + 1, last):
        largest = maximum(largest, absolute(load(rows, (row,))))
    k = exponent(largest)
    unit = power_of_two(-k)
    squares = fill(largest, 0.0)
    for row in range(first, last):
        v = load(rows, (row,)) * unit
        squares = fma(v, v, squares)
    return square_root(squares), k
