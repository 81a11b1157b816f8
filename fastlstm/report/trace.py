"""One draw from within, made again: its gates, its state, and the adjoints on their way back."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlstm.audit.replay import Replay, replay
from fastlstm.oracles import naive
from fastlstm.report.figure import Kind
from fastlstm.report.run_data import Evidence
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

_LONGEST = 100_000  # steps that are worth the time
_ORBIT = 1000  # steps from which on the states make a picture of their own
_DEEPEST = -24


class Adjoints(NamedTuple):
    """log10 of |dL/dh_t| and |dL/dC_t|, t = 0..T, each (T + 1,); beyond the range of floats too."""

    dh: NDArray[np.float64]
    dC: NDArray[np.float64]


def adjoints(again: Replay) -> Adjoints:
    """The adjoints of a draw, back along the very orbit that was computed, which matters where it is unstable.

    With J1 to J3 of docs/derivation.md, B2 is dh_t = W_y delta_t + a_{t+1} dC_{t+1} + b_{t+1} dh_{t+1}.
    """
    drawn, trace = again.drawn, again.trace
    p = naive.Parameters(*drawn.params.astype(np.float64))
    x, f, i, o, g, C, h = (
        np.asarray(column, np.float64).ravel()
        for column in (drawn.x, trace.f, trace.i, trace.o, trace.g, trace.C, trace.h)
    )
    h_before, C_before = np.append(drawn.h0, h[:-1]), np.append(drawn.C0, C[:-1])
    slope_f = naive.sigmoid_slope(p.W_hf * h_before + p.W_xf * x + p.b_f)
    slope_i = naive.sigmoid_slope(p.W_hi * h_before + p.W_xi * x + p.b_i)
    slope_o = naive.sigmoid_slope(p.W_ho * h_before + p.W_xo * x + p.b_o)
    slope_c = naive.tanh_slope(p.W_hc * h_before + p.W_xc * x + p.b_c)
    a = C_before * slope_f * p.W_hf + g * slope_i * p.W_hi + i * slope_c * p.W_hc  # J1
    b = np.tanh(C) * slope_o * p.W_ho  # J2
    kappa = o * naive.tanh_slope(C)  # J3
    y = np.asarray(trace.y, np.float64)
    loss = naive.loss_and_dy(
        again.spec.loss.kind, y, drawn.target, p.W_y * h + p.b_y, silent_steps=drawn.first_loss_step
    )
    own = p.W_y * loss.delta.ravel()

    found = Adjoints(np.empty(len(x) + 1), np.empty(len(x) + 1))
    later_h = later_C = _Scaled(0.0, 0)  # what (h_t, C_t) gets from the steps after it
    for t in range(len(x), -1, -1):
        dh, dC = later_h, later_C
        if t:
            dh = _sum(dh, _Scaled(float(own[t - 1]), 0))
            dC = _sum(dC, _Scaled(dh.value * kappa[t - 1], dh.exponent))
            later_h = _sum(_Scaled(a[t - 1] * dC.value, dC.exponent), _Scaled(b[t - 1] * dh.value, dh.exponent))
            later_C = _Scaled(f[t - 1] * dC.value, dC.exponent)
        found.dh[t], found.dC[t] = dh.log10(), dC.log10()
    return found


class _Scaled(NamedTuple):
    """value times 2^exponent. h and C each have an exponent: one may die while the other lives."""

    value: float
    exponent: int

    def log10(self) -> float:
        return math.log10(abs(self.value)) + self.exponent * math.log10(2) if self.value else -math.inf


def _sum(*terms: _Scaled) -> _Scaled:
    """The sum, its value of the order of 1."""
    top = max((math.frexp(value)[1] + exponent for value, exponent in terms if value), default=0)
    return _Scaled(sum(math.ldexp(value, exponent - top) for value, exponent in terms), top)


def chosen(evidence: Evidence) -> tuple[int, int, str]:
    """Point and draw of what to show, and why this one."""
    if not evidence.has_rows("log10_dh_max", "log10_dC_max"):
        return len(evidence.points) - 1, 0, "the first draw of the last point"
    rows = evidence.rows("point", "draw", "log10_dh_max", "log10_dC_max")
    row = int(np.argmax(np.maximum(rows["log10_dh_max"], rows["log10_dC_max"])))
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
    for size, name, colour in ((found.dh, "|dL/dh$_t$|", PURPLE), (found.dC, "|dL/dC$_t$|", VERMILION)):
        back.plot(np.arange(steps + 1), np.where(np.isfinite(size), size, np.nan), color=colour, label=name)
    both = np.concatenate(found)
    known = both[np.isfinite(both)]
    low = max(_DEEPEST, math.floor(known.min(initial=0.0))) if len(known) else -1
    high = max(low + 1, math.ceil(known.max(initial=low)))
    back.set_ylim(low, high)
    log_ticks(back.yaxis, low, high)
    back.set_ylabel("adjoint")
    back.set_xlabel("t / steps")
    for axes in (gates, state, back):
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    begin, peak = power(float(found.dh[0])), power(float(both.max()))
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
