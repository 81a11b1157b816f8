"""What shortened gradients get wrong: distance, angle and wrong signs against the full one, by T and regime."""

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fastlstm.intervals import wilson
from fastlstm.measures import CLASSES
from fastlstm.report.bars import bars, quantile_table
from fastlstm.report.figure import Drawing, Figure, finish, pooled, sheet
from fastlstm.report.numbers import count, listed, number, percent
from fastlstm.report.run_data import RunData
from fastlstm.report.style import BLUE, GREEN, INK, VERMILION, decades
from fastlstm.report.tally import Tally

_MODES = {"cec": ("1997 truncation", BLUE), "window": ("windows", GREEN), "local": ("one step only", VERMILION)}
_DEEPEST = -6  # log10 of the smallest relative error shown


def modes(run: RunData) -> dict[str, tuple[str, str]]:
    """The shortened gradients that were measured, with words and colours."""
    return {mode: words for mode, words in _MODES.items() if run.has(f"{mode}_rel_error", f"{mode}_cosine")}


def fits(run: RunData) -> bool:
    """The truncated gradients were measured."""
    return bool(modes(run))


def draw(run: RunData) -> list[Drawing]:
    """Relative error by T, cosine by T, relative error by regime of f and i; wrong signs where rows were kept."""
    by_steps = run.levels("steps") if "steps" in run.axes() else {run.longest: run.points.index.to_numpy()}
    drawings = [_errors(run, by_steps), _cosines(run, by_steps), _regimes(run)]
    if run.has_rows(*(f"{mode}_W_hi_sign" for mode in modes(run))):
        drawings.append(_signs(run, by_steps))
    return drawings


def _asides(run: RunData) -> dict[str, float]:
    """How far beside its place each mode is drawn."""
    names = list(modes(run))
    return {mode: 0.28 * (place - (len(names) - 1) / 2) for place, mode in enumerate(names)}


def _errors(run: RunData, by_steps: dict[Any, NDArray[Any]]) -> Drawing:
    tallies = {mode: [run.tally(f"{mode}_rel_error", points) for points in by_steps.values()] for mode in modes(run)}
    off = [
        f"{words} by {number(100 * tallies[mode][-1].median(), digits=2)}%" for mode, (words, _) in modes(run).items()
    ]
    title = f"At T = {run.longest} the median error of the gradient: {listed(off)}"
    labels = [
        f"T = {value}\nn {count(of.draws)}" for value, of in zip(by_steps, next(iter(tallies.values())), strict=True)
    ]
    return _error_bars(run, "truncation-error", tallies, labels, title + pooled(run, "steps"))


def _error_bars(run: RunData, name: str, tallies: dict[str, list[Tally]], labels: list[str], title: str) -> Drawing:
    figure, axes = sheet(4.2)
    lowest, highest = [], []
    for mode, (words, colour) in modes(run).items():
        with np.errstate(divide="ignore"):
            table = np.maximum(np.log10(quantile_table(tallies[mode])), _DEEPEST - 1)
        bars(axes, np.arange(len(labels)) + _asides(run)[mode], table, colour, words)
        lowest.append(np.nanmin(table[:, 0]))
        highest.append(np.nanmax(table[:, -1]))
    decades(axes.yaxis)
    axes.set_ylim(max(_DEEPEST, math.floor(min(lowest))), max(0, math.ceil(max(highest))))
    _places(axes, labels)
    axes.set_ylabel("|truncated - full| / |full|")
    figure.legend(loc="outside lower left", ncols=3)
    return finish(figure, name, title)


def _places(axes: Any, labels: list[str]) -> None:
    axes.set_xticks(range(len(labels)), labels, fontsize=9.5 if len(labels) > 5 else None)
    axes.set_xlim(-0.5, len(labels) - 0.5)


def _cosines(run: RunData, by_steps: dict[Any, NDArray[Any]]) -> Drawing:
    figure, axes = sheet(4.2)
    away, lowest, labels = [], [0.9], list[str]()
    for mode, (words, colour) in modes(run).items():
        tallies = [run.tally(f"{mode}_cosine", points) for points in by_steps.values()]
        table = quantile_table(tallies)
        bars(axes, np.arange(len(tallies)) + _asides(run)[mode], table, colour, words)
        lowest.append(float(np.nanmin(table)))
        away.append(f"{words} in {percent(1 - tallies[-1].share_above(0.0))}")
        labels = [f"T = {value}\nn {count(of.draws)}" for value, of in zip(by_steps, tallies, strict=True)]
    axes.axhline(0, color=INK, linewidth=1)
    axes.set_ylim(max(-1.02, min(lowest) - 0.02), 1.005)
    _places(axes, labels)
    axes.set_ylabel("cosine to the full gradient")
    figure.legend(loc="outside lower left", ncols=3)
    title = f"At T = {run.longest} gradients point away from the full one: {listed(away)} of draws"
    return finish(figure, "truncation-cosine", title + pooled(run, "steps"))


def _regimes(run: RunData) -> Drawing:
    labels = []
    tallies: dict[str, list[Tally]] = {mode: [] for mode in modes(run)}
    first = next(iter(tallies))
    for f in range(3):
        for i in range(3):
            regimes = (f * 3 + i) * 3 + np.arange(3)
            of = {mode: run.tally(f"{mode}_rel_error", regimes=regimes) for mode in tallies}
            if of[first].draws:
                labels.append(f"f {CLASSES[f]}\ni {CLASSES[i]}\nn {count(of[first].draws)}")
                for mode in tallies:
                    tallies[mode].append(of[mode])
    worst = int(np.nanargmax([tally.median() for tally in tallies[first]]))
    where = " and ".join(labels[worst].split("\n")[:2])
    title = f"The {modes(run)[first][0]} errs most, in the median, with {where}"
    return _error_bars(run, "truncation-regimes", tallies, labels, title + pooled(run))


def wrong_signs(run: RunData, mode: str, points: NDArray[Any]) -> pd.Series:
    """The share of draws at some points whose dW_hi has the wrong sign, with its 95% interval (Wilson)."""
    columns = run.rows("point", f"{mode}_W_hi_sign")
    mine = np.isin(columns["point"], points)
    wrong, draws = int((columns[f"{mode}_W_hi_sign"][mine] < 0).sum()), int(mine.sum())
    low, high = wilson(wrong, draws)
    return pd.Series({"estimate": wrong / draws, "low": low, "high": high, "draws": draws})


def _signs(run: RunData, by_steps: dict[Any, NDArray[Any]]) -> Drawing:
    figure, axes = sheet(3.8)
    labels, last = list[str](), []
    for mode, (words, colour) in modes(run).items():
        table = pd.DataFrame([wrong_signs(run, mode, points) for points in by_steps.values()])
        at = np.arange(len(table)) + _asides(run)[mode]
        axes.vlines(at, 100 * table["low"], 100 * table["high"], color=colour, linewidth=2)
        axes.plot(at, 100 * table["estimate"], "o", color=colour, markersize=7, label=words)
        for place, share, high in zip(at, table["estimate"], table["high"], strict=True):
            axes.annotate(
                percent(share), (place, 100 * high), (0, 7), textcoords="offset points", ha="center", fontsize=9
            )
        labels = [f"T = {steps}\nn {count(int(n))}" for steps, n in zip(by_steps, table["draws"], strict=True)]
        last.append(f"{words} in {percent(table['estimate'].iloc[-1])}")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.12)
    _places(axes, labels)
    axes.set_ylabel("wrong signs of dL/dW$_{hi}$ / %")
    figure.legend(loc="outside lower left", ncols=3)
    title = f"At T = {run.longest} dL/dW_hi has the wrong sign: {listed(last)} of draws"
    return finish(figure, "truncation-signs", title + pooled(run, "steps"))


FIGURE = Figure(
    name="truncation",
    heading="Full against truncated gradients",
    caption="The 1997 truncation keeps the cell path and drops every other way through the next step; one step only "
    "drops that too; windows drop what comes back across their borders. Dots are medians; thick bars hold half of the "
    "draws, thin ones nine tenths. Bars around shares of wrong signs are 95% intervals (Wilson). A bar that leaves the "
    "picture below goes on there.",
    fits=fits,
    draw=draw,
)
