"""The adjoints of one draw, at every step of the orbit that was computed."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlstm.audit.replay import Replay
from fastlstm.oracles import naive


class Adjoints(NamedTuple):
    """log10 of |dL/dh_t| and |dL/dC_t|, t = 0..T, each (T + 1,); beyond the range of floats too."""

    dh: NDArray[np.float64]
    dC: NDArray[np.float64]


def adjoints(replayed: Replay) -> Adjoints:
    """The adjoints of a draw, back along the very orbit that was computed, which matters where it is unstable.

    With J1 to J3 of docs/derivation.md, B2 is dh_t = W_y delta_t + a_{t+1} dC_{t+1} + b_{t+1} dh_{t+1}.
    """
    drawn, trace = replayed.drawn, replayed.trace
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
        replayed.spec.loss.kind, y, drawn.target, p.W_y * h + p.b_y, silent_steps=drawn.first_loss_step
    )
    own = p.W_y * loss.delta.ravel()

    sizes = Adjoints(np.empty(len(x) + 1), np.empty(len(x) + 1))
    later_h = later_C = _Scaled(0.0, 0)  # what (h_t, C_t) gets from the steps after it
    for t in range(len(x), -1, -1):
        dh, dC = later_h, later_C
        if t:
            dh = _sum(dh, _Scaled(float(own[t - 1]), 0))
            dC = _sum(dC, _Scaled(dh.value * kappa[t - 1], dh.exponent))
            later_h = _sum(_Scaled(a[t - 1] * dC.value, dC.exponent), _Scaled(b[t - 1] * dh.value, dh.exponent))
            later_C = _Scaled(f[t - 1] * dC.value, dC.exponent)
        sizes.dh[t], sizes.dC[t] = dh.log10(), dC.log10()
    return sizes


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
