"""Shares to labels; counts that add up; quantiles and intervals from counts."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from fastlstm.intervals import wilson
from fastlstm.measures import ADJOINTS, CLASSES, FINE, FLAGS, LOG, Measure
from fastlstm.tables.counts import QUANTILES, REGIMES, Counts, bin_edges, bin_of, regime_table
from fastlstm.tables.regimes import classify, flags, regime_number

MEASURES = (Measure("norm", "norms", "log10", "a norm", LOG), Measure("gap", "truncation", "1", "a gap", FINE))
RESOLUTIONS = (LOG, FINE)


def sample(seed, draws):
    """Regimes, columns and flags of some draws; a tenth of the norms is a true zero, some gaps are missing."""
    random = np.random.default_rng([seed, draws])
    regime = random.choice([0, 4, 13, 26], draws, p=[0.1, 0.2, 0.69, 0.01]).astype(np.uint8)
    norm = random.normal(-3, 2 + regime / 3).astype(np.float32)
    norm[random.random(draws) < 0.1] = -np.inf
    gap = random.exponential(0.5, draws).astype(np.float32)
    gap[random.random(draws) < 0.02] = np.nan
    marks = {name: random.random(draws) < share for name, share in zip(FLAGS, (0.02, 0.3), strict=True)}
    return regime, {"norm": norm, "gap": gap}, marks


def counted(*samples):
    counts = Counts(MEASURES)
    for regime, columns, marks in samples:
        counts.add(regime, columns, marks)
    return counts


def cut(whole, *edges):
    """A sample in pieces."""
    regime, columns, marks = whole
    for start, end in zip((0, *edges), (*edges, len(regime)), strict=True):
        part = slice(start, end)
        yield (
            regime[part],
            {name: column[part] for name, column in columns.items()},
            {name: mark[part] for name, mark in marks.items()},
        )


# Labels


def test_a_gate_is_left_or_right_only_above_the_majority():
    left = np.array([0.0, 0.5, 0.51, 1.0, 0.0, 0.0, 0.49])
    right = np.array([0.0, 0.5, 0.49, 0.0, 0.51, 1.0, 0.51])
    labels = [CLASSES[number] for number in classify(left, right, 0.5)]
    assert labels == ["mid", "mid", "left", "left", "right", "right", "right"]
    labels = [CLASSES[number] for number in classify(left, right, 0.9)]
    assert labels == ["mid", "mid", "mid", "left", "mid", "right", "mid"]


def test_each_combination_of_classes_has_its_own_number_in_the_order_of_the_labels():
    classes = [np.array(column, np.int8) for column in zip(*product(range(3), repeat=3), strict=True)]
    assert regime_number(classes).tolist() == list(range(REGIMES))


def test_flags_are_read_from_the_state_adjoints():
    columns = {
        "log10_dh0": np.array([-7.0, -7.0, 0.0, -np.inf]),
        "log10_dC0": np.array([-7.0, -5.0, 0.0, -np.inf]),
        "log10_dh_max": np.array([0.0, 3.1, 2.9, 0.0]),
        "log10_dC_max": np.array([0.0, 0.0, 2.9, 4.0]),
    }
    assert set(columns) == {measure.name for measure in ADJOINTS}
    actual = flags(columns, exploded=1e3, vanished=1e-6)
    assert actual["exploded"].tolist() == [False, True, False, True]
    assert actual["vanished"].tolist() == [True, False, False, True]


# Bins


def values_of_every_size(dtype):
    size = np.concatenate([np.geomspace(1e-30, 1e30, 20_001), np.linspace(0, 20, 5_001)])
    return np.sort(np.concatenate([-size, size]).astype(dtype))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_value_lies_in_its_bin(resolution, dtype):
    values = values_of_every_size(dtype)
    bins = bin_of(values, resolution)
    assert (np.diff(bins) >= 0).all()
    lower, upper = bin_edges(bins, resolution)
    room = 1e-6 * np.abs(values.astype(float)) + 1e-6 * resolution  # bins are found in single precision
    assert (lower - room <= values).all()
    assert (values <= upper + room).all()


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_bins_join_and_grow_with_the_value(resolution):
    bins = np.arange(-20_000, 20_000)
    lower, upper = bin_edges(bins, resolution)
    assert (lower[1:] == upper[:-1]).all()
    assert (lower < upper).all()
    assert (bin_of((lower + upper) / 2, resolution) == bins).all()
    near = np.abs(bins + 0.5) < 256
    assert (upper - lower)[near] == pytest.approx(resolution)
    assert (upper - lower <= resolution + np.abs(lower) / 128).all()


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_infinities_have_bins_of_their_own_beyond_all_numbers(resolution):
    below, lowest, highest, above = bin_of(np.array([-np.inf, -1e30, 1e30, np.inf]), resolution)
    assert below < lowest
    assert highest < above
    lower, upper = bin_edges(np.array([below, above]), resolution)
    assert lower.tolist() == upper.tolist() == [-np.inf, np.inf]


def test_both_zeros_share_a_bin():
    assert bin_of(np.array([0.0, -0.0]), LOG).tolist() == [0, 0]
    assert bin_of(np.array([-1e-9]), LOG).tolist() == [-1]


# Counts


def test_counts_add_up_in_any_order():
    whole = sample(1, 5_000)
    table = counted(whole).to_table()
    pieces = list(cut(whole, 1, 1_000, 1_016, 4_999))
    assert counted(*pieces).to_table().equals(table)
    assert counted(*reversed(pieces)).to_table().equals(table)
    for order in (pieces, reversed(pieces)):
        merged = Counts(MEASURES)
        for piece in order:
            merged.merge_table(counted(piece).to_table())
        assert merged.to_table().equals(table)
        assert merged.regime_rows() == counted(whole).regime_rows()


def test_a_table_of_counts_comes_back_as_it_was():
    table = counted(sample(2, 3_000)).to_table()
    reread = Counts(MEASURES)
    reread.merge_table(table)
    assert reread.to_table().equals(table)
    reread.merge_table(Counts(MEASURES).to_table())  # nothing, added
    assert reread.to_table().equals(table)


def test_every_draw_is_counted_once_for_each_measure():
    regime, columns, marks = sample(3, 4_000)
    table = counted((regime, columns, marks)).to_table().to_pandas()
    totals = table.groupby(["measure", "regime"], observed=True)["count"].sum()
    for number in np.unique(regime):
        mine = regime == number
        assert totals[("norm", number)] == mine.sum()
        assert totals[("gap", number)] == (mine & ~np.isnan(columns["gap"])).sum()
        assert totals[("exploded", number)] == mine.sum()
    ones = table[table["bin"] == 1].groupby("measure", observed=True)["count"].sum()
    assert ones["vanished"] == marks["vanished"].sum()


def test_a_row_of_the_regime_table_says_what_numpy_says():
    regime, columns, marks = sample(5, 40_000)
    rows = counted((regime, columns, marks)).regime_rows()
    assert [(row["regime_f"], row["regime_i"], row["regime_o"]) for row in rows] == [
        ("left", "left", "left"), ("left", "mid", "mid"), ("mid", "mid", "mid"), ("right", "right", "right")
    ]  # fmt: skip
    for row, number in zip(rows, [0, 4, 13, 26], strict=True):
        mine = regime == number
        assert row["draws"] == mine.sum()
        assert row["share"] == mine.mean()
        for name in FLAGS:
            assert row[name] == marks[name][mine].sum()
            assert (row[f"{name}_low"], row[f"{name}_high"]) == wilson(row[name], row["draws"])
        for measure in MEASURES:
            values = columns[measure.name][mine]
            values = values[~np.isnan(values)]
            assert row[f"{measure.name}_min"] == values.min()
            assert row[f"{measure.name}_max"] == values.max()
            for q in QUANTILES:
                actual = row[f"{measure.name}_q{round(100 * q):02d}"]
                # one rank to either side, and the width of a bin
                low, high = np.quantile(values, [q - 1 / len(values), q + 1 / len(values)], method="inverted_cdf")
                width = measure.resolution + abs(actual) / 128 if np.isfinite(actual) else 0
                assert low - width <= actual <= high + width


def test_quantiles_of_a_large_sample_are_numpys_within_a_bin():
    values = np.random.default_rng(6).normal(-4, 3, 100_000).astype(np.float32)
    none = np.zeros(len(values), bool)
    (row,) = counted(
        (np.zeros(len(values), np.uint8), {"norm": values, "gap": np.exp(values)}, dict.fromkeys(FLAGS, none))
    ).regime_rows()
    for q in QUANTILES:
        assert row[f"norm_q{round(100 * q):02d}"] == pytest.approx(np.quantile(values, q), abs=LOG)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-np.inf] * 10, [-np.inf] * 9),
        ([-np.inf] * 5 + [1.0] * 5, [-np.inf] * 4 + [None] + [1.0] * 4),
        ([2.0] * 5 + [np.inf] * 5, [2.0] * 4 + [None] + [np.inf] * 4),
        ([np.nan] * 4, [np.nan] * 9),
        ([np.nan, 3.0], [3.0] * 9),
        ([-1.0], [-1.0] * 9),
    ],
    ids=["zeros", "half zeros", "half infinite", "missing", "half missing", "one"],
)
def test_zeros_infinities_and_missing_values_have_their_place_in_the_quantiles(values, expected):
    """Minimum, seven quantiles, maximum; the median between two halves is neither's."""
    columns = {"norm": np.array(values, np.float32), "gap": np.zeros(len(values), np.float32)}
    none = np.zeros(len(values), bool)
    (row,) = counted((np.zeros(len(values), np.uint8), columns, dict.fromkeys(FLAGS, none))).regime_rows()
    assert row["draws"] == len(values)
    names = ["min", *(f"q{round(100 * q):02d}" for q in QUANTILES), "max"]
    actual = [row[f"norm_{name}"] for name in names]
    wanted = [value if wish is None else wish for value, wish in zip(actual, expected, strict=True)]
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=LOG)


def test_values_beyond_single_precision_are_counted_as_infinite():
    columns = {"norm": np.array([1e300, -1e300, 3e38]), "gap": np.array([1e300, 1e37, 0.0])}
    none = np.zeros(3, bool)
    (row,) = counted((np.zeros(3, np.uint8), columns, dict.fromkeys(FLAGS, none))).regime_rows()
    assert row["draws"] == 3
    assert row["norm_min"] == -1e300
    assert row["gap_max"] == 1e300


# Intervals and the table


@pytest.mark.parametrize(("count", "total"), [(0, 1), (1, 1), (0, 50), (3, 50), (25, 50), (50, 50), (7, 10**9)])
def test_wilson_interval_is_scipys(count, total):
    interval = binomtest(count, total).proportion_ci(0.95, method="wilson")
    assert wilson(count, total) == pytest.approx((interval.low, interval.high), rel=1e-9, abs=1e-15)


def test_wilson_interval_begins_at_no_draw_and_ends_at_all():
    for total in range(1, 3_000):
        assert wilson(0, total)[0] == 0
        assert wilson(total, total)[1] == 1


def test_wilson_interval_of_a_published_example():
    """81 of 263: 0.2553 to 0.3662. Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_regime_table_has_a_row_for_each_point_and_regime_and_ordered_classes():
    whole = sample(7, 2_000)
    pieces = map(counted, cut(whole, 1_200))
    table = regime_table({"point": point} | row for point, of in enumerate(pieces) for row in of.regime_rows())
    assert table["draws"].sum() == 2_000
    assert table.groupby("point")["draws"].sum().tolist() == [1_200, 800]
    assert table.groupby("point")["share"].sum().to_numpy() == pytest.approx(1)
    for gate in "fio":
        column = table[f"regime_{gate}"]
        assert column.cat.ordered
        assert tuple(column.cat.categories) == CLASSES
    assert not table.isna().any().any()
