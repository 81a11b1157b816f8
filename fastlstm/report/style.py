"""How figures look: colours that the colour-blind tell apart, sizes that can be read on a phone, the bytes of a PNG."""

import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

WIDTH = 6.0  # inches; 600 pixels of a page, and the phone's width on a phone
DOTS = 200  # per inch, twice what is shown, for screens of high density
SHOWN = 100

# Okabe and Ito 2008
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
CATEGORIES = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)
EMPTY = "#E4E4E4"  # a cell without draws

_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that figures are the same everywhere
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E0E0E0",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 2,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
}


@dataclass(frozen=True)
class Picture:
    """A finished figure: its file's name, what it shows in words, its PNG, and its size on the page in pixels."""

    name: str
    title: str
    png: bytes
    width: int
    height: int


@contextmanager
def drawing() -> Iterator[None]:
    """Within it figures look as here, whatever settings of matplotlib the user has."""
    with matplotlib.style.context(["default", _STYLE], after_reset=True):
        yield


def sheet(height: float, *, width: float = WIDTH, **grid: Any) -> tuple[Figure, Any]:
    """An empty figure of some inches, and its axes as of Figure.subplots."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**grid)


def finish(figure: Figure, name: str, title: str) -> Picture:
    """Set the title, and draw. The same figure gives the same bytes."""
    letters = round(figure.get_figwidth() * 9.6)
    figure.suptitle(textwrap.fill(title, letters), x=0.01, ha="left", fontsize=12, fontweight="bold")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS, metadata={"Software": None})
    width, height = (round(inches * SHOWN) for inches in figure.get_size_inches())
    return Picture(name, title, buffer.getvalue(), width, height)


def number(value: float, *, digits: int = 3) -> str:
    """A number in a title, a label or a table: three digits, a real minus sign."""
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    return (f"{mantissa}e{int(exponent)}" if exponent else mantissa).replace("-", "\N{MINUS SIGN}")


def power(exponent: float) -> str:
    """10 to the exponent, also beyond what a float holds."""
    if not math.isfinite(exponent):
        return "0" if exponent < 0 else "infinity"
    return number(10.0**exponent) if -99 < exponent < 99 else f"10^{exponent:.0f}".replace("-", "\N{MINUS SIGN}")


def label(value: object) -> str:
    """A value on an axis of the spec."""
    return value if isinstance(value, str) else f"{value:g}"


def percent(share: float) -> str:
    """A share as a percentage, in two digits of what is left to 0 or 100."""
    rest = 100 * min(share, 1 - share)
    decimals = max(0, 1 - math.floor(math.log10(rest))) if rest > 0 else 0
    return f"{100 * share:.{decimals}f}%"


def count(draws: int) -> str:
    """A number of draws in few letters: 950, 12k, 1.2M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if draws >= size:
            return f"{draws / size:.2g}{letter}" if draws < 10 * size else f"{draws / size:.0f}{letter}"
    return str(draws)


def log_ticks(axis: Any, low: float, high: float) -> None:
    """Ticks of an axis that holds log10 of a quantity: its powers of ten, at most seven of them."""
    fewest = max(1.0, (high - low) / 6)
    step = next(nice for size in range(9) for nice in (10**size, 2 * 10**size, 5 * 10**size) if nice >= fewest)
    ticks = [tick for tick in range(math.floor(low), math.ceil(high) + 1) if tick % step == 0]
    axis.set_ticks(ticks, [f"$10^{{{tick}}}$" for tick in ticks])


def shown_decades(found: NDArray[np.float64], deepest: float) -> tuple[int, int]:
    """The whole decades that a scale of log10 values runs over, and not below `deepest`."""
    known = found[np.isfinite(found)]
    high = math.ceil(known.max(initial=deepest + 1))
    low = math.floor(known.min(initial=high - 1))
    return max(low, math.floor(min(deepest, high - 1))), max(high, low + 1)


def part(axes: Axes, values: NDArray[np.float64], threshold: float, **line: Any) -> None:
    """Draw the border between the cells of an image above a threshold and those below; NaN is neither. Rows first."""
    side = np.where(np.isnan(values), 0, np.where(values > threshold, 1, -1))
    for row, column in np.argwhere(side[:, 1:] * side[:, :-1] < 0):
        axes.plot([column + 0.5] * 2, [row - 0.5, row + 0.5], solid_capstyle="round", **line)
    for row, column in np.argwhere(side[1:] * side[:-1] < 0):
        axes.plot([column - 0.5, column + 0.5], [row + 0.5] * 2, solid_capstyle="round", **line)


def shades(levels: Sequence[Any]) -> list[Any]:
    """A colour for each level: viridis in order for numbers, unlike colours for names."""
    if isinstance(levels[0], str) and len(levels) <= len(CATEGORIES):
        return list(CATEGORIES[: len(levels)])
    scale = matplotlib.colormaps["viridis"]
    return [scale(place) for place in np.linspace(0, 0.92, len(levels))]
