"""Where perturbations of the state grow: how often the Lyapunov exponent is above 0, and its quantiles."""

import math
from typing import Any

import numpy as np
import pandas as pd

from fastlstm.claims.statistic import parse_statistic
from fastlstm.intervals import wilson
from fastlstm.report.bars import bands, bars, quantile_table
from fastlstm.report.cells import map_of_cells
from fastlstm.report.figure import Drawing, Figure, finish, pooled, sheet
from fastlstm.report.numbers import count, label, percent
from fastlstm.report.panels import Arrangement, Quantity, arranged
from fastlstm.report.panels import draw as draw_panels
from fastlstm.report.run_data import RunData
from fastlstm.report.style import BLUE, INK

MEASURE = "lyapunov_1"
_MOST_PANELS = 12
SHARE = Quantity("share of draws with an exponent above 0", is_share=True)
_LONG = 60  # characters of a place in a title


def fits(run: RunData) -> bool:
    """The exponents were counted, at more than one point; several axes of distributions have names without room."""
    wordy = sum(isinstance(values[0], str) for values in run.axes().values())
    return run.has(MEASURE) and bool(run.axes()) and wordy <= 1


def draw(run: RunData) -> list[Drawing]:
    """The shares above 0; and the medians, unless claims of the exponent ask for nothing but shares."""
    table = shares(run)
    arrangement = arranged(table, list(run.axes()))
    cells = math.prod(table[axis].nunique() for axis in arrangement.panels)
    sizes = sorted((len(values) for values in run.axes().values()), reverse=True)
    if cells > _MOST_PANELS or (len(sizes) > 1 and sizes[1] > _MOST_PANELS):
        drawings = [_map(run, "phase", shares=True)]
    else:
        drawings = [finish(draw_panels(table, SHARE, arrangement), "phase", _finding(table, arrangement))]
    if not _only_shares_are_asked_for(run):
        drawings.append(_quantiles(run) if len(sizes) == 1 else _map(run, "phase-median", shares=False))
    return drawings


def shares(run: RunData) -> pd.DataFrame:
    """For each point the share of draws above 0, with its 95% interval (Wilson)."""
    table = run.points[list(run.axes())].copy()
    tallies = {point: run.tally(MEASURE, np.array([point])) for point in table.index}
    table = table[[tally.draws > 0 for tally in tallies.values()]]
    above = {point: tallies[point].share_above(0.0) for point in table.index}
    ends = [wilson(round(above[point] * tallies[point].draws), tallies[point].draws) for point in table.index]
    return table.assign(estimate=list(above.values()), low=[low for low, _ in ends], high=[high for _, high in ends])


def _only_shares_are_asked_for(run: RunData) -> bool:
    parts = [part for text in run.claims["statistic"].unique() for part in parse_statistic(text).terms]
    functions = {part.function for part in parts if MEASURE in part.names}
    return functions == {"share"}


def _finding(table: pd.DataFrame, arrangement: Arrangement) -> str:
    estimates = table["estimate"]
    if estimates.max() == estimates.min():
        return f"{percent(estimates.max())} of exponents are above 0, at every point"
    at = [_place(table, arrangement, point) for point in (estimates.idxmin(), estimates.idxmax())]
    least, most = percent(estimates.min()), percent(estimates.max())
    return f"From {least} of exponents are above 0, at {at[0]}, to {most} at {at[1]}"


def _place(table: pd.DataFrame, arrangement: Arrangement, point: Any) -> str:
    """A point by its values on the axes, or by its number where these are long, as of distributions."""
    values = ", ".join(f"{axis} = {label(table.loc[point, axis])}" for axis in arrangement.shown)
    return values if len(values) <= _LONG else f"point {point}"


def _map(run: RunData, name: str, *, shares: bool) -> Drawing:
    """The two longest axes."""
    axes = run.axes()
    longest = sorted(axes, key=lambda axis: -len(axes[axis]))[:2]
    down, along = (axis for axis in axes if axis in longest)
    cells = [[np.intersect1d(a, b) for b in run.levels(along).values()] for a in run.levels(down).values()]
    tallies = [[run.tally(MEASURE, cell) for cell in row] for row in cells]
    values = np.array([[tally.share_above(0.0) if shares else tally.median() for tally in row] for row in tallies])
    figure, panel = sheet(2.1 + min(4.5, 0.5 * len(cells)))
    bar = map_of_cells(panel, values, axes[along], axes[down], shares=shares)
    panel.set_xlabel(along)
    panel.set_ylabel(down)
    figure.colorbar(bar.image, ax=panel).set_label("share above 0" if shares else rf"median $\lambda_1${bar.factor}")
    each = count(min(tally.draws for row in tallies for tally in row))
    if shares:
        title = f"At most {percent(np.nanmax(values))} of exponents are above 0 in a cell (n = {each} each)"
    else:
        many = f"{int((values > 0).sum())} of {values.size}"
        title = f"The median exponent is positive in {many} cells (n = {each} each)"
    return finish(figure, name, title + pooled(run, down, along))


def _quantiles(run: RunData) -> Drawing:
    (along,) = run.axes()
    levels: dict[Any, Any] = run.levels(along)
    tallies = [run.tally(MEASURE, points) for points in levels.values()]
    table = quantile_table(tallies)
    place = range(len(levels))
    figure, axes = sheet(3.6)
    if any(isinstance(value, str) for value in levels):  # words have no order that a line could follow
        bars(axes, place, table, BLUE, "")
        axes.set_xlim(-0.5, len(levels) - 0.5)
    else:
        bands(axes, place, table, BLUE)
    axes.axhline(0, color=INK, linewidth=1.5)
    axes.set_xticks(place, [label(value) for value in levels])
    axes.set_xlabel(along)
    axes.set_ylabel(r"$\lambda_1$ / (1/step)")
    above = int((table[:, 2] > 0).sum())
    text = f"The median exponent is above 0 at {above} of {len(levels)} values of {along}"
    return finish(figure, "phase-median", f"{text} (n = {count(tallies[0].draws)} each)")


FIGURE = Figure(
    name="phase",
    heading="Lyapunov exponents",
    caption="The larger exponent of a draw, (1/T) ln of the larger singular value of the product of its Jacobians: "
    "above 0, perturbations of the state grew over the T steps. Shares have 95% intervals (Wilson); bands or "
    "bars hold half and nine tenths of the draws.",
    fits=fits,
    draw=draw,
)
