"""What shortened gradients get wrong: distance, angle and wrong signs against the full one, by T and regime."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fastlstm.intervals import wilson
from fastlstm.measures import CLASSES
from fastlstm.report.figure import Kind
from fastlstm.report.run_data import Evidence
from fastlstm.report.style import BLUE, VERMILION, Picture, count, finish, log_ticks, percent, sheet
from fastlstm.report.tally import Tally

_MODES = {"cec": ("1997 truncation", BLUE, -0.14), "local": ("one step only", VERMILION, 0.14)}
_DEEPEST = -6  # log10 of the smallest relative error shown


def fits(evidence: Evidence) -> bool:
    """The truncated gradients were measured."""
    return evidence.has("cec_rel_error", "local_rel_error")


def draw(evidence: Evidence) -> list[Picture]:
    """Relative error by T, cosine by T, relative error by regime of f and i; wrong signs where rows were kept."""
    steps = {f"T = {value}\nn {count(_draws(evidence, points))}": points for value, points in _by_steps(evidence)}
    errors = {mode: [evidence.tally(f"{mode}_rel_error", points) for points in steps.values()] for mode in _MODES}
    cosines = {mode: [evidence.tally(f"{mode}_cosine", points) for points in steps.values()] for mode in _MODES}
    pictures = [
        _errors("truncation-error", errors, list(steps), _says_error(errors, evidence)),
        _cosines(cosines, list(steps)),
        _regimes(evidence),
    ]
    if evidence.has_rows("cec_W_hi_sign", "local_W_hi_sign"):
        pictures.append(_signs(evidence))
    return pictures


def _by_steps(evidence: Evidence) -> list[tuple[int, NDArray[np.int64]]]:
    column = evidence.points["steps"]
    return [(int(value), evidence.points.index[column == value].to_numpy()) for value in sorted(column.unique())]


def _draws(evidence: Evidence, points: NDArray[np.int64]) -> int:
    return evidence.tally("cec_rel_error", points).draws


def _bars(axes: Axes, place: NDArray[Any], tallies: list[Tally], colour: str, name: str, *, log: bool) -> None:
    """The median as a dot, half of the draws as a thick bar, nine tenths as a thin one; upright."""
    found = np.array([[tally.quantiles()[q] for q in (0.05, 0.25, 0.5, 0.75, 0.95)] for tally in tallies])
    if log:
        with np.errstate(divide="ignore"):
            found = np.maximum(np.log10(found), _DEEPEST - 1)
    axes.vlines(place, found[:, 0], found[:, 4], color=colour, linewidth=1.5)
    axes.vlines(place, found[:, 1], found[:, 3], color=colour, linewidth=7, alpha=0.5)
    axes.plot(place, found[:, 2], "o", color=colour, markersize=7, label=name)


def _errors(name: str, errors: dict[str, list[Tally]], labels: list[str], title: str) -> Picture:
    figure, axes = sheet(4.2)
    for mode, (words, colour, shift) in _MODES.items():
        _bars(axes, np.arange(len(labels)) + shift, errors[mode], colour, words, log=True)
    lows = [tally.quantiles()[0.05] for tallies in errors.values() for tally in tallies]
    highs = [tally.quantiles()[0.95] for tallies in errors.values() for tally in tallies]
    low = max(_DEEPEST, math.floor(math.log10(max(10.0**_DEEPEST, np.nanmin(lows)))))
    high = max(0, math.ceil(math.log10(max(1e-3, np.nanmax(highs)))))
    axes.set_ylim(low, high)
    log_ticks(axes.yaxis, low, high)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.set_ylabel("|truncated - full| / |full|")
    figure.legend(loc="outside lower left", ncols=2)
    return finish(figure, name, title)


def _says_error(errors: dict[str, list[Tally]], evidence: Evidence) -> str:
    middle = {mode: percent(min(1.0, tallies[-1].median())) for mode, tallies in errors.items()}
    off = f"{middle['cec']} in the median, one step by {middle['local']}"
    return f"At T = {evidence.longest} the 1997 truncation is off by {off}"


def _cosines(cosines: dict[str, list[Tally]], labels: list[str]) -> Picture:
    figure, axes = sheet(4.2)
    for mode, (words, colour, shift) in _MODES.items():
        _bars(axes, np.arange(len(labels)) + shift, cosines[mode], colour, words, log=False)
    axes.axhline(0, color="black", linewidth=1)
    low = min(float(np.nanmin([tally.quantiles()[0.05] for tallies in cosines.values() for tally in tallies])), 0.9)
    axes.set_ylim(max(-1.02, low - 0.02), 1.005)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.set_ylabel("cosine to the full gradient")
    figure.legend(loc="outside lower left", ncols=2)
    cec, local = (percent(1 - cosines[mode][-1].share_above(0.0)) for mode in _MODES)
    last = labels[-1].partition("\n")[0]
    away = "truncated gradients point away from the full one"
    title = f"At {last} {away} in {cec} (1997) and {local} (one step) of draws"
    return finish(figure, "truncation-cosine", title)


def _regimes(evidence: Evidence) -> Picture:
    labels, tallies = [], {mode: list[Tally]() for mode in _MODES}
    for f in range(3):
        for i in range(3):
            of = {mode: evidence.tally(f"{mode}_rel_error", regimes=(f * 3 + i) * 3 + np.arange(3)) for mode in _MODES}
            if of["cec"].draws:
                labels.append(f"f {CLASSES[f]}\ni {CLASSES[i]}\nn {count(of['cec'].draws)}")
                for mode in _MODES:
                    tallies[mode].append(of[mode])
    worst = int(np.nanargmax([tally.median() for tally in tallies["cec"]]))
    where = " and ".join(labels[worst].split("\n")[:2])
    return _errors("truncation-regimes", tallies, labels, f"The 1997 truncation errs most, in the median, with {where}")


def _signs(evidence: Evidence) -> Picture:
    columns = evidence.rows("point", "cec_W_hi_sign", "local_W_hi_sign")
    groups = _by_steps(evidence)
    figure, axes = sheet(3.8)
    labels: list[str] = []
    last: dict[str, float] = {}
    for mode, (words, colour, shift) in _MODES.items():
        labels = []
        for place, (steps, points) in enumerate(groups):
            mine = np.isin(columns["point"], points)
            wrong = int((columns[f"{mode}_W_hi_sign"][mine] < 0).sum())
            draws = int(mine.sum())
            low, high = wilson(wrong, draws)
            last[mode] = wrong / draws
            around = [[100 * max(0.0, last[mode] - low)], [100 * max(0.0, high - last[mode])]]
            named = words if place == 0 else None
            axes.errorbar(
                [place + shift], [100 * last[mode]], around, fmt="o", color=colour, markersize=7, capsize=5, label=named
            )
            above = 100 * high
            axes.annotate(percent(last[mode]), (place + shift, above), (0, 4), textcoords="offset points", ha="center")
            labels.append(f"T = {steps}\nn {count(draws)}")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.12)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.set_ylabel("wrong signs of dL/dW$_{hi}$ / %")
    figure.legend(loc="outside lower left", ncols=2)
    shares = f"{percent(last['cec'])} of draws (1997) and {percent(last['local'])} (one step)"
    return finish(figure, "truncation-signs", f"At T = {groups[-1][0]} dL/dW_hi has the wrong sign in {shares}")


KIND = Kind(
    name="truncation",
    heading="Full against truncated gradients",
    caption="The 1997 truncation keeps the cell path and drops every other way through the next step; one step only "
    "drops that too. Dots are medians; thick bars hold half of the draws, thin ones nine tenths. Bars around shares of "
    "wrong signs are 95% intervals (Wilson). A bar that leaves the picture below goes on there.",
    fits=fits,
    draw=draw,
)
