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


def bin_edges(bins: NDArray[np.int64], resolution: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
        regime, place = np.nonzero(self.counts)
        far, side = np.nonzero(self.infinite)
        regimes = np.concatenate([regime, far])
        bins = np.concatenate([place + self.first, np.where(side == 0, -1 - _LAST, _LAST)])
        counts = np.concatenate([self.counts[regime, place], self.infinite[far, side]])
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

    def to_table(self) -> pa.Table:
        """One row for each regime, measure and bin that is not empty."""
        names = list(self._histograms)
        pieces = []
        for number, name in enumerate(names):
            histogram = self._histograms[name]
            regime, bins, counts = histogram.cells()
            measure = np.full(len(regime), number)
            pieces.append((measure, regime, bins, counts, histogram.low[regime], histogram.high[regime]))
        measure, regime, bins, counts, low, high = (np.concatenate(column) for column in zip(*pieces, strict=True))
        coded = pa.DictionaryArray.from_arrays(measure.astype(np.int16), names)
        return pa.Table.from_arrays(
            [regime.astype(np.int8), coded, bins.astype(np.int32), counts, low, high], schema=COUNTS_SCHEMA
        )

    def regime_rows(self) -> list[dict[str, object]]:
        """One mapping for each regime that has draws: its classes, counts, shares, intervals and quantiles."""
        cells = {name: histogram.cells() for name, histogram in self._histograms.items()}
        regimes, _, counts = cells["exploded"]
        draws = np.zeros(REGIMES, np.int64)
        np.add.at(draws, regimes, counts)
        total = int(draws.sum())
        return [self._regime_row(int(number), int(draws[number]), total, cells) for number in np.flatnonzero(draws)]

    def _regime_row(self, number: int, draws: int, total: int, cells: Mapping[str, _Cells]) -> dict[str, object]:
        f, rest = divmod(number, 9)
        row: dict[str, object] = {
            f"regime_{gate}": CLASSES[place] for gate, place in zip(GATES, (f, *divmod(rest, 3)), strict=True)
        }
        row |= {"draws": draws, "share": draws / total}
        for name in FLAGS:
            regimes, bins, counts = cells[name]
            marked = int(counts[(regimes == number) & (bins == 1)].sum())
            low, high = wilson(marked, draws)
            row |= {name: marked, f"{name}_low": low, f"{name}_high": high}
        for name, resolution in self.resolutions.items():
            histogram = self._histograms[name]
            regimes, bins, counts = cells[name]
            mine = regimes == number
            numbers = quantiles(bins[mine], counts[mine], resolution, histogram.low[number], histogram.high[number])
            row |= {f"{name}_min": numbers[0], f"{name}_max": numbers[-1]}
            row |= {f"{name}_q{round(100 * q):02d}": value for q, value in zip(QUANTILES, numbers[1:-1], strict=True)}
        return row


def quantiles(
    bins: NDArray[np.int64], counts: NDArray[np.int64], resolution: float, low: float, high: float
) -> list[float]:
    """The smallest value, QUANTILES, and the largest, from counts in ascending bins; NaN where there are none.

    Within a bin the values are taken as spread evenly.
    """
    if not len(bins):
        return [float("nan")] * (len(QUANTILES) + 2)
    lower, upper = bin_edges(bins, resolution)
    lower, upper = np.clip(lower, low, high), np.clip(upper, low, high)
    below = np.concatenate([[0], np.cumsum(counts)])
    values = []
    for q in QUANTILES:
        rank = q * below[-1]
        place = min(int(np.searchsorted(below, rank, side="right")) - 1, len(bins) - 1)
        way = (rank - below[place]) / counts[place]
        between = lower[place] < upper[place]
        values.append(float(lower[place] + way * (upper[place] - lower[place]) if between else lower[place]))
    return [float(low), *values, float(high)]


def regime_table(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """The regime table of the rows of `Counts.regime_rows`, which may have a point each."""
    table = pd.DataFrame(list(rows))
    for gate in GATES:
        name = f"regime_{gate}"
        table[name] = pd.Categorical(table[name], CLASSES, ordered=True)
    return table
