"""The group `cell`: how full the cell is, and how steep tanh is there."""

from collections import namedtuple

from fastlstm import measures
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.simd import absolute

Cell = namedtuple("Cell", [m.name for m in measures.group("cell")])
Sums = namedtuple("Sums", "size slope")


@inline
def start(zero):
    return Sums(zero, zero)


@inline
def add(sums, p, seen):
    """Add |C_t| and the slope 1 - tanh^2 C_t."""
    return Sums(sums.size + absolute(seen.now.C), sums.slope + seen.now.tau.slope)


@inline
def columns(done):
    """The largest |C_t|, and means over the steps."""
    sums, steps = done.ahead.tallies.cell, done.terms.steps
    return Cell(C_max=done.ahead.extent.C, C_mean=sums.size / steps, tau_slope=sums.slope / steps)
