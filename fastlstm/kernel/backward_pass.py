"""Backpropagation through time for a register of draws, from the record that the forward pass left.

It runs in chunks of a few steps. Inside a chunk the arithmetic is plain; between chunks everything is scaled by
exact powers of two, so that neither decay nor growth over time leaves the range of a float. Lanes in which a chunk
itself came near the end of that range are marked as strained: what they hold is not to be trusted, and the draw is
computed again with wide numbers (see wide.py).
"""

from collections import namedtuple

from fastlstm.kernel.lanes.jit import generic, inline
from fastlstm.kernel.lanes.memory import load, store
from fastlstm.kernel.lanes.simd import absolute, as_integer, fill, fma, maximum, of_dtype, select
from fastlstm.kernel.lstm import (
    Carry,
    GateGradients,
    Partials,
    add_gradients,
    adjoint,
    carry_back,
    input_gradient,
)
from fastlstm.kernel.scale import (
    HUGE,
    TINY,
    exponent,
    log10_scaled,
    nowhere,
    outside,
    power_of_two,
    times_power_of_two,
)

FULL, CEC, LOCAL, NO_INPUTS = range(4)  # the mode whose dL/dx is kept, if any

# Gradients, times 2^-scale of the chunk or 2^-total_scale of all of time
Full = namedtuple("Full", "carry scale total total_scale dh_max dC_max strained")
Truncated = namedtuple("Truncated", "carry total")
Backward = namedtuple("Backward", "full cec local")

# Of a step, for float32 and float64. Within a chunk that is less than what lies between TINY and the smallest number.
MOST_GROWTH = (2.0**8, 2.0**10)


@inline
def no_gradients(zero):
    return GateGradients(zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero)


@inline
def start_backward(like):
    zero = fill(like, 0.0)
    none = fill(as_integer(zero), nowhere(as_integer(zero)))
    return Backward(
        Full(Carry(zero, zero), none, no_gradients(zero), none, zero, zero, zero < 0.0),
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
    old = select(carried == 0, nowhere(old), old)
    chosen = maximum(old, select(incoming == 0, nowhere(new), new))
    change = scale - chosen
    return Carry(times_power_of_two(carry.dh, change), times_power_of_two(carry.dC, change)), chosen


@inline
def is_strained(p, carry):
    """Where a chunk ended near the end of the range; dh is 0 for good where no gate listens to h."""
    listens = (p.W_hf != 0.0) | (p.W_hi != 0.0) | (p.W_ho != 0.0) | (p.W_hc != 0.0)
    return outside(carry.dC, TINY, HUGE) | (listens & outside(carry.dh, TINY, HUGE))


@generic
def may_outgrow(p, C):
    """Where the weights allow more growth within a chunk than its range is made for; C is the largest |C_t|."""
    weights = absolute(p.W_hf) + absolute(p.W_hi) + absolute(p.W_ho) + absolute(p.W_hc)
    return ~(weights * (1.0 + C) <= of_dtype(C, MOST_GROWTH[0], MOST_GROWTH[1]))


@inline
def merge_total(total, chunk, shrink, weight):
    """total * shrink + chunk * weight."""
    return GateGradients(
        W_hf=fma(total.W_hf, shrink, chunk.W_hf * weight),
        W_xf=fma(total.W_xf, shrink, chunk.W_xf * weight),
        b_f=fma(total.b_f, shrink, chunk.b_f * weight),
        W_hi=fma(total.W_hi, shrink, chunk.W_hi * weight),
        W_xi=fma(total.W_xi, shrink, chunk.W_xi * weight),
        b_i=fma(total.b_i, shrink, chunk.b_i * weight),
        W_ho=fma(total.W_ho, shrink, chunk.W_ho * weight),
        W_xo=fma(total.W_xo, shrink, chunk.W_xo * weight),
        b_o=fma(total.b_o, shrink, chunk.b_o * weight),
        W_hc=fma(total.W_hc, shrink, chunk.W_hc * weight),
        W_xc=fma(total.W_xc, shrink, chunk.W_xc * weight),
        b_c=fma(total.b_c, shrink, chunk.b_c * weight),
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
    carry, scale, total, total_scale, dh_max, dC_max, strained = full
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
                    strained = strained | ((scale > nowhere(scale)) & is_strained(p, Carry(a.dh, a.dC)))
                    store(lag_columns, (2 * place, column), log10_scaled(a.dh, scale))
                    store(lag_columns, (2 * place + 1, column), log10_scaled(a.dC, scale))
            # M1 was above. M2, of 1997: dz_{t+1} dropped from dh_t. M3, one step: everything at t+1 dropped.
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
        strained = strained | ((scale > nowhere(scale)) & is_strained(p, carry))
        end = begin
    return Backward(
        Full(carry, scale, total, total_scale, dh_max, dC_max, strained),
        Truncated(cec_carry, cec_total),
        Truncated(nothing, local_total),
    )
