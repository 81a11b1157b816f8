"""The forward pass of a register of draws. It leaves a record of each step for the backward pass to read in reverse."""

from collections import namedtuple

from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import load
from fastlstm.kernel.lanes.registers import filled, mapped, store_registers
from fastlstm.kernel.lanes.simd import absolute, fill, maximum
from fastlstm.kernel.lstm import (
    GIVEN,
    MSE,
    Readout,
    State,
    add_readout,
    loss_and_delta,
    partials,
    record,
    step,
)
from fastlstm.kernel.wide import plain_lanes
from fastlstm.kernel.widened import of_kind

# How many steps, from which on (counted from 0) they carry a loss, where a gate is saturated, and the steps of a
# window of truncated backpropagation
Terms = namedtuple("Terms", "steps first_loss_step saturation window")
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
    zero = fill(state.C, 0.0)
    for t in range(window.first, window.last):
        x_t = load(scratch.x, (t,))
        now = step(p, state, x_t)
        d = partials(state, now)
        delta = zero
        if t >= terms.first_loss_step:  # for the loss `last` that is step T alone
            target = of_kind(scratch.record, load(scratch.target, (t,))) if options.loss >= MSE else zero
            cost, delta = loss_and_delta(p, options.loss, options.readout, now.h, target)
            has_loss = extent.has_loss | (target != 0.0) if options.loss == GIVEN else extent.has_loss | (zero < 1.0)
            extent = Extent(extent.C, extent.x, has_loss)
            readout = add_readout(readout, cost, delta, now.h)
        store_registers(scratch.record, (t - window.first,), record(d, state.h, delta))
        seen = Seen(t, t - window.first, state, now, d, terms.saturation, scratch)
        tallies = mapped(options.add, (tallies,), (p, seen))
        extent = Extent(maximum(extent.C, absolute(now.C)), maximum(extent.x, absolute(x_t)), extent.has_loss)
        state = State(now.C, now.h)
    return Forward(state, readout, extent, tallies)
