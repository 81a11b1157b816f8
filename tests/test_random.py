"""Philox against known answers and a twin, the layout of the streams, each distribution against its law."""

import math
from itertools import product

import mpmath
import numpy as np
import pytest
import streams
from lanes import kept
from numba import int64, uint32
from scipy import special, stats

from fastlstm.kernel import random
from fastlstm.kernel.lanes.convert import convert, lane_numbers
from fastlstm.kernel.lanes.memory import gather, store

DTYPES = ("float32", "float64")
BITS = {"float32": 32, "float64": 64}
EPS = {dtype: float(np.finfo(dtype).eps) for dtype in DTYPES}
SEED = 20261122


# --- Philox --------------------------------------------------------------------------------------

# kat_vectors of Random123: counter, key, answer
KNOWN_ANSWERS = """
00000000 00000000 00000000 00000000  00000000 00000000  6627e8d5 e169c58d bc57ac4c 9b00dbd8
ffffffff ffffffff ffffffff ffffffff  ffffffff ffffffff  408f276d 41c83b0e a20bc7c6 6d5451fd
243f6a88 85a308d3 13198a2e 03707344  a4093822 299f31d0  d16cfe09 94fdcceb 5001e420 24126ea1
"""


@pytest.mark.parametrize("line", KNOWN_ANSWERS.strip().splitlines())
def test_philox_gives_the_known_answers_of_random123(line):
    words = [int(word, 16) for word in line.split()]
    counter, key, answer = words[:4], words[4:6], words[6:]
    draw = counter[2] | counter[3] << 32
    [actual] = streams.philox((counter[0], counter[1], np.array([draw], np.uint64)), key[0] | key[1] << 32)
    assert list(actual) == answer
    assert list(streams.twin_philox(counter, key)) == answer


def test_philox_is_its_twin_for_random_counters_and_keys():
    generator = np.random.default_rng(1)
    for _ in range(20):
        index, stream, low, high = (int(word) for word in generator.integers(0, 2**32, 4))
        draws = generator.integers(0, 2**64, 48, np.uint64)
        actual = streams.philox((index, stream, draws), low | high << 32)
        for draw, words in zip(draws, actual, strict=True):
            counter = (index, stream, int(draw) % 2**32, int(draw) >> 32)
            assert tuple(words) == streams.twin_philox(counter, (low, high))


# --- layout --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("point", [None, 0, 1, random.MAX_POINTS - 1])
@pytest.mark.parametrize("first", [0, 5, 2**32 - 7, 10**12, 2**64 - 40])
def test_a_value_comes_from_the_counter_that_the_layout_names(dtype, point, first):
    stream = random.stream_word(point or 0, common=point is None)
    for purpose in (random.DRAW, random.INPUT, random.TARGET, random.SEQUENCE, random.ROWS):
        actual = streams.fill(
            streams.UNIFORMS, dtype, 40, 7, purpose=purpose, seed=SEED << 30, stream=stream, first=first
        )
        for draw, value in [(0, 0), (1, 3), (15, 6), (16, 1), (31, 2), (32, 4), (39, 5)]:
            bits = streams.twin_bits(
                dtype, seed=SEED << 30, point=point, purpose=purpose, draw=first + draw, value=value
            )
            assert actual[draw, value] == streams.twin_modulo_one(dtype, bits)


def test_no_two_points_and_purposes_share_a_stream_word():
    points = [0, 1, 2, 14, 15, 16, 17, 2**16, 2**24, random.MAX_POINTS - 1]
    bases = [0] + [random.stream_word(point, common=False) for point in points]
    purposes = (random.DRAW, random.INPUT, random.TARGET, random.SEQUENCE, random.ROWS)
    words = {base + purpose for base, purpose in product(bases, purposes)}
    assert len(words) == len(bases) * len(purposes)
    assert max(words) < 2**32
    assert {random.stream_word(point, common=True) for point in points} == {0}


@pytest.mark.parametrize("point", [-1, random.MAX_POINTS])
@pytest.mark.parametrize("common", [True, False])
def test_a_point_beyond_the_layout_is_refused(point, common):
    with pytest.raises(ValueError, match=str(point)):
        random.stream_word(point, common=common)


def test_adjacent_draws_streams_and_values_share_no_uniform():
    """Of 10^6 values of 64 bits not two are equal, over draws, purposes and points side by side."""
    actual = [
        streams.fill(
            streams.UNIFORMS, "float64", 5000, 10, purpose=purpose,
            stream=random.stream_word(point, common=False), first=2**32 - 2500,
        )
        for point in range(4) for purpose in range(5)
    ]  # fmt: skip
    assert np.unique(actual).size == 1_000_000


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_become_the_correctly_rounded_uniform(dtype):
    width = BITS[dtype]
    edges = [0, 1, 2, 2**24 - 1, 2**24, 2**24 + 1, 2 ** (width // 2), 2 ** (width - 2), 2 ** (width - 1) - 1]
    generator = np.random.default_rng(2)
    inner = [int(bits) >> shift for shift in range(width) for bits in generator.integers(0, 2**width, 4, np.uint64)]
    lower = [bits % 2 ** (width - 1) for bits in edges + inner]
    bits = sorted({*lower, *(2**width - 1 - bits for bits in lower)})
    bits += [0] * (-len(bits) % 32)
    halves = np.array(bits, np.uint64)
    out = np.zeros((len(bits) // 32, 32), dtype)
    _modulo_one(halves >> np.uint64(32), halves & np.uint64(2**32 - 1), out)
    expected = [streams.twin_modulo_one(dtype, value) for value in bits]
    assert out.ravel().tolist() == expected
    assert np.abs(out).min() == 2.0 ** -(width + 1)
    assert np.abs(out).max() == 0.5


@kept()
def _modulo_one(high, low, out):
    lane = lane_numbers(int64, 32)
    for row in range(out.shape[0]):
        first = convert(gather(high, lane, 32 * row), uint32)
        second = convert(gather(low, lane, 32 * row), uint32)
        if out.itemsize == 8:
            store(out, (row, 0), random._modulo_one_64(first, second))
        else:
            store(out, (row, 0), random._modulo_one_32(second))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_first_value_of_a_stream_is_the_same_uniform_in_both_types(dtype):
    single, double = (streams.fill(streams.UNIFORMS, dtype, 1000, 1, purpose=3) % 1.0 for dtype in DTYPES)
    np.testing.assert_allclose(single, double, rtol=0, atol=2.0**-24)


# --- distributions -------------------------------------------------------------------------------

COUNT = 2_000_000


def _logit_law(low, high):
    return (
        lambda x: (special.expit(x) - low) / (high - low),
        lambda x: (special.expit(-x) - (1 - high)) / (high - low),
    )


def _laws():
    """Name: entry of the table, distribution function, and its complement."""
    normal, uniform, triangle = stats.norm(1.5, 2.0), stats.uniform(-3.0, 5.0), stats.triang(0.5, -2.0, 4.0)
    loguniform = stats.loguniform(1e-3, 20.0)
    wide, narrow = _logit_law(0.0, 1.0), _logit_law(0.2, 0.7)
    return {
        "normal": (("normal", 1.5, 2.0), normal.cdf, normal.sf),
        "uniform": (("uniform", -3.0, 2.0), uniform.cdf, uniform.sf),
        "loguniform": (("loguniform", 1e-3, 20.0), loguniform.cdf, loguniform.sf),
        "logit_uniform": (("logit_uniform", 0.0, 1.0), *wide),
        "logit_of_part": (("logit_uniform", 0.2, 0.7), *narrow),
        "triangular": (("triangular", -2.0, 2.0), triangle.cdf, triangle.sf),
        "log_of_uniform": (
            ("chrono", 1.0, 99.0),
            lambda x: (np.exp(x) - 1.0) / 98.0,
            lambda x: (99.0 - np.exp(x)) / 98.0,
        ),
    }


LAWS = _laws()


def assert_follows(values, below, above):
    """Kolmogorov-Smirnov at 1 in 1000; counts beyond quantiles that as few as 10 pass, in Poisson bounds."""
    values = np.sort(np.asarray(values, np.float64), axis=None)
    assert np.isfinite(values).all()
    n = values.size
    distance = np.abs(below(values) - (np.arange(n) + 0.5) / n).max()
    assert distance * math.sqrt(n) < 1.95
    for share in 10.0 ** -np.arange(2, 1 + int(math.log10(n) - 1)):
        low, high = stats.poisson.interval(0.9999, n * share)
        assert low <= np.count_nonzero(below(values) < share) <= high
        assert low <= np.count_nonzero(above(values) < share) <= high


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("law", LAWS)
def test_values_follow_their_law_to_the_tails(law, dtype):
    entry, below, above = LAWS[law]
    table = random.distributions([entry])
    assert_follows(streams.fill(streams.DISTRIBUTION, dtype, COUNT // 20, 20, table=table, seed=SEED), below, above)


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_tails_hold_their_share_of_10_million_values(dtype):
    values = np.abs(streams.fill(streams.NORMAL, dtype, 500_000, 20, 0.0, 1.0, seed=SEED))
    for z in (3.0, 4.0, 4.5, 5.0):
        low, high = stats.poisson.interval(0.9999, values.size * 2 * stats.norm.sf(z))
        assert low <= np.count_nonzero(values > z) <= high


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 3, 7, 10])
def test_choices_are_equally_likely(count, dtype):
    values = np.sqrt(np.arange(2, 2 + count))
    table = random.distributions([("choice", tuple(values))])
    actual = streams.fill(streams.DISTRIBUTION, dtype, 50_000, 20, table=table, seed=SEED)
    kept = values.astype(dtype)
    counts = [np.count_nonzero(actual == value) for value in kept]
    assert sum(counts) == actual.size
    assert count == 1 or stats.chisquare(counts).pvalue > 1e-3


def _spread(dtype):
    """Uniforms from the smallest to the largest, modulo one: dense in both tails, at 1/2 and between."""
    smallest = -(BITS[dtype] + 1)
    tails = np.concatenate(
        [
            2.0 ** np.linspace(smallest, -1, 4001),
            np.linspace(0.001, 0.5, 4001),
            0.5 - 2.0 ** np.linspace(-20, -3, 501),
        ]
    )
    tails = np.unique(tails.astype(dtype))
    return np.concatenate([tails, -tails[::-1]])


def _quantiles(entry, dtype):
    table = random.distributions([entry])
    u = _spread(dtype)
    return u, streams.fill(streams.QUANTILES, dtype, u.size, 1, table=table, given=u[:, None])[:, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("law", LAWS)
def test_quantiles_do_not_decrease_with_u(law, dtype):
    _, values = _quantiles(LAWS[law][0], dtype)
    # two uniforms an ulp or two apart may round to values an ulp or two the wrong way round
    assert (np.diff(values) >= -2 * EPS[dtype] * np.abs(values[1:])).all()
    assert np.isfinite(values).all()
    assert values[-1] > values[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 3, 10, 1000])
def test_chosen_places_do_not_decrease_with_u_and_split_it_evenly(count, dtype):
    u, values = _quantiles(("choice", tuple(range(count))), dtype)
    expected = np.where(u > 0, np.floor(u * count), count - np.ceil(-u * count))
    away_from_a_boundary = np.abs(u * count - np.round(u * count)) > 1e-5 * count
    assert (np.diff(values) >= 0).all()
    assert values[0] == 0
    assert values[-1] == count - 1
    assert (values == expected)[away_from_a_boundary].all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_quantiles_are_right_and_symmetric_down_to_the_smallest_tail(dtype):
    u, values = _quantiles(("normal", 0.0, 1.0), dtype)
    expected = np.where(u > 0, 1, -1) * stats.norm.ppf(np.abs(u).astype(np.float64))
    np.testing.assert_allclose(values, expected, rtol=8 * EPS[dtype], atol=8 * EPS[dtype])
    assert (values == -values[::-1]).all()


@pytest.mark.parametrize(("dtype", "largest"), [("float32", 6.34), ("float64", 9.16)])
def test_the_largest_normal_value_is_the_stated_one(dtype, largest):
    _, values = _quantiles(("normal", 0.0, 1.0), dtype)
    assert values.max() == -values.min() == pytest.approx(-stats.norm.ppf(2.0 ** -(BITS[dtype] + 1)), rel=1e-6)
    assert round(float(values.max()), 2) == largest


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_logit_of_a_uniform_is_exact_in_both_tails(dtype):
    u, values = _quantiles(("logit_uniform", 0.0, 1.0), dtype)
    tail = np.abs(u).astype(np.float64)
    expected = np.where(u > 0, 1, -1) * (np.log(tail) - np.log1p(-tail))
    np.testing.assert_allclose(values, expected, rtol=4 * EPS[dtype], atol=4 * EPS[dtype])
    assert values[0] < (-22 if dtype == "float32" else -45)


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform_values_stay_between_their_ends_and_keep_small_ones(dtype):
    u, values = _quantiles(("uniform", 0.0, 1.0), dtype)
    assert (values[u > 0] == u[u > 0]).all()
    assert values.max() <= 1.0
    assert (np.float64(1.0) - values[u < 0] <= -u[u < 0].astype(np.float64) + EPS[dtype] / 2).all()


@pytest.mark.parametrize(("low", "high"), [(1e-9, 1e9), (0.1, 10.0), (1.0, 1.0 + 1e-12)])
def test_logarithms_of_a_table_are_correctly_rounded(low, high):
    table = random.distributions([("loguniform", low, high)])
    with mpmath.workdps(60):
        assert [table.a[0], table.b[0]] == [float(mpmath.log(low)), float(mpmath.log(high))]


# --- the values of a draw ------------------------------------------------------------------------


def _draws(entries, dtype, count=1000, **options):
    return streams.fill(streams.VALUES, dtype, count, 16, table=random.distributions(entries), **options)


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_of_the_16_values_has_its_own_distribution(dtype):
    entries = [("uniform", float(v), v + 1.0) for v in range(16)]
    uniforms = streams.fill(streams.UNIFORMS, dtype, 1000, 16, purpose=random.DRAW)
    expected = np.arange(16) + uniforms.astype(np.float64) % 1.0
    np.testing.assert_allclose(_draws(entries, dtype), expected, rtol=EPS[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_constant_leaves_the_other_values_as_they_were(dtype):
    normal = [("normal", 0.0, 1.0)] * 16
    everything = _draws(normal, dtype)
    for v in range(16):
        entries = [*normal[:v], ("constant", 0.1), *normal[v + 1 :]]
        actual = _draws(entries, dtype)
        assert (actual[:, v] == np.dtype(dtype).type(0.1)).all()
        assert (np.delete(actual, v, 1) == np.delete(everything, v, 1)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tied_value_is_a_multiple_of_the_other(dtype):
    entries = [("normal", 0.0, 1.0)] * 16
    entries[2], entries[5], entries[14] = (
        ("tied", 15, -0.3),
        ("tied", 3, 2.0),
        ("tied", 0, 0.0),
    )
    actual = _draws(entries, dtype)
    assert (actual[:, 2] == np.dtype(dtype).type(-0.3) * actual[:, 15]).all()
    assert (actual[:, 5] == 2 * actual[:, 3]).all()
    assert (actual[:, 14] == 0).all()


def _component_law(x):
    """One coordinate of a random point on the unit sphere of four dimensions has a half-disc for density."""
    return 0.5 + (x * np.sqrt(1 - x * x) + np.arcsin(x)) / math.pi


@pytest.mark.parametrize("dtype", DTYPES)
def test_orthogonal_weights_have_the_gain_for_length_and_any_direction(dtype):
    recurrent = list(random.RECURRENT)
    assert recurrent == [0, 3, 6, 9]
    entries = [("normal", 0.0, 1.0)] * 16
    for v in recurrent:
        entries[v] = ("orthogonal", 1.7)
    entries[5] = ("tied", 3, -1.0)
    actual = _draws(entries, dtype, 200_000, seed=SEED)
    weights = actual[:, recurrent].astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(weights, axis=1), 1.7, rtol=4 * EPS[dtype])
    assert (actual[:, 5] == -actual[:, 3]).all()
    for component in weights.T / 1.7:
        assert_follows(np.clip(component, -1.0, 1.0), _component_law, lambda x: _component_law(-x))
    quadrants = np.unique((weights > 0) @ [1, 2, 4, 8], return_counts=True)[1]
    assert stats.chisquare(quadrants).pvalue > 1e-3


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_16_values_of_a_draw_are_uncorrelated(dtype):
    actual = _draws([("normal", 0.0, 1.0)] * 16, dtype, 200_000, seed=SEED)
    correlation = np.corrcoef(actual.T.astype(np.float64)) * math.sqrt(len(actual))
    assert np.abs(correlation[np.triu_indices(16, 1)]).max() < 4.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_points_share_their_uniforms_only_if_common(dtype):
    entries = [("normal", 0.0, 1.0)] * 16
    apart = [_draws(entries, dtype, stream=random.stream_word(point, common=False)) for point in (0, 1)]
    assert not np.isin(apart[0], apart[1]).all(axis=1).any()
    together = _draws(entries, dtype, stream=random.stream_word(1, common=True))
    wider = _draws([("normal", 1.0, 2.0)] * 16, dtype, stream=random.stream_word(2, common=True))
    np.testing.assert_allclose(wider, 1 + 2 * together.astype(np.float64), rtol=0, atol=20 * EPS[dtype])
