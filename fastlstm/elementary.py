"""Elementary functions of lanes: exp and log, sigmoid and tanh with their slopes, sin and cos, the normal quantile.

Own polynomials and + - * / sqrt fma select alone, so the bits are the same on every CPU with fma. Nothing branches.
Error bounds are in docs/accuracy.md; benchmarks/fit_polynomials.py fits the coefficients.

The gates live on exp(-a) = s (1 + q) with s = 2^k: with s and q apart, 1 - exp(-a) = (1 - s) - s q keeps its
relative accuracy for small a, and exp(-a) / (1 + exp(-a)) needs no rounding of exp(-a) itself.
"""

from collections import namedtuple

from numba import float32, float64, uint32, uint64

from fastlstm.jit import inline
from fastlstm.simd import (
    absolute,
    bits,
    copysign,
    fma,
    maximum,
    minimum,
    nearest,
    of_dtype,
    polynomial,
    select,
    square_root,
)

Activation = namedtuple("Activation", "value slope larger")

# What the code below must know of a floating-point format.
#   magic: adding it rounds a number to an integer, which is then found in the lowest bits
#   subnormals: powers of two from the smallest normal to below half the smallest subnormal
Format = namedtuple("Format", "floating integer mantissa bias magic subnormals one_bits root_half_bits mantissa_mask")
SINGLE = Format(float32, uint32, 23, 127, 1.5 * 2.0**23, 25, 0x3F800000, 0x3F3504F3, 0x7FFFFF)
DOUBLE = Format(float64, uint64, 52, 1023, 1.5 * 2.0**52, 54, 0x3FF0000000000000, 0x3FE6A09E667F3BCD, 0xFFFFFFFFFFFFF)

LOG2_E = 1.4426950408889634
NAN = float("nan")
INFINITY = float("inf")

# Constants in two pieces: the nearest number and the rest; of LN_2_SHORT the first piece times k is exact
LN_2_SINGLE = (0.6931471824645996, -1.9046542121259336e-09)
LN_2_DOUBLE = (0.6931471805599453, 2.3190468138462996e-17)
LN_2_SHORT_SINGLE = (0.693145751953125, 1.428606765330187e-06)
LN_2_SHORT_DOUBLE = (0.6931471805598903, 5.497923018708371e-14)
TWO_PI_SINGLE = (6.2831854820251465, -1.7484555314695172e-07)
TWO_PI_DOUBLE = (6.283185307179586, 2.4492935982947064e-16)
LOG10_E_SINGLE = (0.4342944920063019, -1.0103049952192578e-08)
LOG10_E_DOUBLE = (0.4342944819032518, 1.098319650216765e-17)

# fmt: off
# (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2
EXP_SINGLE = (0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368710055947304,
              0.0013814609264954925)
EXP_DOUBLE = (0.5000000000000011, 0.16666666666666413, 0.041666666666530267, 0.00833333333349433,
              0.0013888888943597885, 0.00019841269506786532, 2.4801493135962277e-05, 2.755758626132509e-06,
              2.763023401124723e-07, 2.5000073621441656e-08)
# (log(1 + f) - f) / f^2 for sqrt(1/2) <= 1 + f <= sqrt(2)
LOG_SINGLE = (-0.49999988079071045, 0.33333325386047363, -0.25001582503318787, 0.2000197321176529,
              -0.16609081625938416, 0.14181827008724213, -0.13242992758750916, 0.1290442794561386,
              -0.07621758431196213)
LOG_DOUBLE = (-0.5000000000000003, 0.33333333333333026, -0.24999999999974926, 0.20000000000084972,
              -0.1666666667135517, 0.14285714279644604, -0.12499999604509947, 0.1111111109770485,
              -0.10000017938610378, 0.09090927482451293, -0.08332864101337405, 0.07691432453311094,
              -0.07149936923287481, 0.06685941499894402, -0.06194375570702943, 0.056589358669199695,
              -0.056780243434107806, 0.06529576230643541, -0.06006380132879407, 0.026176059732913808)
# (sin(2 pi r) / r - 2 pi) / r^2 and (cos(2 pi r) - 1) / r^2 in r^2, for |r| <= 1/8
SIN_SINGLE = (-41.34170150756836, 81.60520935058594, -76.69837951660156, 41.48757553100586)
SIN_DOUBLE = (-41.34170224039968, 81.60524927596823, -76.70585970878516, 42.05868550678811, -15.093829323464444,
              3.781366403496647)
COS_SINGLE = (-19.739208221435547, 64.93932342529297, -85.44374084472656, 59.24596405029297)
COS_DOUBLE = (-19.739208802178716, 64.93939402266801, -85.45681720654005, 60.24464133161158, -26.426251140415733,
              7.9031016371193274, -1.6970200597704503)
# 1 / (1 + e) for 0 <= e <= 1, right to 2^-6.6 and 2^-9.2: where Newton's method begins
RECIPROCAL_SINGLE = (0.989899004195925, -0.808080843823146, 0.3232323375292584)
RECIPROCAL_DOUBLE = (0.9982669032166884, -0.9428076848040932, 0.6655113497936235, -0.22183711659787447)
# the normal quantile of p is log(2p) N(t) / D(t) with t = sqrt(-log(p))
QUANTILE_N_SINGLE = (2.9217545961579776, 18.985284436521823, 12.145944048116716, 1.4146586554092038)
QUANTILE_D_SINGLE = (0.5955307268897788, 7.082458244892521, 14.960479997343265, 8.610874095800847, 1.0)
QUANTILE_N_DOUBLE = (52.26427740286923, 1107.9603299440455, 4390.287589224466, 4863.84272122832, 2439.9202675198144,
                     583.741327712766, 55.1778344587939, 1.4142551434774377)
QUANTILE_D_DOUBLE = (9.397558246393583, 296.68538115694395, 1873.7408594265555, 4050.1413203564675,
                     3805.1659441213137, 1779.9719437910528, 414.9952862315448, 39.022875870570196, 1.0)
# fmt: on


@inline
def _power_of_two(shifted):
    """2^n from magic + n + bias, for n + bias from 0 (which gives 0) to 2 bias + 1 (which gives inf)."""
    form = of_dtype(shifted, SINGLE, DOUBLE)
    return bits(bits(shifted, form.integer) << form.mantissa, form.floating)


@inline
def _reduced(x, k):
    """x - k ln 2, where |x - k ln 2| < 1/2."""
    ln_2 = of_dtype(x, LN_2_SINGLE, LN_2_DOUBLE)
    # the first difference is exact, so its rounding and that of ln 2 cost nothing
    return fma(k, -ln_2[1], fma(k, -ln_2[0], x))


@inline
def _exp_minus_1(r):
    """exp(r) - 1 for |r| <= ln(2) / 2."""
    return fma(r * r, polynomial(r, of_dtype(r, EXP_SINGLE, EXP_DOUBLE)), r)


@inline
def exp(v):
    """e^v, below 1 ulp; subnormal results are rounded once more."""
    form = of_dtype(v, SINGLE, DOUBLE)
    lowest, highest = of_dtype(v, (-105.2, 89.3), (-746.4, 710.4))  # 0 and inf from there on
    x = minimum(highest, maximum(lowest, v))
    # 2^k is made in two factors, neither of which over- or underflows
    negative = x < 0.0
    lift = select(negative, x * 0.0 + form.subnormals, -2.0)
    rest = select(negative, x * 0.0 + of_dtype(v, 2.0**-25, 2.0**-54), 4.0)
    magic = lift + (form.magic + form.bias)
    shifted = fma(x, LOG2_E, magic)
    q = _exp_minus_1(_reduced(x, shifted - magic))
    s = _power_of_two(shifted)
    return fma(s, q, s) * rest


@inline
def _decay(a):
    """(s, q) with exp(-a) = s (1 + q) and s a power of two, for a >= 0. s is 0 where exp(-a) is."""
    form = of_dtype(a, SINGLE, DOUBLE)
    # at the limit 2^k is below half the smallest subnormal, and its biased exponent is 0
    x = minimum(of_dtype(a, 105.2, 746.4), a)
    magic = form.magic + form.bias + form.subnormals
    shifted = fma(x, -LOG2_E, magic)
    q = _exp_minus_1(_reduced(-x, shifted - magic))
    return _power_of_two(shifted) * of_dtype(a, 2.0**-25, 2.0**-54), q


@inline
def _reciprocal_of_one_plus(e):
    """1 / (1 + e) for 0 <= e <= 1, to little more than half an ulp."""
    r = polynomial(e, of_dtype(e, RECIPROCAL_SINGLE, RECIPROCAL_DOUBLE))
    h = fma(-(1.0 + e), r, 1.0)
    r = fma(r, fma(h, h, h), r)
    # 1 - r is exact, so the rounding of 1 + e is repaired too
    return fma(r, fma(-r, e, 1.0 - r), r)


@inline
def sigmoid(z):
    """s(z) = 1 / (1 + e^-z), its slope s(z) (1 - s(z)), and the larger of s(z) and 1 - s(z)."""
    s, q = _decay(absolute(z))
    larger = _reciprocal_of_one_plus(fma(s, q, s))
    scaled = s * larger
    smaller = fma(scaled, q, scaled)
    return Activation(select(z < 0.0, smaller, larger), smaller * larger, larger)


@inline
def tanh(z):
    """tanh(z), its slope 1 - tanh(z)^2, and the larger of s(2z) and 1 - s(2z)."""
    a = absolute(z)
    s, q = _decay(a + a)
    larger = _reciprocal_of_one_plus(fma(s, q, s))
    scaled = s * larger
    smaller = fma(scaled, q, scaled)
    size = fma(-s, q, 1.0 - s) * larger
    return Activation(copysign(size, z), (4.0 * smaller) * larger, larger)


@inline
def gates(z_f, z_i, z_o, z_c):
    """The activations of the gates f, i, o (sigmoid) and of the candidate (tanh)."""
    return sigmoid(z_f), sigmoid(z_i), sigmoid(z_o), tanh(z_c)


@inline
def _exponent_and_rest(v):
    """(k, f) with v = 2^k (1 + f) and sqrt(1/2) <= 1 + f < sqrt(2), for positive normal v."""
    form = of_dtype(v, SINGLE, DOUBLE)
    shifted = bits(v, form.integer) + (form.one_bits - form.root_half_bits)
    k = bits((shifted >> form.mantissa) | of_dtype(v, 0x4B000000, 0x4330000000000000), form.floating)
    m = bits((shifted & form.mantissa_mask) + form.root_half_bits, form.floating)
    return k - (of_dtype(v, 2.0**23, 2.0**52) + form.bias), m - 1.0


@inline
def _log_sum(k, f):
    """k ln 2 + log(1 + f) in two pieces."""
    ln_2 = of_dtype(f, LN_2_SHORT_SINGLE, LN_2_SHORT_DOUBLE)
    bend = fma(f * f, polynomial(f, of_dtype(f, LOG_SINGLE, LOG_DOUBLE)), k * ln_2[1])
    high = fma(k, ln_2[0], f)
    return high, (f - fma(k, -ln_2[0], high)) + bend


@inline
def _log_of_normal(v):
    """log(v) in two pieces, for v > 0; subnormals too."""
    form = of_dtype(v, SINGLE, DOUBLE)
    subnormal = v < of_dtype(v, 2.0**-126, 2.0**-1022)
    k, f = _exponent_and_rest(select(subnormal, v * of_dtype(v, 2.0**25, 2.0**54), v))
    return _log_sum(select(subnormal, k - form.subnormals, k), f)


@inline
def _with_log_edges(v, result):
    result = select(v == INFINITY, v, result)
    return select(v > 0.0, result, select(v == 0.0, v * 0.0 - INFINITY, NAN))


@inline
def log(v):
    """The natural logarithm: -inf of 0, NaN below 0."""
    high, low = _log_of_normal(v)
    return _with_log_edges(v, high + low)


@inline
def log10(v):
    """The decimal logarithm: -inf of 0, NaN below 0."""
    high, low = _log_of_normal(v)
    log10_e = of_dtype(v, LOG10_E_SINGLE, LOG10_E_DOUBLE)
    return _with_log_edges(v, fma(high, log10_e[0], fma(low, log10_e[0], high * log10_e[1])))


@inline
def log_sigmoid(z):
    """ln s(z); for z below 0 nearly z itself, so it never underflows."""
    s, q = _decay(absolute(z))
    e = fma(s, q, s)
    # 1 + e = 2^k (1 + f) with k = 0 or 1
    twice = e > 0.41421356
    high, low = _log_sum(select(twice, e * 0.0 + 1.0, 0.0), select(twice, fma(e, 0.5, -0.5), e))
    return minimum(z, 0.0) - (high + low)


@inline
def sin_cos_turns(u):
    """(sin 2 pi u, cos 2 pi u); the range reduction is exact for every finite u."""
    form = of_dtype(u, SINGLE, DOUBLE)
    u = u - nearest(u)
    shifted = fma(u, 4.0, form.magic)
    r = fma(shifted - form.magic, -0.25, u)
    two_pi = of_dtype(u, TWO_PI_SINGLE, TWO_PI_DOUBLE)
    square = r * r
    sine = r * fma(square, polynomial(square, of_dtype(u, SIN_SINGLE, SIN_DOUBLE)), two_pi[1])
    sine = fma(r, two_pi[0], sine)
    cosine = fma(square, polynomial(square, of_dtype(u, COS_SINGLE, COS_DOUBLE)), 1.0)
    quarter = bits(shifted, form.integer)
    odd = (quarter & 1) != 0
    first, second = select(odd, cosine, sine), select(odd, sine, cosine)
    return select((quarter & 2) != 0, -first, first), select(((quarter + 1) & 2) != 0, -second, second)


@inline
def normal_quantile_lower(p):
    """The z <= 0 below which a standard normal variable lies with probability p, for 0 < p <= 1/2."""
    k, f = _exponent_and_rest(p + p)
    ln_2 = of_dtype(p, LN_2_SINGLE, LN_2_DOUBLE)[0]
    log_2p = fma(k, ln_2, fma(f * f, polynomial(f, of_dtype(p, LOG_SINGLE, LOG_DOUBLE)), f))
    t = square_root(ln_2 - log_2p)
    numerator = polynomial(t, of_dtype(p, QUANTILE_N_SINGLE, QUANTILE_N_DOUBLE))
    return log_2p * (numerator / polynomial(t, of_dtype(p, QUANTILE_D_SINGLE, QUANTILE_D_DOUBLE)))


@inline
def exponent(v):
    """floor(log2 |v|) of a normal number, integer-valued; of 0 and subnormals -bias (-127 or -1023), of inf 1 + bias."""
    form = of_dtype(v, SINGLE, DOUBLE)
    biased = (bits(absolute(v), form.integer) >> form.mantissa) | of_dtype(v, 0x4B000000, 0x4330000000000000)
    return bits(biased, form.floating) - (of_dtype(v, 2.0**23, 2.0**52) + form.bias)


@inline
def power_of_two(k):
    """2^k for integer-valued k; 0 below the normal range (k < -126 or -1022), inf above it."""
    form = of_dtype(k, SINGLE, DOUBLE)
    return _power_of_two(minimum(form.bias + 1.0, maximum(-1.0 * form.bias, k)) + (form.magic + form.bias))
