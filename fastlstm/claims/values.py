"""The values of expressions: numbers, truths and texts, an array of each, and each perhaps not quite known.

A number is known to lie between `low` and `high`. In a stored row the two are one array; in a bin of a histogram
they are its edges; of an estimate, its interval; of a column before anything has run, its bounds. So one evaluation
serves all four. NaN at an end means that nothing is known there: it comes from operations without a result, such as
-inf + inf. A truth is `surely` so, or `possibly`; where the two differ it is open.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Bounds(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


EVERYTHING = Bounds(-math.inf, math.inf)


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers between low and high; `low is high` where they are known exactly."""

    low: Array
    high: Array

    @property
    def exact(self) -> bool:
        return self.low is self.high


@dataclass(frozen=True, eq=False)
class Truths:
    """What surely is so, and what possibly is."""

    surely: NDArray[np.bool_]
    possibly: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Texts:
    """Words of a known set: `labels[code]` for each code."""

    codes: NDArray[Any]
    labels: tuple[str, ...]


Value = Numbers | Truths | Texts


def known(values: Any) -> Numbers:
    """Numbers that are known exactly."""
    array = np.asarray(values, np.float64)
    return Numbers(array, array)


def between(low: Any, high: Any) -> Numbers:
    """Numbers of which only bounds are known."""
    return Numbers(np.asarray(low, np.float64), np.asarray(high, np.float64))


def decided(truths: NDArray[np.bool_]) -> Truths:
    """Truths that are known."""
    return Truths(truths, truths)


def _each(function: Callable[..., Array], *given: Numbers) -> Numbers:
    """A function that grows with each of its arguments."""
    low = function(*(number.low for number in given))
    if all(number.exact for number in given):
        return Numbers(low, low)
    return Numbers(low, function(*(number.high for number in given)))


def _at_corners(function: Callable[[Array, Array], Array], a: Numbers, b: Numbers) -> Numbers:
    """A function that grows or falls with each argument while the other is held: its extremes are at corners."""
    if a.exact and b.exact:
        return _each(function, a, b)
    corners = [function(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    return Numbers(np.minimum.reduce(corners), np.maximum.reduce(corners))


def _unknown_where(unknown: NDArray[np.bool_], numbers: Numbers) -> Numbers:
    if numbers.exact:
        return numbers
    return Numbers(np.where(unknown, np.nan, numbers.low), np.where(unknown, np.nan, numbers.high))


def negative(a: Numbers) -> Numbers:
    low = np.negative(a.high)
    return Numbers(low, low) if a.exact else Numbers(low, np.negative(a.low))


def add(a: Numbers, b: Numbers) -> Numbers:
    return _each(np.add, a, b)


def subtract(a: Numbers, b: Numbers) -> Numbers:
    return add(a, negative(b))


def multiply(a: Numbers, b: Numbers) -> Numbers:
    return _at_corners(np.multiply, a, b)


def divide(a: Numbers, b: Numbers) -> Numbers:
    return _unknown_where((b.low <= 0) & (b.high >= 0), _at_corners(np.divide, a, b))


def power(a: Numbers, b: Numbers) -> Numbers:
    """a ** b; of a base that is not exact and may be negative, for whole exponents alone."""
    if (a.exact and b.exact) or not (a.low < 0).any():
        return _at_corners(np.power, a, b)
    if b.exact and b.low.ndim == 0 and float(b.low).is_integer():
        if b.low % 2 == 0:
            return power(absolute(a), b)
        if b.low > 0:
            return _each(lambda x: np.power(x, b.low), a)
    return _unknown_where(a.low < 0, _at_corners(np.power, a, b))


def absolute(a: Numbers) -> Numbers:
    if a.exact:
        return _each(np.abs, a)
    return Numbers(np.maximum(0, np.maximum(a.low, -a.high)), np.maximum(-a.low, a.high))


def grows(function: Callable[[Array], Array]) -> Callable[[Numbers], Numbers]:
    """A function of one number that grows with it, for Numbers."""
    return lambda a: _each(function, a)


def smallest(*given: Numbers) -> Numbers:
    return _each(lambda *arrays: np.minimum.reduce(np.broadcast_arrays(*arrays)), *given)


def largest(*given: Numbers) -> Numbers:
    return _each(lambda *arrays: np.maximum.reduce(np.broadcast_arrays(*arrays)), *given)


def less(a: Numbers, b: Numbers) -> Truths:
    return Truths(a.high < b.low, ~(a.low >= b.high))


def less_or_equal(a: Numbers, b: Numbers) -> Truths:
    return Truths(a.high <= b.low, ~(a.low > b.high))


def equal(a: Numbers, b: Numbers) -> Truths:
    return Truths((a.low == a.high) & (b.low == b.high) & (a.low == b.low), ~((a.high < b.low) | (a.low > b.high)))


def is_word(a: Texts, word: str) -> Truths:
    return decided(a.codes == a.labels.index(word))


def negation(a: Truths) -> Truths:
    return Truths(~a.possibly, ~a.surely)


def both(a: Truths, b: Truths) -> Truths:
    return Truths(a.surely & b.surely, a.possibly & b.possibly)


def either(a: Truths, b: Truths) -> Truths:
    return Truths(a.surely | b.surely, a.possibly | b.possibly)
