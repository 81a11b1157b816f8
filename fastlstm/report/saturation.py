"""How often each gate is shut or open: one dot a draw, after Karpathy, Johnson and Fei-Fei 2015, figure 5."""

import numpy as np

from fastlstm.measures import FLAGS, GATES
from fastlstm.report.figure import Kind
from fastlstm.report.run_data import Evidence
from fastlstm.report.style import BLUE, ORANGE, VERMILION, Picture, count, finish, percent, sheet

DOTS = 2000
_FATES = (("vanished", BLUE), ("lives", ORANGE), ("exploded", VERMILION))


def fits(evidence: Evidence) -> bool:
    """The shares of the gates are in the rows."""
    return evidence.has_rows(*(f"{gate}_{side}" for gate in GATES for side in ("left", "right")))


def draw(evidence: Evidence) -> list[Picture]:
    """A picture for each gate, of the same draws, evenly spaced among all rows."""
    exploded, vanished = evidence.rows(*FLAGS).values()
    rows = len(exploded)
    chosen = np.unique(np.arange(DOTS) * rows // DOTS)
    fate = np.where(exploded, 2, np.where(vanished, 0, 1))[chosen]
    shades = np.array([colour for _, colour in _FATES])[fate]
    # a little room around each dot: shares are multiples of 1/T, so that thousands fall on one another
    spread = np.random.default_rng(0).uniform(-1, 1, (len(GATES), 2, len(chosen))) * 0.008
    pictures = []
    for (gate, title), noise in zip(GATES.items(), spread, strict=True):
        left, right = evidence.rows(f"{gate}_left", f"{gate}_right").values()
        figure, axes = sheet(4.4, width=3.9)
        axes.plot([0, 1], [1, 0], color="#808080", linewidth=1)
        axes.scatter(left[chosen] + noise[0], right[chosen] + noise[1], s=9, c=shades, alpha=0.55, linewidths=0)
        for place, (name, colour) in enumerate(_FATES):
            axes.scatter([], [], s=30, color=colour, label=f"{name} ({count(int((fate == place).sum()))})")
        axes.legend(loc="upper right", handletextpad=0.2)
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylim(-0.03, 1.03)
        axes.set_aspect("equal")
        axes.set_xlabel(f"share of steps with {gate} left saturated")
        axes.set_ylabel(f"share of steps with {gate} right saturated")
        majority = evidence.spec.measure.majority
        shares = [percent(float((column > majority).mean())) for column in (left, right)]
        text = f"{title.capitalize()}: left in {shares[0]} of draws, right in {shares[1]}"
        pictures.append(finish(figure, f"saturation-{gate}", text))
    return pictures


KIND = Kind(
    name="saturation",
    heading="Saturation of the gates",
    caption="One dot is one draw, of about 2,000 evenly spaced among all rows: at which share of its steps the gate "
    "was left saturated, nearly shut, and at which right saturated, nearly open (after Karpathy et al. 2015). Between "
    "dots and the grey line lie the steps without saturation. Dots are moved by less than 0.01, so that they do "
    "not hide one another.",
    fits=fits,
    draw=draw,
)
