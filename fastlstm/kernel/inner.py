"""The memory of what the gradients of the gates themselves need: C_{t-1}, i_t, g_t and tanh C_t of every step.

The record of the passes has these only in products with slopes, from which a saturated gate could not be told apart.
"""

from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.registers import load_registers, store_registers
from fastlstm.kernel.lstm import Inner


@inline
def keep_inner(seen):
    """Write a step, of which `seen` is a forward_pass.Seen, into scratch.inner."""
    now = seen.now
    inner = Inner(C_before=seen.before.C, i=now.i.value, g=now.g.value, tau=now.tau.value)
    store_registers(seen.scratch.inner, (seen.row,), inner)


@inline
def load_inner(seen):
    """The same step again in the backward pass, of which `seen` is a backward_pass.SeenBack."""
    return load_registers(Inner, seen.scratch.inner, (seen.row,))
