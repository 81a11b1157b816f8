"""The 14 gradients of a mode as rows of scratch, each with an exponent: norms and comparisons of any size.

`Rows` hold a size and an exponent for each gradient; a wide number brings its exponent along.
"""

from collections import namedtuple

from fastlstm.kernel.lanes.jit import generic, inline, meaning
from fastlstm.kernel.lanes.memory import load, store
from fastlstm.kernel.lanes.registers import mapped, store_column
from fastlstm.kernel.lanes.simd import fill, fma, maximum, square_root
from fastlstm.kernel.scale import exponent, log10_scaled, times_power_of_two
from fastlstm.kernel.wide import Wide, scale_of, size_of
from fastlstm.names import PARAMETERS

Gradients = namedtuple("Gradients", [f"d{name}" for name in PARAMETERS])

W_HI, READOUT, ALL = 3, 12, 14  # rows: of W_hi, where the read-out begins, where the gradients end


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


@meaning(store_gradients, Wide)
def _store_wide_gradients(rows, total, k, readout):
    store_column(rows.sizes, 0, mapped(size_of, (total,), ()))
    store_column(rows.exponents, 0, mapped(scale_of, (total,), ()))
    store(rows.sizes, (READOUT,), size_of(readout.W_y))
    store(rows.sizes, (READOUT + 1,), size_of(readout.b_y))
    store(rows.exponents, (READOUT,), scale_of(readout.W_y))
    store(rows.exponents, (READOUT + 1,), scale_of(readout.b_y))


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
def scale_rows(rows, k):
    """Give all rows the same exponent k."""
    for row in range(ALL):
        shift = load(rows.exponents, (row,)) - k
        store(rows.sizes, (row,), times_power_of_two(load(rows.sizes, (row,)), shift))
        store(rows.exponents, (row,), k)


@generic
def unscale_gradients(rows, like):
    """Give all rows the exponent 0. Plain gradients of the gates share theirs; those of the read-out have that one."""
    k = load(rows.exponents, (0,))
    for row in range(READOUT):
        store(rows.sizes, (row,), times_power_of_two(load(rows.sizes, (row,)), k))


@meaning(unscale_gradients, Wide)
def _unscale_wide_gradients(rows, like):
    scale_rows(rows, load(rows.exponents, (0,)) & 0)


@inline
def dot(rows, others):
    """The inner product of two sets of sizes."""
    total = fill(load(rows.sizes, (0,)), 0.0)
    for row in range(ALL):
        total = fma(load(rows.sizes, (row,)), load(others.sizes, (row,)), total)
    return total
