"""What a sample says about a statistic: an estimate, and an interval for each chance of error asked for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastlstm.claims.statistic import Statistic, Term
from fastlstm.claims.values import EVERYTHING, Array, Bounds, Numbers, Truths, Value, between, known
from fastlstm.intervals import Moments, bounded_mean, exact_share, hill, hill_interval, quantile_ranks, wilson


@dataclass(frozen=True)
class Estimate:
    """A number estimated from some draws, with an interval for each chance of error that was asked for."""

    value: float
    intervals: tuple[Bounds, ...]
    draws: int


@dataclass(frozen=True, eq=False)
class Sample:
    """The value of a term's argument in each of some draws, or in each cell of a histogram with its count."""

    value: Numbers | Truths
    counts: NDArray[np.int64] | None

    @property
    def draws(self) -> int:
        if self.counts is not None:
            return int(self.counts.sum())
        return len(self.value.surely if isinstance(self.value, Truths) else self.value.low)


def estimate(term: Term, sample: Sample, bounds: Bounds, errors: Sequence[float]) -> Estimate:
    """A term of a statistic; all its values lie within `bounds`.

    The first chance of error is that of the interval to be shown, and the others are for tests.
    """
    if sample.draws == 0:
        return Estimate(math.nan, (EVERYTHING,) * len(errors), 0)
    if isinstance(sample.value, Truths):
        return _share(sample.value, sample, errors)
    match term.function:
        case "mean":
            return _mean(sample.value, bounds, errors)
        case "tail_index":
            return _tail_index(sample.value, term.level, errors)
    return _quantile(sample.value, sample, term.level, errors)


def combine(statistic: Statistic, terms: Sequence[Estimate], named: dict[str, Value]) -> Estimate:
    """A statistic from its terms; with several of them each must be given to a part of the chance of error."""
    texts = [term.text for term in statistic.terms]
    value = statistic.combine({text: known(term.value) for text, term in zip(texts, terms, strict=True)}, named)
    intervals = []
    for number in range(len(terms[0].intervals)):
        ends = {text: between(*term.intervals[number]) for text, term in zip(texts, terms, strict=True)}
        combined = statistic.combine(ends, named)
        intervals.append(Bounds(_or(float(combined.low), -math.inf), _or(float(combined.high), math.inf)))
    return Estimate(float(value.low), tuple(intervals), min(term.draws for term in terms))


def _or(value: float, instead: float) -> float:
    return instead if math.isnan(value) else value


def _share(truths: Truths, sample: Sample, errors: Sequence[float]) -> Estimate:
    """Wilson's interval to be shown, exact ones to test by; a draw that is open counts for the worse on either side."""
    surely, possibly, total = _count(truths.surely, sample), _count(truths.possibly, sample), sample.draws
    open_draws = possibly - surely
    if sample.counts is None:
        value = surely / (total - open_draws) if open_draws < total else math.nan
    else:
        value = (surely + possibly) / 2 / total
    shown = Bounds(wilson(surely, total, errors[0])[0], wilson(possibly, total, errors[0])[1])
    tested = [Bounds(exact_share(surely, total, e)[0], exact_share(possibly, total, e)[1]) for e in errors[1:]]
    return Estimate(value, (shown, *tested), total)


def _count(marks: NDArray[np.bool_], sample: Sample) -> int:
    return int(np.count_nonzero(marks) if sample.counts is None else sample.counts[marks].sum())


def _mean(numbers: Numbers, bounds: Bounds, errors: Sequence[float]) -> Estimate:
    least, most = _at_worst(numbers, bounds)
    seen = numbers.low[~np.isnan(numbers.low)]
    value = Moments.of(np.clip(seen, *bounds)).mean if len(seen) else math.nan
    return Estimate(value, _mean_between(least, most, bounds, errors), len(least))


def _at_worst(numbers: Numbers, bounds: Bounds) -> tuple[Array, Array]:
    """Bounded numbers, twice: with those that are not known at the lower end, and at the upper."""
    values = np.clip(numbers.low, *bounds)
    missing = np.isnan(values)
    if not missing.any():
        return values, values
    return np.where(missing, bounds.low, values), np.where(missing, bounds.high, values)


def _mean_between(least: Array, most: Array, bounds: Bounds, errors: Sequence[float]) -> tuple[Bounds, ...]:
    lower = Moments.of(least)
    upper = lower if most is least else Moments.of(most)
    return tuple(
        Bounds(bounded_mean(lower, *bounds, error)[0], bounded_mean(upper, *bounds, error)[1]) for error in errors
    )


def _quantile(numbers: Numbers, sample: Sample, q: float, errors: Sequence[float]) -> Estimate:
    """The value at rank q, and those at the ranks between which the quantile lies; unknown values are anywhere."""
    total = sample.draws
    ranks = [quantile_ranks(total, q, error) for error in errors]
    missing = np.isnan(numbers.low) | np.isnan(numbers.high)
    lows = np.where(np.isnan(numbers.low), -np.inf, numbers.low)
    highs = np.where(np.isnan(numbers.high), np.inf, numbers.high)
    middle = [_rank(total, q)]
    least = _at_ranks(lows, sample.counts, [*(low for low, _ in ranks), *middle])
    most = _at_ranks(highs, sample.counts, [*(high for _, high in ranks), *middle])
    if not missing.any():
        value = least[-1] if least[-1] == most[-1] else (least[-1] + most[-1]) / 2
    elif missing.all():
        value = math.nan
    else:
        kept = Sample(known(numbers.low[~missing]), None if sample.counts is None else sample.counts[~missing])
        value = _at_ranks(numbers.low[~missing], kept.counts, [_rank(kept.draws, q)])[0]
    return Estimate(value, tuple(map(Bounds, least[:-1], most[:-1])), total)


def _rank(total: int, q: float) -> int:
    return max(1, math.ceil(round(q * total, 6)))


def _at_ranks(values: Array, counts: NDArray[np.int64] | None, ranks: Sequence[int]) -> list[float]:
    """The values at some ranks, from 1; -inf and inf at the ranks before the first and after the last."""
    total = len(values) if counts is None else int(counts.sum())
    places = np.clip(np.array(ranks) - 1, 0, total - 1)
    if counts is None:
        chosen = np.partition(values, np.unique(places))[places]
    else:
        order = np.argsort(values, kind="stable")
        chosen = values[order][np.searchsorted(np.cumsum(counts[order]), places, side="right")]
    return [
        -math.inf if rank < 1 else math.inf if rank > total else float(value)
        for rank, value in zip(ranks, chosen, strict=True)
    ]


def _tail_index(logs: Numbers, top: float, errors: Sequence[float]) -> Estimate:
    """Hill's estimator; nothing is known where an excess over the threshold is no finite number."""
    total = len(logs.low)
    exceeding = math.floor(round(top * total, 6))
    nothing = Estimate(math.nan, (EVERYTHING,) * len(errors), exceeding)
    if not 0 < exceeding < total or np.isnan(logs.low).any():
        return nothing
    highest = np.partition(logs.low, total - exceeding - 1)[total - exceeding - 1 :]
    with np.errstate(invalid="ignore"):
        excesses = highest[1:] - highest[0]
    if not np.isfinite(excesses).all():
        return nothing
    index = hill(excesses)
    if not math.isfinite(index):
        return nothing
    return Estimate(index, tuple(Bounds(*hill_interval(index, exceeding, error)) for error in errors), exceeding)


def paired_step(before: Sample, after: Sample, bounds: Bounds, errors: Sequence[float]) -> tuple[Bounds, ...]:
    """Intervals for how much a share or a mean grows from one sample to another of the same draws.

    They are those of the mean of the draws' differences.
    """
    (least_a, most_a), (least_b, most_b) = (_ends(sample.value, bounds) for sample in (before, after))
    least = least_b - most_a
    most = least if most_a is least_a and most_b is least_b else most_b - least_a
    width = bounds.high - bounds.low
    return _mean_between(least, most, Bounds(-width, width), errors)


def _ends(value: Numbers | Truths, bounds: Bounds) -> tuple[Array, Array]:
    if isinstance(value, Numbers):
        return _at_worst(value, bounds)
    surely = value.surely.astype(np.float64)
    return surely, surely if np.array_equal(value.surely, value.possibly) else value.possibly.astype(np.float64)


def step(before: Estimate, after: Estimate) -> tuple[Bounds, ...]:
    """Intervals for how much a number grows, from those of two estimates, each given half the chance of error."""
    return tuple(
        Bounds(_or(b.low - a.high, -math.inf), _or(b.high - a.low, math.inf))
        for a, b in zip(before.intervals, after.intervals, strict=True)
    )
