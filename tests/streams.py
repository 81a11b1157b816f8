"""Runs random.py and inputs.py for many draws, and makes their bits again with Python's integers."""

from fractions import Fraction
from functools import cache

import numpy as np
from lanes import kept
from numba import uint64

from fastlstm.kernel import inputs, random
from fastlstm.kernel.lanes.convert import lane_numbers
from fastlstm.kernel.lanes.memory import gather, store, uncounted
from fastlstm.kernel.lanes.simd import lanes_of

UNIFORMS, QUANTILES, VALUES, DISTRIBUTION, TARGETS = range(5)
NORMAL, UNIFORM, CHOICE, CONSTANT, SINE, AR1, WALK, WINDOW = range(10, 18)
NO_BORDERS = np.empty(0, np.int64)
NOTHING = random.distributions([("constant", 0.0)])


@cache
def _driver(lanes):
    @kept(lanes)
    def fill(what, purpose, out, seed, stream, first, numbers, table, series):
        out, table, series, borders = uncounted(out), uncounted(table), uncounted(series), uncounted(NO_BORDERS)
        source = inputs.Source(numbers, table, series, borders)
        for group in range(out.shape[0]):
            rows, steps = uncounted(out[group]), out.shape[1]
            draws = random.Draws(seed, stream, lane_numbers(uint64, lanes) + (first + uint64(group * lanes)))
            if what == UNIFORMS:
                random.fill_uniforms(rows, steps, purpose, draws)
            elif what == QUANTILES:
                for row in range(steps):
                    random.apply_quantile(rows, row, table.kinds[0], table.a[0], table.b[0], table.values)
            elif what == VALUES:
                random.draw_values(rows, table, draws)
            elif what == DISTRIBUTION:
                inputs.fill_distribution(rows, steps, table, purpose, draws)
            elif what == TARGETS:
                inputs.fill_targets(rows, steps, table, draws)
            elif what == NORMAL:
                inputs.normal(rows, steps, source, draws)
            elif what == UNIFORM:
                inputs.uniform(rows, steps, source, draws)
            elif what == CHOICE:
                inputs.choice(rows, steps, source, draws)
            elif what == CONSTANT:
                inputs.constant(rows, steps, source, draws)
            elif what == SINE:
                inputs.sine(rows, steps, source, draws)
            elif what == AR1:
                inputs.ar1(rows, steps, source, draws)
            elif what == WALK:
                inputs.walk(rows, steps, source, draws)
            elif what == WINDOW:
                inputs.file(rows, steps, source, draws)

    return fill


def fill(
    what, dtype, draws, steps, *numbers,
    purpose=random.INPUT, table=NOTHING, series=(0.0,), seed=2026, stream=0, first=0, given=None,
):  # fmt: skip
    """What `what` puts into rows, as an array (draws, steps); `given`, such an array, is there before."""
    lanes = lanes_of(dtype)
    groups = -(-draws // lanes)
    out = np.full((groups, steps, lanes), np.nan, dtype)
    if given is not None:
        padded = np.resize(given, (groups * lanes, steps))
        out[:] = padded.reshape(groups, lanes, steps).transpose(0, 2, 1)
    _driver(lanes)(
        what, purpose, out, np.uint64(seed), np.uint32(stream), np.uint64(first),
        (*map(float, numbers), 0.0, 0.0, 0.0)[:3], table, np.array(series, np.float64),
    )  # fmt: skip
    return np.ascontiguousarray(out.transpose(0, 2, 1)).reshape(-1, steps)[:draws]


@kept()
def _philox_words(index, stream, seed, numbers, out):
    one_after_another = lane_numbers(uint64, 16)
    for group in range(out.shape[0]):
        register = gather(numbers, one_after_another, 16 * group)
        words = random.philox(seed, stream, register, index)
        for place in range(4):
            store(out, (group, place, 0), words[place])


def philox(counter, key):
    """The package's four words for each counter of (index, stream) and an array of draw numbers."""
    index, stream, numbers = counter
    groups = -(-len(numbers) // 16)
    out = np.zeros((groups, 4, 16), np.uint32)
    _philox_words(index, np.uint32(stream), np.uint64(key), np.resize(numbers, 16 * groups).astype(np.uint64), out)
    return out.transpose(0, 2, 1).reshape(-1, 4)[: len(numbers)]


# --- the twin ------------------------------------------------------------------------------------


def twin_philox(counter, key):
    """Philox4x32-10 of four words and a key of two, from the paper's text, in Python's integers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high_0, low_0 = divmod(0xD2511F53 * c0, 2**32)
        high_1, low_1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c0, c1, c2, c3


def twin_bits(dtype, *, seed, point, purpose, draw, value):
    """The bits of a value as the documented layout has them; point None where points share their uniforms."""
    per_call = {"float32": 4, "float64": 2}[dtype]
    stream = purpose + 16 * (0 if point is None else point + 1)
    counter = (value // per_call, stream, draw % 2**32, draw >> 32)
    words = twin_philox(counter, (seed % 2**32, seed >> 32))
    place = value % per_call
    return words[place] if dtype == "float32" else words[2 * place] << 32 | words[2 * place + 1]


def twin_modulo_one(dtype, bits):
    """u or, in the upper half, u - 1, for u = (bits + 1/2) / 2^b, correctly rounded."""
    width = {"float32": 32, "float64": 64}[dtype]
    u = Fraction(2 * bits + 1, 2 ** (width + 1))
    return np.dtype(dtype).type(float(u if 2 * u < 1 else u - 1))
