"""How often a gradient grows large: the share of draws above K, log-log, beside 1/K."""

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fastlstm.report.figure import Drawing, Figure, finish, pooled, sheet
from fastlstm.report.numbers import count, label, percent
from fastlstm.report.run_data import RunData
from fastlstm.report.style import INK, decades, shades
from fastlstm.report.tally import Tally

_STATE = ("log10_J_hh", "|dh$_T$/dh$_0$|")
_SMALLEST = -4  # log10 of the smallest K shown, or the 99% quantile where that is smaller
_LARGEST = 60
_LENGTHS = 4  # values of T that get a picture each
_CURVES = 10  # at most; of an axis with more values, evenly spaced ones


def fits(run: RunData) -> bool:
    """The state Jacobian, or the norms of the adjoints, were counted."""
    return run.has("log10_J_hh") or run.has("log10_dh_max", "log10_dC_max")


def draw(run: RunData) -> list[Drawing]:
    """Drawings of |dh_T/dh_0|, one for each T of a few; or of the largest |dL/dh_t|, and of the largest |dL/dC_t|."""
    steps = run.axes().get("steps", [])
    drawings: list[Drawing | None] = []
    if not run.has("log10_J_hh"):
        for side in ("dh", "dC"):
            axis, subject = f"largest |dL/{side}$_t$|", f"Largest |dL/{side}_t|"
            drawings.append(_picture(run, f"survival-{side}", f"log10_{side}_max", axis, subject, None))
    elif 1 < len(steps) <= _LENGTHS and len(run.axes()) > 1:
        for value, points in run.levels("steps").items():
            subject = f"T = {value}: |dh_T/dh_0|"
            drawings.append(_picture(run, f"survival-{value}", *_STATE, subject, points))
    else:  # where T is the only axis it makes the curves
        drawings.append(_picture(run, "survival", *_STATE, "|dh_T/dh_0|", None))
    return [picture for picture in drawings if picture is not None]


def telling_axis(run: RunData, measure: str, points: NDArray[Any] | None = None) -> str | None:
    """The axis along which the share of draws above 1 changes most, or else the 99% quantile; None without axes."""
    spans = {}
    for axis in run.axes():
        if points is None or axis != "steps":
            tallies = [run.tally(measure, level) for level in _within(run, axis, points).values()]
            above = [math.log10(max(tally.share_above(0.0), 1 / max(1, tally.draws))) for tally in tallies]
            far = [max(-99.0, tally.quantiles()[0.99]) for tally in tallies]
            spans[axis] = (max(above) - min(above), max(far) - min(far))
    return max(spans, key=lambda axis: spans[axis]) if spans else None


def _within(run: RunData, axis: str, points: NDArray[Any] | None) -> dict[Any, NDArray[Any]]:
    levels = run.levels(axis)
    return levels if points is None else {value: np.intersect1d(level, points) for value, level in levels.items()}


def _picture(
    run: RunData, name: str, measure: str, quantity: str, subject: str, points: NDArray[Any] | None
) -> Drawing | None:
    """None where all is 0."""
    everything = run.tally(measure, points)
    if math.isinf(everything.high):
        return None
    chosen = telling_axis(run, measure, points)
    figure, axes = sheet(4.8)
    draw_curves(axes, run, measure, chosen, points)
    axes.set_xlabel(f"K; {quantity}")
    place: Any = "outside center right"
    figure.legend(title=chosen, loc=place, fontsize=9.5, alignment="left")
    shown = [axis for axis in (chosen, None if points is None else "steps") if axis]
    above_1, above_1000 = (percent(everything.share_above(bound)) for bound in (0.0, 3.0))
    title = f"{subject} is above 1 in {above_1} of {count(everything.draws)} draws, above 1000 in {above_1000}"
    return finish(figure, name, title + pooled(run, *shown))


def draw_curves(axes: Axes, run: RunData, measure: str, along: str | None, points: NDArray[Any] | None = None) -> Axes:
    """The share of draws above K, log-log, a curve for each value of an axis; the dashed line is 1/K."""
    everything = run.tally(measure, points)
    tallies: dict[Hashable, Tally] = {"all draws": everything}
    if along is not None:
        levels = list(_within(run, along, points).items())
        shown = np.unique(np.linspace(0, len(levels) - 1, min(len(levels), _CURVES)).round().astype(int))
        tallies = {levels[place][0]: run.tally(measure, levels[place][1]) for place in shown}
    low, high, floor = _limits(everything, min(tally.draws for tally in tallies.values()))
    for (value, tally), colour in zip(tallies.items(), shades(list(tallies)), strict=True):
        values, above = curve(tally, low - 1)
        axes.step(values, np.log10(above), where="pre", color=colour, label=label(value))
    axes.plot([0, high], [0, -high], color=INK, linewidth=1.3, linestyle="--", label="1/K")
    decades(axes.xaxis)
    decades(axes.yaxis)
    axes.set_xlim(low, high)
    axes.set_ylim(floor - 0.15, 0.15)  # a single draw of a power of ten lies on the floor
    axes.set_xlabel("K")
    axes.set_ylabel("share of draws above K")
    return axes


def curve(tally: Tally, low: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values from `low` up to the largest draw, and the share above whatever lies between each and the one before it.

    Between two bins that hold draws it is the share of the upper one, so that a gap is not counted for the lower one.
    """
    values, above = tally.survival()
    seen = values >= low
    if not seen.any():
        return np.empty(0), np.empty(0)
    values, above = values[seen], above[seen]
    return np.concatenate([[low], values, [tally.high]]), np.concatenate([above[:1], above, above[-1:]])


def _limits(everything: Tally, fewest: int) -> tuple[int, int, int]:
    """The decades of K, and the decade of one draw."""
    far = everything.quantiles()[0.99]
    high = math.ceil(max(1.0, min(everything.high, max(_LARGEST, far))))
    low = math.floor(min(_SMALLEST, far if math.isfinite(far) else everything.high))
    return low, high, min(-1, math.floor(-math.log10(max(1, fewest))))


FIGURE = Figure(
    name="survival",
    heading="How often gradients are large",
    caption="For each K the share of draws that are above it; both scales are logarithmic. A tail as heavy as the "
    "dashed 1/K has no mean. Where a spec has axes, there is a curve for each value of the one that matters most, "
    "in the order of the values. A curve ends at its largest draw; one that leaves the picture goes on there.",
    fits=fits,
    draw=draw,
)
