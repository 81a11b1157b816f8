"""The group `norms`: the loss, and norms of the full gradient as logarithms, whatever their size."""

from collections import namedtuple

from fastlstm import measures
from fastlstm.kernel.gradient_rows import ALL, READOUT, log10_norm
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.simd import maximum
from fastlstm.kernel.scale import log10_scaled

Norms = namedtuple("Norms", [m.name for m in measures.group("norms")])


@inline
def columns(done):
    """From the sums of the backward pass, and from the rows of the full gradient."""
    rows, full = done.scratch.full, done.back.full
    carry, k = full.carry, full.total_scale
    dh0, dC0 = log10_scaled(carry.dh, full.scale), log10_scaled(carry.dC, full.scale)
    return Norms(
        log10_dh0=dh0,
        log10_dC0=dC0,
        log10_dh_max=maximum(log10_scaled(full.dh_max, k), dh0),
        log10_dC_max=maximum(log10_scaled(full.dC_max, k), dC0),
        loss=done.ahead.readout.loss,
        log10_grad=log10_norm(rows, 0, ALL),
        log10_grad_f=log10_norm(rows, 0, 3),
        log10_grad_i=log10_norm(rows, 3, 6),
        log10_grad_o=log10_norm(rows, 6, 9),
        log10_grad_c=log10_norm(rows, 9, READOUT),
        log10_grad_y=log10_norm(rows, READOUT, ALL),
    )
