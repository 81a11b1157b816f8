"""The univariate LSTM: one step, its partial derivatives, its adjoint and its Jacobian, side by side.

Everything is a register of lanes (one draw in each lane), so a line here is the equation itself.
The formula numbers are those of docs/derivation.md.
"""

from collections import namedtuple

from fastlstm.kernel.elementary import gates, sigmoid, tanh
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.simd import fma
from fastlstm.names import PARAMETERS

Parameters = namedtuple("Parameters", PARAMETERS)
State = namedtuple("State", "C h")
# f, i, o, g and tau = tanh C are Activations: value, slope, and larger = max(s, 1 - s)
Step = namedtuple("Step", "z_f f i o g C tau h")
# The partial derivatives of C_t and h_t: C_C = dC_t/dC_{t-1}, C_f = dC_t/dz^f_t, h_o = dh_t/dz^o_t, ...
Partials = namedtuple("Partials", "C_C C_f C_i C_c h_C h_o")
# dz_f is dL/dz^f_t, and so on
Adjoint = namedtuple("Adjoint", "dh dC dz_f dz_i dz_o dz_c")
# What reaches step t through step t+1, of dh_t and of dC_t
Carry = namedtuple("Carry", "dh dC")
# The gradients of the twelve parameters of the gates
GateGradients = namedtuple("GateGradients", PARAMETERS[:12])
Jacobian = namedtuple("Jacobian", "CC Ch hC hh")


@inline
def step(p, before, x):
    """C_t and h_t from C_{t-1}, h_{t-1} and x_t."""
    z_f = fma(p.W_hf, before.h, p.W_xf * x) + p.b_f  # F1
    z_i = fma(p.W_hi, before.h, p.W_xi * x) + p.b_i
    z_o = fma(p.W_ho, before.h, p.W_xo * x) + p.b_o
    z_c = fma(p.W_hc, before.h, p.W_xc * x) + p.b_c
    f, i, o, g = gates(z_f, z_i, z_o, z_c)  # F2, F3
    C = fma(f.value, before.C, i.value * g.value)  # F4
    tau = tanh(C)
    h = o.value * tau.value  # F5
    return Step(z_f, f, i, o, g, C, tau, h)


@inline
def partials(before, now):
    """How C_t and h_t answer to C_{t-1} and to the four pre-activations."""
    return Partials(
        C_C=now.f.value,
        C_f=before.C * now.f.slope,  # B5 and B8
        C_i=now.g.value * now.i.slope,  # B6 and B8
        C_c=now.i.value * now.g.slope,  # B7 and B8
        h_C=now.o.value * now.tau.slope,  # J3
        h_o=now.tau.value * now.o.slope,  # B4 and B8
    )


@inline
def adjoint(W_y, d, delta, carry):
    """dL/d(h_t, C_t, z_t) from delta_t and from what step t+1 hands back."""
    dh = fma(W_y, delta, carry.dh)  # B2
    dC = fma(dh, d.h_C, carry.dC)  # B3
    return Adjoint(dh, dC, dz_f=dC * d.C_f, dz_i=dC * d.C_i, dz_o=dh * d.h_o, dz_c=dC * d.C_c)  # B8


@inline
def carry_back(p, d, a):
    """What step t hands back to step t-1; at t = 1 these are dh_0 and dC_0."""
    dh = fma(p.W_hf, a.dz_f, fma(p.W_hi, a.dz_i, fma(p.W_ho, a.dz_o, p.W_hc * a.dz_c)))  # B2, B15
    dC = d.C_C * a.dC  # B3, B16
    return Carry(dh, dC)


@inline
def add_gradients(total, a, x, h_before):
    """The sums over t of dz^k_t h_{t-1} (B9), dz^k_t x_t (B10) and dz^k_t (B11)."""
    return GateGradients(
        W_hf=fma(a.dz_f, h_before, total.W_hf),
        W_xf=fma(a.dz_f, x, total.W_xf),
        b_f=total.b_f + a.dz_f,
        W_hi=fma(a.dz_i, h_before, total.W_hi),
        W_xi=fma(a.dz_i, x, total.W_xi),
        b_i=total.b_i + a.dz_i,
        W_ho=fma(a.dz_o, h_before, total.W_ho),
        W_xo=fma(a.dz_o, x, total.W_xo),
        b_o=total.b_o + a.dz_o,
        W_hc=fma(a.dz_c, h_before, total.W_hc),
        W_xc=fma(a.dz_c, x, total.W_xc),
        b_c=total.b_c + a.dz_c,
    )


@inline
def input_gradient(p, a):
    """dL/dx_t (B14)."""
    return fma(p.W_xf, a.dz_f, fma(p.W_xi, a.dz_i, fma(p.W_xo, a.dz_o, p.W_xc * a.dz_c)))


@inline
def output(p, h):
    """z^y_t and y_t = s(z^y_t) with its slope."""
    z_y = fma(p.W_y, h, p.b_y)  # F6
    return z_y, sigmoid(z_y)  # F7


@inline
def jacobian(p, d):
    """The Jacobian of (C_t, h_t) in (C_{t-1}, h_{t-1}), and its output-gate path b_t."""
    a = fma(d.C_f, p.W_hf, fma(d.C_i, p.W_hi, d.C_c * p.W_hc))  # J1
    b = d.h_o * p.W_ho  # J2
    return Jacobian(CC=d.C_C, Ch=a, hC=d.h_C * d.C_C, hh=fma(d.h_C, a, b)), b  # J4
