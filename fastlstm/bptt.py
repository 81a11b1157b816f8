"""Forward pass and backpropagation through time for one register of draws.

The forward pass leaves a record for each step: the partial derivatives, h_{t-1} and delta_t. The backward
pass reads it in reverse.

It runs in chunks of a few steps. Inside a chunk the arithmetic is plain; between chunks everything is
scaled by exact powers of two, so that neither decay nor growth over time leaves the range of a float.

Each pass computes all tallies a kernel could want; LLVM removes those that the kernel does not use.
"""

from collections import namedtuple

from fastlstm.elementary import log, log_sigmoid
from fastlstm.jit import inline
from fastlstm.lstm import (
    Carry,
    GateGradients,
    Partials,
    State,
    add_gradients,
    adjoint,
    carry_back,
    input_gradient,
    jacobian,
    output,
    partials,
    step,
)
from fastlstm.measures import SHARES
from fastlstm.scale import exponent, log10_scaled, power_of_two, times_power_of_two
from fastlstm.simd import absolute, as_integer, fill, fma, load, maximum, minimum, select, store

RECORD_ROWS = 8
SUM, LAST, MSE, BCE, GIVEN = range(5)  # where dy comes from
FULL, CEC, LOCAL, NO_INPUTS = range(4)  # gradient modes
NOWHERE = -(2**30)  # the scale of zero: below that of any number

Shares = namedtuple("Shares", [share.name for share in SHARES])
Means = namedtuple("Means", "f_mean f_slope i_mean i_slope o_mean o_slope g_sat g_slope")
# ln prod f_t = negative + ln larger + log, see `add_forget`
Forget = namedtuple("Forget", "negative larger log")
Readout = namedtuple("Readout", "loss W_y b_y")
# The product of the Jacobians, column by column: dC_t/dC_0 = CC * 2^scale_C, dC_t/dh_0 = Ch * 2^scale_h, ...;
# the product of |b_t| is b * 2^scale_b
Tangent = namedtuple("Tangent", "CC hC scale_C Ch hh scale_h b scale_b b_max")
Forward = namedtuple("Forward", "state readout shares means forget tangent")

# Gradients of a chunk or of all time, times 2^-scale
Full = namedtuple("Full", "carry scale total total_scale dh_max dC_max")
Truncated = namedtuple("Truncated", "carry total")
Backward = namedtuple("Backward", "full cec local")


@inline
def one_if(mask, like):
    return select(mask, fill(like, 1.0), 0.0)


# --- forward -------------------------------------------------------------------------------------


@inline
def add_shares(shares, now, saturation):
    """Count the steps at which each gate is saturated."""
    right = 1.0 - saturation
    return Shares(
        f_left=shares.f_left + one_if(now.f.value < saturation, shares.f_left),
        f_right=shares.f_right + one_if(now.f.value > right, shares.f_left),
        i_left=shares.i_left + one_if(now.i.value < saturation, shares.f_left),
        i_right=shares.i_right + one_if(now.i.value > right, shares.f_left),
        o_left=shares.o_left + one_if(now.o.value < saturation, shares.f_left),
        o_right=shares.o_right + one_if(now.o.value > right, shares.f_left),
    )


@inline
def add_means(means, now):
    """Sums over the steps of gates and slopes."""
    return Means(
        f_mean=means.f_mean + now.f.value,
        f_slope=means.f_slope + now.f.slope,
        i_mean=means.i_mean + now.i.value,
        i_slope=means.i_slope + now.i.slope,
        o_mean=means.o_mean + now.o.value,
        o_slope=means.o_slope + now.o.slope,
        g_sat=means.g_sat + one_if(absolute(now.g.value) > 0.9, means.g_sat),
        g_slope=means.g_slope + now.g.slope,
    )


@inline
def add_forget(forget, now):
    """ln f = min(z, 0) + ln max(f, 1 - f): a sum, and a product whose log is taken when it gets small.

    A logarithm at every step would cost a tenth of the forward pass.
    """
    return Forget(
        forget.negative + minimum(now.z_f, 0.0),
        forget.larger * now.f.larger,
        forget.log,
    )


@inline
def settle_forget(forget):
    """Take the logarithm of the product, which is at least 2^-n after n steps."""
    return Forget(forget.negative, fill(forget.larger, 1.0), forget.log + log(forget.larger))


@inline
def log_forget(forget):
    """ln of the product of the forget gates."""
    return forget.negative + forget.log + log(forget.larger)


@inline
def add_tangent(tangent, p, d):
    """One more Jacobian from the left."""
    J, b = jacobian(p, d)
    b = absolute(b)
    size = exponent(b)
    return Tangent(
        CC=fma(J.CC, tangent.CC, J.Ch * tangent.hC),
        hC=fma(J.hC, tangent.CC, J.hh * tangent.hC),
        scale_C=tangent.scale_C,
        Ch=fma(J.CC, tangent.Ch, J.Ch * tangent.hh),
        hh=fma(J.hC, tangent.Ch, J.hh * tangent.hh),
        scale_h=tangent.scale_h,
        b=tangent.b * (b * power_of_two(-size)),
        scale_b=tangent.scale_b + size,
        b_max=maximum(tangent.b_max, b),
    )


@inline
def unit_scale(a, b):
    """The exponent of the larger of two, or 0 where both are zero."""
    larger = maximum(absolute(a), absolute(b))
    return select(larger > 0, exponent(larger), 0)


@inline
def settle_tangent(tangent):
    """Bring each column to a size of about 1."""
    by_C = unit_scale(tangent.CC, tangent.hC)
    by_h = unit_scale(tangent.Ch, tangent.hh)
    by_b = unit_scale(tangent.b, tangent.b)
    return Tangent(
        CC=tangent.CC * power_of_two(-by_C),
        hC=tangent.hC * power_of_two(-by_C),
        scale_C=tangent.scale_C + by_C,
        Ch=tangent.Ch * power_of_two(-by_h),
        hh=tangent.hh * power_of_two(-by_h),
        scale_h=tangent.scale_h + by_h,
        b=tangent.b * power_of_two(-by_b),
        scale_b=tangent.scale_b + by_b,
        b_max=tangent.b_max,
    )


@inline
def loss_and_delta(p, loss, h, target):
    """The loss of one step and delta_t = dL/dz^y_t; `target` is dy_t itself when that is given."""
    z_y, y = output(p, h)
    if loss == MSE:
        gap = y.value - target
        return 0.5 * gap * gap, gap * y.slope
    if loss == BCE:
        return (1.0 - target) * z_y - log_sigmoid(z_y), y.value - target
    if loss == GIVEN:
        return target * y.value, target * y.slope
    return y.value, y.slope


@inline
def start_forward(state):
    zero = fill(state.C, 0.0)
    one = fill(state.C, 1.0)
    none = as_integer(zero)
    return Forward(
        state,
        Readout(zero, zero, zero),
        Shares(zero, zero, zero, zero, zero, zero),
        Means(zero, zero, zero, zero, zero, zero, zero, zero),
        Forget(zero, one, zero),
        Tangent(one, zero, none, zero, one, none, one, none, zero),
    )


@inline
def forward(p, so_far, x, targets, record, first, last, loss, first_loss, saturation):
    """Run the steps first..last-1 (counted from 0), leave their record, and return the tallies.

    Steps before `first_loss` carry no loss. record: (steps, RECORD_ROWS, lanes), its row 0 is step `first`.
    """
    state, readout, shares, means, forget, tangent = so_far
    zero = fill(state.C, 0.0)
    for t in range(first, last):
        now = step(p, state, load(x, (t,)))
        d = partials(state, now)
        delta = zero
        if t >= first_loss:  # for the loss `last` that is step T alone
            target = load(targets, (t,)) if loss >= MSE else zero
            cost, delta = loss_and_delta(p, loss, now.h, target)
            readout = Readout(
                readout.loss + cost, readout.W_y + delta * now.h, readout.b_y + delta
            )
        row = t - first
        store(record, (row, 0), d.C_C)
        store(record, (row, 1), d.C_f)
        store(record, (row, 2), d.C_i)
        store(record, (row, 3), d.C_c)
        store(record, (row, 4), d.h_C)
        store(record, (row, 5), d.h_o)
        store(record, (row, 6), state.h)
        store(record, (row, 7), delta)
        shares = add_shares(shares, now, saturation)
        means = add_means(means, now)
        forget = add_forget(forget, now)
        tangent = add_tangent(tangent, p, d)
        if t & 7 == 7:
            tangent = settle_tangent(tangent)
        if t & 63 == 63:
            forget = settle_forget(forget)
        state = State(now.C, now.h)
    return Forward(state, readout, shares, means, forget, tangent)


# --- backward ------------------------------------------------------------------------------------


@inline
def no_gradients(zero):
    return GateGradients(zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero)


@inline
def start_backward(like):
    zero = fill(like, 0.0)
    none = fill(as_integer(zero), NOWHERE)
    return Backward(
        Full(Carry(zero, zero), none, no_gradients(zero), none, zero, zero),
        Truncated(Carry(zero, zero), no_gradients(zero)),
        Truncated(Carry(zero, zero), no_gradients(zero)),
    )


@inline
def recall_partials(record, row):
    return Partials(
        C_C=load(record, (row, 0)),
        C_f=load(record, (row, 1)),
        C_i=load(record, (row, 2)),
        C_c=load(record, (row, 3)),
        h_C=load(record, (row, 4)),
        h_o=load(record, (row, 5)),
    )


@inline
def rescale(carry, scale, incoming):
    """Choose the chunk's scale: the larger of what is carried and of what comes in becomes about 1."""
    carried = maximum(absolute(carry.dh), absolute(carry.dC))
    old = exponent(carried) + scale
    new = exponent(incoming)
    old = select(carried == 0, NOWHERE, old)
    chosen = maximum(old, select(incoming == 0, NOWHERE, new))
    change = scale - chosen
    return Carry(times_power_of_two(carry.dh, change), times_power_of_two(carry.dC, change)), chosen


@inline
def merge_total(total, chunk, shrink, weight):
    """total * shrink + chunk * weight."""
    return GateGradients(
        W_hf=total.W_hf * shrink + chunk.W_hf * weight,
        W_xf=total.W_xf * shrink + chunk.W_xf * weight,
        b_f=total.b_f * shrink + chunk.b_f * weight,
        W_hi=total.W_hi * shrink + chunk.W_hi * weight,
        W_xi=total.W_xi * shrink + chunk.W_xi * weight,
        b_i=total.b_i * shrink + chunk.b_i * weight,
        W_ho=total.W_ho * shrink + chunk.W_ho * weight,
        W_xo=total.W_xo * shrink + chunk.W_xo * weight,
        b_o=total.b_o * shrink + chunk.b_o * weight,
        W_hc=total.W_hc * shrink + chunk.W_hc * weight,
        W_xc=total.W_xc * shrink + chunk.W_xc * weight,
        b_c=total.b_c * shrink + chunk.b_c * weight,
    )


@inline
def lag_place(lag):
    """The place of a lag in 1, 2, 5, 10, 20, 50, ..., or -1."""
    place = 0
    while lag >= 10 and lag % 10 == 0:
        lag //= 10
        place += 3
    if lag == 1:
        return place
    if lag == 2:
        return place + 1
    return place + 2 if lag == 5 else -1


@inline
def backward(p, so_far, x, record, first, last, steps, chunk_steps, mode, dx, keep_lags, lag_columns, column):
    """Run the steps last-1..first backwards through the record that `forward` left of them.

    Row t of `dx` gets dL/dx_t of `mode`, unless mode is NO_INPUTS. With `keep_lags`, `lag_columns` get
    log10 |dh_{T-lag}| and log10 |dC_{T-lag}| for the lags 1, 2, 5, 10, 20, 50, ... at `column`.
    """
    full, cec, local = so_far
    zero = fill(full.dh_max, 0.0)
    nothing = Carry(zero, zero)
    carry, scale, total, total_scale, dh_max, dC_max = full
    cec_carry, cec_total = cec
    local_total = local.total
    end = last
    while end > first:
        begin = max(first, end - chunk_steps)
        incoming = zero
        for t in range(begin, end):
            incoming = maximum(incoming, absolute(load(record, (t - first, 7))))
        carry, scale = rescale(carry, scale, absolute(p.W_y) * incoming)
        W_y = p.W_y * power_of_two(-scale)
        chunk = no_gradients(zero)
        chunk_dh = zero
        chunk_dC = zero
        for t in range(end - 1, begin - 1, -1):
            d = recall_partials(record, t - first)
            h_before = load(record, (t - first, 6))
            delta = load(record, (t - first, 7))
            x_t = load(x, (t,))
            a = adjoint(W_y, d, delta, carry)
            carry = carry_back(p, d, a)
            chunk = add_gradients(chunk, a, x_t, h_before)
            chunk_dh = maximum(chunk_dh, absolute(a.dh))
            chunk_dC = maximum(chunk_dC, absolute(a.dC))
            if keep_lags:
                place = lag_place(steps - 1 - t)
                if place >= 0:
                    store(lag_columns, (2 * place, column), log10_scaled(a.dh, scale))
                    store(lag_columns, (2 * place + 1, column), log10_scaled(a.dC, scale))
            # the 1997 truncation: dz_{t+1} dropped from dh_t; one-step: everything at t+1 dropped
            a_cec = adjoint(p.W_y, d, delta, cec_carry)
            cec_carry = Carry(zero, carry_back(p, d, a_cec).dC)
            cec_total = add_gradients(cec_total, a_cec, x_t, h_before)
            a_local = adjoint(p.W_y, d, delta, nothing)
            local_total = add_gradients(local_total, a_local, x_t, h_before)
            if mode == FULL:
                store(dx, (t,), times_power_of_two(input_gradient(p, a), scale))
            elif mode == CEC:
                store(dx, (t,), input_gradient(p, a_cec))
            elif mode == LOCAL:
                store(dx, (t,), input_gradient(p, a_local))
        new_scale = maximum(total_scale, scale)
        shrink = power_of_two(total_scale - new_scale)
        weight = power_of_two(scale - new_scale)
        total = merge_total(total, chunk, shrink, weight)
        dh_max = maximum(dh_max * shrink, chunk_dh * weight)
        dC_max = maximum(dC_max * shrink, chunk_dC * weight)
        total_scale = new_scale
        end = begin
    return Backward(
        Full(carry, scale, total, total_scale, dh_max, dC_max),
        Truncated(cec_carry, cec_total),
        Truncated(nothing, local_total),
    )
