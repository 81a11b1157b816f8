"""How the gradient fades on its way back: |dL/dh| and |dL/dC| against the lag, a line for each T or other value."""

import math
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fastlstm.measures import lags
from fastlstm.report.bars import quantile_table
from fastlstm.report.end_labels import label_end
from fastlstm.report.figure import Drawing, Figure, finish, pooled, sheet
from fastlstm.report.numbers import count, label, number
from fastlstm.report.run_data import RunData
from fastlstm.report.style import BLUE, INK, WIDE, WIDTH, decades, shades

_MOST_LINES = 6
_MOST_PANELS = 12
_DEEPEST = -24  # decades below which a band is cut off: nobody can use such a gradient
_TRIMMED = 3  # of the ladder's lags, one of so many has a label where there are many
SIDES = {"dC": "|dL/dC$_{T-lag}$|", "dh": "|dL/dh$_{T-lag}$|"}


class Line(NamedTuple):
    """The quantiles of bars.SHOWN at each lag."""

    name: str
    lags: list[int]
    table: NDArray[np.float64]
    draws: int


def fits(run: RunData) -> bool:
    """The lags are in the histograms."""
    return "lags" in run.spec.measure.groups and run.longest > 1


def draw(run: RunData) -> list[Drawing]:
    """A drawing for |dC| and one for |dh|: T, or another axis, makes the lines, and the others the panels."""
    over, panels = _arranged(run)
    drawings = []
    for side, name in SIDES.items():
        cells = [(title, _lines(run, side, over, points)) for title, points in _cells(run, panels)]
        columns = min(3, len(cells))
        rows = math.ceil(len(cells) / columns)
        height, width = (3.9, WIDTH) if len(cells) == 1 else (1.1 + 2.0 * rows, WIDE)
        figure, grid = sheet(height, width=width, nrows=rows, ncols=columns, sharex=True, sharey=True, squeeze=False)
        limits = limits_of([line for _, lines in cells for line in lines])
        for axes in grid.ravel()[len(cells) :]:
            axes.remove()
        for axes, (title, lines) in zip(grid.ravel(), cells, strict=False):
            draw_lines(axes, lines, limits, dead=math.log10(run.spec.measure.vanished), over=over)
            axes.set_title(title, fontsize=9.5)
            axes.set_xlabel("")
            axes.tick_params(labelbottom=True, labelsize=8.5)
        figure.supxlabel("lag / steps" + (f"; a line for each {_axis(over)}" if over else ""), fontsize=10)
        figure.supylabel(name, fontsize=10)
        shown = (*panels, *([over] if over else []))
        drawings.append(finish(figure, f"lags-{side}", _finding(run, side, over, cells) + pooled(run, *shown)))
    return drawings


def _arranged(run: RunData) -> tuple[str | None, list[str]]:
    """The axis of the lines, and those of the panels; as many as there is room for."""
    sizes = {axis: len(values) for axis, values in run.axes().items()}
    few = [axis for axis in sizes if sizes[axis] <= _MOST_LINES]
    over = "steps" if "steps" in few else few[0] if few else None
    panels: list[str] = []
    for axis in sizes:
        if axis != over and math.prod(sizes[each] for each in (*panels, axis)) <= _MOST_PANELS:
            panels.append(axis)
    return over, panels


def _cells(run: RunData, panels: list[str]) -> list[tuple[str, NDArray[Any]]]:
    cells: list[tuple[str, NDArray[Any]]] = [("", run.points.index.to_numpy())]
    for axis in panels:
        cells = [
            (", ".join(filter(None, (title, f"{axis} = {label(value)}"))), np.intersect1d(points, level))
            for title, points in cells
            for value, level in run.levels(axis).items()
        ]
    return cells


def _lines(run: RunData, side: str, over: str | None, points: NDArray[Any]) -> list[Line]:
    levels = run.levels(over) if over else {"": points}
    chosen = {label(value) if over else "": np.intersect1d(points, level) for value, level in levels.items()}
    return [line_of(run, side, name, within) for name, within in chosen.items() if len(within)]


def line_of(run: RunData, side: str, name: str, points: NDArray[Any]) -> Line:
    """The line of some points."""
    ladder = list(lags(int(run.points.loc[points, "steps"].max())))
    tallies = [run.tally(f"log10_{side}_lag_{lag}", points) for lag in ladder]
    return Line(name, ladder, quantile_table(tallies), max((tally.draws for tally in tallies), default=0))


def limits_of(lines: list[Line]) -> tuple[float, float]:
    """The decades that medians and the bands of half of the draws run over."""
    every = np.concatenate([line.table[:, 1:4].ravel() for line in lines])
    every = every[np.isfinite(every)]
    low, high = every.min(initial=0.0), every.max(initial=-99.0)
    return max(_DEEPEST, math.floor(low)), max(1, math.ceil(high))


def draw_lines(
    axes: Axes, lines: list[Line], limits: tuple[float, float], *, dead: float, over: str | None = None
) -> Axes:
    """Medians, each in a band of half of the draws; lines that leave the panel below go on there."""
    low, high = limits
    colours = shades([line.name for line in lines] if over != "steps" else list(range(len(lines)))) if over else [BLUE]
    for line, colour in zip(lines, colours, strict=False):
        if not line.lags:
            continue
        shown = np.clip(line.table, low - 1, None)
        axes.fill_between(line.lags, shown[:, 1], shown[:, 3], color=colour, alpha=0.15, linewidth=0)
        axes.plot(line.lags, shown[:, 2], color=colour, marker="o", markersize=4.5, linewidth=1.6)
        if line.name:
            end = float(np.clip(shown[-1, 2], low, high))
            label_end(axes, end, line.name, colour)
    axes.axhline(dead, color=INK, linewidth=1, linestyle="--")
    ladder = max((line.lags for line in lines), key=len)
    axes.set_xscale("log")
    labelled = ladder if len(ladder) <= 4 else ladder[::_TRIMMED]
    axes.set_xticks(labelled, [count(lag) for lag in labelled])
    axes.set_xticks([], minor=True)
    decades(axes.yaxis)
    axes.set_ylim(low, high)
    axes.set_xlabel("lag / steps")
    return axes


def _finding(run: RunData, side: str, over: str | None, cells: list[tuple[str, list[Line]]]) -> str:
    """Where the median reaches farthest, and where it is the first to fall."""
    dead = math.log10(run.spec.measure.vanished)
    reaches: dict[str, int] = {}
    falls: dict[str, int] = {}  # of these the lines that do go below it; the others end with their sequences
    for title, lines in cells:
        for line in lines:
            alive = [lag for lag, _ in takewhile(lambda row: row[1][2] > dead, zip(line.lags, line.table, strict=True))]
            name = ", ".join(filter(None, (title, _named(line.name, over))))
            reaches[name] = max(alive, default=0)
            if len(alive) < len(line.lags):
                falls[name] = reaches[name]
    most = max(reaches, key=reaches.__getitem__)
    text = f"The median of |{side}| stays above {number(10**dead)} to lag {number(reaches[most], digits=6)}"
    draws = count(min(line.draws for _, lines in cells for line in lines))
    if len(reaches) == 1:
        return f"{text} (n = {draws})"
    if not falls:
        return f"The median of |{side}| stays above {number(10**dead)} at every lag and point (n = {draws} each)"
    least = min(falls, key=falls.__getitem__)
    if falls[least] == reaches[most]:
        where = "at every point" if len(set(reaches.values())) == 1 else f"with {most}"
        return f"{text} {where} (n = {draws} each)"
    return f"{text} with {most}, to lag {number(falls[least], digits=6)} with {least} (n = {draws} each)"


def _named(line: str, over: str | None) -> str:
    """A line with the axis it is a value of; words speak for themselves."""
    return f"{_axis(over)} = {line}" if over and not line.isidentifier() else line


def _axis(over: str) -> str:
    return "T" if over == "steps" else over


FIGURE = Figure(
    name="lags",
    heading="Gradient against lag",
    caption="How large the gradient of the loss is at the states some steps before the end: the median over the draws, "
    "in a band that holds half of them. The dashed line is the spec's threshold for a vanished gradient. "
    "What leaves a panel below goes on there, to a true 0 perhaps.",
    fits=fits,
    draw=draw,
)
