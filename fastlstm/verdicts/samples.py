"""What a run says about the terms of statistics, point by point, with no more columns read than are needed.

What counts can answer exactly, shares of flags and regimes, is taken from them and so from all draws; all else from
the rows that are kept; without rows from the histograms, where the width of a bin becomes part of the interval.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from fastlstm.claims import grid as points
from fastlstm.claims.statistic import Term
from fastlstm.claims.values import Numbers, Texts, Truths, Value, decided, known
from fastlstm.measures import CLASSES, FLAGS, REGIME_COLUMNS
from fastlstm.spec import Spec
from fastlstm.spec.vocabulary import vocabulary
from fastlstm.store import PointReader
from fastlstm.tables.counts import COUNTS_SCHEMA, bin_edges
from fastlstm.verdicts.estimates import Sample


class Evidence:
    """What a run says about the terms of statistics.

    names      what claims may name
    axes       the axes of the points, and `total` their number
    of_points  every name that a point has, with its value at each
    all_rows   whether every draw has a row

    Raises NotARun, Damaged, DiskError.
    """

    def __init__(self, spec: Spec, path: str | os.PathLike[str]) -> None:
        self.axes = spec.axes()
        self.steps = spec.single_steps
        self.layout = spec.row_layout
        self.names = vocabulary(spec)
        self.of_points = points.over_points(self.axes, self.steps)
        self.total = points.count(self.axes)
        self.all_rows = spec.store.rows == "all"
        self._reader = PointReader(path)
        self._resolutions = {each.name: each.resolution for each in self.layout.measures if each.resolution is not None}
        self._counts = lru_cache(maxsize=4)(self._read_counts)

    def sample(self, term: Term, point: int) -> Sample:
        """The argument of a term in the draws of a point for which its condition holds."""
        histogram = self.names.histogram(term)
        return self.in_rows(term, point) if histogram is None else self._in_counts(term, point, histogram)

    def at(self, point: int) -> dict[str, Value]:
        """The names of a point with their values."""
        return points.at(self.of_points, point)

    def in_rows(self, term: Term, point: int) -> Sample:
        """The same from rows, in the order of the draws."""
        constants = self.layout.as_columns(self.at(point))
        needed = self.names.needed(term)
        pieces = []
        for table in self._reader.rows(point, needed):
            named = {**constants, **{name: _value(table[name]) for name in needed}}
            pieces.append(_selected(term, named, table.num_rows))
        return Sample(_joined(term, pieces), None)

    def _in_counts(self, term: Term, point: int, histogram: str) -> Sample:
        regime, bins, counts, low, high = self._counts(point, histogram)
        named = self.layout.as_columns(self.at(point))
        place = [regime // 9, regime // 3 % 3, regime % 3]
        named |= {name: Texts(codes, CLASSES) for name, codes in zip(REGIME_COLUMNS, place, strict=True)}
        if histogram in FLAGS:
            named[histogram] = decided(bins == 1)
        else:
            lower, upper = bin_edges(bins, self._resolutions[histogram])
            named[histogram] = Numbers(np.clip(lower, low, high), np.clip(upper, low, high))
        chosen = np.full(len(bins), True)
        if term.given:
            chosen = np.broadcast_to(term.given.truth(named, "given").surely, len(bins))
        value = _take(_broadcast(term.argument.evaluate(named), len(bins)), chosen)
        return Sample(value, counts[chosen])

    def _read_counts(self, point: int, histogram: str) -> tuple[np.ndarray[Any, Any], ...]:
        """Regime, bin, count, and the measure's extremes in the regime, for each cell that is not empty."""
        pieces = []
        for table in self._reader.counts(point, COUNTS_SCHEMA.names):
            measure = table["measure"].combine_chunks()
            mine = measure.indices.to_numpy() == measure.dictionary.to_pylist().index(histogram)
            pieces.append([table[name].to_numpy()[mine] for name in ("regime", "bin", "count", "low", "high")])
        none = [np.empty(0, np.int64)] * 5
        regime, bins, counts, low, high = map(np.concatenate, zip(none, *pieces, strict=True))
        return regime, bins, counts, low, high


def _value(column: pa.ChunkedArray) -> Value:
    if pa.types.is_dictionary(column.type):
        whole = column.combine_chunks()
        codes = np.array([CLASSES.index(label) for label in whole.dictionary.to_pylist()])
        return Texts(codes[whole.indices.to_numpy()], CLASSES)
    if pa.types.is_boolean(column.type):
        return decided(column.to_numpy())
    return known(column.to_numpy())


def _broadcast(value: Value, length: int) -> Numbers | Truths:
    match value:
        case Numbers(low, high):
            wide = np.broadcast_to(low, length)
            return Numbers(wide, wide if value.exact else np.broadcast_to(high, length))
        case Truths(surely, possibly):
            return Truths(np.broadcast_to(surely, length), np.broadcast_to(possibly, length))
    raise AssertionError(value)


def _take(value: Numbers | Truths, chosen: np.ndarray[Any, Any]) -> Numbers | Truths:
    if isinstance(value, Truths):
        return Truths(value.surely[chosen], value.possibly[chosen])
    low = value.low[chosen]
    return Numbers(low, low if value.exact else value.high[chosen])


def _selected(term: Term, named: dict[str, Value], length: int) -> Numbers | Truths:
    value = _broadcast(term.argument.evaluate(named), length)
    if not term.given:
        return value
    return _take(value, np.broadcast_to(term.given.truth(named, "given").surely, length))


def _joined(term: Term, pieces: Sequence[Numbers | Truths]) -> Numbers | Truths:
    """The values of all parts of the run; of none, where a point has no draws yet."""
    if term.function != "share":
        return known(np.concatenate([np.empty(0), *(value.low for value in pieces if isinstance(value, Numbers))]))
    truths = [Truths(np.empty(0, bool), np.empty(0, bool)), *(value for value in pieces if isinstance(value, Truths))]
    return Truths(*(np.concatenate([getattr(each, end) for each in truths]) for end in ("surely", "possibly")))
