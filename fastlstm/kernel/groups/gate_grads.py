"""The group `gate_grads`: the size of the gradients of the gates f, i, o and of the candidate g, over all steps."""

from collections import namedtuple

from fastlstm import measures
from fastlstm.kernel.inner import keep_inner, load_inner
from fastlstm.kernel.lanes.convert import as_integer
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import load
from fastlstm.kernel.lanes.registers import filled, mapped
from fastlstm.kernel.lanes.simd import absolute, fill, fma, maximum, square_root
from fastlstm.kernel.lstm import InnerAdjoint, gate_gradients
from fastlstm.kernel.random import C_0
from fastlstm.kernel.scale import EXPONENT_OF_ZERO, log10_scaled, outside, power_of_two
from fastlstm.kernel.suspicion import LARGEST_SUM, SMALLEST_SUM

GateGrads = namedtuple("GateGrads", [m.name for m in measures.group("gate_grads")])
# For df, di, do and dg: the sum of squares over t, times 2^-2k, and the largest size, times 2^-k
Sizes = namedtuple("Sizes", "squares largest k")


@inline
def start(zero):
    return ()


@inline
def add(nothing, p, seen):
    """Keep what the backward pass will need."""
    keep_inner(seen)
    return nothing


@inline
def start_back(last):
    zero = fill(last.dh, 0.0)
    none = fill(as_integer(zero), EXPONENT_OF_ZERO(as_integer(zero)))
    return Sizes(filled(InnerAdjoint, zero), filled(InnerAdjoint, zero), none)


@inline
def _add_square(total, v, shrink, weight):
    v = v * weight
    return fma(v, v, total * (shrink * shrink))


@inline
def _larger(largest, v, shrink, weight):
    return maximum(largest * shrink, absolute(v) * weight)


@inline
def add_back(sizes, p, seen, out):
    """One more step; its scale and that of the sums become the larger of both."""
    gates = gate_gradients(load_inner(seen), seen.a)
    k = maximum(sizes.k, seen.scale)
    change = power_of_two(sizes.k - k), power_of_two(seen.scale - k)
    return Sizes(
        squares=mapped(_add_square, (sizes.squares, gates), change),
        largest=mapped(_larger, (sizes.largest, gates), change),
        k=k,
    )


@inline
def _lost(square):
    return outside(square, SMALLEST_SUM(square), LARGEST_SUM(square))


@inline
def suspect(done):
    """Where squares may have left the range; with one step, and C_0 = 0, df is a true 0."""
    sizes, C = done.back.tallies.gate_grads, load(done.scratch.values, (C_0,))
    has_C = C != 0.0 if done.terms.steps == 1 else C == C
    squares = sizes.squares
    lost = (has_C & _lost(squares.df)) | _lost(squares.di) | _lost(squares.do) | _lost(squares.dg)
    return (sizes.k > EXPONENT_OF_ZERO(sizes.k)) & lost


@inline
def columns(done):
    """Logarithms of the norms and of the largest."""
    squares, largest, k = done.back.tallies.gate_grads
    return GateGrads(
        log10_df=log10_scaled(square_root(squares.df), k),
        log10_di=log10_scaled(square_root(squares.di), k),
        log10_do=log10_scaled(square_root(squares.do), k),
        log10_dg=log10_scaled(square_root(squares.dg), k),
        log10_df_max=log10_scaled(largest.df, k),
        log10_di_max=log10_scaled(largest.di, k),
        log10_do_max=log10_scaled(largest.do, k),
        log10_dg_max=log10_scaled(largest.dg, k),
    )
