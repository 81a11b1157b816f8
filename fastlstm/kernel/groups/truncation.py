"""The group `truncation`: the gradients of 1997 and of one step, held against the full one."""

from collections import namedtuple
from math import inf

from fastlstm import measures
from fastlstm.kernel.gradient_rows import ALL, W_HI, dot, norm, scale_rows, store_gradients
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import load, store
from fastlstm.kernel.lanes.simd import fill, select
from fastlstm.kernel.lstm import carry_cec, carry_local
from fastlstm.kernel.scale import times_power_of_two
from fastlstm.kernel.truncated import start_truncated, step_back

Truncation = namedtuple("Truncation", [m.name for m in measures.group("truncation")])
Truncations = namedtuple("Truncations", "cec local")
Truncated = namedtuple("Truncated", "rel_error cosine W_hi_sign")


@inline
def start_back(last):
    return Truncations(start_truncated(last), start_truncated(last))


@inline
def add_back(so_far, p, seen, out):
    """One step back in both modes."""
    _, cec = step_back(carry_cec, so_far.cec, p, seen)
    _, local = step_back(carry_local, so_far.local, p, seen)
    return Truncations(cec, local)


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
    return Truncated(
        rel_error=select(size > 0, error, select(gap_size > 0, fill(zero, inf), zero)),
        cosine=select((size > 0) & (other_size > 0), cosine, zero),
        W_hi_sign=select(W_hi_agrees > 0, fill(zero, 1.0), select(W_hi_agrees < 0, fill(zero, -1.0), zero)),
    )


@inline
def columns(done):
    """Both truncations against the full gradient; leaves the rows of the full one scaled."""
    scratch, so_far, readout = done.scratch, done.back.tallies.truncation, done.ahead.readout
    _, k = norm(scratch.full, 0, ALL)
    scale_rows(scratch.full, k)
    store_gradients(scratch.truncated, so_far.cec.total, k & 0, readout)
    cec = compare(scratch.full, scratch.truncated, scratch.gap)
    store_gradients(scratch.truncated, so_far.local.total, k & 0, readout)
    local = compare(scratch.full, scratch.truncated, scratch.gap)
    return Truncation(
        cec_rel_error=cec.rel_error,
        cec_cosine=cec.cosine,
        cec_W_hi_sign=cec.W_hi_sign,
        local_rel_error=local.rel_error,
        local_cosine=local.cosine,
        local_W_hi_sign=local.W_hi_sign,
    )
