"""One draw from within, made again: its gates, its state, and the adjoints on their way back."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlstm.names import PARAMETERS
from fastlstm.oracles import naive
from fastlstm.replays import Replay, replay
from fastlstm.report.evidence import Evidence
from fastlstm.report.kind import Kind
from fastlstm.report.style import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILION,
    Picture,
    finish,
    log_ticks,
    number,
    power,
    sheet,
)
from fastlstm.unit import gradients

_LONGEST = 100_000  # steps that are worth the time
_ORBIT = 1000  # steps from which on the states make a picture of their own
_PLACES = 400  # steps at which the adjoints are computed, at most
_LARGEST = 250.0  # log10; what a draw made again holds are floats
_DEEPEST = -40
_NUMBERS_AT_ONCE = 2**22


class Adjoints(NamedTuple):
    """|dL/dh_t| and |dL/dC_t| at some steps t, the first 0 and the last T."""

    t: NDArray[np.int64]
    dh: NDArray[np.float64]
    dC: NDArray[np.float64]


def adjoints(again: Replay) -> Adjoints:
    """The adjoints of a draw, each from a gradient that starts there.

    What reaches (h_t, C_t) from later steps is the gradient of the initial state of a unit that starts in it: the orbit
    is the same to the bit, which matters where it is unstable. dh_t adds the output's own share (B2 of
    docs/derivation.md), dC_t that of h_t (B3).
    """
    drawn, trace = again.drawn, again.trace
    steps = len(drawn.x)
    W_y, b_y = drawn.params[PARAMETERS.index("W_y")], drawn.params[PARAMETERS.index("b_y")]
    kind = again.spec.loss.kind
    loss = naive.loss_and_dy(kind, trace.y, drawn.target, W_y * trace.h + b_y, silent_steps=drawn.silent)
    h = np.concatenate([np.atleast_1d(drawn.h0), trace.h[0]])
    C = np.concatenate([np.atleast_1d(drawn.C0), trace.C[0]])
    t = np.unique(np.linspace(0, steps, min(steps + 1, _PLACES)).round().astype(np.int64))
    dh, dC = np.empty(len(t)), np.empty(len(t))
    at_once = max(1, _NUMBERS_AT_ONCE // steps)
    for first in range(0, len(t), at_once):
        starts = t[first : first + at_once]
        x, dy = np.zeros((2, len(starts), steps), trace.h.dtype)  # after the end nothing is lost and nothing counts
        for row, start in enumerate(starts):
            x[row, : steps - start] = drawn.x[start:]
            dy[row, : steps - start] = loss.dy[0, start:]
        later = gradients(drawn.params, x, dy, h0=h[starts], C0=C[starts])
        dh[first : first + at_once], dC[first : first + at_once] = later.h0, later.C0
    of_step = t[1:] - 1  # columns of the steps 1..T; step 0 has no output
    dh[1:] += W_y * loss.delta[0, of_step]
    kappa = trace.o[0, of_step] * naive.tanh_slope(C[t[1:]])
    dC[1:] += dh[1:] * kappa
    return Adjoints(t, np.abs(dh), np.abs(dC))


def chosen(evidence: Evidence) -> tuple[int, int, str]:
    """Point and draw of what to show, and why this one."""
    if not evidence.has_rows("log10_dh_max", "log10_dC_max"):
        return 0, 0, "the first draw"
    rows = evidence.rows("point", "draw", "log10_dh_max", "log10_dC_max")
    peak = np.maximum(rows["log10_dh_max"], rows["log10_dC_max"])
    row = int(np.argmax(np.where(peak < _LARGEST, peak, -math.inf)))
    return int(rows["point"][row]), int(rows["draw"][row]), "the draw with the largest adjoint"


def fits(evidence: Evidence) -> bool:
    """Any run whose draws are not too long."""
    return evidence.longest <= _LONGEST


def draw(evidence: Evidence) -> list[Picture]:
    """Gates, state and adjoints of one draw over the same steps."""
    point, which, why = chosen(evidence)
    again = replay(evidence.run.path, point=point, draw=which)
    found = adjoints(again)
    trace, steps = again.trace, len(again.drawn.x)
    t = np.arange(1, steps + 1)

    figure, (gates, state, back) = sheet(7.0, nrows=3, sharex=True, height_ratios=[1, 1, 1.2])
    for name, colour in (("f", BLUE), ("i", ORANGE), ("o", GREEN)):
        gates.plot(t, getattr(trace, name)[0], color=colour, linewidth=1.5, label=name)
    gates.set_ylim(-0.04, 1.04)
    gates.set_ylabel("gate")
    for column, name, colour in ((trace.C[0], "C", VERMILION), (trace.h[0], "h", PURPLE)):
        state.plot(t, column, color=colour, linewidth=1.5, label=name)
    state.set_ylabel("cell, hidden state")
    sizes = {}
    with np.errstate(divide="ignore"):
        for values, name, colour in ((found.dh, "|dL/dh$_t$|", PURPLE), (found.dC, "|dL/dC$_t$|", VERMILION)):
            sizes[name] = np.log10(values)
            back.plot(found.t, np.where(np.isfinite(sizes[name]), sizes[name], np.nan), color=colour, label=name)
    known = np.concatenate([size[np.isfinite(size)] for size in sizes.values()])
    low = max(_DEEPEST, math.floor(known.min(initial=0.0))) if len(known) else -1
    high = max(low + 1, math.ceil(known.max(initial=low)))
    back.set_ylim(low, high)
    log_ticks(back.yaxis, low, high)
    back.set_ylabel("adjoint")
    back.set_xlabel("t / steps")
    for axes in (gates, state, back):
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    begin, peak = (power(float(size)) for size in (sizes["|dL/dh$_t$|"][0], known.max(initial=-math.inf)))
    title = f"Point {point}, draw {which}, {why}: it reaches {peak}; |dL/dh_0| is {begin}"
    shown = [finish(figure, "trace", title)]
    return [*shown, _orbit(again)] if steps >= _ORBIT else shown


def _orbit(again: Replay) -> Picture:
    """The states of a long draw in the plane of C and h, once it has settled."""
    settled = len(again.drawn.x) // 10
    C, h = again.trace.C[0, settled:], again.trace.h[0, settled:]
    figure, axes = sheet(5.0)
    axes.plot(C, h, ".", color=BLUE, markersize=2.5, alpha=0.6)
    axes.set_xlabel("cell C")
    axes.set_ylabel("hidden state h")
    title = f"The last {len(C):,} states of the same draw: C from {number(C.min())} to {number(C.max())}"
    return finish(figure, "trace-orbit", title)


KIND = Kind(
    name="trace",
    heading="One draw from within",
    caption="A row of the run made again from its spec, to the same bits: gates, cell and hidden state going forward, "
    "and the gradient of the loss at each state, which comes from the right. Where the curve of an adjoint leaves "
    "the picture below or has a gap, it is smaller than shown, or 0.",
    fits=fits,
    draw=draw,
)
