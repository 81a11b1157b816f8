"""Where perturbations of the state grow: the Lyapunov exponent over one or two axes of the grid, with the zero line."""

import numpy as np
from numpy.typing import NDArray

from fastlstm.report.figure import Kind
from fastlstm.report.run_data import Evidence
from fastlstm.report.style import BLUE, Picture, count, finish, label, number, part, percent, sheet

_MEASURE = "lyapunov_1"
_MOST_LABELS = 9  # values printed into cells only where the grid is coarse enough to read them


def fits(evidence: Evidence) -> bool:
    """The exponents were counted, at more than one point."""
    return evidence.has(_MEASURE) and bool(evidence.axes())


def draw(evidence: Evidence) -> list[Picture]:
    """A map over the two longest axes, or bands along the only one."""
    axes = evidence.axes()
    longest = sorted(axes, key=lambda name: -len(axes[name]))[:2]
    names = [name for name in axes if name in longest]
    return [_bands(evidence, names[0]) if len(names) == 1 else _map(evidence, names[0], names[1])]


def _map(evidence: Evidence, down: str, along: str) -> Picture:
    rows, columns = evidence.levels(down), evidence.levels(along)
    cells = [[np.intersect1d(row, column) for column in columns.values()] for row in rows.values()]
    tallies = [[evidence.tally(_MEASURE, cell) for cell in row] for row in cells]
    median = np.array([[tally.median() for tally in row] for row in tallies])
    finite = np.where(np.isfinite(median), median, np.nan)
    most = max(float(np.nanmax(np.abs(finite), initial=0.0)), 1e-3)

    figure, axes = sheet(1.9 + min(4.5, 0.55 * len(rows)))
    known = np.where(np.isneginf(median), -most, median)
    shown = axes.imshow(known, origin="lower", aspect="auto", cmap="PuOr_r", vmin=-most, vmax=most)
    axes.grid(False)
    part(axes, median, 0.0, color="black", linewidth=3)
    if len(columns) <= _MOST_LABELS:
        for (row, column), value in np.ndenumerate(median):
            ink = "white" if abs(value) > 0.7 * most else "black"
            axes.text(column, row, number(value), ha="center", va="center", fontsize=9, color=ink)
    axes.set_xticks(range(len(columns)), [label(value) for value in columns], rotation=90 if len(columns) > 12 else 0)
    axes.set_yticks(range(len(rows)), [label(value) for value in rows])
    axes.set_xlabel(along)
    axes.set_ylabel(down)
    bar = figure.colorbar(shown, ax=axes)
    bar.set_label(r"median $\lambda_1$ / (1/step)")
    each = tallies[0][0].draws
    text = (
        f"The median exponent is positive in {int((median > 0).sum())} of {median.size} cells (n = {count(each)} each)"
    )
    return finish(figure, "phase", f"{text}; {_share(evidence)}")


def _bands(evidence: Evidence, along: str) -> Picture:
    levels = evidence.levels(along)
    tallies = [evidence.tally(_MEASURE, points) for points in levels.values()]
    found: NDArray[np.float64] = np.array([list(tally.quantiles().values()) for tally in tallies])
    _, low_5, low_25, middle, high_75, high_95, _ = found.T
    place = np.arange(len(levels))
    figure, axes = sheet(3.8)
    axes.fill_between(place, low_5, high_95, color=BLUE, alpha=0.18, linewidth=0, label="5% to 95%")
    axes.fill_between(place, low_25, high_75, color=BLUE, alpha=0.38, linewidth=0, label="25% to 75%")
    axes.plot(place, middle, color=BLUE, marker="o", label="median")
    axes.axhline(0, color="black", linewidth=1.5)
    axes.set_xticks(place, [label(value) for value in levels])
    axes.set_xlabel(along)
    axes.set_ylabel(r"$\lambda_1$ / (1/step)")
    axes.legend()
    above = int((middle > 0).sum())
    text = f"The median exponent is above 0 at {above} of {len(levels)} values (n = {count(tallies[0].draws)} each)"
    return finish(figure, "phase", f"{text}; {_share(evidence)}")


def _share(evidence: Evidence) -> str:
    return f"{percent(evidence.tally(_MEASURE).share_above(0.0))} of all draws are above 0"


KIND = Kind(
    name="phase",
    heading="Phase diagram of the Lyapunov exponent",
    caption="The larger exponent of a draw, (1/T) ln of the larger singular value of the product of its Jacobians: "
    "above 0, orange, perturbations of the state grew over the T steps; below, violet, they shrank. The black line "
    "parts the two. Where a spec has more than two axes, the two longest are shown, over all values of the others.",
    fits=fits,
    draw=draw,
)
