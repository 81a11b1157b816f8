"""The group `grads`: the 14 gradients of the full mode, in float64 whatever the kernel computes in.

A draw of float32 has gradients beyond the range of that type; the sums carry exponents and lose nothing.
"""

from numba import float64, int64

from fastlstm.kernel.gradient_rows import Gradients
from fastlstm.kernel.lanes.convert import convert
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.registers import load_registers, mapped
from fastlstm.kernel.scale import times_power_of_two


@inline
def _number(size, exponent):
    return times_power_of_two(convert(size, float64), convert(exponent, int64))


@inline
def columns(done):
    """The rows of the full gradient, without exponents."""
    rows = done.scratch.full
    sizes, exponents = load_registers(Gradients, rows.sizes, ()), load_registers(Gradients, rows.exponents, ())
    return mapped(_number, (sizes, exponents), ())
