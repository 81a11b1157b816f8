"""Quantiles of tallies as bands along an axis, and as bars: the median, half of the draws, nine tenths of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fastlstm.report.tally import Tally

SHOWN = (0.05, 0.25, 0.5, 0.75, 0.95)


def quantile_table(tallies: Sequence[Tally]) -> NDArray[np.float64]:
    """A row for each tally, with the quantiles of SHOWN; NaN where it has no draws."""
    return np.array([[tally.quantiles()[q] for q in SHOWN] for tally in tallies]).reshape(-1, len(SHOWN))


def bands(axes: Axes, at: Sequence[Any], table: NDArray[np.float64], colour: Any, **line: Any) -> None:
    """The median as a line, within a band of half of the draws and one of nine tenths."""
    low_5, low_25, middle, high_75, high_95 = table.T
    axes.fill_between(at, low_5, high_95, color=colour, alpha=0.16, linewidth=0)
    axes.fill_between(at, low_25, high_75, color=colour, alpha=0.34, linewidth=0)
    axes.plot(at, middle, color=colour, marker="o", markersize=5, **line)


def bars(axes: Axes, at: Sequence[Any] | NDArray[Any], table: NDArray[np.float64], colour: Any, name: str) -> None:
    """The median as a dot, half of the draws as a thick upright bar, nine tenths as a thin one."""
    low_5, low_25, middle, high_75, high_95 = table.T
    axes.vlines(at, low_5, high_95, color=colour, linewidth=1.5)
    axes.vlines(at, low_25, high_75, color=colour, linewidth=7, alpha=0.5)
    axes.plot(at, middle, "o", color=colour, markersize=7, label=name)
