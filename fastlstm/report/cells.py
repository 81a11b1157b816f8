"""Maps over two axes, with a number in each cell where the numbers fit."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from fastlstm.report.numbers import MINUS, label, number
from fastlstm.report.style import EMPTY, part

_LETTER = 0.085  # inches of a digit at the size of the numbers
_WIDTH = 4.2  # inches of a map


class Map(NamedTuple):
    """The image, and the power of ten that its numbers are to be multiplied by, as text; empty for 1."""

    image: AxesImage
    factor: str


def map_of_cells(
    axes: Axes, values: NDArray[np.float64], columns: Sequence[Any], rows: Sequence[Any], *, shares: bool
) -> Map:
    """Draw values, rows first: shares from 0, other numbers on both sides of a black line at 0."""
    finite = values[np.isfinite(values)]
    most = max(float(np.abs(finite).max(initial=0.0)), 1e-12)
    if shares:
        image = axes.imshow(values, origin="lower", aspect="auto", cmap="cividis", vmin=0, vmax=most)
        power = -2
    else:
        shown = np.where(np.isneginf(values), -most, values)
        image = axes.imshow(shown, origin="lower", aspect="auto", cmap="PuOr_r", vmin=-most, vmax=most)
        part(axes, values, 0.0, color="black", linewidth=3)
        power = math.floor(math.log10(most))
        power = 0 if -3 < power < 3 else power
    axes.set_facecolor(EMPTY)
    axes.grid(False)
    texts = [[number(value / 10.0**power, digits=2) for value in row] for row in values]
    longest = max(len(text) for row in texts for text in row)
    has_numbers = longest * _LETTER < _WIDTH / len(columns) and len(rows) * 0.17 < 4.5
    if has_numbers:
        for (row, column), value in np.ndenumerate(values):
            dark = value < most / 2 if shares else abs(value) > 0.7 * most
            axes.text(
                column,
                row,
                texts[row][column],
                ha="center",
                va="center",
                fontsize=8.5,
                color="white" if dark else "black",
            )
    for axis, levels in ((axes.xaxis, columns), (axes.yaxis, rows)):
        every = max(1, math.ceil(len(levels) / 12))
        axis.set_ticks(range(0, len(levels), every), [label(value) for value in levels][::every])
    if sum(len(label(value)) + 2 for value in columns) > 56:
        axes.tick_params(axis="x", rotation=90)
    factor = f"; cells in 10$^{{{power}}}$".replace("-", MINUS) if has_numbers and power else ""
    return Map(image, factor)
