"""What is recorded of a register of draws: the columns of each group, from the tallies of the two passes.

The 14 gradients of a mode lie in scratch as `Rows`: sizes, and an exponent for each.
"""

from collections import namedtuple
from math import inf

from fastlstm import measures
from fastlstm.kernel.forward_pass import log_forget
from fastlstm.kernel.lanes.jit import generic, inline
from fastlstm.kernel.lanes.memory import load, store, store_column
from fastlstm.kernel.lanes.simd import absolute, fill, fma, maximum, select, square_root
from fastlstm.kernel.scale import exponent, log10_scaled, log_scaled, nowhere, outside, times_power_of_two

LN_10 = 2.302585092994045684

Gates = namedtuple("Gates", [m.name for m in measures.group("gates")])
Norms = namedtuple("Norms", [m.name for m in measures.group("norms")])
Carousel = namedtuple("Carousel", [m.name for m in measures.group("carousel")])
Jacobian = namedtuple("Jacobian", [m.name for m in measures.group("jacobian")])
Truncation = namedtuple("Truncation", [m.name for m in measures.group("truncation")])
Comparison = namedtuple("Comparison", "rel_error cosine W_hi_sign")

# Rows of sizes (float) and exponents (integer): row k of a register is sizes[k] * 2^exponents[k]
Rows = namedtuple("Rows", "sizes exponents")

W_HI, READOUT, ALL = 3, 12, 14  # rows: of W_hi, where the read-out begins, where the gradients end
SMALLEST_SUM = (2.0**-90, 2.0**-900)  # a sum over time whose terms may have underflowed
LARGEST_SUM = (2.0**120, 2.0**1000)


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
    return Carousel(log10_forget=log_product / LN_10, memory_time=steps / absolute(log_product))


@inline
def jacobian_columns(tangent, forget, steps):
    """Entries and singular values of the product of the Jacobians (J7): the exponents are (1/T) ln of the latter.

    The smaller singular value is |det| / the larger, and |det| the product of f_t |b_t| (J5): no cancellation.
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


@generic
def store_gradients(rows, total, k, readout):
    """Put the gradients of a mode, those of the gates being times 2^-k, into their rows."""
    store_column(rows.sizes, 0, total)
    for row in range(READOUT):
        store(rows.exponents, (row,), k)
    store(rows.sizes, (READOUT,), readout.W_y)
    store(rows.sizes, (READOUT + 1,), readout.b_y)
    store(rows.exponents, (READOUT,), k & 0)
    store(rows.exponents, (READOUT + 1,), k & 0)


@generic
def lost_sums(rows, h_0, C_0, steps, extent):
    """Where a gradient is so small, or so large, that it may not be what it should; true zeros are not."""
    has_h = h_0 != 0.0 if steps == 1 else h_0 == h_0
    has_C = C_0 != 0.0 if steps == 1 else C_0 == C_0
    lost = extent.has_loss & outside(load(rows.sizes, (READOUT + 1,)), SMALLEST_SUM, LARGEST_SUM)
    k = load(rows.exponents, (0,))
    alive = extent.has_loss & (k > nowhere(k))
    for row in range(0, READOUT, 3):
        reached = alive & has_C if row == 0 else alive
        lost = lost | (reached & has_h & outside(load(rows.sizes, (row,)), SMALLEST_SUM, LARGEST_SUM))
        by_input = outside(load(rows.sizes, (row + 1,)), SMALLEST_SUM, LARGEST_SUM)
        lost = lost | (reached & extent.has_input & by_input)
        lost = lost | (reached & outside(load(rows.sizes, (row + 2,)), SMALLEST_SUM, LARGEST_SUM))
    return lost


@inline
def norm(rows, first, last):
    """The L2 norm over rows first..last-1 as (size, k), meaning size * 2^k with size about 1, or 0."""
    k = exponent(load(rows.sizes, (first,))) + load(rows.exponents, (first,))
    for row in range(first + 1, last):
        k = maximum(k, exponent(load(rows.sizes, (row,))) + load(rows.exponents, (row,)))
    squares = fill(load(rows.sizes, (first,)), 0.0)
    for row in range(first, last):
        v = times_power_of_two(load(rows.sizes, (row,)), load(rows.exponents, (row,)) - k)
        squares = fma(v, v, squares)
    return square_root(squares), k


@inline
def log10_norm(rows, first, last):
    """log10 of the L2 norm over some rows."""
    size, k = norm(rows, first, last)
    return log10_scaled(size, k)


@inline
def norm_columns(rows, full, readout):
    """Norms of the full gradient as logarithms, whatever their size."""
    carry, k = full.carry, full.total_scale
    dh0, dC0 = log10_scaled(carry.dh, full.scale), log10_scaled(carry.dC, full.scale)
    return Norms(
        log10_dh0=dh0,
        log10_dC0=dC0,
        log10_dh_max=maximum(log10_scaled(full.dh_max, k), dh0),
        log10_dC_max=maximum(log10_scaled(full.dC_max, k), dC0),
        loss=readout.loss,
        log10_grad=log10_norm(rows, 0, ALL),
        log10_grad_f=log10_norm(rows, 0, 3),
        log10_grad_i=log10_norm(rows, 3, 6),
        log10_grad_o=log10_norm(rows, 6, 9),
        log10_grad_c=log10_norm(rows, 9, READOUT),
        log10_grad_y=log10_norm(rows, READOUT, ALL),
    )


@inline
def scale_rows(rows, k):
    """Give all rows the same exponent k."""
    for row in range(ALL):
        shift = load(rows.exponents, (row,)) - k
        store(rows.sizes, (row,), times_power_of_two(load(rows.sizes, (row,)), shift))
        store(rows.exponents, (row,), k)


@inline
def dot(rows, others):
    """The inner product of two sets of sizes."""
    total = fill(load(rows.sizes, (0,)), 0.0)
    for row in range(ALL):
        total = fma(load(rows.sizes, (row,)), load(others.sizes, (row,)), total)
    return total


@inline
def compare(rows, others, gap):
    """Hold a truncated gradient (`others`) against the full one, whose exponents are those of its norm already."""
    k = load(rows.exponents, (0,))
    zero = fill(load(rows.sizes, (0,)), 0.0)
    W_hi_agrees = load(rows.sizes, (W_HI,)) * load(others.sizes, (W_HI,))
    for row in range(ALL):
        other = times_power_of_two(load(others.sizes, (row,)), load(others.exponents, (row,)) - k)
        store(gap.sizes, (row,), other - load(rows.sizes, (row,)))
        store(gap.exponents, (row,), k)
    size, own = norm(rows, 0, ALL)
    gap_size, gap_own = norm(gap, 0, ALL)
    other_size, other_own = norm(others, 0, ALL)
    scale_rows(others, other_own)
    error = times_power_of_two(gap_size / size, gap_own - own)
    cosine = times_power_of_two(dot(rows, others) / (size * other_size), k - own)
    return Comparison(
        rel_error=select(size > 0, error, select(gap_size > 0, fill(zero, inf), zero)),
        cosine=select((size > 0) & (other_size > 0), cosine, zero),
        W_hi_sign=select(W_hi_agrees > 0, fill(zero, 1.0), select(W_hi_agrees < 0, fill(zero, -1.0), zero)),
    )


@inline
def truncation_columns(rows, others, gap, back, readout):
    """Both truncations against the full gradient; leaves the rows scaled."""
    _, k = norm(rows, 0, ALL)
    scale_rows(rows, k)
    unscaled = k & 0
    store_gradients(others, back.cec.total, unscaled, readout)
    cec = compare(rows, others, gap)
    store_gradients(others, back.local.total, unscaled, readout)
    local = compare(rows, others, gap)
    return Truncation(
        cec_rel_error=cec.rel_error,
        cec_cosine=cec.cosine,
        cec_W_hi_sign=cec.W_hi_sign,
        local_rel_error=local.rel_error,
        local_cosine=local.cosine,
        local_W_hi_sign=local.W_hi_sign,
    )
