"""Intervals for what a sample says: shares, quantiles, means of bounded quantities, the index of a tail.

`error` is the chance that an interval misses: 0.05 for a 95% interval, both sides together.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

ERROR = 0.05
_Z95 = 1.959963984540054
_FEW = 10_000  # standard deviations of a binomial count up to this are summed exactly
_MANY = 10_000  # counts from this on are normal, in the tails too


def z_score(error: float) -> float:
    """How many standard deviations a normal number stays within, but for the chance `error`."""
    return _Z95 if error == ERROR else -NormalDist().inv_cdf(error / 2)


def wilson(count: int, total: int, error: float = ERROR) -> tuple[float, float]:
    """The interval of Wilson (1927) for a share."""
    z = z_score(error)
    share = count / total
    square = z * z / total
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * math.sqrt(share * (1 - share) / total + square / (4 * total))
    return 0.0 if count == 0 else middle - half, 1.0 if count == total else middle + half


@lru_cache(maxsize=4096)
def exact_share(count: int, total: int, error: float = ERROR) -> tuple[float, float]:
    """The interval of Clopper and Pearson (1934) for a share, which misses no oftener than `error`.

    Wilson's misses the share of a rare event several times as often, most of all where `error` is small.
    """
    if min(count, total - count) > _MANY:
        return wilson(count, total, error)
    return _least_share(count, total, error / 2), 1 - _least_share(total - count, total, error / 2)


def _least_share(count: int, total: int, tail: float) -> float:
    """The share of which `count` or more of `total` draws come up with the chance `tail`; by bisection."""
    low, high = 0.0, count / total
    below = np.arange(count, min(total, count + 40 * math.isqrt(count) + 200), dtype=np.float64)
    ratios = (total - below) / (below + 1)  # of a count's chance to that of the next smaller one, but for the odds
    ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
    for _ in range(60 if count else 0):
        share = (low + high) / 2
        just_so = math.exp(ways + count * math.log(share) + (total - count) * math.log1p(-share))
        chance = just_so * (1 + np.cumprod(ratios * (share / (1 - share))).sum())
        low, high = (low, share) if chance > tail else (share, high)
    return low


@lru_cache(maxsize=256)
def quantile_ranks(total: int, q: float, error: float = ERROR) -> tuple[int, int]:
    """Ranks, from 1, of the ordered values between which the q-quantile lies, whatever the distribution.

    Rank 0 stands for -infinity and total + 1 for infinity: so far from the middle, or with so little, the sample
    sets no bound. How many values are below the quantile is binomial (David and Nagaraja 2003, section 7.1).
    """
    mean, deviation = total * q, math.sqrt(total * q * (1 - q))
    if deviation > _FEW:
        half = z_score(error) * deviation
        return max(0, math.floor(mean - half)), min(total + 1, math.ceil(mean + half) + 1)
    # Beyond these ends is nothing that a float64 could add to 1
    first, last = (max(0, math.floor(mean - 20 * deviation - 40)), min(total, math.ceil(mean + 20 * deviation + 40)))
    k = np.arange(first, last + 1, dtype=np.float64)
    steps = np.log((total - k[:-1]) / (k[1:])) + math.log(q / (1 - q))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    masses = np.exp(logs - logs.max())
    below = np.cumsum(masses) / masses.sum()  # P(count <= k)
    above = np.cumsum(masses[::-1])[::-1] / masses.sum()  # P(count >= k)
    # The quantile is below value number l only if fewer than l values are below it: P(count <= l - 1) at most error/2
    lower = first + int(np.searchsorted(below, error / 2, side="right"))
    upper = first + len(above) - int(np.searchsorted(above[::-1], error / 2, side="right"))
    return lower, min(total + 1, upper)


class Moments(NamedTuple):
    """Mean and standard deviation of a sample of `total` values; the sums are rounded once."""

    mean: float
    deviation: float
    total: int

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self:
        """Of a sample, not empty."""
        mean = math.fsum(values) / len(values)
        return cls(mean, math.sqrt(math.fsum((values - mean) ** 2) / max(1, len(values) - 1)), len(values))


def bounded_mean(sample: Moments, low: float, high: float, error: float = ERROR) -> tuple[float, float]:
    """An interval for the mean of a quantity that stays within low .. high.

    Normal, and wider by what the sample may not have seen: values at an end that make up a share z^2 / total of the
    draws or less. So it does not shrink to a point where all values are alike.
    """
    z = z_score(error)
    mean, half, unseen = sample.mean, z * sample.deviation / math.sqrt(sample.total), z * z / sample.total
    return max(low, mean - half - unseen * (mean - low)), min(high, mean + half + unseen * (high - mean))


def hill(excesses: NDArray[np.float64]) -> float:
    """The index a of a tail P(X > x) ~ x^-a, from ln X - ln(threshold) of all X above the threshold. Hill 1975."""
    mean = math.fsum(excesses) / len(excesses)
    return 1 / mean if mean > 0 else math.inf


def hill_interval(index: float, exceeding: int, error: float = ERROR) -> tuple[float, float]:
    """The interval of Hill's estimate from so many excesses of a tail that is a power.

    Logarithms of such excesses are exponential, so that 2 `exceeding` times true over estimated index is chi-square.
    Its quantiles are those of Wilson and Hilferty (1931): from 4 excesses on right to 2%, or farther out.
    """
    middle, half = 1 - 1 / (9 * exceeding), z_score(error) / (3 * math.sqrt(exceeding))
    return index * max(0.0, middle - half) ** 3, index * (middle + half) ** 3
