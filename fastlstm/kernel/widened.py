"""What wide numbers do differently in the passes: nothing is ever lost, and every gradient has its exponent."""

from numba.core import types
from numba.extending import overload

from fastlstm.kernel import backward_pass, columns, forward_pass, wide
from fastlstm.kernel.lanes.jit import OPTIONS, for_kind
from fastlstm.kernel.lanes.memory import store


@overload(forward_pass.held_in, jit_options=OPTIONS, strict=False)
def _held_in(array, v):
    if isinstance(array, types.BaseTuple):
        return (lambda array, v: v) if isinstance(v, wide.Wide) else (lambda array, v: wide.widen(v))


@for_kind(columns.store_gradients)
def _store_gradients(rows, total, k, readout):
    row = 0
    for v in total:
        store(rows.sizes, (row,), wide.size_of(v))
        store(rows.exponents, (row,), wide.scale_of(v))
        row += 1
    for v in (readout.W_y, readout.b_y):
        store(rows.sizes, (row,), wide.size_of(v))
        store(rows.exponents, (row,), wide.scale_of(v))
        row += 1


@for_kind(columns.lost_sums)
def _lost_sums(rows, h_0, C_0, steps, extent):
    return h_0 != h_0


@for_kind(backward_pass.may_outgrow)
def _may_outgrow(p, C):
    return p.W_y != p.W_y
