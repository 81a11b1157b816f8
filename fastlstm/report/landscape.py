"""The gradient over the mean forget gate and the mean input gate: a heat map of medians, with counts in its cells."""

import math

import numpy as np
from numpy.typing import NDArray

from fastlstm.report.figure import Kind
from fastlstm.report.run_data import Evidence
from fastlstm.report.style import EMPTY, Picture, count, finish, number, part, sheet, shown_decades

# Gates pile up at 0 and 1, and over many steps 0.99 and 0.999 are worlds apart.
EDGES = (0.0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 1.0)
CELLS = len(EDGES) - 1


def medians(
    f: NDArray[np.floating], i: NDArray[np.floating], values: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The median of the values in each cell, NaN where it is empty, and the draws there; (i, f), cells of EDGES."""
    cell = np.digitize(i, EDGES[1:-1]) * CELLS + np.digitize(f, EDGES[1:-1])
    order = np.lexsort((values, cell))
    draws = np.bincount(cell, minlength=CELLS**2)
    first = np.cumsum(draws) - draws
    found = np.full(CELLS**2, np.nan)
    there = draws > 0
    found[there] = values[order[first[there] + (draws[there] - 1) // 2]]  # the lower one of two: never a mean of -inf
    return found.reshape(CELLS, CELLS), draws.reshape(CELLS, CELLS)


def gradient(evidence: Evidence) -> tuple[NDArray[np.floating], str]:
    """The log10 that tells whether a gradient lives, one for each row, and its name.

    Where the loss is the last output alone, the gradient of all 14 contains that of b_y, which no step weakens and
    which therefore cannot vanish. What can, and what the flag `vanished` is made of, is the state's at step 0.
    """
    if evidence.spec.loss.kind == "last":
        rows = evidence.rows("log10_dh0", "log10_dC0")
        return np.maximum(*rows.values()), "max(|dL/dh$_0$|, |dL/dC$_0$|)"
    return evidence.rows("log10_grad")["log10_grad"], "|gradient| of all 14 parameters"


def fits(evidence: Evidence) -> bool:
    """Gate means and norms are in the rows."""
    return evidence.has_rows("f_mean", "i_mean", "log10_grad")


def draw(evidence: Evidence) -> list[Picture]:
    """One map of all points together."""
    values, name = gradient(evidence)
    gates = evidence.rows("f_mean", "i_mean")
    found, draws = medians(gates["f_mean"], gates["i_mean"], values)
    dead = math.log10(evidence.spec.measure.vanished)
    low, high = shown_decades(found, 3 * dead)

    figure, axes = sheet(5.5)
    shown = axes.imshow(np.clip(found, low, high), origin="lower", cmap="cividis", vmin=low, vmax=high)
    axes.set_facecolor(EMPTY)
    axes.grid(False)
    for row, column in np.argwhere(draws > 0):
        dark = found[row, column] < (low + high) / 2
        ink = "white" if dark else "black"
        axes.text(column, row, count(draws[row, column]), ha="center", va="center", fontsize=8.5, color=ink)
    part(axes, found, dead, color="white", linewidth=4.5)
    part(axes, found, dead, color="black", linewidth=2)
    ticks = np.arange(CELLS + 1) - 0.5
    labels = [f"{edge:g}" for edge in EDGES]
    axes.set_xticks(ticks, labels, rotation=45)
    axes.set_yticks(ticks, labels)
    axes.set_xlabel("mean of the forget gate f over the steps")
    axes.set_ylabel("mean of the input gate i over the steps")
    has_less = bool((found < low).any())
    bar = figure.colorbar(shown, ax=axes, shrink=0.9, extend="min" if has_less else "neither")
    bar.set_label(f"median log$_{{10}}$ {name}")
    return [finish(figure, "landscape", _says(found, dead))]


def _says(found: NDArray[np.float64], dead: float) -> str:
    cells, alive = int((~np.isnan(found)).sum()), int((found > dead).sum())
    row, column = np.unravel_index(int(np.nanargmax(found)), found.shape)
    where = f"f in {EDGES[column]:g} to {EDGES[column + 1]:g}, i in {EDGES[row]:g} to {EDGES[row + 1]:g}"
    return f"Median gradient above {number(10**dead)} in {alive} of {cells} cells; largest at {where}"


KIND = Kind(
    name="landscape",
    heading="Gradient over mean forget and input gate",
    caption="Each cell holds the draws whose gates had these means over the steps; colour is the median of log10 of "
    "their gradient, and the number in it is how many draws they are. Grey cells have no draws. The line "
    "parts medians above and below the spec's threshold for a vanished gradient. An arrow at the colour bar: there are "
    "smaller values, down to a true 0.",
    fits=fits,
    draw=draw,
)
