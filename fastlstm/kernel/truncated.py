"""Backpropagation of the truncated modes: their adjoints have no scale.

Those of cec and local cannot grow. Those of a window can, over its steps: a draw that comes near the end of the range
is marked as suspect and computed again, see suspicion.
"""

from collections import namedtuple

from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.registers import filled
from fastlstm.kernel.lanes.simd import fill
from fastlstm.kernel.lstm import GateGradients, add_gradients, adjoint
from fastlstm.kernel.scale import near_the_end

Truncated = namedtuple("Truncated", "carry total suspect")


@inline
def start_truncated(last):
    """Before step T; last: what comes in through the last state."""
    zero = fill(last.dh, 0.0)
    return Truncated(last, filled(GateGradients, zero), zero < 0.0)


@inline
def step_back(carry_of_mode, so_far, p, seen):
    """The adjoint of a step, and carry and sums with it; carry_of_mode is carry_cec, _local or _window of lstm."""
    carry, r = so_far.carry, seen.r
    a = adjoint(p.W_y, r, carry)
    reaches_h = (r.delta != 0.0) | (carry.dh != 0.0)
    lost = (reaches_h & near_the_end(a.dh)) | ((reaches_h | (carry.dC != 0.0)) & near_the_end(a.dC))
    return a, Truncated(
        carry=carry_of_mode(p, r, a, seen.t, seen.terms.window),
        total=add_gradients(so_far.total, a, seen.x, r.h_before),
        suspect=so_far.suspect | lost,
    )
