"""Backpropagation of the truncated modes, which drop what would grow: their adjoints need no scale."""

from collections import namedtuple

from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.registers import filled
from fastlstm.kernel.lstm import Carry, GateGradients, add_gradients, adjoint

Truncated = namedtuple("Truncated", "carry total")


@inline
def start_truncated(zero):
    return Truncated(Carry(zero, zero), filled(GateGradients, zero))


@inline
def step_back(carry_of_mode, so_far, p, seen):
    """The adjoint of a step, and carry and sums with it; carry_of_mode is lstm.carry_cec or lstm.carry_local."""
    a = adjoint(p.W_y, seen.r, so_far.carry)
    return a, Truncated(carry_of_mode(p, seen.r, a), add_gradients(so_far.total, a, seen.x, seen.r.h_before))
