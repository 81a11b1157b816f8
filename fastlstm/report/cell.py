"""How full the cell is, and what its fullness leaves of the gradient that comes out of tanh."""

import math

import numpy as np

from fastlstm.report.bars import SHOWN, bands
from fastlstm.report.figure import Drawing, Figure, finish, pooled, sheet
from fastlstm.report.numbers import count, number
from fastlstm.report.run_data import RunData
from fastlstm.report.style import BLUE, GREEN, VERMILION, WIDE, decades

_CLASSES = 16  # of equal numbers of draws


def fits(run: RunData) -> bool:
    """The cell's sizes are in the rows."""
    return run.has_rows("C_max", "C_mean", "tau_slope")


def draw(run: RunData) -> list[Drawing]:
    """The largest |C|, the mean slope of tanh, and the share of living gradients, over the mean size of the cell."""
    size, largest, slope, vanished = run.rows("C_mean", "C_max", "tau_slope", "vanished").values()
    groups = np.array_split(np.argsort(size, kind="stable"), min(_CLASSES, len(size)))
    at = [max(float(np.median(size[group])), 1e-6) for group in groups]
    table = np.array([np.quantile(slope[group], SHOWN) for group in groups])
    figure, (first, left, right) = sheet(3.4, width=WIDE, ncols=3, sharex=True)
    with np.errstate(divide="ignore"):
        filled = np.log10(np.array([np.quantile(largest[group], SHOWN, method="lower") for group in groups]))
    bands(first, at, np.maximum(filled, -9), GREEN)
    first.set_title("largest |C$_t$|", fontsize=10)
    decades(first.yaxis)
    bands(left, at, table, BLUE)
    left.set_title("mean slope of tanh", fontsize=10)
    right.plot(at, [1 - float(vanished[group].mean()) for group in groups], "o-", color=VERMILION, markersize=5)
    right.set_title("share not vanished", fontsize=10)
    left.set_ylim(-0.02, 1.02)
    right.set_ylim(-0.02, 1.02)
    for axes in (first, left, right):
        axes.set_xscale("log")
        low, high = math.floor(math.log10(at[0])), math.ceil(math.log10(at[-1]))
        ticks = range(low, high + 1, max(1, math.ceil((high - low) / 4)))
        axes.set_xticks([10.0**tick for tick in ticks], [number(10.0**tick) for tick in ticks])
        axes.set_xticks([], minor=True)
    figure.supxlabel("mean of |C$_t$| over the steps, classes of equally many draws", fontsize=10)
    fullest, emptiest = number(table[-1, 2], digits=2), number(table[0, 2], digits=2)
    title = f"The median slope of tanh is {emptiest} in the emptiest cells and {fullest} in the fullest"
    return [finish(figure, "cell", f"{title} (n = {count(len(size))}){pooled(run)}")]


FIGURE = Figure(
    name="cell",
    heading="The cell and the slope of tanh",
    caption="Every way out of the cell passes tanh, whose slope 1 - tanh² C goes to 0 as the cell fills. Bands hold "
    "half and nine tenths of the draws.",
    fits=fits,
    draw=draw,
)
