"""Which draws are suspect: plain numbers may have lost something on the way, so wide ones must compute them again.

Nothing that wide numbers compute is suspect.
"""

from fastlstm.kernel.gradient_rows import READOUT
from fastlstm.kernel.lanes.convert import by_width
from fastlstm.kernel.lanes.jit import generic, inline, meaning
from fastlstm.kernel.lanes.memory import load
from fastlstm.kernel.lanes.simd import absolute
from fastlstm.kernel.random import C_0, H_0
from fastlstm.kernel.scale import EXPONENT_OF_ZERO, near_the_end, outside
from fastlstm.kernel.wide import Wide

# Of a step. Within a chunk that is less than what lies between TINY and the smallest number.
MOST_GROWTH = by_width(2.0**8, 2.0**10)
SMALLEST_SUM = by_width(2.0**-90, 2.0**-900)  # a sum over time whose terms may have underflowed
LARGEST_SUM = by_width(2.0**120, 2.0**1000)


@inline
def suspect_adjoint(p, adjoint, scale):
    """Where dh or dC, times 2^-scale, came near the end of the range; dh is 0 for good where no gate listens to h."""
    listens = (p.W_hf != 0.0) | (p.W_hi != 0.0) | (p.W_ho != 0.0) | (p.W_hc != 0.0)
    near = near_the_end(adjoint.dC) | (listens & near_the_end(adjoint.dh))
    return (scale > EXPONENT_OF_ZERO(scale)) & near


@generic
def may_outgrow(p, C):
    """Where the weights allow more growth within a chunk than its range is made for; C is the largest |C_t|."""
    weights = absolute(p.W_hf) + absolute(p.W_hi) + absolute(p.W_ho) + absolute(p.W_hc)
    return ~(weights * (1.0 + C) <= MOST_GROWTH(C))


@meaning(may_outgrow, Wide)
def _never(p, C):
    return p.W_y != p.W_y


@generic
def suspect_sums(rows, h_0, C_0, steps, extent):
    """Where a gradient is so small, or so large, that it may not be what it should; true zeros are not."""
    has_h = h_0 != 0.0 if steps == 1 else h_0 == h_0
    has_C = C_0 != 0.0 if steps == 1 else C_0 == C_0
    lost = extent.has_loss & _suspect_sum(rows, READOUT + 1)
    k = load(rows.exponents, (0,))
    alive = k > EXPONENT_OF_ZERO(k)
    for row in range(0, READOUT, 3):
        reached = alive & has_C if row == 0 else alive
        lost = lost | (reached & has_h & _suspect_sum(rows, row))
        lost = lost | (reached & extent.has_input & _suspect_sum(rows, row + 1))
        lost = lost | (reached & _suspect_sum(rows, row + 2))
    return lost


@meaning(suspect_sums, Wide)
def _never_lost(rows, h_0, C_0, steps, extent):
    return h_0 != h_0


@inline
def _suspect_sum(rows, row):
    size = load(rows.sizes, (row,))
    return outside(size, SMALLEST_SUM(size), LARGEST_SUM(size))


@inline
def suspect(done):
    """Where plain numbers may have lost something in the passes; the full gradients are in their rows."""
    h, C = load(done.scratch.values, (H_0,)), load(done.scratch.values, (C_0,))
    extent = done.ahead.extent
    lost = suspect_sums(done.scratch.full, h, C, done.terms.steps, extent)
    return done.back.full.suspect | may_outgrow(done.p, extent.C) | lost
