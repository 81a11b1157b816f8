"""Intervals cover a known truth as often as they say, and verdicts err no oftener than in 1 of 20 runs."""

import math

import numpy as np
import pytest
from scipy import stats

from fastlstm.claims.expression import parse_expression
from fastlstm.claims.prediction import Comparison, Ordering, parse_prediction, worst
from fastlstm.claims.statistic import parse_statistic
from fastlstm.claims.values import Bounds, Truths, between, decided, known
from fastlstm.intervals import ERROR, Moments, bounded_mean, exact_share, hill_interval, quantile_ranks, wilson, z_score
from fastlstm.tables.counts import bin_edges, bin_of
from fastlstm.verdicts.estimates import Sample, combine, estimate, paired_step, step

EVERYWHERE = Bounds(-math.inf, math.inf)
UNIT = Bounds(0.0, 1.0)
REPEATS = 1500
# of REPEATS intervals of 95%: fewer cover by chance once in a thousand
FEWEST = stats.binom(REPEATS, 0.95).ppf(0.001) / REPEATS


def term(text):
    (actual,) = parse_statistic(text).terms
    return actual


def sample(values, counts=None):
    return Sample(decided(values) if values.dtype == bool else known(values), counts)


def interval(text, values, bounds=EVERYWHERE, error=ERROR, counts=None):
    return estimate(term(text), sample(values, counts), bounds, (error,)).intervals[0]


def coverage(text, draw, truth, bounds=EVERYWHERE):
    """How often the interval holds the truth, of REPEATS samples; `draw` makes one from a generator."""
    random = np.random.default_rng(20261122)
    actual = [interval(text, draw(random), bounds) for _ in range(REPEATS)]
    return np.mean([low <= truth <= high for low, high in actual])


# formulas against scipy


@pytest.mark.parametrize("error", [0.05, 0.0005, 5e-8])
def test_wilson_with_any_chance_of_error_is_scipys(error):
    for count, total in ((0, 7), (3, 50), (50, 50), (12_345, 1_000_000)):
        theirs = stats.binomtest(count, total).proportion_ci(1 - error, method="wilson")
        assert wilson(count, total, error) == pytest.approx((theirs.low, theirs.high), rel=1e-6, abs=1e-12)
    assert z_score(error) == pytest.approx(stats.norm.isf(error / 2), rel=1e-12)


@pytest.mark.parametrize("error", [0.05, 0.0005, 5e-8])
def test_the_exact_interval_of_a_share_is_scipys(error):
    for count, total in ((0, 5), (1, 1), (5, 5), (3, 50), (1, 12_000), (9999, 20_000), (999_990, 1_000_000)):
        theirs = stats.binomtest(count, total).proportion_ci(1 - error, method="exact")
        assert exact_share(count, total, error) == pytest.approx((theirs.low, theirs.high), rel=1e-9)
    # among very many draws, by logarithms of numbers near 10^13; of many counts by Wilson's
    for count, total, near in ((7, 10**12, 3e-3), (20_000, 10**6, 2e-3)):
        ends = stats.beta.ppf(error / 2, count, total - count + 1), stats.beta.isf(error / 2, count + 1, total - count)
        assert exact_share(count, total, error) == pytest.approx(ends, rel=near)


@pytest.mark.parametrize("error", [0.05, 0.0005])
@pytest.mark.parametrize("q", [0.5, 0.01, 0.999])
@pytest.mark.parametrize("total", [1, 2, 7, 100, 12_000, 1_000_000])
def test_ranks_of_a_quantile_are_the_narrowest_that_are_sure_enough(total, q, error):
    below = stats.binom(total, q)  # how many values are below the quantile
    low, high = quantile_ranks(total, q, error)
    assert below.cdf(low - 1) <= error / 2 < below.cdf(low) * (1 + 1e-9)
    assert below.sf(high - 1) <= error / 2 < below.sf(high - 2) * (1 + 1e-9)


def test_ranks_of_very_many_draws_are_those_of_the_normal_approximation():
    total, q = 10**12, 0.25
    low, high = quantile_ranks(total, q)
    below = stats.binom(total, q)
    assert (low, high) == pytest.approx((below.ppf(0.025), below.ppf(0.975)), abs=5)


# coverage, by simulation with known truth


@pytest.mark.parametrize(("p", "draws"), [(0.5, 200), (0.03, 1000), (0.97, 300)])
def test_the_interval_of_a_share_covers_it(p, draws):
    assert coverage("share(c)", lambda random: random.random(draws) < p, p) >= FEWEST - 0.01  # Wilson's own wiggle


@pytest.mark.parametrize(("text", "q"), [("median(x)", 0.5), ("quantile(x, 0.05)", 0.05), ("quantile(x, 0.99)", 0.99)])
def test_the_interval_of_a_quantile_covers_it_whatever_the_tail(text, q):
    assert coverage(text, lambda random: random.standard_cauchy(250), stats.cauchy.ppf(q)) >= FEWEST


def test_the_interval_of_a_quantile_covers_a_true_zero_in_logarithms():
    """A fifth of the values are -inf; the 0.15-quantile is one of them, and the 0.2-quantile is the edge."""

    def logs(random):
        return np.where(random.random(300) < 0.2, -np.inf, random.standard_normal(300))

    for q in (0.15, 0.2, 0.5):
        truth = -np.inf if q <= 0.2 else stats.norm.ppf((q - 0.2) / 0.8)
        assert coverage(f"quantile(x, {q})", logs, truth) >= FEWEST


@pytest.mark.parametrize(
    ("name", "law", "bounds"),
    [
        ("even", stats.uniform(), UNIT),
        ("skewed", stats.beta(0.05, 2.0), UNIT),
        ("rare", stats.bernoulli(0.005), UNIT),
        ("rare the other way", stats.bernoulli(0.995), UNIT),
        ("signs", stats.rv_discrete(values=([-1, 0, 1], [0.01, 0.0, 0.99]))(), Bounds(-1.0, 1.0)),
    ],
)
def test_the_interval_of_a_bounded_mean_covers_it_even_where_most_values_are_alike(name, law, bounds):
    def draw(random):
        return law.rvs(400, random_state=random).astype(float)

    assert coverage("mean(x)", draw, law.mean(), bounds) >= FEWEST


def test_the_interval_of_a_mean_is_no_point_where_all_values_are_alike():
    low, high = bounded_mean(Moments.of(np.full(1000, 0.5)), 0.0, 1.0)
    assert low < 0.5 < high
    # something that happens in a share p of the draws stays unseen in 1000 of them with a chance of 2.5%
    assert high > 0.5 + 0.5 * (1 - 0.025 ** (1 / 1000))
    assert bounded_mean(Moments.of(np.zeros(1000)), 0.0, 1.0)[0] == 0


@pytest.mark.parametrize("index", [0.5, 1.0, 3.0])
def test_the_interval_of_a_tail_index_covers_it(index):
    """Of a true power law, from logarithms that no float could hold as powers."""

    def logs(random):
        return random.exponential(400 / math.log(10), 2000)

    actual = coverage("tail_index(10 ** x, 0.1)", lambda random: logs(random) * math.log(10) / index, index / 400)
    assert actual >= FEWEST


@pytest.mark.parametrize("error", [0.05, 0.0005, 5e-6])
def test_the_interval_of_a_tail_index_is_that_of_exponential_excesses(error):
    for exceeding in (4, 10, 75, 10_000):
        low, high = hill_interval(2.0, exceeding, error)
        law = stats.chi2(2 * exceeding)
        least, most = law.ppf(error / 2) / exceeding, law.isf(error / 2) / exceeding
        assert high == pytest.approx(most, rel=0.03)
        assert most * (1 - 1e-3) < high
        assert low < least * (1 + 1e-3)
        if error == ERROR:
            assert low == pytest.approx(least, rel=0.02)


def test_a_tail_that_is_no_number_gives_no_index():
    exponent = np.linspace(0, 1, 100)
    for worse in (np.inf, np.nan):
        values = np.append(exponent, worse)
        assert math.isnan(estimate(term("tail_index(10 ** x, 0.1)"), sample(values), EVERYWHERE, (ERROR,)).value)
        assert interval("tail_index(10 ** x, 0.1)", values) == EVERYWHERE
    assert interval("tail_index(x, 0.5)", np.full(50, -np.inf)) == EVERYWHERE
    assert interval("tail_index(x, 0.001)", exponent) == EVERYWHERE  # no value in the tail
    assert interval("tail_index(x, 0.5)", np.zeros(50)) == EVERYWHERE  # no spread


# estimates


def test_estimates_are_the_plain_ones():
    random = np.random.default_rng(1)
    values = random.standard_normal(1001)
    actual = {
        text: estimate(term(text), sample(values), Bounds(-9, 9), (ERROR, ERROR / 100))
        for text in ("median(x)", "quantile(x, 0.9)", "mean(x)")
    }
    assert actual["median(x)"].value == np.median(values)
    assert actual["quantile(x, 0.9)"].value == np.quantile(values, 0.9, method="inverted_cdf")
    assert actual["mean(x)"].value == pytest.approx(values.mean(), rel=1e-12)
    marks = estimate(term("share(x)"), sample(values > 1), UNIT, (ERROR, ERROR / 100))
    assert marks.value == (values > 1).mean()
    for each in (*actual.values(), marks):
        plain, corrected = each.intervals
        assert corrected.low < plain.low < each.value < plain.high < corrected.high
        assert each.draws == 1001


def test_logs_of_the_tail_are_scipys_pareto_fit():
    values = np.random.default_rng(3).pareto(2.0, 5000) + 1
    actual = estimate(term("tail_index(x, 0.2)"), sample(np.log(values)), EVERYWHERE, (ERROR,))
    highest = np.sort(values)[-1001:]
    shape, _, _ = stats.pareto.fit(highest[1:], floc=0, fscale=highest[0])
    assert actual.value == pytest.approx(shape, rel=1e-6)
    assert actual.draws == 1000


def test_values_that_are_not_known_count_as_the_worst_on_either_side():
    values = np.arange(100.0)
    holed = np.where(values < 40, np.nan, values)
    low, high = interval("median(x)", holed)
    assert (low, high) == (interval("median(x)", np.where(values < 40, -np.inf, values)).low, math.inf)
    assert estimate(term("median(x)"), sample(holed), EVERYWHERE, (ERROR,)).value == 69
    marks = Truths(values > 60, (values > 60) | (values < 40))
    actual = estimate(term("share(c)"), Sample(marks, None), UNIT, (ERROR,))
    assert actual.value == 39 / 60
    assert actual.intervals[0] == (wilson(39, 100)[0], wilson(79, 100)[1])
    low, high = interval("mean(x)", np.where(values < 40, np.nan, 0.5), UNIT)
    assert low < 0.3
    assert high > 0.7


def test_no_draws_say_nothing():
    for text, empty in (("median(x)", np.empty(0)), ("mean(x)", np.empty(0)), ("share(c)", np.empty(0, bool))):
        actual = estimate(term(text), sample(empty), UNIT, (ERROR,))
        assert math.isnan(actual.value)
        assert actual.intervals == (EVERYWHERE,)
        assert actual.draws == 0


@pytest.mark.parametrize("q", [0.02, 0.5, 0.98])
def test_bins_give_an_interval_that_holds_that_of_the_values_and_is_a_bin_wider(q):
    values = np.random.default_rng(5).standard_normal(4000).astype(np.float32) * 3
    values[:100] = -np.inf
    bins, counts = np.unique(bin_of(values, 1 / 32), return_counts=True)
    cells = Sample(between(*bin_edges(bins.astype(np.int64), 1 / 32)), counts)
    binned = estimate(term(f"quantile(x, {q})"), cells, EVERYWHERE, (ERROR,))
    exact = estimate(term(f"quantile(x, {q})"), sample(values.astype(float)), EVERYWHERE, (ERROR,))
    assert binned.draws == exact.draws == 4000
    (low, high), (least, most) = binned.intervals[0], exact.intervals[0]
    assert low <= least <= most <= high
    if math.isfinite(least):
        assert binned.value == pytest.approx(exact.value, abs=1 / 16)
        assert least - low < 1 / 16
        assert high - most < 1 / 16
    shares = [
        estimate(term("share(x > 1.01)"), Sample(parse_expression("x > 1.01").truth({"x": of.value}, ""), of.counts),
                 UNIT, (ERROR,)) for of in (cells, sample(values.astype(float)))
    ]  # fmt: skip
    assert shares[0].intervals[0].low <= shares[1].intervals[0].low
    assert shares[0].intervals[0].high >= shares[1].intervals[0].high


def test_arithmetic_carries_the_interval_through():
    whole = parse_statistic("10 - 2 * share(c) * steps")
    actual = estimate(whole.terms[0], sample(np.arange(100) < 30), UNIT, (ERROR,))
    low, high = actual.intervals[0]
    combined = combine(whole, [actual], {"steps": known(5.0)})
    assert combined.value == 7
    assert combined.intervals[0] == pytest.approx((10 - 10 * high, 10 - 10 * low))
    around_0 = estimate(term("median(x)"), sample(np.arange(-50.0, 51)), EVERYWHERE, (ERROR,))
    ratio = combine(parse_statistic("1 / median(x)"), [around_0], {})
    assert ratio.intervals[0] == (-math.inf, math.inf)  # a median that may be 0


def test_the_interval_of_two_statistics_together_covers():
    whole, random, hits = parse_statistic("median(x) - median(y)"), np.random.default_rng(8), 0
    for _ in range(REPEATS):
        x = random.standard_normal(200)
        y = x + random.standard_normal(200)  # as dependent as columns of one draw are
        terms = [estimate(p, sample(v), EVERYWHERE, (ERROR / 2,)) for p, v in zip(whole.terms, (x, y), strict=True)]
        low, high = combine(whole, terms, {}).intervals[0]
        hits += low <= 0 <= high
    assert hits / REPEATS >= FEWEST


# verdicts


@pytest.mark.parametrize(
    ("operator", "low", "high", "verdict"),
    [
        ("==", 0.9, 1.1, "holds"), ("==", 0.85, 1.1, "undecided"), ("==", 1.2, 1.3, "fails"), ("==", 0.2, 0.8, "fails"),
        ("<=", -9, 1.1, "holds"), ("<=", 0.9, 1.2, "undecided"), ("<=", 1.2, 1.3, "fails"), ("<", 1.2, 1.3, "fails"),
        (">=", 0.9, 99, "holds"), (">=", 0.8, 1.2, "undecided"), (">=", 0.2, 0.8, "fails"), (">", 0.2, 0.8, "fails"),
        ("<", 0.2, 1.0, "holds"), (">", 1.0, 2.0, "holds"), ("<", 0.2, 2.0, "undecided"), (">", 0.2, 2.0, "undecided"),
        ("==", -math.inf, math.inf, "undecided"), ("<=", 0, math.inf, "undecided"), (">=", -math.inf, 3, "undecided"),
    ],
)  # fmt: skip
def test_a_point_holds_with_all_of_the_interval_and_fails_with_none(operator, low, high, verdict):
    actual = Bounds(low, high)
    assert parse_prediction(f"{operator} 1").verdict(1.0, 0.125, actual, actual) == verdict


def test_a_bound_is_part_of_what_is_at_most_and_not_of_what_is_less():
    at = Bounds(1.0, 1.0)
    verdicts = {op: parse_prediction(f"{op} 1").verdict(1.0, 0.0, at, at) for op in ("==", "<=", ">=", "<", ">")}
    assert verdicts == {"==": "holds", "<=": "holds", ">=": "holds", "<": "fails", ">": "fails"}


def test_failure_is_judged_by_the_corrected_interval_and_agreement_by_the_plain_one():
    below = parse_prediction("<= 1")
    assert below.verdict(1.0, 0.0, Bounds(1.1, 1.3), Bounds(0.9, 1.5)) == "undecided"
    assert below.verdict(1.0, 0.0, Bounds(0.8, 0.9), Bounds(0.6, 1.1)) == "holds"


@pytest.mark.parametrize(
    ("low", "high", "rises", "falls"),
    [(0.1, 0.2, "holds", "fails"), (-0.2, -0.1, "fails", "holds"), (-0.1, 0.1, "undecided", "undecided"),
     (0.0, 0.0, "fails", "fails")],
)  # fmt: skip
def test_a_step_rises_or_falls_with_all_of_its_interval(low, high, rises, falls):
    actual = Bounds(low, high)
    assert Ordering("rises", "b_f").verdict(0.0, actual, actual) == rises
    assert Ordering("falls", "b_f").verdict(0.0, actual, actual) == falls


def test_tolerance_lets_a_step_go_back_a_little():
    actual = Bounds(-0.05, 0.1)
    assert Ordering("rises", "b_f").verdict(0.06, actual, actual) == "holds"
    assert Ordering("falls", "b_f").verdict(0.06, actual, actual) == "undecided"
    assert Ordering("rises", "b_f").verdict(0.06, Bounds(-0.3, -0.2), Bounds(-0.4, -0.1)) == "fails"


def test_one_failure_fails_all_and_one_doubt_leaves_all_in_doubt():
    assert worst(["holds", "undecided", "fails", "holds"]) == "fails"
    assert worst(["holds", "undecided", "holds"]) == "undecided"
    assert worst(["holds"]) == "holds"


def verdicts_over_points(predicts, counts, draws):
    """The claim's verdict in each run, for counts (runs, points) of draws of which something is so."""
    prediction = parse_prediction(predicts)
    assert isinstance(prediction, Comparison)
    predicted, errors = float(prediction.formula.evaluate({}).low), (ERROR, ERROR / counts.shape[1])
    of_count = {}
    for count in map(int, np.unique(counts)):
        cells = Sample(decided(np.array([True, False])), np.array([count, draws - count]))
        intervals = estimate(term("share(c)"), cells, UNIT, errors).intervals
        of_count[count] = prediction.verdict(predicted, 0.0, *intervals)
    return [worst(of_count[int(count)] for count in run) for run in counts]


@pytest.mark.parametrize(("p", "draws"), [(0.1, 2000), (1e-4, 12_000), (0.999, 500)])
@pytest.mark.parametrize("operator", ["==", "<=", ">="])
def test_a_true_claim_of_a_hundred_points_fails_in_at_most_one_run_of_twenty(operator, p, draws):
    """At the very edge of the truth, also of rare events. Judged by plain intervals nearly all runs would fail."""
    counts = np.random.default_rng(12).binomial(draws, p, (2000, 100))
    actual = verdicts_over_points(f"{operator} {p}", counts, draws)
    assert actual.count("fails") / len(actual) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)
    plain = {int(count): wilson(int(count), draws) for count in np.unique(counts)}
    missed = [any(not plain[int(count)][0] <= p <= plain[int(count)][1] for count in run) for run in counts]
    assert np.mean(missed) > 0.9


def test_a_claim_that_is_wrong_at_one_of_a_hundred_points_is_hardly_ever_said_to_hold():
    p = np.full(100, 0.05)
    p[17] = 0.1001
    counts = np.random.default_rng(13).binomial(2000, p, (2000, 100))
    actual = verdicts_over_points("<= 0.1", counts, 2000)
    assert actual.count("holds") / len(actual) <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / 2000)


def test_a_claim_that_is_clearly_wrong_fails_and_one_that_is_clearly_right_holds():
    counts = np.random.default_rng(14).binomial(2000, 0.1, (50, 100))
    assert set(verdicts_over_points("<= 0.05", counts, 2000)) == {"fails"}
    assert set(verdicts_over_points("<= 0.2", counts, 2000)) == {"holds"}


# steps between points


def paired_samples(random, shift, draws=400):
    """The same draws at two points: most of what varies is common."""
    common = random.standard_normal(draws)
    noise = random.standard_normal((2, draws)) / 10
    return common + noise[0], common + shift + noise[1]


def test_the_step_of_a_share_between_points_covers_it_and_is_narrower_than_without_pairs():
    random, hits, narrower = np.random.default_rng(15), 0, 0
    truth = stats.norm.sf(0.8 / math.sqrt(1.01)) - stats.norm.sf(1 / math.sqrt(1.01))
    for _ in range(REPEATS):
        a, b = (sample(values > 1) for values in paired_samples(random, 0.2))
        ((low, high),) = paired_step(a, b, UNIT, (ERROR,))
        hits += low <= truth <= high
        ends = [estimate(term("share(c)"), each, UNIT, (ERROR / 2,)) for each in (a, b)]
        ((least, most),) = step(*ends)
        narrower += high - low < 0.6 * (most - least)
    assert hits / REPEATS >= FEWEST
    assert narrower > 0.99 * REPEATS


def test_the_step_of_a_mean_and_of_a_quantile_cover_theirs():
    random, hits = np.random.default_rng(16), {"mean(x)": 0, "median(x)": 0}
    for _ in range(REPEATS):
        a, b = (1 / (1 + np.exp(-values)) for values in paired_samples(random, 0.0))
        ((low, high),) = paired_step(sample(a), sample(b), UNIT, (ERROR,))
        hits["mean(x)"] += low <= 0 <= high
        ((low, high),) = step(*(estimate(term("median(x)"), sample(v), EVERYWHERE, (ERROR / 2,)) for v in (a, b)))
        hits["median(x)"] += low <= 0 <= high
    assert min(hits.values()) / REPEATS >= FEWEST


def test_two_points_where_nothing_ever_happens_leave_the_step_open():
    never = sample(np.zeros(1000, bool))
    ((low, high),) = paired_step(never, never, UNIT, (ERROR,))
    assert low < 0 < high
    assert Ordering("rises", "b_f").verdict(0.0, Bounds(low, high), Bounds(low, high)) == "undecided"


def test_open_conditions_widen_a_step():
    surely = np.arange(1000) < 500
    sharp, doubtful = sample(surely), Sample(Truths(surely, np.arange(1000) < 600), None)
    ((low, high),) = paired_step(sharp, doubtful, UNIT, (ERROR,))
    assert low < 0
    assert high > 0.1
