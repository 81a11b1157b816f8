"""The mergeable counts behind the regime table: histograms of each measure in each regime.

For every regime and measure the values are counted in bins, so that tables of any number of draws are small, add up
over parts, and give quantiles. Bins are found by integer arithmetic on the floats' bits, so they are the same on every
CPU: `resolution` wide near zero, and twice as wide each time |value| doubles beyond 256 of them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fastlstm.intervals import wilson
from fastlstm.measures import CLASSES, FLAGS, GATES, Measure

REGIMES = len(CLASSES) ** len(GATES)
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_SUMMARY = ("min", "max", *(f"q{round(100 * q):02d}" for q in QUANTILES))  # the columns of each measure

_LINEAR = 256  # bins of equal width on each side of zero
_SHIFT = 23 - 8  # keeps the exponent and the first eight bits of a float32's mantissa
_FIRST = int(np.float32(_LINEAR).view(np.int32)) >> _SHIFT
_LAST = (int(np.float32(np.inf).view(np.int32)) >> _SHIFT) - _FIRST  # the bin of infinity, on either side

_Cells = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]

COUNTS_SCHEMA = pa.schema(
    [
        ("regime", pa.int8()),
        ("measure", pa.dictionary(pa.int16(), pa.string())),
        ("bin", pa.int32()),
        ("count", pa.int64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)


def bin_of(values: NDArray[Any], resolution: float) -> NDArray[np.int32]:
    """The bin of each value; NaN is not allowed. Negative values have negative bins, -1 next to 0."""
    with np.errstate(over="ignore"):
        scaled = values.astype(np.float32, copy=False) * np.float32(1 / resolution)
    size = np.abs(scaled) + np.float32(_LINEAR)
    bins = (size.view(np.int32) >> _SHIFT) - _FIRST
    np.minimum(bins, _LAST, out=bins)
    signed: NDArray[np.int32] = bins ^ -(scaled < 0).astype(np.int32)  # -1 - bin where the value is negative
    return signed


def bin_edges(
    bins: NDArray[np.int64], resolution: float | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lower and upper edge of each bin."""
    outward = np.where(bins < 0, -1 - bins, bins)
    octave, place = np.divmod(outward, _LINEAR)
    inner = ((_LINEAR + place) * 2.0**octave - _LINEAR) * resolution
    outer = inner + 2.0**octave * resolution
    inner, outer = (np.where(outward >= _LAST, np.inf, edge) for edge in (inner, outer))
    return np.where(bins < 0, -outer, inner), np.where(bins < 0, -inner, outer)


class _Histogram:
    """Counts and extremes of one measure in all regimes."""

    def __init__(self) -> None:
        self.first = 0
        self.counts = np.zeros((REGIMES, 0), np.int64)  # of the bins first, first + 1, ...
        self.infinite = np.zeros((REGIMES, 2), np.int64)  # of the bins of -inf and of +inf
        self.low = np.full(REGIMES, np.inf)
        self.high = np.full(REGIMES, -np.inf)

    def add(self, regime: NDArray[np.uint8], values: NDArray[Any], bins: NDArray[np.int32]) -> None:
        """Count values."""
        from fastlstm.kernel.tally import build_tally  # which imports Numba

        first, last = int(bins.min()), int(bins.max())
        if first == -1 - _LAST or last == _LAST:
            finite = bins[(bins > -1 - _LAST) & (bins < _LAST)]
            first, last = (int(finite.min()), int(finite.max())) if len(finite) else (0, -1)
        if first <= last:
            self._reach(first, last + 1)
        tally = build_tally(values.dtype.name)
        tally(regime, values, bins, self.first, _LAST, self.counts, self.infinite, self.low, self.high)

    def _reach(self, first: int, end: int) -> None:
        """Have columns for the bins first .. end - 1."""
        width = self.counts.shape[1]
        begin, end = (min(first, self.first), max(end, self.first + width)) if width else (first, end)
        if end - begin > width:
            wider = np.zeros((REGIMES, end - begin), np.int64)
            wider[:, self.first - begin : self.first - begin + width] = self.counts
            self.first, self.counts = begin, wider

    def _merge(self, first: int, counts: NDArray[np.int64]) -> None:
        self._reach(first, first + counts.shape[1])
        self.counts[:, first - self.first : first - self.first + counts.shape[1]] += counts

    def cells(self) -> _Cells:
        """Regime, bin and count of all that is not 0, in that order."""
        regimes, place = np.nonzero(self.counts)
        bins, counts = place + self.first, self.counts[regimes, place]
        if not self.infinite.any():
            return regimes, bins, counts
        far, side = np.nonzero(self.infinite)
        regimes = np.concatenate([regimes, far])
        bins = np.concatenate([bins, np.where(side == 0, -1 - _LAST, _LAST)])
        counts = np.concatenate([counts, self.infinite[far, side]])
        order = np.lexsort((bins, regimes))
        return regimes[order], bins[order], counts[order]

    def merge(
        self, regime: NDArray[Any], bins: NDArray[Any], counts: NDArray[Any], low: NDArray[Any], high: NDArray[Any]
    ) -> None:
        """Add the cells of another histogram."""
        np.minimum.at(self.low, regime, low)
        np.maximum.at(self.high, regime, high)
        for side, place in enumerate((-1 - _LAST, _LAST)):
            np.add.at(self.infinite[:, side], regime[bins == place], counts[bins == place])
        finite = np.abs(bins) < _LAST
        if finite.any():
            regime, bins = regime[finite], bins[finite]
            first = int(bins.min())
            dense = np.zeros((REGIMES, int(bins.max()) - first + 1), np.int64)
            np.add.at(dense, (regime, bins - first), counts[finite])
            self._merge(first, dense)

    def merge_all(self, other: "_Histogram") -> None:
        """Add another histogram."""
        np.minimum(self.low, other.low, out=self.low)
        np.maximum(self.high, other.high, out=self.high)
        self.infinite += other.infinite
        if other.counts.size:
            self._merge(other.first, other.counts)


class Counts:
    """Histograms of all measures, and of the flags, by regime; counts of disjoint draws add up."""

    def __init__(self, measures: Iterable[Measure]) -> None:
        self.resolutions = {m.name: m.resolution for m in measures if m.resolution is not None}
        self._histograms = {name: _Histogram() for name in (*FLAGS, *self.resolutions)}

    def add(
        self, regime: NDArray[np.uint8], columns: Mapping[str, NDArray[Any]], marks: Mapping[str, NDArray[np.bool_]]
    ) -> None:
        """Count draws, given each one's regime number, measures and flags."""
        for name in FLAGS:
            self._histograms[name].add(regime, marks[name].astype(np.float32), marks[name].astype(np.int32))
        for name, resolution in self.resolutions.items():
            if name not in columns:  # a lag that is too long for the point
                continue
            known, values = regime, columns[name]
            missing = np.isnan(values)
            if missing.any():
                known, values = regime[~missing], values[~missing]
            if len(values):
                self._histograms[name].add(known, values, bin_of(values, resolution))

    def draws(self) -> int:
        """How many draws are counted."""
        return int(self._histograms[FLAGS[0]].counts.sum())

    def merge(self, other: "Counts") -> None:
        """Add the counts of other draws."""
        for name, histogram in self._histograms.items():
            histogram.merge_all(other._histograms[name])

    def names_all_of(self, table: pa.Table) -> bool:
        """Whether every measure of a table of counts is one of these."""
        return set(table["measure"].combine_chunks().dictionary.to_pylist()) <= self._histograms.keys()

    def merge_table(self, table: pa.Table) -> None:
        """Add the counts of a table made by `to_table`."""
        measure = table["measure"].combine_chunks()
        names = measure.dictionary.to_pylist()
        of = measure.indices.to_numpy()
        columns = [table[name].to_numpy() for name in ("regime", "bin", "count", "low", "high")]
        for number, name in enumerate(names):
            mine = of == number
            self._histograms[name].merge(*(column[mine] for column in columns))

    def _cells(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Measure, by its place among the histograms, regime, bin and count of all that is not 0, in that order."""
        cells = [histogram.cells() for histogram in self._histograms.values()]
        measure = np.repeat(np.arange(len(cells)), [len(regime) for regime, _, _ in cells])
        regime, bins, counts = (np.concatenate(column) for column in zip(*cells, strict=True))
        return measure, regime, bins, counts

    def _extremes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The smallest and the largest value, each (measures, regimes)."""
        histograms = self._histograms.values()
        return np.stack([each.low for each in histograms]), np.stack([each.high for each in histograms])

    def to_table(self) -> pa.Table:
        """One row for each regime, measure and bin that is not empty."""
        measure, regime, bins, counts = self._cells()
        coded = pa.DictionaryArray.from_arrays(measure.astype(np.int16), list(self._histograms))
        low, high = (extreme[measure, regime] for extreme in self._extremes())
        return pa.Table.from_arrays(
            [regime.astype(np.int8), coded, bins.astype(np.int32), counts, low, high], schema=COUNTS_SCHEMA
        )

    def regime_rows(self) -> list[dict[str, object]]:
        """One mapping for each regime that has draws: its classes, counts, shares, intervals and quantiles."""
        measure, regime, bins, counts = self._cells()
        flags = len(FLAGS)  # these come first, and each of them counts every draw
        draws, marked = np.zeros(REGIMES, np.int64), np.zeros((flags, REGIMES), np.int64)
        np.add.at(draws, regime[measure == 0], counts[measure == 0])
        flag = measure < flags
        true = flag & (bins == 1)
        np.add.at(marked, (measure[true], regime[true]), counts[true])
        low, high = (extreme[flags:].ravel() for extreme in self._extremes())
        resolutions = np.array(list(self.resolutions.values()))
        group = (measure - flags) * REGIMES + regime
        numbers = quantiles(group[~flag], bins[~flag], counts[~flag], np.repeat(resolutions, REGIMES), low, high)
        numbers = numbers.reshape(len(resolutions), REGIMES, len(_SUMMARY))
        names = [f"{name}_{column}" for name in self.resolutions for column in _SUMMARY]
        rows = []
        for number in np.flatnonzero(draws):
            row = _classes(int(number)) | {"draws": int(draws[number]), "share": float(draws[number] / draws.sum())}
            for name, count in zip(FLAGS, marked[:, number].tolist(), strict=True):
                interval = wilson(count, int(draws[number]))
                row |= {name: count, f"{name}_low": interval[0], f"{name}_high": interval[1]}
            rows.append(row | dict(zip(names, numbers[:, number].ravel().tolist(), strict=True)))
        return rows


def _classes(regime: int) -> dict[str, object]:
    """The class of each gate in a regime."""
    f, rest = divmod(regime, 9)
    return {f"regime_{gate}": CLASSES[place] for gate, place in zip(GATES, (f, *divmod(rest, 3)), strict=True)}


def quantiles(
    group: NDArray[np.int64],
    bins: NDArray[np.int64],
    counts: NDArray[np.int64],
    resolution: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The smallest value, the largest, and QUANTILES of each group (groups, 2 + quantiles); NaN where it is empty.

    group, bins, counts: those of every cell that is not empty, in ascending order; the others (groups,). Within a bin
    the values are taken as spread evenly.
    """
    lower, upper = bin_edges(bins, resolution[group])
    for edge in (lower, upper):  # within the extremes; unlike np.clip this keeps the sign of a zero on every CPU
        np.copyto(edge, low[group], where=edge < low[group])
        np.copyto(edge, high[group], where=edge > high[group])
    total = np.zeros(len(low), np.int64)
    np.add.at(total, group, counts)
    (full,) = np.nonzero(total)
    first = (np.cumsum(total) - total)[full, None]  # how many values are in the groups before
    rank = np.multiply.outer(total[full], QUANTILES)
    below = np.cumsum(counts) - counts
    place = np.searchsorted(below, first + rank.astype(np.int64), side="right") - 1
    way = (rank - (below[place] - first)) / counts[place]
    lower, upper = lower[place], upper[place]
    with np.errstate(invalid="ignore"):  # infinity less itself, which is not taken
        between = np.where(lower < upper, lower + way * (upper - lower), lower)
    summary = np.full((len(low), len(_SUMMARY)), np.nan)
    summary[full] = np.column_stack([low[full], high[full], between])
    return summary


def regime_table(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """The regime table of the rows of `Counts.regime_rows`, which may have a point each."""
    table = pd.DataFrame(list(rows))
    for gate in GATES:
        name = f"regime_{gate}"
        table[name] = pd.Categorical(table[name], CLASSES, ordered=True)
    return table
