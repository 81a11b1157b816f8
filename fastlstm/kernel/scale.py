"""Numbers with an exponent of their own, so that no growth over time leaves the range of a float.

A quantity is held as v * 2^k, k an integer register of v's width. Scaling is by powers of two and
therefore exact.
"""

from fastlstm.kernel.elementary import log, log10
from fastlstm.kernel.lanes.convert import as_float, as_integer, by_width, exponent_bias, mantissa_bits, to_float
from fastlstm.kernel.lanes.jit import generic, inline
from fastlstm.kernel.lanes.simd import absolute, maximum, minimum

# Plain numbers that begin at about 1 are scaled again before they leave TINY .. HUGE (float32, float64). An underflow
# costs an absolute error of the smallest number there is; held against TINY that is far below the last bit.
TINY = by_width(2.0**-80, 2.0**-800)
HUGE = by_width(2.0**60, 2.0**500)
# The exponent of zero, below that of any number: a float32 has exponents of 32 bits, a float64 of 64.
EXPONENT_OF_ZERO = by_width(-(2**30), -(2**60))

LOG10_2 = 0.30102999566398119521
LN_2 = 0.69314718055994530942


@generic
def exponent(v):
    """floor(log2 |v|); of zero and subnormal numbers, one less than of the smallest normal number."""
    return (as_integer(absolute(v)) >> mantissa_bits(v)) - exponent_bias(v)


@inline
def power_of_two(k):
    """2^k; 0 below the normal range, the largest power of two above it."""
    like = as_float(k)
    field = minimum(maximum(k + exponent_bias(like), 0), 2 * exponent_bias(like))
    return as_float(field << mantissa_bits(like))


@generic
def outside(v, smallest, largest):
    """Where |v| is too small or too large, or not a number."""
    size = absolute(v)
    return ~((size >= smallest) & (size <= largest))


@inline
def near_the_end(v):
    """Where a number that began at about 1 has come near the end of the range: never, where numbers are wide."""
    return outside(v, TINY(v), HUGE(v))


@generic
def times_power_of_two(v, k):
    """v * 2^k where 2^k itself may lie outside the range; too large is inf, too small 0."""
    half = k >> 1
    return v * power_of_two(half) * power_of_two(k - half)


@generic
def log_scaled(v, k):
    """ln |v * 2^k|; -inf for zero."""
    return log(absolute(v)) + to_float(k) * LN_2


@generic
def log10_scaled(v, k):
    """log10 |v * 2^k|; -inf for zero."""
    return log10(absolute(v)) + to_float(k) * LOG10_2
