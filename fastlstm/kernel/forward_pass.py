"""The forward pass of a register of draws. It leaves a record of each step for the backward pass to read in reverse.

What did not pay, in gradients of T = 100 on Zen 5, with the loop of the outputs apart: half of the lanes half a step
behind, tanh C of the one beside the gates of the other (3% slower); 64 lanes in float32 (14% slower, 8% without
dL/dx); the largest |x_t| taken in the loop of the outputs (1% slower).
"""

from collections import namedtuple

from numba import float64, int64, types

from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import load, store
from fastlstm.kernel.lanes.registers import filled, mapped, store_registers
from fastlstm.kernel.lanes.simd import absolute, fill, maximum
from fastlstm.kernel.lstm import (
    DELTA,
    GIVEN,
    H_BEFORE,
    MSE,
    Readout,
    State,
    add_readout,
    loss_and_delta,
    partials,
    step,
)
from fastlstm.kernel.wide import plain_lanes
from fastlstm.kernel.widened import of_kind

# How many steps, the codes of loss and read-out, from which step on (counted from 0) there is a loss, where a gate is
# saturated, and the steps of a window of truncated backpropagation
Terms = namedtuple("Terms", "steps loss readout first_loss_step saturation window")
TERMS = types.NamedTuple((int64, int64, int64, int64, float64, int64), Terms)  # their type
# The steps first..last-1, counted from 0, whose record is in memory: row 0 is step `first`
Window = namedtuple("Window", "first last")
# What the groups see of step t + 1: its row in memory, the state before it, the step and its partial derivatives
Seen = namedtuple("Seen", "t row before now d saturation scratch")
# The largest |C_t|, the largest |x_t| as a plain number, and whether any dy was not zero
Extent = namedtuple("Extent", "C x has_loss")
Forward = namedtuple("Forward", "state readout extent tallies")


@inline
def start_forward(state, record, options):
    """Before the first step; the kind of number is that of the record's memory."""
    state = State(of_kind(record, state.C), of_kind(record, state.h))
    return restart_forward(state, options)


@inline
def restart_forward(state, options):
    """Before the first step of a window."""
    zero = fill(state.C, 0.0)
    extent = Extent(C=zero, x=plain_lanes(zero), has_loss=zero > 0.0)
    return Forward(state, filled(Readout, zero), extent, mapped(options.start, (), (zero,)))


@inline
def forward(p, so_far, scratch, terms, window, options):
    """Run the steps of a window, leave their record, and return state, sums and tallies."""
    state, readout, extent, tallies = so_far
    for t in range(window.first, window.last):
        row = t - window.first
        x_t = load(scratch.x, (t,))
        now = step(p, state, x_t)
        d = partials(state, now)
        store_registers(scratch.record, (row,), d)
        store(scratch.record, (row, H_BEFORE), state.h)
        seen = Seen(t, row, state, now, d, terms.saturation, scratch)
        tallies = mapped(options.add, (tallies,), (p, seen))
        extent = Extent(maximum(extent.C, absolute(now.C)), maximum(extent.x, absolute(x_t)), extent.has_loss)
        state = State(now.C, now.h)
    readout, has_loss = _read_out(p, readout, extent.has_loss, state.h, scratch, terms, window)
    return Forward(state, readout, Extent(extent.C, extent.x, has_loss), tallies)


@inline
def _read_out(p, readout, has_loss, last_h, scratch, terms, window):
    """The outputs of a window and what they cost, and its record's delta.

    No step waits for an output, so they have a loop of their own: among the steps they took registers from the chain
    h -> gates -> C -> h, and gradients of T = 100 took 5 to 11% (float32) or 3 to 6% (float64) longer.
    """
    zero = fill(last_h, 0.0)
    for t in range(window.first, window.last):
        row = t - window.first
        h = load(scratch.record, (row + 1, H_BEFORE)) if t + 1 < window.last else last_h
        delta = zero
        if t >= terms.first_loss_step:  # for the loss `last` that is step T alone
            target = of_kind(scratch.record, load(scratch.target, (t,))) if terms.loss >= MSE else zero
            cost, delta = loss_and_delta(p, terms.loss, terms.readout, h, target)
            has_loss = has_loss | (target != 0.0) if terms.loss == GIVEN else has_loss | (zero < 1.0)
            readout = add_readout(readout, cost, delta, h)
        store(scratch.record, (row, DELTA), delta)
    return readout, has_loss
