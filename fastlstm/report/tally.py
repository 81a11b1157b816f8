"""The histogram of one measure over some draws: quantiles, and the share above a value."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fastlstm.measures import Measure
from fastlstm.tables.counts import QUANTILES, bin_edges, quantiles


@dataclass(frozen=True)
class Tally:
    """Bins in ascending order with their counts, and the extremes; empty where no draw has the measure."""

    bins: NDArray[np.int64]
    counts: NDArray[np.int64]
    low: float
    high: float
    resolution: float

    @classmethod
    def of(cls, measure: Measure, counts: pd.DataFrame) -> "Tally":
        """Add up rows of histograms.parquet."""
        assert measure.resolution is not None, f"{measure.name} is not histogrammed"
        bins, place = np.unique(counts["bin"].to_numpy(np.int64), return_inverse=True)
        total = np.zeros(len(bins), np.int64)
        np.add.at(total, place, counts["count"].to_numpy())
        extremes = (float(counts["low"].min()), float(counts["high"].max())) if len(bins) else (np.nan, np.nan)
        return cls(bins, total, *extremes, measure.resolution)

    @property
    def draws(self) -> int:
        """How many draws were counted."""
        return int(self.counts.sum())

    def quantiles(self) -> dict[float, float]:
        """The values at regimes.QUANTILES, right to the width of a bin; NaN if there are no draws."""
        one = np.zeros(len(self.bins), np.int64)
        each = (np.array([value]) for value in (self.resolution, self.low, self.high))
        (summary,) = quantiles(one, self.bins, self.counts, *each).tolist()
        return dict(zip(QUANTILES, summary[2:], strict=True))

    def median(self) -> float:
        """The value that half of the draws exceed."""
        return self.quantiles()[0.5]

    def survival(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values, and the share of draws that are above each: at the lower edges of the bins, and at the largest."""
        lower, _ = bin_edges(self.bins, self.resolution)
        lower = np.maximum(lower, self.low)
        above = np.cumsum(self.counts[::-1])[::-1] / max(1, self.draws)
        return lower, above

    def share_above(self, value: float) -> float:
        """The share of draws above a value, right to the width of a bin."""
        lower, _ = bin_edges(self.bins, self.resolution)
        return float(self.counts[lower >= value].sum() / self.draws) if self.draws else float("nan")
