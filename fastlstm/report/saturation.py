"""How often each gate is shut or open: one dot a draw, after Karpathy, Johnson and Fei-Fei 2015, figure 5."""

import numpy as np

from fastlstm.measures import FLAGS, GATES
from fastlstm.report.figure import Drawing, Figure, finish, pooled, sheet
from fastlstm.report.numbers import count, percent
from fastlstm.report.run_data import RunData
from fastlstm.report.style import BLUE, MUTED, ORANGE, VERMILION

DOTS = 2000
_FATES = (("vanished", BLUE, 14), ("lives", ORANGE, 18), ("exploded", VERMILION, 26))  # with the size of a dot


def fits(run: RunData) -> bool:
    """The shares of the gates are in the rows."""
    return run.has_rows(*(f"{gate}_{side}" for gate in GATES for side in ("left", "right")))


def draw(run: RunData) -> list[Drawing]:
    """A picture for each gate, of the same draws, evenly spaced among all rows."""
    exploded, vanished = run.rows(*FLAGS).values()
    rows = len(exploded)
    chosen = np.unique(np.arange(DOTS) * rows // DOTS)
    fate = np.where(exploded, 2, np.where(vanished, 0, 1))[chosen]
    # a little room around each dot: shares are multiples of 1/T, so that thousands fall on one another
    spread = np.random.default_rng(0).uniform(-1, 1, (len(GATES), 2, len(chosen))) * 0.008
    drawings = []
    for (gate, title), noise in zip(GATES.items(), spread, strict=True):
        left, right = run.rows(f"{gate}_left", f"{gate}_right").values()
        figure, axes = sheet(4.4, width=3.9)
        axes.plot([0, 1], [1, 0], color=MUTED, linewidth=1)
        at = left[chosen] + noise[0], right[chosen] + noise[1]
        sizes = np.bincount(fate, minlength=len(_FATES))
        for rank, place in enumerate(np.argsort(-sizes, kind="stable")):  # the rarest last, and so on top
            name, colour, size = _FATES[place]
            mine = fate == place
            axes.scatter(
                at[0][mine],
                at[1][mine],
                s=size,
                color=colour,
                alpha=0.6,
                linewidths=0,
                zorder=3 + rank,
                rasterized=True,
            )
        for place, (name, colour, _) in enumerate(_FATES):
            axes.scatter([], [], s=30, color=colour, label=f"{name} ({count(int(sizes[place]))})")
        axes.legend(loc="upper right", handletextpad=0.2)
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylim(-0.03, 1.03)
        axes.set_aspect("equal")
        axes.set_xlabel(f"share of steps with {gate} left saturated")
        axes.set_ylabel(f"share of steps with {gate} right saturated")
        majority = run.spec.measure.majority
        shares = [percent(float((column > majority).mean())) for column in (left, right)]
        text = f"{title.capitalize()}: left in {shares[0]} of draws, right in {shares[1]}{pooled(run)}"
        drawings.append(finish(figure, f"saturation-{gate}", text))
    return drawings


FIGURE = Figure(
    name="saturation",
    heading="Saturation of the gates",
    caption="One dot is one draw, of about 2,000 evenly spaced among all rows: at which share of its steps the gate "
    "was left saturated, nearly shut, and at which right saturated, nearly open (after Karpathy et al. 2015). Between "
    "dots and the line lie the steps without saturation. Rarer fates lie on top, in larger dots. Dots are moved by "
    "less than 0.01, so that they do not hide one another.",
    fits=fits,
    draw=draw,
)
