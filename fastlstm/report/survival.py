"""How often a gradient grows large: the share of draws above K, log-log, beside 1/K."""

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastlstm.report.figure import Kind
from fastlstm.report.run_data import Evidence
from fastlstm.report.style import Picture, count, finish, label, log_ticks, percent, shades, sheet
from fastlstm.report.tally import Tally

_STATE = ("log10_J_hh", "|dh$_T$/dh$_0$|")
_SMALLEST = -4  # log10 of the smallest K shown, or the 99% quantile where that is smaller
_LARGEST = 60
_LENGTHS = 4  # values of T that get a picture each
_CURVES = 10  # at most; of an axis with more values, evenly spaced ones


def fits(evidence: Evidence) -> bool:
    """The state Jacobian, or the norms of the adjoints, were counted."""
    return evidence.has("log10_J_hh") or evidence.has("log10_dh_max", "log10_dC_max")


def draw(evidence: Evidence) -> list[Picture]:
    """Pictures of |dh_T/dh_0|, one for each T of a few; or of the largest |dL/dh_t|, and of the largest |dL/dC_t|."""
    steps = evidence.axes().get("steps", [])
    pictures: list[Picture | None] = []
    if not evidence.has("log10_J_hh"):
        for side in ("dh", "dC"):
            axis, said = f"largest |dL/{side}$_t$|", f"Largest |dL/{side}_t|"
            pictures.append(_picture(evidence, f"survival-{side}", f"log10_{side}_max", axis, said, None))
    elif 1 < len(steps) <= _LENGTHS and len(evidence.axes()) > 1:
        for value, points in evidence.levels("steps").items():
            said = f"T = {value}: |dh_T/dh_0|"
            pictures.append(_picture(evidence, f"survival-{value}", *_STATE, said, points))
    else:  # where T is the only axis it makes the curves
        pictures.append(_picture(evidence, "survival", *_STATE, "|dh_T/dh_0|", None))
    return [picture for picture in pictures if picture is not None]


def telling_axis(evidence: Evidence, measure: str, points: NDArray[Any] | None = None) -> str | None:
    """The axis along which the share of draws above 1 changes most, or else the 99% quantile; None without axes."""
    spans = {}
    for axis in evidence.axes():
        if points is None or axis != "steps":
            tallies = [evidence.tally(measure, level) for level in _within(evidence, axis, points).values()]
            above = [math.log10(max(tally.share_above(0.0), 1 / max(1, tally.draws))) for tally in tallies]
            far = [max(-99.0, tally.quantiles()[0.99]) for tally in tallies]
            spans[axis] = (max(above) - min(above), max(far) - min(far))
    return max(spans, key=lambda axis: spans[axis]) if spans else None


def _within(evidence: Evidence, axis: str, points: NDArray[Any] | None) -> dict[Any, NDArray[Any]]:
    levels = evidence.levels(axis)
    return levels if points is None else {value: np.intersect1d(level, points) for value, level in levels.items()}


def _picture(
    evidence: Evidence, name: str, measure: str, axis: str, said: str, points: NDArray[Any] | None
) -> Picture | None:
    """None where all is 0."""
    if math.isinf(evidence.tally(measure, points).high):
        return None
    chosen = telling_axis(evidence, measure, points)
    everything = evidence.tally(measure, points)
    tallies: dict[Hashable, Tally] = {f"all draws (n = {count(everything.draws)})": everything}
    if chosen is not None:
        levels = list(_within(evidence, chosen, points).items())
        shown = np.unique(np.linspace(0, len(levels) - 1, min(len(levels), _CURVES)).round().astype(int))
        tallies = {levels[place][0]: evidence.tally(measure, levels[place][1]) for place in shown}
    low, high, floor = _limits(everything, min(tally.draws for tally in tallies.values()))

    figure, axes = sheet(4.8)
    for (value, tally), colour in zip(tallies.items(), shades(list(tallies)), strict=True):
        values, above = tally.survival()
        values, above = np.append(low - 1, values), np.append(1.0, above)
        seen = (above > 0) & (values >= low - 1)
        axes.step(values[seen], np.log10(above[seen]), where="post", color=colour, label=label(value))
    axes.plot([0, high], [0, -high], color="black", linewidth=1.3, linestyle="--", label="1/K")
    axes.set_xlim(low, high)
    axes.set_ylim(floor, 0.15)
    log_ticks(axes.xaxis, low, high)
    log_ticks(axes.yaxis, floor, 0)
    axes.set_xlabel(f"K; {axis}")
    axes.set_ylabel("share of draws above K")
    each = count(min(tally.draws for tally in tallies.values()))
    title = f"{chosen} (n = {each} each)" if chosen else None
    figure.legend(title=title, loc="outside lower left", ncols=4, fontsize=9.5, alignment="left")
    above_1, above_1000 = (percent(everything.share_above(bound)) for bound in (0.0, 3.0))
    return finish(figure, name, f"{said} is above 1 in {above_1} of draws, above 1000 in {above_1000}")


def _limits(everything: Tally, fewest: int) -> tuple[int, int, int]:
    """The decades of K, and the decade of one draw."""
    far = everything.quantiles()[0.99]
    high = math.ceil(max(1.0, min(everything.high, max(_LARGEST, far))))
    low = math.floor(min(_SMALLEST, far if math.isfinite(far) else everything.high))
    return low, high, min(-1, math.floor(-math.log10(max(1, fewest))))


KIND = Kind(
    name="survival",
    heading="How often gradients are large",
    caption="For each K the share of draws that are above it; both scales are logarithmic. A tail as heavy as the "
    "dashed 1/K has no mean. Where a spec has axes, there is a curve for each value of the one that matters most, "
    "over all values of the others. A curve ends at its largest draw.",
    fits=fits,
    draw=draw,
)
