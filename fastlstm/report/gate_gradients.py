"""The gradient at each gate against how often that gate is saturated."""

import math

import numpy as np
from matplotlib.axes import Axes

from fastlstm.measures import GATES
from fastlstm.report.bars import SHOWN
from fastlstm.report.figure import Drawing, Figure, finish, pooled, sheet
from fastlstm.report.numbers import count, power
from fastlstm.report.run_data import RunData
from fastlstm.report.style import BLUE, GREEN, INK, ORANGE, decades

_COLOURS = {"f": BLUE, "i": ORANGE, "o": GREEN}
_EDGES = np.array([0.0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.0])  # shares of the steps
_FEW = 20  # draws; a class with fewer shows nothing
_DEEPEST = -24


def fits(run: RunData) -> bool:
    """The gradients at the gates, and the gates' saturation, are in the rows."""
    sides = [f"{gate}_{side}" for gate in GATES for side in ("left", "right")]
    return run.has_rows(*(f"log10_d{gate}" for gate in GATES), *sides)


def draw(run: RunData) -> list[Drawing]:
    """One panel for each gate: the median of log10 |dL/dgate| over the share of saturated steps."""
    figure, panels = sheet(3.4, ncols=3, sharey=True)
    fallen = []
    for axes, gate in zip(panels, GATES, strict=True):
        table = quantiles_by_saturation(run, gate)
        draw_gate(axes, table, gate, math.log10(run.spec.measure.vanished))
        first, last = (table[place, 2] for place in np.flatnonzero(~np.isnan(table[:, 2]))[[0, -1]])
        fallen.append(f"|d{gate}| from {power(first)} to {power(last)}")
    ends = [axes.get_ylim() for axes in panels]
    panels[0].set_ylim(max(_DEEPEST, min(low for low, _ in ends)), max(high for _, high in ends))
    panels[0].set_ylabel("|dL/dgate|, L2 over t")
    figure.supxlabel("share of the steps at which the gate is saturated", fontsize=10)
    title = f"From never to always saturated the median goes: {', '.join(fallen)}"
    draws = count(len(run.rows("f_left")["f_left"]))
    return [finish(figure, "gate_gradients", f"{title} (n = {draws}){pooled(run)}")]


def quantiles_by_saturation(run: RunData, gate: str) -> np.ndarray:
    """The quantiles of bars.SHOWN of log10 |dL/dgate| for each class of saturation; NaN where few draws are."""
    left, right, sizes = run.rows(f"{gate}_left", f"{gate}_right", f"log10_d{gate}").values()
    place = np.clip(np.digitize(left + right, _EDGES) - 1, 0, len(_EDGES) - 2)
    table = np.full((len(_EDGES) - 1, len(SHOWN)), np.nan)
    for number in np.unique(place):
        mine = sizes[place == number]
        if len(mine) >= _FEW:
            table[number] = np.quantile(mine, SHOWN, method="lower")
    return table


def draw_gate(axes: Axes, table: np.ndarray, gate: str, dead: float) -> Axes:
    """One gate's panel."""
    middle = (_EDGES[1:] + _EDGES[:-1]) / 2
    colour = _COLOURS[gate]
    shown = np.clip(table, 4 * _DEEPEST, None)
    axes.fill_between(middle, shown[:, 1], shown[:, 3], color=colour, alpha=0.3, linewidth=0)
    axes.plot(middle, shown[:, 2], color=colour, marker="o", markersize=5)
    axes.axhline(dead, color=INK, linewidth=1, linestyle="--")
    finite = shown[np.isfinite(shown)]
    axes.set_ylim(max(_DEEPEST, math.floor(finite.min(initial=0.0))), math.ceil(finite.max(initial=1.0)))
    decades(axes.yaxis)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_title(GATES[gate], fontsize=10)
    return axes


FIGURE = Figure(
    name="gate_gradients",
    heading="Gradients at the gates against saturation",
    caption="The size of the gradient at each gate, L2 over the steps, for draws whose gate was saturated, on either "
    "side, at such a share of their steps: the median, in a band of half of the draws. The dashed line is the spec's "
    "threshold for a vanished gradient.",
    fits=fits,
    draw=draw,
)
