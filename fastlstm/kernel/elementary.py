"""Elementary functions of lanes: exp, log, sigmoid and tanh with slopes, sin and cos, the normal quantile.

Own polynomials, and of operations only + - * / sqrt fma, comparisons and bits: the same bits on every CPU
with fma. Nothing branches. docs/accuracy.md states the errors; the coefficients are in
coefficients.py.

The gates live on e^x = S (1 + q), S a power of two and |q| < 1/2, which is never rounded to one number. One division
gives R, nearly 1 / (1 + e^x), and one residual, p = R (1 - R (1 + e^x)), mends everything that is read from it:

    quantity                 x         formula             argument for its error
    1 - R (1 + e^x)                    (1 - R - v) - v q   v = S R is exact, and 1 - R is for R >= 1/2 (else it is
                                                           off by half an ulp of 1); they nearly cancel, which is
                                                           exact, so that only the sum with v q is rounded
    s(z) = 1 / (1 + e^x)     -z        R + p               |p| < 2 ulp(R): the rounding of the sum is what remains
    1 - s(z)                 -z        (1 - R) - p         the same; 1 - R is exact for R >= 1/2
    s'(z)                    -z        s (1 - s)           two such values and a product
    tanh |z|                 -2 |z|    (2 R - 1) + 2 p     2 R - 1 is exact, since R >= 1/2; for small z it vanishes
                                                           with z, and 2 p has the digits that it lacks
    1 - tanh^2 z             -2 |z|    4 s(2z) s(-2z)      as s'

What did not pay, in both passes on Zen 5: one division for several reciprocals (5 to 7% slower, and twice the error);
clamps on the gates (5 to 9% slower); r to more digits in e^r (8% slower, no better); four exponentials side by side (no
gain). What was faster and wrong by more than is promised: no residual (5%; 5.4 ulp in slopes), a Pade form of e^r
(8%; 6.8 ulp), ln 2 in one piece (5%; an ulp of z itself). Tables of 2^(j/16) by permutation are 4 to 6% faster with
AVX-512, and need a second form for AVX2.
"""

from collections import namedtuple

from fastlstm.kernel.coefficients import COS, EXP, LOG, QUANTILE_D, QUANTILE_N, SIN
from fastlstm.kernel.lanes.convert import as_float, as_integer, as_unsigned, by_width, mantissa_bits
from fastlstm.kernel.lanes.jit import generic, inline
from fastlstm.kernel.lanes.simd import (
    absolute,
    copysign,
    fma,
    maximum,
    minimum,
    nearest,
    polynomial,
    select,
    square_root,
)

# e^x = S (1 + q), and d = 1 + e^x rounded once
Exponential = namedtuple("Exponential", "S q d")
Sigmoid = namedtuple("Sigmoid", "value complement slope")
Tanh = namedtuple("Tanh", "value slope")

# Constants as functions of a register: for float32, for float64. A pair is a number in two pieces.
BIAS = by_width(127, 1023)
MANTISSA = by_width(0x7FFFFF, 0xFFFFFFFFFFFFF)  # its bits
ONE_OVER_ROOT_HALF = by_width(0x3F800000 - 0x3F3504F3, 0x3FF0000000000000 - 0x3FE6A09E667F3BCD)  # as bits
ROOT_HALF = by_width(0x3F3504F3, 0x3FE6A09E667F3BCD)  # its bits
MAGIC = by_width(1.5 * 2.0**23, 1.5 * 2.0**52)  # x + MAGIC has the integer nearest to x in its lowest bits
COUNTER = by_width(0x4B000000, 0x4330000000000000)  # the bits of a number whose lowest bits count in ones
COUNT_FROM = by_width(2.0**23 + 127.0, 2.0**52 + 1023.0)  # that number, and the bias
SMALLEST_NORMAL = by_width(2.0**-126, 2.0**-1022)
SUBNORMALS = by_width(25, 54)  # 2^-SUBNORMALS of the smallest normal number is a quarter of the smallest one
TO_SUBNORMALS = by_width(2.0**-25, 2.0**-54)
FROM_SUBNORMALS = by_width(2.0**25, 2.0**54)
GATE_RANGE = by_width(87.0, 708.0)  # the |x| whose e^x and e^-x are both normal numbers
VANISHING = by_width(105.2, 746.4)  # exp(-a) is 0 from there on: 2^k (1 + q) with k = -BIAS - SUBNORMALS
OVERFLOWING = by_width(89.3, 710.4)  # exp(a) is inf from there on: k = BIAS + 2

LOG2_E = 1.4426950408889634
LN_2 = by_width((0.6931471824645996, -1.9046542121259336e-09), (0.6931471805599453, 2.3190468138462996e-17))
LN_2_SHORT = by_width(  # the first piece times an exponent is exact
    (0.693145751953125, 1.428606765330187e-06), (0.6931471805598903, 5.497923018708371e-14)
)
LOG10_E = by_width((0.4342944920063019, -1.0103049952192578e-08), (0.4342944819032518, 1.098319650216765e-17))
TWO_PI = by_width((6.2831854820251465, -1.7484555314695172e-07), (6.283185307179586, 2.4492935982947064e-16))
INFINITY = float("inf")
NAN = float("nan")

# --- exp -----------------------------------------------------------------------------------------


@inline
def _power_of_two(shifted):
    """2^n from magic + bias + n, for bias + n from 0 (which gives 0) to 2 bias + 1 (which gives inf)."""
    return as_float(as_integer(shifted) << mantissa_bits(shifted))


@inline
def _exp_minus_1(x, k):
    """exp(x - k ln 2) - 1, where |x - k ln 2| < 1/2."""
    r = fma(k, -LN_2(x)[1], fma(k, -LN_2(x)[0], x))  # the inner fma is exact
    return fma(r * r, polynomial(r, EXP(r)), r)


@inline
def _exp_minus_1_finely(x, k):
    """The same without the rounding of r: for 0.04 (float32) or 0.08 ns more, a quarter of an ulp less."""
    high, low = fma(k, -LN_2(x)[0], x), k * LN_2(x)[1]
    r = high - low
    return high + fma(r * r, polynomial(r, EXP(r)), -low)


@inline
def exp_in_parts(v):
    """(k, q) with e^v = 2^k (1 + q), |q| < 1/2, k an integer register; |v| up to 2^21 (float32) or 2^30."""
    magic = MAGIC(v)
    shifted = fma(v, LOG2_E, magic)
    return as_integer(shifted) - as_integer(v * 0.0 + magic), _exp_minus_1_finely(v, shifted - magic)


@inline
def exp(v):
    """e^v."""
    x = minimum(OVERFLOWING(v), maximum(-VANISHING(v), v))
    # 2^k is a product of two factors, neither of which over- or underflows
    low = x < 0.0
    magic = select(low, x * 0.0 + SUBNORMALS(v), -2.0) + (MAGIC(v) + BIAS(v))
    shifted = fma(x, LOG2_E, magic)
    q = _exp_minus_1_finely(x, shifted - magic)
    s = _power_of_two(shifted)
    return fma(s, q, s) * select(low, x * 0.0 + TO_SUBNORMALS(v), 4.0)


# --- sigmoid and tanh ----------------------------------------------------------------------------


@inline
def exponential(x):
    """e^x for |x| up to GATE_RANGE, in parts that are not rounded to one number."""
    shifted = fma(x, LOG2_E, MAGIC(x) + BIAS(x))
    S = _power_of_two(shifted)
    q = _exp_minus_1(x, shifted - (MAGIC(x) + BIAS(x)))
    return Exponential(S, q, d=fma(S, q, 1.0 + S))


@inline
def _reciprocal(e):
    """R, nearly 1 / (1 + e^x), and the residual 1 - R (1 + e^x), right to its own last bits."""
    R = 1.0 / e.d
    v = e.S * R
    return R, fma(-v, e.q, (1.0 - R) - v)


@inline
def sigmoid_of(e):
    """s(z), 1 - s(z) and s'(z) from e^-z."""
    R, residual = _reciprocal(e)
    p = R * residual
    value, complement = R + p, (1.0 - R) - p
    return Sigmoid(value, complement, slope=value * complement)  # S1, S2


@inline
def tanh_of(e, z):
    """tanh(z) and its slope from e^(-2 |z|)."""
    R, residual = _reciprocal(e)
    twice = R + R
    p = twice * residual
    value = (twice - 1.0) + p
    return Tanh(copysign(value, z), slope=(twice + p) * ((2.0 - twice) - p))  # tanh, S3


@generic
def sigmoid(z):
    """s(z) = 1 / (1 + e^-z), 1 - s(z) and the slope s(z) (1 - s(z)), for |z| up to GATE_RANGE."""
    return sigmoid_of(exponential(-z))


@generic
def tanh(z):
    """tanh(z) and its slope 1 - tanh(z)^2; from |z| = GATE_RANGE / 2 on the slope stays what it is there.

    Of tanh C_t no gradient rests on such a slope unseen: |C_t| grows by less than 1 a step, so where it is that large,
    dC is near the end of the range when its chunk ends, and the draw is suspect.
    """
    return tanh_of(exponential(maximum(-GATE_RANGE(z), -2.0 * absolute(z))), z)


@generic
def gates(z_f, z_i, z_o, z_c):
    """The activations of f, i, o (sigmoid) and g (tanh), whose |z| is up to GATE_RANGE: what sigmoid and tanh give."""
    e_c, e_f = exponential(-2.0 * absolute(z_c)), exponential(-z_f)
    g, f = tanh_of(e_c, z_c), sigmoid_of(e_f)
    e_i, e_o = exponential(-z_i), exponential(-z_o)
    return f, sigmoid_of(e_i), sigmoid_of(e_o), g


# --- log -----------------------------------------------------------------------------------------


@inline
def _halved(v):
    """(k, f) with v = 2^k (1 + f) and sqrt(1/2) <= 1 + f < sqrt(2), for positive normal v."""
    shifted = as_unsigned(v) + ONE_OVER_ROOT_HALF(v)  # AVX2 shifts no signed ones
    k = as_float((shifted >> mantissa_bits(v)) | COUNTER(v)) - COUNT_FROM(v)
    return k, as_float((shifted & MANTISSA(v)) + ROOT_HALF(v)) - 1.0


@inline
def _log_bend(f):
    """(log(1 + f) - f) / f^2; that -1/2 is apart costs nothing and saves a quarter of an ulp."""
    return fma(f, polynomial(f, LOG(f)), -0.5)


@inline
def _log_in_pieces(k, f):
    """k ln 2 + log(1 + f) in two pieces."""
    bend = fma(f * f, _log_bend(f), k * LN_2_SHORT(f)[1])
    high = fma(k, LN_2_SHORT(f)[0], f)
    return high, (f - fma(k, -LN_2_SHORT(f)[0], high)) + bend


@inline
def _log_of_positive(v):
    """log(v) in two pieces."""
    subnormal = v < SMALLEST_NORMAL(v)
    k, f = _halved(select(subnormal, v * FROM_SUBNORMALS(v), v))
    return _log_in_pieces(select(subnormal, k - SUBNORMALS(v), k), f)


@inline
def _with_edges(v, logarithm):
    of_zero_or_less = select(v == 0.0, v * 0.0 - INFINITY, NAN)
    return select(v > 0.0, select(v == INFINITY, v, logarithm), of_zero_or_less)


@generic
def log(v):
    """The natural logarithm: -inf of 0, NaN below 0."""
    high, low = _log_of_positive(v)
    return _with_edges(v, high + low)


@inline
def log10(v):
    """The decimal logarithm: -inf of 0, NaN below 0."""
    high, low = _log_of_positive(v)
    return _with_edges(v, fma(high, LOG10_E(v)[0], fma(low, LOG10_E(v)[0], high * LOG10_E(v)[1])))


@generic
def log_sigmoid(z):
    """ln s(z): nearly z for large negative z, nearly -e^-z for large positive z."""
    parts = exponential(-absolute(z))
    e = fma(parts.S, parts.q, parts.S)
    # 1 + e = 2^k (1 + f) with k = 0 or 1
    doubled = e > 0.41421356
    high, low = _log_in_pieces(select(doubled, e * 0.0 + 1.0, 0.0), select(doubled, fma(e, 0.5, -0.5), e))
    return minimum(z, 0.0) - (high + low)


# --- sin, cos and the normal quantile ------------------------------------------------------------


@inline
def sin_cos_turns(u):
    """(sin 2 pi u, cos 2 pi u); the range reduction is exact for every finite u."""
    u = u - nearest(u)
    shifted = fma(u, 4.0, MAGIC(u))
    r = fma(shifted - MAGIC(u), -0.25, u)
    square = r * r
    sine = fma(r, TWO_PI(u)[0], r * fma(square, polynomial(square, SIN(u)), TWO_PI(u)[1]))
    cosine = fma(square, polynomial(square, COS(u)), 1.0)
    quarters = as_integer(shifted)
    odd = (quarters & 1) != 0
    first, second = select(odd, cosine, sine), select(odd, sine, cosine)
    return select((quarters & 2) != 0, -first, first), select(((quarters + 1) & 2) != 0, -second, second)


@inline
def normal_quantile_lower(p):
    """The z <= 0 below which a standard normal variable lies with probability p <= 1/2.

    p is at least 2^-66 (float64) or 2^-34 (float32). In t = sqrt(-log(p)) a rational function with 16 (or 8)
    coefficients is enough. A polynomial in sqrt(c - log(4 p (1 - p))) gains only one bit a coefficient, for
    it has a singularity where the logarithm is 2 pi i.
    """
    k, f = _halved(p + p)
    log_2p = fma(k, LN_2(p)[0], fma(f * f, _log_bend(f), f))
    t = square_root(LN_2(p)[0] - log_2p)
    return log_2p * (polynomial(t, QUANTILE_N(p)) / polynomial(t, QUANTILE_D(p)))
