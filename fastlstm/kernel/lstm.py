"""The univariate LSTM: its step, losses, adjoint and tangent, each beside what it is the derivative of.

Everything is a register of lanes (one draw in each lane), so a line here is the equation itself.
The formula numbers are those of docs/derivation.md.
"""

from collections import namedtuple

from fastlstm.kernel.elementary import Sigmoid, gates, log_sigmoid, sigmoid, tanh
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.simd import fill, fma, square_root
from fastlstm.names import PARAMETERS

Parameters = namedtuple("Parameters", PARAMETERS)
State = namedtuple("State", "C h")
# f, i, o are Sigmoids: value s, complement 1 - s, slope s (1 - s); g and tau = tanh C have value and slope
Step = namedtuple("Step", "z_f f i o g C tau h")
# The partial derivatives of C_t and h_t: C_C = dC_t/dC_{t-1}, C_f = dC_t/dz^f_t, h_o = dh_t/dz^o_t, ...
Partials = namedtuple("Partials", "C_C C_f C_i C_c h_C h_o")
# All that the backward pass needs of a step: the partial derivatives, h_{t-1} and delta_t
Record = namedtuple("Record", (*Partials._fields, "h_before", "delta"))
H_BEFORE, DELTA = (Record._fields.index(name) for name in ("h_before", "delta"))
# The loss, and the gradients of the two parameters of the output
Readout = namedtuple("Readout", "loss W_y b_y")
# dz_f is dL/dz^f_t, and so on
Adjoint = namedtuple("Adjoint", "dh dC dz_f dz_i dz_o dz_c")
# What the gradients of the gates themselves need of a step: C_{t-1}, i_t, g_t and tanh C_t
Inner = namedtuple("Inner", "C_before i g tau")
# dL/df_t, and so on
InnerAdjoint = namedtuple("InnerAdjoint", "df di do dg")
# What reaches step t through step t+1, of dh_t and of dC_t
Carry = namedtuple("Carry", "dh dC")
# The gradients of the twelve parameters of the gates
GateGradients = namedtuple("GateGradients", PARAMETERS[:12])
# J_t, and its path b_t through the output gate
Jacobian = namedtuple("Jacobian", "CC Ch hC hh b")
# J_t .. J_1: how C_t and h_t answer to C_0 (one column) and to h_0 (the other)
Tangent = namedtuple("Tangent", "CC hC Ch hh")

SUM, LAST, MSE, BCE, GIVEN = range(5)
LOSSES = {"sum": SUM, "last": LAST, "mse": MSE, "bce": BCE, "given": GIVEN}  # given: dy comes from the caller
SIGMOID, LINEAR = range(2)
READOUTS = {"sigmoid": SIGMOID, "linear": LINEAR}


# --- forward -------------------------------------------------------------------------------------


@inline
def step(p, before, x):
    """C_t and h_t from C_{t-1}, h_{t-1} and x_t."""
    # F1. Of all roundings only the last is of the size of b: two would cost a saturated gate half as much error again
    z_f = fma(p.W_hf, before.h, p.W_xf * x) + p.b_f
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
    """How C_t and h_t answer to C_{t-1} and to the four pre-activations; s'(z) is s (1 - s)."""
    return Partials(
        C_C=now.f.value,
        C_f=(before.C * now.f.value) * now.f.complement,  # B5 and B8
        C_i=(now.i.value * now.g.value) * now.i.complement,  # B6 and B8
        C_c=now.i.value * now.g.slope,  # B7 and B8
        h_C=now.o.value * now.tau.slope,  # J3
        h_o=now.h * now.o.complement,  # B4 and B8
    )


@inline
def output(p, readout, h):
    """z^y_t, and y_t = s(z^y_t) with its slope; behind a linear read-out y_t is z^y_t."""
    z_y = fma(p.W_y, h, p.b_y)  # F6
    if readout == LINEAR:
        one = fill(z_y, 1.0)
        return z_y, Sigmoid(z_y, complement=1.0 - z_y, slope=one)
    return z_y, sigmoid(z_y)  # F7


@inline
def loss_and_delta(p, loss, readout, h, target):
    """The loss of one step and delta_t = dL/dz^y_t (B1); `target` is dy_t itself when that is given."""
    z_y, y = output(p, readout, h)
    if loss == MSE and readout == LINEAR:
        gap = y.value - target
        return 0.5 * (gap * gap), gap
    if loss in (MSE, BCE):
        # y - target, right to the last bits also where y is saturated next to its target
        gap = (1.0 - target) * y.value - target * y.complement
        if loss == MSE:
            return 0.5 * (gap * gap), gap * y.slope  # L3
        return (1.0 - target) * z_y - log_sigmoid(z_y), gap  # L4
    if loss == GIVEN:
        return target * y.value, target * y.slope
    return y.value, y.slope  # L1, and L2 at step T


@inline
def add_readout(total, cost, delta, h):
    """The sums over t of the loss, of delta_t h_t (B12) and of delta_t (B13)."""
    return Readout(loss=total.loss + cost, W_y=total.W_y + delta * h, b_y=total.b_y + delta)


# --- backward ------------------------------------------------------------------------------------


@inline
def adjoint(W_y, r, carry):
    """dL/d(h_t, C_t, z_t) from the record of step t and from what step t+1 hands back."""
    dh = fma(W_y, r.delta, carry.dh)  # B2
    dC = fma(dh, r.h_C, carry.dC)  # B3
    return Adjoint(dh, dC, dz_f=dC * r.C_f, dz_i=dC * r.C_i, dz_o=dh * r.h_o, dz_c=dC * r.C_c)  # B8


@inline
def carry_full(p, r, a):
    """What step t hands back to step t-1 (M1: all of it); at t = 1 these are dh_0 and dC_0."""
    dh = fma(p.W_hf, a.dz_f, fma(p.W_hi, a.dz_i, fma(p.W_ho, a.dz_o, p.W_hc * a.dz_c)))  # B2, B15
    dC = r.C_C * a.dC  # B3, B16
    return Carry(dh, dC)


@inline
def gate_gradients(inner, a):
    """dL/d(f_t, i_t, o_t, g_t): of the gates themselves, before their slopes come in."""
    return InnerAdjoint(df=a.dC * inner.C_before, di=a.dC * inner.g, do=a.dh * inner.tau, dg=a.dC * inner.i)  # B4-B7


@inline
def carry_cec(p, r, a, before, window):
    """The truncation of 1997 (M2): dz_{t+1} is dropped from dh_t."""
    return Carry(dh=fill(a.dh, 0.0), dC=r.C_C * a.dC)


@inline
def carry_local(p, r, a, before, window):
    """The gradient of one step (M3): everything at t+1 is dropped."""
    return Carry(dh=fill(a.dh, 0.0), dC=fill(a.dC, 0.0))


@inline
def carry_window(p, r, a, before, window):
    """Windows of so many steps (M4): all of it is dropped where step t begins one; `before` is t - 1."""
    if before > 0 and before % window == 0:
        return Carry(dh=fill(a.dh, 0.0), dC=fill(a.dC, 0.0))
    return carry_full(p, r, a)


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


# --- tangent -------------------------------------------------------------------------------------


@inline
def jacobian(p, d):
    """The Jacobian J_t of (C_t, h_t) in (C_{t-1}, h_{t-1})."""
    a = fma(d.C_f, p.W_hf, fma(d.C_i, p.W_hi, d.C_c * p.W_hc))  # J1
    b = d.h_o * p.W_ho  # J2
    return Jacobian(CC=d.C_C, Ch=a, hC=d.h_C * d.C_C, hh=fma(d.h_C, a, b), b=b)  # J4


@inline
def propagate(J, P):
    """P_t = J_t P_{t-1} (J7), which is the tangent (J6) for each column."""
    return Tangent(
        CC=fma(J.CC, P.CC, J.Ch * P.hC),
        hC=fma(J.hC, P.CC, J.hh * P.hC),
        Ch=fma(J.CC, P.Ch, J.Ch * P.hh),
        hh=fma(J.hC, P.Ch, J.hh * P.hh),
    )


@inline
def log_determinant(log_f, log_b):
    """ln |det P_T|, from the sums of ln f_t and of ln |b_t|: det J_t = f_t b_t."""
    return log_f + log_b  # J5


@inline
def larger_singular_value(P):
    """The larger singular value of P_T; the smaller is |det P_T| / the larger, without cancellation."""
    sums = square_root(fma(P.CC + P.hh, P.CC + P.hh, (P.Ch - P.hC) * (P.Ch - P.hC)))
    differences = square_root(fma(P.CC - P.hh, P.CC - P.hh, (P.Ch + P.hC) * (P.Ch + P.hC)))
    return 0.5 * (sums + differences)
