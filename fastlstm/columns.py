"""What is recorded of a register of draws: the columns of each group, from the tallies of the two passes.

The gradients of a draw lie in scratch rows 0..11 (gates, times 2^-scale) and 12..13 (read-out, as they are).
"""

from collections import namedtuple
from math import inf

from fastlstm import measures
from fastlstm.bptt import log_forget
from fastlstm.jit import inline
from fastlstm.scale import log10_scaled, log_scaled, norm, times_power_of_two
from fastlstm.simd import fill, fma, load, maximum, select, square_root, store, store_column

LN_10 = 2.302585092994045684

Gates = namedtuple("Gates", [m.name for m in measures.group("gates")])
Norms = namedtuple("Norms", [m.name for m in measures.group("norms")])
Carousel = namedtuple("Carousel", [m.name for m in measures.group("carousel")])
Jacobian = namedtuple("Jacobian", [m.name for m in measures.group("jacobian")])
Truncation = namedtuple("Truncation", [m.name for m in measures.group("truncation")])
Comparison = namedtuple("Comparison", "rel_error cosine W_hi_sign")

W_HI, READOUT, ALL = 3, 12, 14  # rows: of W_hi, where the read-out begins, where the gradients end


@inline
def gate_columns(shares, means, steps):
    """Shares of the steps, and means over them."""
    return Gates(
        f_left=shares.f_left / steps,
        f_right=shares.f_right / steps,
        i_left=shares.i_left / steps,
        i_right=shares.i_right / steps,
        o_left=shares.o_left / steps,
        o_right=shares.o_right / steps,
        f_mean=means.f_mean / steps,
        f_slope=means.f_slope / steps,
        i_mean=means.i_mean / steps,
        i_slope=means.i_slope / steps,
        o_mean=means.o_mean / steps,
        o_slope=means.o_slope / steps,
        g_sat=means.g_sat / steps,
        g_slope=means.g_slope / steps,
    )


@inline
def carousel_columns(forget, steps):
    """The product of the forget gates, and the time in which it falls to 1/e."""
    log_product = log_forget(forget)
    return Carousel(log10_forget=log_product / LN_10, memory_time=-steps / log_product)


@inline
def jacobian_columns(tangent, forget, steps):
    """Entries and singular values of the product of the Jacobians: the exponents are (1/T) ln of the latter.

    The smaller singular value is |det| / the larger, and |det| the product of f_t |b_t|: no cancellation.
    """
    common = maximum(tangent.scale_C, tangent.scale_h)
    a = times_power_of_two(tangent.CC, tangent.scale_C - common)
    c = times_power_of_two(tangent.hC, tangent.scale_C - common)
    b = times_power_of_two(tangent.Ch, tangent.scale_h - common)
    d = times_power_of_two(tangent.hh, tangent.scale_h - common)
    larger = 0.5 * (
        square_root(fma(a + d, a + d, (b - c) * (b - c))) + square_root(fma(a - d, a - d, (b + c) * (b + c)))
    )
    log_larger = log_scaled(larger, common)
    log_det = log_forget(forget) + log_scaled(tangent.b, tangent.scale_b)
    return Jacobian(
        lyapunov_1=log_larger / steps,
        lyapunov_2=select(log_larger > -inf, log_det - log_larger, log_det) / steps,
        log10_J_CC=log10_scaled(tangent.CC, tangent.scale_C),
        log10_J_Ch=log10_scaled(tangent.Ch, tangent.scale_h),
        log10_J_hC=log10_scaled(tangent.hC, tangent.scale_C),
        log10_J_hh=log10_scaled(tangent.hh, tangent.scale_h),
        b_max=tangent.b_max,
    )


@inline
def store_gradients(rows, total, readout):
    """Put the gradients of a mode into their rows."""
    store_column(rows, 0, total)
    store(rows, (READOUT,), readout.W_y)
    store(rows, (READOUT + 1,), readout.b_y)


@inline
def log10_norm(rows, first, last, k):
    """log10 of the L2 norm of some rows, times 2^k."""
    size, own = norm(rows, first, last)
    return log10_scaled(size, own + k)


@inline
def norm_columns(rows, full, readout):
    """Norms of the full gradient as logarithms, whatever their size."""
    k, unscaled = full.total_scale, full.total_scale & 0
    carry, last = full.carry, full.scale
    gate_size, gate_own = norm(rows, 0, READOUT)
    readout_size, readout_own = norm(rows, READOUT, ALL)
    common = maximum(gate_own + k, readout_own)
    gate_part = times_power_of_two(gate_size, gate_own + k - common)
    readout_part = times_power_of_two(readout_size, readout_own - common)
    return Norms(
        log10_dh0=log10_scaled(carry.dh, last),
        log10_dC0=log10_scaled(carry.dC, last),
        log10_dh_max=maximum(log10_scaled(full.dh_max, k), log10_scaled(carry.dh, last)),
        log10_dC_max=maximum(log10_scaled(full.dC_max, k), log10_scaled(carry.dC, last)),
        loss=readout.loss,
        log10_grad=0.5 * log10_scaled(gate_part * gate_part + readout_part * readout_part, 2 * common),
        log10_grad_f=log10_norm(rows, 0, 3, k),
        log10_grad_i=log10_norm(rows, 3, 6, k),
        log10_grad_o=log10_norm(rows, 6, 9, k),
        log10_grad_c=log10_norm(rows, 9, READOUT, k),
        log10_grad_y=log10_norm(rows, READOUT, ALL, unscaled),
    )


@inline
def dot(rows, others):
    """The inner product of two sets of 14 rows."""
    total = fill(load(rows, (0,)), 0.0)
    for row in range(ALL):
        total = total + load(rows, (row,)) * load(others, (row,))
    return total


@inline
def scale_rows(rows, first, last, k):
    for row in range(first, last):
        store(rows, (row,), times_power_of_two(load(rows, (row,)), k))


@inline
def bring_to_unit(rows, k):
    """Scale all 14 rows, the gates' being times 2^-k, to a norm of about 1; what they were multiplied by is 2^-result."""
    _, gate_own = norm(rows, 0, READOUT)
    _, readout_own = norm(rows, READOUT, ALL)
    common = maximum(gate_own + k, readout_own)
    scale_rows(rows, 0, READOUT, k - common)
    scale_rows(rows, READOUT, ALL, -common)
    return common


@inline
def compare(rows, others, gap, common):
    """Hold a truncated gradient (`others`, as it is) against the full one (`rows`, times 2^-common); `gap` is scratch."""
    W_hi_agrees = load(rows, (W_HI,)) * load(others, (W_HI,))
    scale_rows(others, 0, ALL, -common)
    for row in range(ALL):
        store(gap, (row,), load(others, (row,)) - load(rows, (row,)))
    size, own = norm(rows, 0, ALL)
    gap_size, gap_own = norm(gap, 0, ALL)
    other_own = bring_to_unit(others, own & 0)
    other_size, rest = norm(others, 0, ALL)
    zero = fill(size, 0.0)
    error = times_power_of_two(gap_size / size, gap_own - own)
    cosine = times_power_of_two(dot(rows, others) / (size * other_size), -own - rest)
    return Comparison(
        rel_error=select(size > 0, error, select(gap_size > 0, fill(zero, 1.0) / zero, zero)),
        cosine=select((size > 0) & (other_size > 0), cosine, zero),
        W_hi_sign=select(W_hi_agrees > 0, fill(zero, 1.0), select(W_hi_agrees < 0, fill(zero, -1.0), zero)),
    )


@inline
def truncation_columns(rows, others, gap, back, readout):
    """Both truncations against the full gradient; leaves the rows scaled."""
    common = bring_to_unit(rows, back.full.total_scale)
    store_gradients(others, back.cec.total, readout)
    cec = compare(rows, others, gap, common)
    store_gradients(others, back.local.total, readout)
    local = compare(rows, others, gap, common)
    return Truncation(
        cec_rel_error=cec.rel_error,
        cec_cosine=cec.cosine,
        cec_W_hi_sign=cec.W_hi_sign,
        local_rel_error=local.rel_error,
        local_cosine=local.cosine,
        local_W_hi_sign=local.W_hi_sign,
    )
