"""Backpropagation through time for a register of draws, from the record that the forward pass left.

It runs in chunks of a few steps. Inside a chunk the arithmetic is plain; between chunks everything is scaled by
exact powers of two, so that neither decay nor growth over time leaves the range of a float. Lanes in which a chunk
itself came near the end of that range are marked as suspect: the draw is computed again, see suspicion.
"""

from collections import namedtuple

from fastlstm.kernel.lanes.convert import as_integer, by_width
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import load
from fastlstm.kernel.lanes.registers import filled, load_registers, mapped
from fastlstm.kernel.lanes.simd import absolute, fill, fma, maximum, select
from fastlstm.kernel.lstm import DELTA, Carry, GateGradients, Record, add_gradients, adjoint, carry_full
from fastlstm.kernel.scale import EXPONENT_OF_ZERO, exponent, power_of_two, times_power_of_two
from fastlstm.kernel.suspicion import suspect_adjoint

# Gradients, times 2^-scale of the chunk or 2^-total_scale of all of time
Full = namedtuple("Full", "carry scale total total_scale dh_max dC_max suspect")
Backward = namedtuple("Backward", "full tallies")
# What groups and modes see of step t + 1: how many follow, its row in memory, the input, the record, and the full
# adjoint times 2^-scale
SeenBack = namedtuple("SeenBack", "lag t row x r a scale terms scratch")

# Steps between two scalings: few enough that ordinary weights stay in range.
CHUNK = {"float32": 4, "float64": 16}
CHUNK_STEPS = by_width(*CHUNK.values())


@inline
def start_backward(last, options):
    """Before step T, where everything at T+1 is 0 but for what comes in through the last state."""
    zero = fill(last.dh, 0.0)
    none = fill(as_integer(zero), EXPONENT_OF_ZERO(as_integer(zero)))
    full = Full(last, none & 0, filled(GateGradients, zero), none, zero, zero, zero < 0.0)
    return Backward(full, mapped(options.start_back, (), (last,)))


@inline
def rescale(carry, scale, incoming):
    """Choose the chunk's scale: the larger of what is carried and of what comes in becomes about 1."""
    carried = maximum(absolute(carry.dh), absolute(carry.dC))
    old = exponent(carried) + scale
    new = exponent(incoming)
    old = select(carried == 0, EXPONENT_OF_ZERO(old), old)
    chosen = maximum(old, select(incoming == 0, EXPONENT_OF_ZERO(new), new))
    change = scale - chosen
    return Carry(times_power_of_two(carry.dh, change), times_power_of_two(carry.dC, change)), chosen


@inline
def _merged(total, chunk, shrink, weight):
    return fma(total, shrink, chunk * weight)


@inline
def backward(p, so_far, scratch, terms, window, out, options):
    """Run the steps of a window backwards; groups and modes write to `out`."""
    full, tallies = so_far
    zero = fill(full.dh_max, 0.0)
    carry, scale, total, total_scale, dh_max, dC_max, suspect = full
    end = window.last
    while end > window.first:
        begin = max(window.first, end - CHUNK_STEPS(scratch.x))
        incoming = zero
        for t in range(begin, end):
            incoming = maximum(incoming, absolute(load(scratch.record, (t - window.first, DELTA))))
        carry, scale = rescale(carry, scale, absolute(p.W_y) * incoming)
        W_y = p.W_y * power_of_two(-scale)
        chunk = filled(GateGradients, zero)
        chunk_dh = zero
        chunk_dC = zero
        for t in range(end - 1, begin - 1, -1):
            r = load_registers(Record, scratch.record, (t - window.first,))
            x_t = load(scratch.x, (t,))
            a = adjoint(W_y, r, carry)
            carry = carry_full(p, r, a)
            chunk = add_gradients(chunk, a, x_t, r.h_before)
            chunk_dh = maximum(chunk_dh, absolute(a.dh))
            chunk_dC = maximum(chunk_dC, absolute(a.dC))
            seen = SeenBack(terms.steps - 1 - t, t, t - window.first, x_t, r, a, scale, terms, scratch)
            tallies = mapped(options.add_back, (tallies,), (p, seen, out))
        new_scale = maximum(total_scale, scale)
        shrink = power_of_two(total_scale - new_scale)
        weight = power_of_two(scale - new_scale)
        total = mapped(_merged, (total, chunk), (shrink, weight))
        dh_max = maximum(dh_max * shrink, chunk_dh * weight)
        dC_max = maximum(dC_max * shrink, chunk_dC * weight)
        total_scale = new_scale
        suspect = suspect | suspect_adjoint(p, carry, scale)
        end = begin
    return Backward(Full(carry, scale, total, total_scale, dh_max, dC_max, suspect), tallies)
