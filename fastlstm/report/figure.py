"""One kind of figure, and one drawn figure: a sheet of panels with the finding in its title."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib.figure
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import ScalarFormatter

from fastlstm.printable import printable
from fastlstm.report.run_data import RunData
from fastlstm.report.style import WIDTH, plain_numbers

_LETTERS = 9.4  # of a bold title, in an inch
_LINE = 0.2  # inches of a line of a title; one has its place in the sheet


@dataclass(frozen=True)
class Drawing:
    """A drawn figure: its file's name, its finding in words, and a line to stand below it on the page."""

    name: str
    title: str
    figure: matplotlib.figure.Figure
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """heading and caption stand above its drawings on the page; `fits` says whether a run has what it shows."""

    name: str
    heading: str
    caption: str
    fits: Callable[[RunData], bool]
    draw: Callable[[RunData], list[Drawing]]


def sheet(height: float, *, width: float = WIDTH, **grid: Any) -> tuple[matplotlib.figure.Figure, Any]:
    """An empty figure of some inches, and its axes as of Figure.subplots."""
    figure = matplotlib.figure.Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # measures texts once for all; without it each question makes a renderer anew
    return figure, figure.subplots(**grid)


def finish(figure: matplotlib.figure.Figure, name: str, title: str, *, note: str = "") -> Drawing:
    """Set the title, in as many lines as it needs, and have all ticks written like other numbers."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), ScalarFormatter):
                plain_numbers(axis)
    letters = round(figure.get_figwidth() * _LETTERS)
    lines = textwrap.wrap(printable(title), letters)
    figure.set_figheight(figure.get_figheight() + _LINE * (len(lines) - 1))
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=12, fontweight="bold").set_gid("title")
    return Drawing(name, title, figure, note)


def title_height(figure: matplotlib.figure.Figure) -> float:
    """The inches that the title of a figure takes, at its upper end."""
    return _LINE * len(figure.get_suptitle().splitlines())


def pooled(run: RunData, *shown: str) -> str:
    """What a title says of the axes that are not shown: that all their values are taken together."""
    together = [axis for axis in run.axes() if axis not in shown]
    return f"; all values of {', '.join(together)} together" if together else ""
