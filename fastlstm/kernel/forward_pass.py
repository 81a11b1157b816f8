"""The forward pass of a register of draws, and what is tallied on the way.

It leaves a record for each step: the partial derivatives, h_{t-1} and delta_t, for the backward pass to read in
reverse. All tallies that a kernel could want are computed; LLVM removes those that it does not use.
"""

from collections import namedtuple

from numba.core import types
from numba.extending import overload

from fastlstm.kernel.elementary import log, log_sigmoid, sigmoid
from fastlstm.kernel.lanes.jit import OPTIONS, inline
from fastlstm.kernel.lanes.memory import load, store
from fastlstm.kernel.lanes.simd import absolute, as_integer, fill, fma, maximum, minimum, polynomial, select
from fastlstm.kernel.lstm import State, jacobian, output, partials, step
from fastlstm.kernel.scale import HUGE, TINY, exponent, outside, power_of_two
from fastlstm.measures import SHARES

RECORD_ROWS = 8
SUM, LAST, MSE, BCE, GIVEN = range(5)  # where dy comes from

Shares = namedtuple("Shares", [share.name for share in SHARES])
Means = namedtuple("Means", "f_mean f_slope i_mean i_slope o_mean o_slope g_sat g_slope")
# ln prod f_t = negative + ln larger + log, see `add_forget`
Forget = namedtuple("Forget", "negative larger log")
Readout = namedtuple("Readout", "loss W_y b_y")
# The product of the Jacobians, column by column: dC_t/dC_0 = CC * 2^scale_C, dC_t/dh_0 = Ch * 2^scale_h, ...;
# the product of |b_t| is b * 2^scale_b
Tangent = namedtuple("Tangent", "CC hC scale_C Ch hh scale_h b scale_b b_max strained")
# The largest |C_t|; whether any input, and any dy, was not zero
Extent = namedtuple("Extent", "C has_input has_loss")
Forward = namedtuple("Forward", "state readout shares means forget tangent extent")


def held_in(array, v):
    """A register in the kind of numbers that an array holds: plain lanes, as it is."""
    return v


@overload(held_in, jit_options=OPTIONS)
def _held_in(array, v):
    return held_in if isinstance(array, types.Array) else None


@inline
def one_if(mask, like):
    return select(mask, fill(like, 1.0), 0.0)


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

    A logarithm at every step would cost a tenth of the forward pass. Near f = 0 or 1 the product would lose ln
    max(f, 1 - f) to rounding; there it is the series in the slope p = f (1 - f): -(p + 3/2 p^2 + 10/3 p^3 + ...).
    """
    slope = now.f.slope
    series = slope * polynomial(slope, (-1.0, -3.0 / 2, -10.0 / 3, -35.0 / 4, -126.0 / 5))
    saturated = slope < 2.0**-12
    return Forget(
        forget.negative + minimum(now.z_f, 0.0) + select(saturated, series, 0.0),
        forget.larger * select(saturated, 1.0, now.f.larger),
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
    """One more Jacobian from the left (J6), and one more factor of its determinant (J5)."""
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
        strained=tangent.strained | ((p.W_ho != 0.0) & outside(b, TINY, HUGE)),
    )


@inline
def unit_scale(a, b):
    """The exponent of the larger of two, or 0 where both are zero."""
    larger = maximum(absolute(a), absolute(b))
    return select(larger > 0, exponent(larger), 0)


@inline
def strained_tangent(p, tangent):
    """Where a column came near the end of the range; h_0 has no influence where no gate listens to h."""
    moves_C = (p.W_hf != 0.0) | (p.W_hi != 0.0) | (p.W_hc != 0.0)
    by_C = outside(tangent.CC, TINY, HUGE) | outside(tangent.hC, TINY, HUGE)
    by_h = outside(tangent.hh, TINY, HUGE) & (moves_C | (p.W_ho != 0.0))
    return tangent.strained | by_C | by_h | (outside(tangent.Ch, TINY, HUGE) & moves_C)


@inline
def settle_tangent(p, tangent):
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
        strained=strained_tangent(p, tangent),
    )


@inline
def loss_and_delta(p, loss, h, target):
    """The loss of one step and delta_t = dL/dz^y_t (B1); `target` is dy_t itself when that is given."""
    z_y, y = output(p, h)
    if loss in (MSE, BCE):
        # y - target, right to the last bits also where y is saturated next to its target
        gap = (1.0 - target) * y.value - target * sigmoid(-z_y).value
        if loss == MSE:
            return 0.5 * (gap * gap), gap * y.slope  # L3
        return (1.0 - target) * z_y - log_sigmoid(z_y), gap  # L4
    if loss == GIVEN:
        return target * y.value, target * y.slope
    return y.value, y.slope  # L1, and L2 at step T


@inline
def start_forward(state, record):
    state = State(held_in(record, state.C), held_in(record, state.h))
    zero = fill(state.C, 0.0)
    one = fill(state.C, 1.0)
    none = as_integer(zero)
    return Forward(
        state,
        Readout(zero, zero, zero),
        Shares(zero, zero, zero, zero, zero, zero),
        Means(zero, zero, zero, zero, zero, zero, zero, zero),
        Forget(zero, one, zero),
        Tangent(one, zero, none, zero, one, none, one, none, zero, one < 0.0),
        Extent(zero, one < 0.0, one < 0.0),
    )


@inline
def forward(p, so_far, x, targets, record, first, last, loss, first_loss, saturation):
    """Run the steps first..last-1 (counted from 0), leave their record, and return the tallies.

    Steps before `first_loss` carry no loss. record: (steps, RECORD_ROWS, lanes), its row 0 is step `first`.
    """
    state, readout, shares, means, forget, tangent, extent = so_far
    zero = fill(state.C, 0.0)
    for t in range(first, last):
        x_t = load(x, (t,))
        now = step(p, state, x_t)
        d = partials(state, now)
        delta = zero
        if t >= first_loss:  # for the loss `last` that is step T alone
            target = held_in(record, load(targets, (t,))) if loss >= MSE else zero
            cost, delta = loss_and_delta(p, loss, now.h, target)
            has_loss = extent.has_loss | (target != 0.0) if loss == GIVEN else extent.has_loss | (zero < 1.0)
            extent = Extent(extent.C, extent.has_input, has_loss)
            # B12, B13
            readout = Readout(readout.loss + cost, readout.W_y + delta * now.h, readout.b_y + delta)
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
        extent = Extent(maximum(extent.C, absolute(now.C)), extent.has_input | (x_t != 0.0), extent.has_loss)
        if t & 3 == 3:
            tangent = settle_tangent(p, tangent)
        if t & 63 == 63:
            forget = settle_forget(forget)
        state = State(now.C, now.h)
    return Forward(state, readout, shares, means, forget, tangent, extent)
