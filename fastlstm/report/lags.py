"""How the gradient fades on its way back: quantile bands of |dL/dh| and |dL/dC| against the lag."""

import math
from itertools import takewhile
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from fastlstm.measures import lags
from fastlstm.report.figure import Kind
from fastlstm.report.run_data import Evidence
from fastlstm.report.style import BLUE, VERMILION, Picture, count, finish, log_ticks, number, sheet

_MOST_PANELS = 6
_DEEPEST = -24  # decades below which a band is cut off: nobody can use such a gradient
_SIDES = (("dh", "|dL/dh$_{T-lag}$|", BLUE), ("dC", "|dL/dC$_{T-lag}$|", VERMILION))

Bands = dict[str, NDArray[np.float64]]  # for dh and dC: a row for each lag, a column for each quantile


def fits(evidence: Evidence) -> bool:
    """The lags are in the histograms."""
    return "lags" in evidence.spec.measure.groups and evidence.longest > 1


def draw(evidence: Evidence) -> list[Picture]:
    """One picture for each value of the first axis that has few enough, or one of all points."""
    groups: dict[str, NDArray[Any] | None] = {"": None}
    for axis, values in evidence.axes().items():
        if len(values) <= _MOST_PANELS:
            groups = {f"{axis} = {value}": points for value, points in evidence.levels(axis).items()}
            break
    found = {label: _bands(evidence, points) for label, points in groups.items()}
    drawn = [bands for _, bands, _ in found.values()]
    low = max(_DEEPEST, math.floor(min(_lowest(bands) for bands in drawn)))
    high = max(1, math.ceil(max(np.max(side, initial=-math.inf) for bands in drawn for side in bands.values())))
    pictures = []
    for index, (label, (ladder, bands, draws)) in enumerate(found.items()):
        name = "lags" if len(found) == 1 else f"lags-{index}"
        pictures.append(_picture(evidence, name, label, ladder, bands, draws, (low, high)))
    return pictures


def _bands(evidence: Evidence, points: NDArray[Any] | None) -> tuple[list[int], Bands, int]:
    chosen = evidence.points if points is None else evidence.points.loc[points]
    ladder = list(lags(int(chosen["steps"].max())))
    bands: Bands = {}
    draws = 0
    for side, _, _ in _SIDES:
        tallies = [evidence.tally(f"log10_{side}_lag_{lag}", points) for lag in ladder]
        draws = max(tally.draws for tally in tallies)
        bands[side] = np.array([[tally.quantiles()[q] for q in (0.05, 0.25, 0.5, 0.75, 0.95)] for tally in tallies])
    return ladder, bands, draws


def _lowest(bands: Bands) -> float:
    lowest: float = min(np.min(side[np.isfinite(side)], initial=0.0) for side in bands.values())
    return lowest


def _picture(
    evidence: Evidence,
    name: str,
    label: str,
    ladder: list[int],
    bands: Bands,
    draws: int,
    limits: tuple[float, float],
) -> Picture:
    low, high = limits
    figure, panels = sheet(4.3, ncols=2, sharey=True)
    for axes, (side, title, colour) in zip(panels, _SIDES, strict=True):
        low_5, low_25, middle, high_75, high_95 = np.clip(bands[side], low - 1, None).T
        axes.fill_between(ladder, low_5, high_95, color=colour, alpha=0.18, linewidth=0)
        axes.fill_between(ladder, low_25, high_75, color=colour, alpha=0.38, linewidth=0)
        axes.plot(ladder, middle, color=colour, marker="o", markersize=4)
        axes.axhline(math.log10(evidence.spec.measure.vanished), color="black", linewidth=1, linestyle="--")
        axes.set_xscale("log")
        shown = ladder if len(ladder) <= 7 else ladder[::3]
        axes.set_xticks(shown, [f"{lag:,}" for lag in shown])
        axes.set_xticks([], minor=True)
        axes.set_ylim(low, high)
        axes.set_title(title)
        axes.set_xlabel("lag / steps")
        log_ticks(axes.yaxis, low, high)
    panels[0].set_ylabel("size of the adjoint")
    keys: list[Artist] = [Line2D([], [], color="black", marker="o", markersize=4, label="median")]
    keys += [Patch(color="black", alpha=dark, label=band) for dark, band in ((0.38, "25% to 75%"), (0.18, "5% to 95%"))]
    figure.legend(handles=keys, loc="outside lower left", ncols=3)
    return finish(figure, name, _says(evidence, label, ladder, bands, draws))


def _says(evidence: Evidence, label: str, ladder: list[int], bands: Bands, draws: int) -> str:
    dead = math.log10(evidence.spec.measure.vanished)
    lives = {}
    for side, of_lags in bands.items():
        alive = takewhile(lambda row: row[1][2] > dead, zip(ladder, of_lags, strict=True))
        lives[side] = max((lag for lag, _ in alive), default=0)
    far = f"the median of |dC| stays above {number(10**dead)} to lag {lives['dC']}, of |dh| to lag {lives['dh']}"
    text = f"{label}: {far}" if label else far[0].upper() + far[1:]
    return f"{text} (n = {count(draws)})"


KIND = Kind(
    name="lags",
    heading="Gradient against lag",
    caption="How large the gradient of the loss is at the states some steps before the end: the median over the draws, "
    "and the bands that hold half and nine tenths of them. The dashed line is the spec's threshold for a vanished "
    "gradient. A band that leaves the picture below goes on there, to a true 0 perhaps.",
    fits=fits,
    draw=draw,
)
