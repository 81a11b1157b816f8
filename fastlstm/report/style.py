"""How figures look: colours that the colour-blind tell apart, and sizes that can be read on a phone."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from fastlstm.report.numbers import number

WIDTH, NARROW, WIDE = 5.2, 4.4, 6.2  # inches, 100 pixels of a page each; on a phone, the width of the phone

# What is drawn in these four follows the page into its dark mode; pure black and white stay as they are.
INK, MUTED, GRID, PAPER, EMPTY = "#16181a", "#5a5c5e", "#dfe0e1", "#fefefd", "#e4e4e5"
PAGE_COLOURS = {INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper", EMPTY: "--empty"}

# Okabe and Ito 2008
ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
_IN_ORDER = ("#3b6fd1", "#9a55c4", "#d8476f", "#e8892b")  # of middling lightness, to be seen on white and on black
CATEGORIES = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, INK)

_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that figures are the same everywhere
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.major.pad": 5.5,  # so that the first labels of both axes do not meet in the corner
    "ytick.major.pad": 4.5,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 2,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "svg.fonttype": "path",  # letters as shapes: a reader's fonts are wider or narrower, and texts would collide
}

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")  # letters of the font, which are set faster than mathematics


@contextmanager
def drawing() -> Iterator[None]:
    """Within it figures look as here, whatever settings of matplotlib the user has, and those stay as they are."""
    with matplotlib.style.context(["default", _STYLE], after_reset=True):
        yield


def decades(axis: Any) -> None:
    """Ticks of an axis that holds log10 of a quantity: its powers of ten, at most seven of them."""
    axis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(_power_of_ten))


def _power_of_ten(exponent: float, _: int | None) -> str:
    return "10" + f"{exponent:.0f}".translate(_RAISED)


def plain_ticks(axis: Any, factor: float = 1, unit: str = "") -> None:
    """At most five ticks, with plain numbers."""
    axis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    plain_numbers(axis, factor, unit)


def plain_numbers(axis: Any, factor: float = 1, unit: str = "") -> None:
    """Ticks with numbers as they are written elsewhere, of enough digits to be told apart; no offset beside them."""

    def tick(value: float, _: int | None) -> str:
        low, high = axis.get_view_interval()
        digits = 2 + math.ceil(math.log10(max(abs(low), abs(high)) / (high - low))) if high > low else 4
        return number(factor * value, digits=min(max(4, digits), 15)) + unit

    axis.set_major_formatter(FuncFormatter(tick))


def shown_decades(values: NDArray[np.float64], deepest: float) -> tuple[int, int]:
    """The whole decades that a scale of log10 values runs over, and not below `deepest`."""
    finite = values[np.isfinite(values)]
    high = int(np.ceil(finite.max(initial=deepest + 1)))
    low = int(np.floor(finite.min(initial=high - 1)))
    return max(low, int(np.floor(min(deepest, high - 1)))), max(high, low + 1)


def part(axes: Axes, values: NDArray[np.float64], threshold: float, **line: Any) -> None:
    """Draw the border between the cells of an image above a threshold and those below; NaN is neither. Rows first."""
    side = np.where(np.isnan(values), 0, np.where(values > threshold, 1, -1))
    for row, column in np.argwhere(side[:, 1:] * side[:, :-1] < 0):
        axes.plot([column + 0.5] * 2, [row - 0.5, row + 0.5], solid_capstyle="round", **line)
    for row, column in np.argwhere(side[1:] * side[:-1] < 0):
        axes.plot([column - 0.5, column + 0.5], [row + 0.5] * 2, solid_capstyle="round", **line)


def shades(levels: Sequence[Any]) -> list[Any]:
    """A colour for each level: in order for numbers, of middling lightness on either paper; unlike ones for names."""
    if len(levels) == 1 or (isinstance(levels[0], str) and len(levels) <= len(CATEGORIES)):
        return list(CATEGORIES[: len(levels)])
    scale = LinearSegmentedColormap.from_list("in order", _IN_ORDER)
    return [to_hex(scale(place)) for place in np.linspace(0, 1, len(levels))]
