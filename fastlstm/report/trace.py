"""Draws from within, made again: their gates, their states, and the adjoints on their way back."""

import math
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fastlstm.audit.replay import Replay, replay
from fastlstm.report.adjoints import adjoints
from fastlstm.report.end_labels import label_end
from fastlstm.report.figure import Drawing, Figure, finish, sheet
from fastlstm.report.numbers import number, power
from fastlstm.report.run_data import RunData
from fastlstm.report.style import BLUE, GREEN, ORANGE, PURPLE, VERMILION, decades, plain_ticks

_LONGEST = 100_000  # steps that are worth the time
_ORBIT = 1000  # steps from which on the states make a panel of their own
_DEEPEST = -24
_STILL = 1e-6
_MARKED = 40  # steps up to which each is marked


class Chosen(NamedTuple):
    """A draw to be shown, and why this one."""

    point: int
    draw: int
    which: str
    measure: str = ""

    @property
    def why(self) -> str:
        """In words."""
        return f"the {self.which} {self.measure}".rstrip() if self.measure else f"the {self.which} draw"


def chosen(run: RunData) -> list[Chosen]:
    """The typical draw, the largest and the smallest by the run's own measure; or the one that was asked for."""
    if run.wanted is not None:
        return [Chosen(*run.wanted, "chosen")]
    sized = size_of_draws(run)
    if sized is None:
        return [Chosen(len(run.points) - 1, 0, "first")]
    rows, size, name = sized
    order = np.argsort(size, kind="stable")
    places = {"typical": order[(len(order) - 1) // 2], "largest": order[-1], "smallest": order[0]}
    places["largest"] = int(np.argmax(size))  # the first one of several
    draws: dict[tuple[int, int], str] = {}
    for which, place in places.items():
        at = int(rows["point"][place]), int(rows["draw"][place])
        draws.setdefault(at, which)
    return [Chosen(point, draw, which, name) for (point, draw), which in draws.items()]


def size_of_draws(run: RunData) -> tuple[dict[str, np.ndarray], np.ndarray, str] | None:
    """Point and draw of the rows, the size of each by the run's own measure, and its name; None without such rows."""
    if run.has_rows("lyapunov_1"):
        rows = run.rows("point", "draw", "lyapunov_1")
        return rows, rows["lyapunov_1"], "exponent"
    if not run.has_rows("log10_dh_max", "log10_dC_max"):
        return None
    # adjoints of the last output begin alike in all draws; what differs is what is left of them at the start
    ends = ("0", "adjoint at the start") if run.spec.loss.kind == "last" else ("_max", "peak of the adjoint")
    rows = run.rows("point", "draw", f"log10_dh{ends[0]}", f"log10_dC{ends[0]}")
    return rows, np.maximum(rows[f"log10_dh{ends[0]}"], rows[f"log10_dC{ends[0]}"]), ends[1]


def fits(run: RunData) -> bool:
    """Any run whose draws are not too long."""
    return run.longest <= _LONGEST


def draw(run: RunData) -> list[Drawing]:
    """A drawing for each of the chosen draws."""
    return [drawing_of(run, which) for which in chosen(run)]


def drawing_of(run: RunData, which: Chosen) -> Drawing:
    """One draw of a run, with the command that makes it again."""
    replayed = replay(run.path, point=which.point, draw=which.draw)
    exponent = replayed.drawn.measures.get("lyapunov_1")
    why = f"; {which.why}" + ("" if exponent is None else f", with an exponent of {number(exponent)}")
    command = f"fastlstm replay {run.name} --point {which.point} --draw {which.draw}"
    subject = f"Point {which.point}, draw {which.draw}"
    return draw_replay(replayed, f"trace-{which.which}", subject, why=why, note=command)


def draw_replay(replayed: Replay, name: str, subject: str, *, why: str = "", note: str = "") -> Drawing:
    """Gates, state and adjoints of one draw over the same steps; of a long one the orbit of its states too."""
    steps = len(replayed.drawn.x)
    has_orbit = steps >= _ORBIT and _moves(replayed)
    rows, heights = (4, [1, 1, 1.2, 1.9]) if has_orbit else (3, [1, 1, 1.2])
    figure, panels = sheet(5.0 if rows == 3 else 7.6, nrows=rows, height_ratios=heights)
    for axes in panels[:2]:
        axes.sharex(panels[2])
        axes.tick_params(labelbottom=False)
    draw_gates(panels[0], replayed)
    draw_state(panels[1], replayed)
    finding = draw_adjoints(panels[2], replayed)
    panels[2].set_xlabel("t / steps")
    panels[2].xaxis.set_major_locator(MaxNLocator(nbins=8 if steps < 10_000 else 5, integer=True))
    if has_orbit:
        draw_orbit(panels[3], replayed)
    return finish(figure, name, f"{subject}: {finding}{why}", note=note)


def draw_gates(axes: Axes, replayed: Replay) -> Axes:
    """The gates f, i and o at each step."""
    for name, colour in (("f", BLUE), ("i", ORANGE), ("o", GREEN)):
        _line(axes, getattr(replayed.trace, name)[0], name, colour)
    axes.set_ylim(-0.04, 1.04)
    axes.set_ylabel("gate")
    return axes


def draw_state(axes: Axes, replayed: Replay) -> Axes:
    """The cell and the hidden state after each step."""
    for name, colour in (("C", VERMILION), ("h", PURPLE)):
        _line(axes, getattr(replayed.trace, name)[0], name, colour)
    plain_ticks(axes.yaxis)
    axes.set_ylabel("state")
    return axes


def _line(axes: Axes, values: np.ndarray, name: str, colour: str) -> None:
    t = np.arange(1, len(values) + 1)
    mark = "o" if len(t) <= _MARKED else None
    axes.plot(t, values, color=colour, linewidth=1.3, marker=mark, markersize=4, rasterized=len(t) > _ORBIT)
    label_end(axes, float(values[-1]), name, colour)


def draw_adjoints(axes: Axes, replayed: Replay) -> str:
    """log10 of |dL/dh_t| and |dL/dC_t|; the finding in words."""
    sizes = adjoints(replayed)
    both = np.concatenate(sizes)
    finite = both[np.isfinite(both)]
    high = math.ceil(finite.max(initial=-99.0)) if len(finite) else 0
    low = max(_DEEPEST, math.floor(finite.min(initial=0.0))) if len(finite) else -1
    low, high = min(low, high - 1), max(high, low + 1)
    for size, name, colour in ((sizes.dh, "|dL/dh$_t$|", PURPLE), (sizes.dC, "|dL/dC$_t$|", VERMILION)):
        heights = np.where(np.isfinite(size), np.maximum(size, 4 * low - 3 * high), np.nan)
        mark = "o" if len(size) <= _MARKED else None
        axes.plot(np.arange(len(size)), heights, color=colour, linewidth=1.5, marker=mark, markersize=4)
        label_end(axes, float(np.clip(size[-1], low, high)), name, colour)
    axes.set_ylim(low, high)
    decades(axes.yaxis)
    axes.set_ylabel("adjoint")
    return f"the adjoint reaches {power(float(both.max()))}, and |dL/dh_0| is {power(float(sizes.dh[0]))}"


def _settled(replayed: Replay) -> tuple[np.ndarray, np.ndarray]:
    """C and h once a long draw has settled."""
    settled = len(replayed.drawn.x) // 10
    return replayed.trace.C[0, settled:], replayed.trace.h[0, settled:]


def _moves(replayed: Replay) -> bool:
    """Whether the states still change then; those that stand still would be one dot."""
    return any(bool(np.ptp(state) > _STILL) for state in _settled(replayed))


def draw_orbit(axes: Axes, replayed: Replay) -> Axes:
    """The states of a long draw in the plane of C and h, once it has settled."""
    C, h = _settled(replayed)
    axes.plot(C, h, ".", color=BLUE, markersize=2.5, alpha=0.6, rasterized=True)
    axes.set_xlabel("cell C")
    axes.set_ylabel("hidden state h")
    axes.set_title(f"its last {number(len(C), digits=6)} states", fontsize=10)
    for axis, values in ((axes.set_xlim, C), (axes.set_ylim, h)):
        middle, half = (values.max() + values.min()) / 2, max(0.55 * (values.max() - values.min()), 1e-3)
        axis(middle - half, middle + half)
    plain_ticks(axes.xaxis)
    plain_ticks(axes.yaxis)
    return axes


FIGURE = Figure(
    name="trace",
    heading="Draws from within",
    caption="Rows of the run made again from its spec, to the same bits: gates, cell and hidden state going forward, "
    "and the gradient of the loss at each state, which comes from the right. Where the curve of an adjoint leaves "
    "its panel below or has a gap, it is smaller than shown, or 0. Below each stands the command that replays it.",
    fits=fits,
    draw=draw,
)
