"""What becomes of the gradient over the mean forget and input gate: shares of vanished, living and exploded draws."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from fastlstm.measures import CLASSES
from fastlstm.report.figure import Drawing, Figure, finish, pooled, sheet
from fastlstm.report.landscape import CELLS, EDGES, cells_of, gate_ticks
from fastlstm.report.numbers import percent
from fastlstm.report.run_data import RunData
from fastlstm.report.style import EMPTY, WIDE

FATES = {"vanishes": "Blues", "lives": "Greens", "explodes": "Oranges"}
FEW = 50  # draws; a cell with fewer shows no share

Shares = NDArray[np.float64]


def fits(run: RunData) -> bool:
    """Gate means are in the rows."""
    return run.has_rows("f_mean", "i_mean")


def shares(run: RunData, regime_o: int | None = None) -> dict[str, Shares]:
    """The share of each fate in the cells of EDGES, (i, f), NaN in those of few draws; `regime_o` is a class of o."""
    rows = run.rows("f_mean", "i_mean", "vanished", "exploded", "regime_o")
    chosen = np.full(len(rows["f_mean"]), True) if regime_o is None else rows["regime_o"] == regime_o
    cell = cells_of(rows["f_mean"][chosen], rows["i_mean"][chosen])
    vanished, exploded = (rows[name][chosen].astype(bool) for name in ("vanished", "exploded"))
    draws = np.bincount(cell, minlength=CELLS**2)
    result = {}
    for fate, marks in zip(FATES, (vanished & ~exploded, ~vanished & ~exploded, exploded), strict=True):
        hits = np.bincount(cell[marks], minlength=CELLS**2)
        result[fate] = np.where(draws >= FEW, hits / np.maximum(1, draws), np.nan).reshape(CELLS, CELLS)
    return result


def draw(run: RunData) -> list[Drawing]:
    """Rows of panels for the fates, columns for the classes of the output gate; one scale for each fate."""
    present = [place for place in range(len(CLASSES)) if np.isfinite(shares(run, place)["lives"]).any()]
    if not present:
        return []
    by_class = [shares(run, place) for place in present]
    fates = [fate for fate in FATES if max(np.nanmax(of[fate]) for of in by_class) > 0]
    figure, panels = sheet(
        0.9 + 2.1 * len(fates),
        width=WIDE,
        nrows=len(fates),
        ncols=len(present),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for row, fate in zip(panels, fates, strict=True):
        top = max(0.01, max(np.nanmax(of[fate]) for of in by_class))
        for axes, of, place in zip(row, by_class, present, strict=True):
            image = draw_fate(axes, of[fate], fate, top)
            axes.set_title(f"{fate}, o {CLASSES[place]}", fontsize=10)
            axes.set_xlabel("")
            axes.set_ylabel("")
        figure.colorbar(image, ax=list(row), format=lambda share, _: f"{100 * share:g}%", aspect=12)
    figure.supxlabel("mean of the forget gate f over the steps", fontsize=10)
    figure.supylabel("mean of the input gate i", fontsize=10)
    return [finish(figure, "fates", _finding(run, by_class, present))]


def draw_fate(axes: Axes, share: Shares, fate: str, top: float = 1.0) -> AxesImage:
    """The map of one fate, from 0 to `top`."""
    image = axes.imshow(share, origin="lower", aspect="auto", cmap=FATES[fate], vmin=0, vmax=top)
    axes.set_facecolor(EMPTY)
    axes.grid(False)
    axes.set_title(f"the gradient {fate}")
    gate_ticks(axes, fewer=True)
    return image


def _finding(run: RunData, by_class: list[dict[str, Shares]], present: list[int]) -> str:
    exploded, vanished = (float(column.mean()) for column in run.rows("exploded", "vanished").values())
    both = float(np.logical_and(*run.rows("exploded", "vanished").values()).mean())
    alive = 1 - vanished - exploded + both
    text = f"{percent(vanished)} of draws vanish, {percent(alive)} live and {percent(exploded)} explode"
    if exploded:
        worst = [np.nanmax(of["explodes"]) for of in by_class]
        place = int(np.argmax(worst))
        i, f = np.argwhere(by_class[place]["explodes"] == worst[place])[0]
        where = f"f {EDGES[f]:g} to {EDGES[f + 1]:g}, i {EDGES[i]:g} to {EDGES[i + 1]:g}, o {CLASSES[present[place]]}"
        text += f", at most {percent(worst[place])} of them: at {where}"
    return text + pooled(run)


FIGURE = Figure(
    name="fates",
    heading="Vanished, living and exploded gradients",
    caption="The share of draws whose gradient vanishes, lives or explodes, by the means of their forget and input "
    f"gates, for each class of the output gate. Grey cells have fewer than {FEW} draws. Each row has its own scale.",
    fits=fits,
    draw=draw,
)
