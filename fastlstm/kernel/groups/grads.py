"""The group `grads`: the 14 gradients of the full mode."""

from fastlstm.kernel.gradient_rows import Gradients
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.registers import load_registers, mapped
from fastlstm.kernel.scale import times_power_of_two


@inline
def columns(done):
    """The rows of the full gradient, without exponents."""
    rows = done.scratch.full
    sizes, exponents = load_registers(Gradients, rows.sizes, ()), load_registers(Gradients, rows.exponents, ())
    return mapped(times_power_of_two, (sizes, exponents), ())
