"""Elementary functions of lanes: exp, log, sigmoid and tanh with slopes, sin and cos, the normal quantile.

Own polynomials, and of operations only + - * / sqrt fma, comparisons and bits: the same bits on every CPU
with fma. Nothing branches. docs/accuracy.md states the errors; the coefficients are in
coefficients.py.

The gates live on exp(-a) = s (1 + q) with s = 2^k: with s and q apart, 1 - exp(-a) = (1 - s) - s q keeps its
relative accuracy for small a, and exp(-a) / (1 + exp(-a)) needs no rounding of exp(-a).
"""

from collections import namedtuple

from fastlstm.kernel.coefficients import COS, EXP, LOG, QUANTILE_D, QUANTILE_N, RECIPROCAL, SIN
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

Activation = namedtuple("Activation", "value slope larger")

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
VANISHING = by_width(105.2, 746.4)  # exp(-a) is 0 from there on: 2^k (1 + q) with k = -BIAS - SUBNORMALS
OVERFLOWING = by_width(89.3, 710.4)  # exp(a) is inf from there on: k = BIAS + 2

LOG2_E = 1.4426950408889634
LN_2 = by_width((0.6931471824645996, -1.9046542121259336e-09), (0.6931471805599453, 2.3190468138462996e-17))
LN_2_SHORT = by_width(  # the first piece times an exponent is exact
    (0.693145751953125, 1.428606765330187e-06), (0.6931471805598903, 5.497923018708371e-14)
)
LOG10_E = by_width((0.4342944920063019, -1.0103049952192578e-08), (0.4342944819032518, 1.098319650216765e-17))
TWO_PI = by_width((6.2831854820251465, -1.7484555314695172e-07), (6.283185307179586, 2.4492935982947064e-16))
IN_TWO_STEPS = by_width(False, True)  # whether a reciprocal takes another step of Newton's method
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
def _decay(a):
    """(S, x, k) with exp(-a) = S TO_SUBNORMALS (1 + _exp_minus_1(x, k)), S a power of two or 0; a >= 0."""
    size = minimum(VANISHING(a), a)
    magic = MAGIC(a) + BIAS(a) + SUBNORMALS(a)
    shifted = fma(size, -LOG2_E, magic)
    return _power_of_two(shifted), -size, shifted - magic


@inline
def _rest(r, e):
    """1 - r (1 + e) for r near 1 / (1 + e): 1 - r is exact, and 1 + e is not rounded."""
    return fma(-r, e, 1.0 - r)


@inline
def _reciprocal(e):
    """1 / (1 + e) for 0 <= e <= 1 to more than half of the digits; who uses it takes a step of Newton's method.

    The divider is the narrowest place of the machine: a register of float64 takes it as long as 29 multiply-adds take,
    one of float32 18. A division for every two gates cost 9% (float32) and 5% (float64) of the two passes.
    """
    r = polynomial(e, RECIPROCAL(e))
    if IN_TWO_STEPS(e):
        rest = _rest(r, e)
        r = fma(r, fma(rest, rest, rest), r)
    return r


@inline
def _sigmoid(z, s, q, e, r):
    larger = fma(r, _rest(r, e), r)
    scaled = s * larger
    smaller = fma(scaled, q, scaled)
    return Activation(select(z < 0.0, smaller, larger), smaller * larger, larger)  # S1, S2


@inline
def _tanh(z, S, s, q, e, r):
    rest = _rest(r, e)
    larger = fma(r, rest, r)
    top = fma(-s, q, 1.0 - s)  # 1 - e
    ratio = top * r
    ratio = fma(fma(-ratio, e, top - ratio), larger, ratio)  # top - ratio is exact
    scaled = (S * (4.0 * TO_SUBNORMALS(z))) * r
    smaller = fma(scaled, q, scaled)
    smaller = fma(smaller, rest, smaller)  # 4 e / (1 + e)
    return Activation(copysign(ratio, z), smaller * larger, larger)  # tanh, S3


@generic
def sigmoid(z):
    """s(z) = 1 / (1 + e^-z), its slope s(z) (1 - s(z)), and the larger of s(z) and 1 - s(z)."""
    S, x, k = _decay(absolute(z))
    s, q = S * TO_SUBNORMALS(z), _exp_minus_1(x, k)
    e = fma(s, q, s)
    return _sigmoid(z, s, q, e, _reciprocal(e))


@generic
def tanh(z):
    """tanh(z), its slope 1 - tanh(z)^2, and the larger of s(2z) and 1 - s(2z)."""
    S, x, k = _decay(absolute(z + z))
    s, q = S * TO_SUBNORMALS(z), _exp_minus_1_finely(x, k)
    e = fma(s, q, s)
    return _tanh(z, S, s, q, e, _reciprocal(e))


@generic
def gates(z_f, z_i, z_o, z_c):
    """The activations of f, i, o (sigmoid) and g (tanh): what sigmoid and tanh give, to the bit.

    Side by side, for LLVM keeps much of the order in which operations are written: one gate after the other, the two
    passes took 4.8 ns a step in float32, and 4.4 like this.
    """
    S_f, x_f, k_f = _decay(absolute(z_f))
    S_i, x_i, k_i = _decay(absolute(z_i))
    S_o, x_o, k_o = _decay(absolute(z_o))
    S_c, x_c, k_c = _decay(absolute(z_c + z_c))
    to_s = TO_SUBNORMALS(z_f)
    s_f, s_i, s_o, s_c = S_f * to_s, S_i * to_s, S_o * to_s, S_c * to_s
    q_f, q_i, q_o = _exp_minus_1(x_f, k_f), _exp_minus_1(x_i, k_i), _exp_minus_1(x_o, k_o)
    q_c = _exp_minus_1_finely(x_c, k_c)
    e_f, e_i, e_o, e_c = fma(s_f, q_f, s_f), fma(s_i, q_i, s_i), fma(s_o, q_o, s_o), fma(s_c, q_c, s_c)
    return (
        _sigmoid(z_f, s_f, q_f, e_f, _reciprocal(e_f)),
        _sigmoid(z_i, s_i, q_i, e_i, _reciprocal(e_i)),
        _sigmoid(z_o, s_o, q_o, e_o, _reciprocal(e_o)),
        _tanh(z_c, S_c, s_c, q_c, e_c, _reciprocal(e_c)),
    )


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
    S, x, k = _decay(absolute(z))
    s, q = S * TO_SUBNORMALS(z), _exp_minus_1(x, k)
    e = fma(s, q, s)
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
