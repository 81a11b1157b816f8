"""Which draws are suspect: plain numbers may have lost something on the way, so they must be computed again.

A suspect draw of float32 is computed in float64, from the values drawn in float32; a suspect one of float64 with wide
numbers, of which nothing is suspect. Whether a draw is suspect follows from the draw alone. From the first step on it
has the orbit of the arithmetic that it is computed in last.
"""

from fastlstm.kernel.elementary import GATE_RANGE
from fastlstm.kernel.gradient_rows import READOUT
from fastlstm.kernel.lanes.convert import by_width
from fastlstm.kernel.lanes.jit import generic, inline, meaning
from fastlstm.kernel.lanes.memory import load
from fastlstm.kernel.lanes.simd import absolute, maximum
from fastlstm.kernel.random import C_0, H_0
from fastlstm.kernel.scale import EXPONENT_OF_ZERO, near_the_end, outside
from fastlstm.kernel.wide import Wide

# What computes the draws again that are suspect in an arithmetic
AFTER = {"float32": "float64", "float64": "wide"}


def from_type(dtype):
    """All that may compute the draws of a type, in order."""
    return (dtype, *from_type(AFTER[dtype])) if dtype in AFTER else (dtype,)


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
    return p.W_y < p.W_y


@generic
def may_leave_gate_range(p, h_0, extent):
    """Where a pre-activation may be larger than what plain gates take: |h_t| is at most 1."""
    h, x = maximum(absolute(h_0), 1.0), extent.x
    z_f = absolute(p.W_hf) * h + absolute(p.W_xf) * x + absolute(p.b_f)
    z_i = absolute(p.W_hi) * h + absolute(p.W_xi) * x + absolute(p.b_i)
    z_o = absolute(p.W_ho) * h + absolute(p.W_xo) * x + absolute(p.b_o)
    z_c = absolute(p.W_hc) * h + absolute(p.W_xc) * x + absolute(p.b_c)
    z_y = absolute(p.W_y) + absolute(p.b_y)
    furthest = GATE_RANGE(x)
    inside = (z_f <= furthest) & (z_i <= furthest) & (z_o <= furthest) & (2.0 * z_c <= furthest) & (z_y <= furthest)
    return ~inside  # also of NaN


@meaning(may_leave_gate_range, Wide)
def _never_out_of_range(p, h_0, extent):
    return h_0 < h_0


@generic
def suspect_sums(rows, h_0, C_0, steps, extent):
    """Where a gradient is so small, or so large, that it may not be what it should; true zeros are not."""
    has_h = h_0 != 0.0 if steps == 1 else h_0 == h_0
    has_C = C_0 != 0.0 if steps == 1 else C_0 == C_0
    has_input = extent.x != 0.0
    lost = extent.has_loss & _suspect_sum(rows, READOUT + 1)
    k = load(rows.exponents, (0,))
    alive = k > EXPONENT_OF_ZERO(k)
    for row in range(0, READOUT, 3):
        reached = alive & has_C if row == 0 else alive
        lost = lost | (reached & has_h & _suspect_sum(rows, row))
        lost = lost | (reached & has_input & _suspect_sum(rows, row + 1))
        lost = lost | (reached & _suspect_sum(rows, row + 2))
    return lost


@meaning(suspect_sums, Wide)
def _never_lost(rows, h_0, C_0, steps, extent):
    return h_0 < h_0


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
    out_of_range = may_leave_gate_range(done.p, h, extent)
    return done.back.full.suspect | may_outgrow(done.p, extent.C) | out_of_range | lost
