"""The gradient over the mean forget gate and the mean input gate: a heat map of medians, with counts in its cells."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from fastlstm.report.figure import Drawing, Figure, finish, pooled, sheet
from fastlstm.report.numbers import count, number
from fastlstm.report.run_data import RunData
from fastlstm.report.style import EMPTY, part, shown_decades

# Gates pile up at 0 and 1, and over many steps 0.99 and 0.999 are worlds apart.
EDGES = (0.0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 1.0)
CELLS = len(EDGES) - 1


def cells_of(f: NDArray[np.floating], i: NDArray[np.floating]) -> NDArray[np.int64]:
    """The number of each draw's cell: i * CELLS + f."""
    cell: NDArray[np.int64] = np.digitize(i, EDGES[1:-1]) * CELLS + np.digitize(f, EDGES[1:-1])
    return cell


def medians(
    f: NDArray[np.floating], i: NDArray[np.floating], values: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The median of the values in each cell, NaN where it is empty, and the draws there; (i, f), cells of EDGES."""
    cell = cells_of(f, i)
    order = np.lexsort((values, cell))
    draws = np.bincount(cell, minlength=CELLS**2)
    first = np.cumsum(draws) - draws
    median = np.full(CELLS**2, np.nan)
    there = draws > 0
    median[there] = values[order[first[there] + (draws[there] - 1) // 2]]  # the lower one of two: no mean of -inf
    return median.reshape(CELLS, CELLS), draws.reshape(CELLS, CELLS)


def gradient(run: RunData) -> tuple[NDArray[np.floating], str]:
    """The log10 that tells whether a gradient lives, one for each row, and its name.

    Where the loss is the last output alone, the gradient of all 14 contains that of b_y, which no step weakens and
    which therefore cannot vanish. What can, and what the flag `vanished` is made of, is the state's at step 0.
    """
    if run.spec.loss.kind == "last":
        rows = run.rows("log10_dh0", "log10_dC0")
        return np.maximum(*rows.values()), "max(|dL/dh$_0$|, |dL/dC$_0$|)"
    return run.rows("log10_grad")["log10_grad"], "|gradient| of all 14 parameters"


def fits(run: RunData) -> bool:
    """Gate means and norms are in the rows."""
    return run.has_rows("f_mean", "i_mean", "log10_grad")


def draw(run: RunData) -> list[Drawing]:
    """One map of all points together."""
    figure, axes = sheet(5.5)
    image, name, title = draw_map(axes, run)
    figure.colorbar(image, ax=axes, shrink=0.9).set_label(f"median log$_{{10}}$ {name}")
    return [finish(figure, "landscape", title)]


def draw_map(axes: Axes, run: RunData) -> tuple[AxesImage, str, str]:
    """Draw the map; its image, the name of the gradient, and the finding."""
    values, name = gradient(run)
    gates = run.rows("f_mean", "i_mean")
    median, draws = medians(gates["f_mean"], gates["i_mean"], values)
    dead = math.log10(run.spec.measure.vanished)
    low, high = shown_decades(median, 3 * dead)
    image = axes.imshow(np.clip(median, low, high), origin="lower", cmap="cividis", vmin=low, vmax=high)
    image.cmap = image.cmap.with_extremes(under=image.cmap(0.0))
    image.cmap.colorbar_extend = "min" if bool((median < low).any()) else "neither"  # type: ignore[assignment]
    axes.set_facecolor(EMPTY)
    axes.grid(False)
    for row, column in np.argwhere(draws > 0):
        ink = "white" if median[row, column] < (low + high) / 2 else "black"
        axes.text(column, row, count(draws[row, column]), ha="center", va="center", fontsize=8, color=ink)
    part(axes, median, dead, color="white", linewidth=4.5)
    part(axes, median, dead, color="black", linewidth=2)
    gate_ticks(axes)
    return image, name, _finding(median, dead) + pooled(run)


def gate_ticks(axes: Axes, *, fewer: bool = False) -> None:
    """Ticks at the edges of the cells."""
    edges = [0, 2, 3, 7, 8, 10] if fewer else range(CELLS + 1)
    ticks, labels = [edge - 0.5 for edge in edges], [f"{EDGES[edge]:g}" for edge in edges]
    axes.set_xticks(ticks, labels, rotation=90, fontsize=8 if fewer else 9)
    axes.set_yticks(ticks, labels, fontsize=8 if fewer else 9)
    axes.set_xlabel("mean of the forget gate f over the steps")
    axes.set_ylabel("mean of the input gate i over the steps")


def _finding(median: NDArray[np.float64], dead: float) -> str:
    cells, alive = int((~np.isnan(median)).sum()), int((median > dead).sum())
    row, column = np.unravel_index(int(np.nanargmax(median)), median.shape)
    where = f"f in {EDGES[column]:g} to {EDGES[column + 1]:g}, i in {EDGES[row]:g} to {EDGES[row + 1]:g}"
    return f"Median gradient above {number(10**dead)} in {alive} of {cells} cells; largest at {where}"


FIGURE = Figure(
    name="landscape",
    heading="Gradient over mean forget and input gate",
    caption="Each cell holds the draws whose gates had these means over the steps; colour is the median of log10 of "
    "their gradient, and the number in it is how many draws they are. Grey cells have no draws. The line "
    "parts medians above and below the spec's threshold for a vanished gradient. An arrow at the colour bar: there are "
    "smaller values, down to a true 0.",
    fits=fits,
    draw=draw,
)
