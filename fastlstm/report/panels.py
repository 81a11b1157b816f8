"""Estimates with their intervals over the points of a grid: along one axis, a line for each value of a second one,
small multiples over the others."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from fastlstm.report.end_labels import label_end
from fastlstm.report.figure import sheet
from fastlstm.report.numbers import digits_apart, interval, label, number, percent
from fastlstm.report.style import BLUE, GREEN, INK, MUTED, NARROW, VERMILION, WIDE, plain_ticks, shades

_MOST_LINES = 10
_MARKS = {"holds": "o", "undecided": "o", "fails": "X"}
_WRAPPED = 24  # letters of a line beside an axis
_BELOW = 56  # and below one
_NAMED = 14  # letters of an axis and a value of it that fit beside a line


@dataclass(frozen=True)
class Quantity:
    """What a table estimates: its name, whether it is a share, and the operator that holds it against `predicted`.

    A table has a row for each point: its axes, `estimate low high`, and perhaps `predicted tolerance verdict`.
    """

    name: str
    is_share: bool = False
    operator: str | None = None


@dataclass(frozen=True)
class Arrangement:
    """Which axis runs along a panel, which one makes its lines, and which the panels."""

    along: str | None
    lines: str | None
    panels: tuple[str, ...]

    @property
    def shown(self) -> tuple[str, ...]:
        """All axes."""
        return tuple(filter(None, (self.along, self.lines, *self.panels)))


def arranged(table: pd.DataFrame, axes: Sequence[str], first: str | None = None) -> Arrangement:
    """An arrangement of the axes that vary in a table: `first`, or else the longest, runs along the panels."""
    sizes = {axis: table[axis].nunique() for axis in axes if table[axis].nunique() > 1}
    if not sizes:
        return Arrangement(None, None, ())
    along = first if first in sizes else max(sizes, key=lambda axis: (not _is_text(table, axis), sizes[axis]))
    others = sorted((axis for axis in sizes if axis != along), key=lambda axis: -sizes[axis])
    lines = next((axis for axis in others if sizes[axis] <= _MOST_LINES), None)
    return Arrangement(along, lines, tuple(axis for axis in sizes if axis not in (along, lines)))


def _is_text(table: pd.DataFrame, axis: str) -> bool:
    return isinstance(table[axis].iloc[0], str)


def draw(table: pd.DataFrame, quantity: Quantity, arrangement: Arrangement) -> matplotlib.figure.Figure:
    """A sheet with a panel for each combination of the panels' axes, all in one scale."""
    if arrangement.along is None:
        lines_below = len(textwrap.wrap(quantity.name, _BELOW)) + (table["verdict"].iloc[0] != "holds")
        figure, axes = sheet(1.7 + 0.18 * lines_below, width=NARROW)
        draw_dot(axes, table.iloc[0], quantity)
        key_of_prediction(figure, table, quantity)
        return figure
    cells = _cells(table, arrangement.panels)
    columns = {1: 1, 4: 2}.get(len(cells), min(3, len(cells)) if len(cells) <= 9 else 4)
    rows = math.ceil(len(cells) / columns)
    height, width = (3.4, NARROW) if len(cells) == 1 else (1.3 + 1.75 * rows, WIDE)
    figure, grid = sheet(height, width=width, nrows=rows, ncols=columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.ravel()[len(cells) :]:
        axes.remove()
    for axes, (name, cell) in zip(grid.ravel(), cells, strict=False):
        draw_panel(axes, cell, quantity, arrangement, whole=table)
        if len(cells) > 1:
            axes.set_title(name, fontsize=9)
            axes.set_xlabel(arrangement.along, fontsize=8.5)
            axes.set_ylabel("")
            axes.tick_params(labelbottom=True, labelsize=8)
    if len(cells) > 1:
        figure.supylabel(_beside(quantity.name), fontsize=9)
    lines = arrangement.lines if len(cells) > 1 else None  # one panel names them below its axis
    key_of_prediction(figure, table, quantity, None if lines and _are_named(table, lines) else lines)
    return figure


def _cells(table: pd.DataFrame, panels: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    if not panels:
        return [("", table)]
    groups = table.groupby(list(panels), sort=False)
    return [(", ".join(f"{a} = {label(v)}" for a, v in zip(panels, key, strict=True)), cell) for key, cell in groups]


def draw_panel(
    axes: Axes, table: pd.DataFrame, quantity: Quantity, arrangement: Arrangement, *, whole: pd.DataFrame | None = None
) -> Axes:
    """The lines of one panel; `whole` is the table of all panels, which sets the scale and the colours."""
    whole = table if whole is None else whole
    along, lines = arrangement.along, arrangement.lines
    assert along is not None
    ticks = _levels(whole, along)
    levels = _levels(whole, lines) if lines else [None]
    low, high = _limits(whole, quantity)
    colours = shades(levels) if lines else [BLUE]
    named = lines is not None and _are_named(whole, lines)
    own_predictions = lines is not None and _predictions_differ(table, along)
    for place, (level, colour) in enumerate(zip(levels, colours, strict=True)):
        line = table if lines is None else table[table[lines] == level]
        if line.empty:
            continue
        line = line.iloc[np.argsort([ticks.index(value) for value in line[along]], kind="stable")]
        aside = 0.24 * ((place + 0.5) / len(levels) - 0.5)
        at = np.array([ticks.index(value) for value in line[along]])
        _intervals(axes, at + aside, line, (low, high), colour, joined=not isinstance(ticks[0], str))
        if "predicted" in line and (own_predictions or place == 0):
            _prediction(axes, at, line, quantity, (low, high), colour if own_predictions else INK)
        if lines is not None:
            end = float(np.clip(line["estimate"].to_numpy()[-1], low, high))
            label_end(axes, end, f"{lines} = {label(level)}" if named else label(level), colour)
    axes.set_xticks(range(len(ticks)), [label(value) for value in ticks], rotation=_rotation(ticks))
    axes.set_xlim(-0.35, len(ticks) - 0.65)
    _scale(axes.yaxis, quantity)
    axes.set_ylim(low, high)
    words = f"{along}; a line for each {lines}" if lines and not named else along
    axes.set_xlabel(textwrap.fill(words, _BELOW - 8), fontsize=10)
    axes.set_ylabel(_beside(quantity.name), fontsize=9)
    axes.tick_params(labelsize=9)
    return axes


def _are_named(table: pd.DataFrame, lines: str) -> bool:
    """Whether the labels of lines have room for the name of their axis; else it stands below, once for all of them."""
    return all(len(label(level)) + len(lines) < _NAMED for level in _levels(table, lines))


def _rotation(ticks: Sequence[Any]) -> int:
    return 90 if sum(len(label(value)) + 2 for value in ticks) > 42 else 0


def _levels(table: pd.DataFrame, axis: str) -> list[Any]:
    values = list(dict.fromkeys(table[axis]))
    return values if isinstance(values[0], str) else sorted(values)


def _predictions_differ(table: pd.DataFrame, along: str) -> bool:
    return "predicted" in table and bool((table.groupby(along)["predicted"].nunique() > 1).any())


def _intervals(
    axes: Axes, at: NDArray[Any], line: pd.DataFrame, limits: tuple[float, float], colour: Any, *, joined: bool
) -> None:
    """Dots with upright bars; they are joined where the axis has an order."""
    shown = {name: np.clip(line[name].to_numpy(np.float64), *limits) for name in ("estimate", "low", "high")}
    if joined:
        axes.plot(at, shown["estimate"], color=colour, linewidth=1.4, alpha=0.8)
    axes.vlines(at, shown["low"], shown["high"], color=colour, linewidth=2)
    verdicts = line["verdict"].astype(str).to_numpy() if "verdict" in line else np.full(len(line), "holds")
    for verdict, mark in _MARKS.items():
        mine = verdicts == verdict
        if not mine.any():
            continue
        inside = "none" if verdict == "undecided" else VERMILION if verdict == "fails" else colour
        edge = VERMILION if verdict == "fails" else colour
        axes.plot(
            at[mine], shown["estimate"][mine], mark, color=edge, markerfacecolor=inside, markersize=6, clip_on=False
        )


def _prediction(
    axes: Axes, at: NDArray[Any], line: pd.DataFrame, quantity: Quantity, limits: tuple[float, float], colour: Any
) -> None:
    """A dashed line, and the band in which the prediction holds."""
    predicted = line["predicted"].to_numpy(np.float64)
    if quantity.operator is None or np.isnan(predicted).all():
        return
    at = np.concatenate([[at[0] - 0.35], at, [at[-1] + 0.35]])
    predicted = np.pad(predicted, 1, mode="edge")
    low, high = _band(predicted, float(line["tolerance"].iloc[0]), quantity, limits)
    axes.plot(at, predicted, "--", color=colour, linewidth=1.2)
    axes.fill_between(at, low, high, color=GREEN, alpha=0.13, linewidth=0)


def _band(
    predicted: NDArray[np.float64], tolerance: float, quantity: Quantity, limits: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    operator = quantity.operator or "=="
    low = np.full_like(predicted, limits[0]) if operator.startswith("<") else predicted - tolerance
    high = np.full_like(predicted, limits[1]) if operator.startswith(">") else predicted + tolerance
    return low, high


def draw_dot(axes: Axes, row: pd.Series, quantity: Quantity) -> Axes:
    """One point: a dot with its interval, lying, beside the prediction."""
    table = pd.DataFrame([row])
    low, high = _limits(table, quantity)
    if quantity.operator and math.isfinite(row.get("predicted", math.nan)):
        predicted = np.array([float(row["predicted"])])
        begin, end = _band(predicted, float(row["tolerance"]), quantity, (low, high))
        axes.axvspan(float(begin[0]), float(end[0]), color=GREEN, alpha=0.13, linewidth=0)
        axes.axvline(float(predicted[0]), ymax=0.56, color=INK, linestyle="--", linewidth=1.2)  # below the words
    verdict = str(row.get("verdict", "holds"))
    colour = VERMILION if verdict == "fails" else BLUE
    inside = "none" if verdict == "undecided" else colour
    ends = np.clip([row["low"], row["high"]], low, high)
    axes.hlines(0, *ends, color=colour, linewidth=3)
    at = float(np.clip(row["estimate"], low, high))
    axes.plot(at, 0, _MARKS[verdict], color=colour, markerfacecolor=inside, markersize=9)
    digits = digits_apart(row["low"], row["high"])
    words = percent(row["estimate"]) if quantity.is_share else number(row["estimate"], digits=digits)
    side = "left" if row["estimate"] < (low + high) / 2 else "right"
    text = f"{words} ({interval(row['low'], row['high'], share=quantity.is_share)})"
    axes.annotate(text, (at, 0.55), ha=side, fontsize=9.5)
    axes.set_ylim(-0.6, 1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlim(low, high)
    _scale(axes.xaxis, quantity)
    axes.set_xlabel(textwrap.fill(quantity.name, _BELOW), fontsize=9)
    return axes


def _scale(axis: Any, quantity: Quantity) -> None:
    plain_ticks(axis, *((100, "%") if quantity.is_share else ()))


def _limits(table: pd.DataFrame, quantity: Quantity) -> tuple[float, float]:
    """A scale that holds all that is finite, and the prediction with its band."""
    ends = [table[name].to_numpy(np.float64) for name in ("estimate", "low", "high")]
    if quantity.operator and "predicted" in table:
        tolerance = table["tolerance"].to_numpy(np.float64)
        ends += [table["predicted"] - tolerance, table["predicted"] + tolerance]
    every = np.concatenate(ends)
    every = every[np.isfinite(every)]
    if not len(every):
        return -1.0, 1.0
    low, high = float(every.min()), float(every.max())
    size = max(abs(low), abs(high))
    room = max(0.08 * (high - low), 2e-4 * size) if high > low else 0.1 * size or 0.01
    if quantity.is_share:
        return max(low - room, -0.04 * (high - low or high or 0.01)), min(high + room, 1 + 0.04 * (high - low or 1.0))
    return low - room, high + room


def key_of_prediction(
    figure: matplotlib.figure.Figure, table: pd.DataFrame, quantity: Quantity, lines: str | None = None
) -> None:
    """Below the panels: what the dashed line, the band and the marks are, and of which axis the lines are."""
    keys: list[Artist] = []
    if quantity.operator:
        keys += [Line2D([], [], color=INK, linestyle="--", linewidth=1.2, label="predicted")]
        keys += [Patch(color=GREEN, alpha=0.2, label="the claim holds")]
    estimates = "estimate, 95% interval" + (f"; a line for each {lines}" if lines else "")
    keys += [Line2D([], [], color=MUTED, linewidth=2, marker="o", markersize=6, label=estimates)]
    verdicts = set(table["verdict"].astype(str)) if "verdict" in table else set()
    if "undecided" in verdicts:
        keys += [Line2D([], [], color=MUTED, linewidth=0, marker="o", markerfacecolor="none", label="undecided")]
    if "fails" in verdicts:
        keys += [Line2D([], [], color=VERMILION, linewidth=0, marker="X", markersize=7, label="fails")]
    figure.legend(handles=keys, loc="outside lower left", ncols=3, fontsize=8.5, columnspacing=1.2, handletextpad=0.5)


def _beside(text: str) -> str:
    """A quantity's name as it stands beside an axis; one that is too long stands below the figure alone."""
    return textwrap.fill(text, _WRAPPED) if len(text) <= 3 * _WRAPPED else "estimate"
