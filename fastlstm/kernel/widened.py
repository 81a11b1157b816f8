"""The kernels over wide numbers: the same source as draws.py and arrays.py, for draws that plain lanes cannot hold."""

from fastlstm.kernel import arrays, backward_pass, columns, draws, forward_pass, lstm, wide
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import store


@inline
def store_gradients(rows, total, k, readout):
    """Put the gradients of a mode into their rows: every wide number has its exponent."""
    row = 0
    for v in total:
        store(rows.sizes, (row,), wide.size_of(v))
        store(rows.exponents, (row,), wide.scale_of(v))
        row += 1
    for v in (readout.W_y, readout.b_y):
        store(rows.sizes, (row,), wide.size_of(v))
        store(rows.exponents, (row,), wide.scale_of(v))
        row += 1


@inline
def lost_sums(rows, h_0, C_0, steps, extent):
    """Nowhere."""
    return h_0 != h_0


@inline
def may_outgrow(p, C):
    """Nowhere."""
    return p.W_y != p.W_y


_names = vars(wide)
_lstm = vars(wide.over(lstm, _names))
_forward = vars(wide.over(forward_pass, _names, _lstm))
_backward = vars(wide.over(backward_pass, _names, _lstm)) | {"may_outgrow": may_outgrow}
_columns = vars(wide.over(columns, _names, _forward, {"store_gradients": store_gradients}))
_columns |= {"lost_sums": lost_sums}
_draws = wide.over(draws, _names, _forward, _backward, _columns, {"NUMBERS": "wide"})
_arrays = wide.over(arrays, _names, _lstm, _forward, _backward, _columns, vars(_draws))

allocate_scratch = _draws.allocate_scratch
build_simulation = _draws.build_simulation
build_gradients = _arrays.build_gradients
