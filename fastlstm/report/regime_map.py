"""The gradient by regime of the three gates: three maps of three by three, of all draws, rows kept or not."""

import math

import numpy as np

from fastlstm.measures import CLASSES
from fastlstm.report import landscape
from fastlstm.report.figure import Drawing, Figure, finish, pooled, sheet
from fastlstm.report.numbers import count, number
from fastlstm.report.run_data import RunData
from fastlstm.report.style import EMPTY, shown_decades
from fastlstm.tables.counts import REGIMES


def fits(run: RunData) -> bool:
    """Norms were counted, and there are no rows for the finer map."""
    return run.has("log10_grad") and not landscape.fits(run)


def draw(run: RunData) -> list[Drawing]:
    """One map for each class of the output gate."""
    last = run.spec.loss.kind == "last"
    measure, name = ("log10_dC0", "|dL/dC$_0$|") if last else ("log10_grad", "|gradient| of all 14 parameters")
    median = np.full((3, 3, 3), np.nan)  # o, i, f
    draws = np.zeros((3, 3, 3), int)
    for regime in range(REGIMES):
        tally = run.tally(measure, regimes=np.array([regime]))
        f, i, o = regime // 9, regime // 3 % 3, regime % 3
        draws[o, i, f] = tally.draws
        median[o, i, f] = tally.median()
    low, high = shown_decades(median, 3 * math.log10(run.spec.measure.vanished))

    figure, panels = sheet(4.0, ncols=3, sharey=True)
    for place, axes in enumerate(panels):
        shown = axes.imshow(np.clip(median[place], low, high), origin="lower", cmap="cividis", vmin=low, vmax=high)
        axes.set_facecolor(EMPTY)
        axes.grid(False)
        axes.set_title(f"o {CLASSES[place]}")
        axes.set_xticks(range(3), CLASSES)
        axes.set_yticks(range(3), CLASSES)
        axes.set_xlabel("forget gate f")
        for i, f in np.argwhere(draws[place] > 0):
            ink = "white" if median[place, i, f] < (low + high) / 2 else "black"
            text = f"{number(median[place, i, f], digits=2)}\nn {count(draws[place, i, f])}"
            axes.text(f, i, text, ha="center", va="center", fontsize=9, color=ink)
    panels[0].set_ylabel("input gate i")
    extend = "min" if (median < low).any() else "neither"
    bar = figure.colorbar(shown, ax=panels, orientation="horizontal", shrink=0.8, extend=extend)
    bar.set_label(f"median log$_{{10}}$ {name}")
    where = "o {}, i {}, f {}".format(*(CLASSES[place] for place in np.argwhere(median == np.nanmax(median))[0]))
    return [finish(figure, "regime_map", f"The median of {name} is largest at {where}{pooled(run)}")]


FIGURE = Figure(
    name="regime_map",
    heading="Gradient by regime of the gates",
    caption="The median of log10 of the gradient, and the number of draws n, for each combination of left (below "
    "saturation at most steps), mid and right. Grey cells have no draws.",
    fits=fits,
    draw=draw,
)
