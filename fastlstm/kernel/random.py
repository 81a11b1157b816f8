"""Random draws as pure functions of (seed, point, draw, purpose, position).

Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3") turns a
key and a counter into 128 random bits. There is no state, so any draw can be made again alone, in any
order, in any lane. The key is the seed, its low word first. The counter has four words of 32 bits:

    index    which call: value j of a stream comes from call j // 2 (float64) or j // 4 (float32)
    stream   purpose + 16 * (0 where all points share their uniforms, else point + 1)
    draw     low word, then high word

so that no two of (point, draw, purpose, value) share a counter, up to 2^64 draws, 2^28 - 1 points, 16
purposes and 2^33 values of one purpose in one draw. The number of lanes, blocks and threads is not in it.

A call's words, in order, are four values of 32 bits in float32, or two of 64 in float64, the high half
first: the first value of any stream is the same uniform in both types, to 32 bits.

A value m of b bits (b = 32 or 64) is read as the uniform u = (m + 1/2) / 2^b. A float could not hold
that near 1, so it is kept as `Uniform(tail, upper)`: the distance to the nearer end, rounded once, and
which end that is. No tail is 0; the smallest is 2^-33 or 2^-65, where a normal value lies 6.34 or 9.16
deviations out. Every distribution is a function of one u that, but for rounding, never decreases
(orthogonal weights excepted), so points that share their uniforms are coupled value by value.

All this is final: another layout is another STREAM_VERSION.
"""

from collections import namedtuple
from decimal import Context, Decimal

import numpy as np
from numba import float32, float64, int32, int64, uint32, uint64

from fastlstm.kernel.elementary import exp, log, normal_quantile_lower
from fastlstm.kernel.lanes.convert import bits, by_width, convert
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import gather, load, store
from fastlstm.kernel.lanes.simd import absolute, copysign, fill, floor, fma, minimum, select, square_root
from fastlstm.names import PARAMETERS

STREAM_VERSION = 1

# Purposes: what a stream's values are for
DRAW = 0  # 0..13: the parameters in canonical order; 14: h_0; 15: C_0
INPUT = 1  # t - 1: step t
TARGET = 2  # t - 1: step t
SEQUENCE = 3  # 0: the one value behind a whole sequence, its phase or window start
ROWS = 4  # 0: whether a subsample of rows keeps the draw

VALUES = len(PARAMETERS) + 2
H_0, C_0 = VALUES - 2, VALUES - 1
RECURRENT = tuple(PARAMETERS.index(name) for name in ("W_hf", "W_hi", "W_ho", "W_hc"))
MAX_POINTS = 2**28 - 1

# Which draws: the seed (uint64), the stream word less the purpose (uint32), a register of numbers (uint64)
Draws = namedtuple("Draws", "seed stream numbers")
# tail = min(u, 1 - u) in (0, 1/2]; upper: the mask of the lanes where u > 1/2
Uniform = namedtuple("Uniform", "tail upper")


def stream_word(point: int, *, common: bool) -> int:
    """The stream word of a point, less the purpose; all points have the same if they share their uniforms."""
    if not 0 <= point < MAX_POINTS:
        raise ValueError(f"point {point} is not in 0..{MAX_POINTS - 1}")
    return 0 if common else 16 * (point + 1)


# --- Philox4x32-10 -------------------------------------------------------------------------------

_MULTIPLIER_0, _MULTIPLIER_2 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_LOW, _WEYL_HIGH = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW_WORD, _WORD_BITS = np.uint64(0xFFFFFFFF), np.uint64(32)


@inline
def _philox_round(c0, c1, c2, c3, key_low, key_high):
    # Words are held in 64 bits, the upper half ignored, so that a product is one instruction
    product_0 = (c0 & _LOW_WORD) * _MULTIPLIER_0
    product_2 = (c2 & _LOW_WORD) * _MULTIPLIER_2
    c0 = (product_2 >> _WORD_BITS) ^ c1 ^ key_low
    c2 = (product_0 >> _WORD_BITS) ^ c3 ^ key_high
    return c0, product_2, c2, product_0


@inline
def philox(seed, stream, numbers, index):
    """The four words (uint32 registers) of a call; only the draw numbers (uint64) are a register."""
    low, high = seed & _LOW_WORD, seed >> _WORD_BITS
    # Two rounds by hand: while words are the same in all lanes, they are numbers, not registers
    c0, c1, c2, c3 = _philox_round(uint64(index), uint64(stream), numbers, numbers >> _WORD_BITS, low, high)
    low, high = (low + _WEYL_LOW) & _LOW_WORD, (high + _WEYL_HIGH) & _LOW_WORD
    c0, c1, c2, c3 = _philox_round(c0, c1, c2, c3, low, high)
    for _ in range(8):
        low, high = (low + _WEYL_LOW) & _LOW_WORD, (high + _WEYL_HIGH) & _LOW_WORD
        c0, c1, c2, c3 = _philox_round(c0, c1, c2, c3, low, high)
    return convert(c0, uint32), convert(c1, uint32), convert(c2, uint32), convert(c3, uint32)


# --- uniforms ------------------------------------------------------------------------------------
# In scratch a uniform is one float: u modulo 1 in (-1/2, 1/2], that is u itself, or u - 1 in the upper half.


@inline
def _modulo_one_64(high, low):
    m = (convert(high, uint64) << _WORD_BITS) | convert(low, uint64)
    in_upper_half = convert(bits(m, int64) >> 63, uint64)  # all bits set, or none
    odd = ((m << 1) ^ in_upper_half) | 1  # 2m + 1, or that of the complement of m
    return copysign(convert(odd, float64) * 2.0**-65, bits(m, float64))


@inline
def _modulo_one_32(m):
    in_upper_half = bits(bits(m, int32) >> 31, uint32)
    odd = ((m << 1) ^ in_upper_half) | 1
    return copysign(convert(odd, float32) * 2.0**-33, bits(m, float32))


values_of_call = by_width(4, 2)  # how many values a call gives to rows of this type


@inline
def fill_call(rows, call, count, purpose, draws):
    """The uniforms of one call, modulo 1, to their rows; rows from `count` on are left alone."""
    w0, w1, w2, w3 = philox(draws.seed, draws.stream + purpose, draws.numbers, call)
    row = call * values_of_call(rows)
    if values_of_call(rows) == 2:
        store(rows, (row, 0), _modulo_one_64(w0, w1))
        if row + 1 < count:
            store(rows, (row + 1, 0), _modulo_one_64(w2, w3))
    else:
        store(rows, (row, 0), _modulo_one_32(w0))
        if row + 1 < count:
            store(rows, (row + 1, 0), _modulo_one_32(w1))
        if row + 2 < count:
            store(rows, (row + 2, 0), _modulo_one_32(w2))
        if row + 3 < count:
            store(rows, (row + 3, 0), _modulo_one_32(w3))


@inline
def fill_uniforms(rows, count, purpose, draws):
    """Values 0..count-1 of a purpose as uniforms modulo 1, one to a row."""
    per_call = values_of_call(rows)
    for call in range((count + per_call - 1) // per_call):
        fill_call(rows, call, count, purpose, draws)


@inline
def uniform_at(rows, row):
    """The uniform in a row."""
    u = load(rows, (row, 0))
    return Uniform(absolute(u), u < 0.0)


# --- distributions -------------------------------------------------------------------------------

# The distributions by their names in a spec, with what a and b of the table mean
CODES = {
    "normal": 0,  # mean, standard deviation
    "uniform": 1,  # lower end, upper end
    "loguniform": 2,  # ln of the lower end, ln of the upper end
    "constant": 3,  # the value, unused
    "choice": 4,  # first place in the table's values, how many; all equally likely
    "logit_uniform": 5,  # logit of a uniform between a and b
    "triangular": 6,  # the symmetric triangle between a and b: the mean of two independent uniforms
    "chrono": 7,  # ln of a uniform between a and b
    "orthogonal": 8,  # gain, unused; of all four recurrent weights: a random direction of that length
    "tied": 9,  # number of another value of the draw, factor
}
NORMAL, UNIFORM, LOGUNIFORM, CONSTANT, CHOICE, LOGIT_UNIFORM, TRIANGULAR, CHRONO, ORTHOGONAL, TIED = CODES.values()

# kinds (int64), a, b (float64): shape (entries,), one distribution each; values (float64): all choices, flat
Distributions = namedtuple("Distributions", "kinds a b values")


def _ln(value):
    # Correctly rounded, where the last bit of math.log differs between machines
    return float(Context(prec=40).ln(Decimal(value)))


def distributions(entries):
    """The table of some distributions, each (name, arguments...): the arguments are numbers, but for choice a list."""
    rows, values = [], []
    for name, *arguments in entries:
        if name == "choice":
            a, b = len(values), len(arguments[0])
            values.extend(arguments[0])
        elif name == "loguniform":
            a, b = map(_ln, arguments)
        else:
            a, b = (*arguments, 0.0)[:2]
        rows.append((CODES[name], a, b))
    kinds, a, b = np.array(rows, np.float64).T.copy()
    return Distributions(kinds.astype(np.int64), a, b, np.array(values, np.float64))


@inline
def standard_normal(uniform):
    """The normal quantile of a uniform."""
    # Two thirds of the time of a normal value. A polynomial in -ln(4p(1 - p)) (Giles 2010), without root or
    # division, saved 7% at full accuracy and 25% at an error of 3e-12: not worth a second formula.
    z = normal_quantile_lower(uniform.tail)
    return select(uniform.upper, -z, z)


@inline
def between(low, high, uniform):
    """The uniform between two numbers, exact to the last bit at both ends."""
    nearer_end = select(uniform.upper, fill(uniform.tail, high), low)
    inwards = select(uniform.upper, fill(uniform.tail, low - high), high - low)
    return fma(inwards, uniform.tail, nearer_end)


@inline
def _triangular(low, high, uniform):
    # The tail is 2 s^2 of the way s from the nearer end, so the way is sqrt(tail / 2)
    return between(low, high, Uniform(square_root(0.5 * uniform.tail), uniform.upper))


@inline
def _logit_uniform(low, high, uniform):
    # ln(p / (1 - p)) of the p nearer to its end; by symmetry the upper half swaps p and 1 - p
    width = high - low
    near = fma(uniform.tail, width, select(uniform.upper, fill(uniform.tail, 1.0 - high), low))
    far = fma(uniform.tail, -width, select(uniform.upper, fill(uniform.tail, high), 1.0 - low))
    logit = log(near / far)
    return select(uniform.upper, -logit, logit)


@inline
def _chosen(first, count, uniform):
    # Counted from the nearer end, and no further than the middle, where rounding could overstep
    steps = minimum(floor(uniform.tail * count), float64((int64(count) - 1) // 2))
    return convert(select(uniform.upper, first + count - 1.0 - steps, first + steps), int64)


@inline
def apply_quantile(rows, row, kind, a, b, values):
    """Replace the uniform in a row by that quantile of a distribution; leave it where the value is tied."""
    uniform = uniform_at(rows, row)
    if kind == NORMAL:
        store(rows, (row, 0), fma(standard_normal(uniform), b, a))
    elif kind == UNIFORM:
        store(rows, (row, 0), between(a, b, uniform))
    elif kind == CONSTANT:
        store(rows, (row, 0), fill(uniform.tail, a))
    elif kind == LOGUNIFORM:
        store(rows, (row, 0), exp(between(a, b, uniform)))
    elif kind == CHOICE:
        store(rows, (row, 0), gather(values, _chosen(a, b, uniform), 0))
    elif kind == LOGIT_UNIFORM:
        store(rows, (row, 0), _logit_uniform(a, b, uniform))
    elif kind == TRIANGULAR:
        store(rows, (row, 0), _triangular(a, b, uniform))
    elif kind == CHRONO:
        store(rows, (row, 0), log(between(a, b, uniform)))
    elif kind == ORTHOGONAL:
        store(rows, (row, 0), standard_normal(uniform))


# --- the values of a draw ------------------------------------------------------------------------


@inline
def _normalise_recurrent(values, gain):
    # Four independent normals have no preferred direction
    f, i, o, c = RECURRENT
    w_f, w_i = load(values, (f, 0)), load(values, (i, 0))
    w_o, w_c = load(values, (o, 0)), load(values, (c, 0))
    scale = gain / square_root(fma(w_f, w_f, fma(w_i, w_i, fma(w_o, w_o, w_c * w_c))))
    store(values, (f, 0), scale * w_f)
    store(values, (i, 0), scale * w_i)
    store(values, (o, 0), scale * w_o)
    store(values, (c, 0), scale * w_c)


@inline
def draw_values(values, table, draws):
    """Parameters (rows 0..13), h_0 (14) and C_0 (15) of a register of draws, each by its table entry."""
    kinds, a, b, choices = table
    per_call = values_of_call(values)
    for call in range(VALUES // per_call):
        random = False
        for v in range(call * per_call, (call + 1) * per_call):
            random |= kinds[v] != CONSTANT and kinds[v] != TIED
        if random:
            fill_call(values, call, VALUES, DRAW, draws)
    for v in range(VALUES):
        apply_quantile(values, v, kinds[v], a[v], b[v], choices)
    if kinds[RECURRENT[0]] == ORTHOGONAL:
        _normalise_recurrent(values, a[RECURRENT[0]])
    for v in range(VALUES):
        if kinds[v] == TIED:
            store(values, (v, 0), b[v] * load(values, (int64(a[v]), 0)))
