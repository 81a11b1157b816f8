"""How often a gradient grows large: the share of draws above K, log-log, beside 1/K."""

import math
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastlstm.report.evidence import Evidence
from fastlstm.report.kind import Kind
from fastlstm.report.style import Picture, count, finish, log_ticks, percent, shades, sheet
from fastlstm.report.tally import Tally

_SMALLEST = -4  # log10 of the smallest K shown
_LARGEST = 60
_CURVES = 10  # at most; of an axis with more values, evenly spaced ones


def fits(evidence: Evidence) -> bool:
    """The state Jacobian, or the norms of the adjoints, were counted."""
    return evidence.has("log10_J_hh") or evidence.has("log10_dh_max", "log10_dC_max")


def draw(evidence: Evidence) -> list[Picture]:
    """A picture of |dh_T/dh_0|, or one of the largest |dL/dh_t| and one of the largest |dL/dC_t|."""
    if evidence.has("log10_J_hh"):
        return [_picture(evidence, "survival", "log10_J_hh", "|dh$_T$/dh$_0$|", "|dh_T/dh_0|")]
    sides = (("dh", "largest |dL/dh$_t$|", "|dL/dh_t|"), ("dC", "largest |dL/dC$_t$|", "|dL/dC_t|"))
    return [_picture(evidence, f"survival-{side}", f"log10_{side}_max", axis, said) for side, axis, said in sides]


def telling_axis(evidence: Evidence, says: Callable[[NDArray[Any]], float]) -> str | None:
    """The axis along which a number changes most; None without axes. says: the number of some points, finite."""
    spans = {}
    for axis in evidence.axes():
        numbers = [says(points) for points in evidence.levels(axis).values()]
        spans[axis] = max(numbers) - min(numbers)
    return max(spans, key=lambda axis: spans[axis]) if spans else None


def _picture(evidence: Evidence, name: str, measure: str, axis: str, said: str) -> Picture:
    def far(points: NDArray[Any]) -> float:
        return max(-99.0, evidence.tally(measure, points).quantiles()[0.99])

    chosen = telling_axis(evidence, far)
    everything = evidence.tally(measure)
    tallies: dict[Hashable, Tally] = {f"all draws (n = {count(everything.draws)})": everything}
    if chosen is not None:
        levels = list(evidence.levels(chosen).items())
        shown = np.unique(np.linspace(0, len(levels) - 1, min(len(levels), _CURVES)).round().astype(int))
        tallies = {levels[place][0]: evidence.tally(measure, levels[place][1]) for place in shown}
    most = min(_LARGEST, math.ceil(max(1.0, everything.high))) if math.isfinite(everything.high) else 1
    fewest = min(1 / max(1, tally.draws) for tally in tallies.values())
    floor = math.floor(math.log10(fewest))

    figure, axes = sheet(4.8)
    for (value, tally), colour in zip(tallies.items(), shades(list(tallies)), strict=True):
        values, above = tally.survival()
        seen = (above > 0) & (values > _SMALLEST - 1)
        axes.step(values[seen], np.log10(above[seen]), where="post", color=colour, label=_label(value))
    reference = np.array([0.0, most])
    axes.plot(reference, -reference, color="black", linewidth=1.3, linestyle="--", label="1/K")
    axes.set_xlim(_SMALLEST, most)
    axes.set_ylim(floor, 0.15)
    log_ticks(axes.xaxis, _SMALLEST, most)
    log_ticks(axes.yaxis, floor, 0)
    axes.set_xlabel(f"K; {axis}")
    axes.set_ylabel("share of draws above K")
    each = count(min(tally.draws for tally in tallies.values()))
    title = f"{chosen} (n = {each} each)" if chosen else None
    figure.legend(title=title, loc="outside lower left", ncols=4, fontsize=9.5, alignment="left")
    above_1, above_1000 = (percent(everything.share_above(bound)) for bound in (0.0, 3.0))
    return finish(figure, name, f"{said} is above 1 in {above_1} of all draws, above 1000 in {above_1000}")


def _label(value: Hashable) -> str:
    return value if isinstance(value, str) else f"{value:g}"


KIND = Kind(
    name="survival",
    heading="How often gradients are large",
    caption="For each K the share of draws that are above it; both scales are logarithmic. A tail as heavy as the "
    "dashed 1/K has no mean. Where a spec has axes, there is a curve for each value of the one that matters most, "
    "over all values of the others. A curve ends at its largest draw.",
    fits=fits,
    draw=draw,
)
