"""Gradients at every step: those of gates, states and pre-activations, and the terms of the sums over time.

Numbers go out as they are, or, where they are wide, as sizes and exponents. A step is suspect if any of its numbers may
have lost something to the range of plain ones, also where another number of the draw hides that in a sum.
"""

from collections import namedtuple
from functools import cache

import numpy as np
from numba import typeof, types, void
from numba.np.numpy_support import from_dtype

from fastlstm.kernel.arrays import array_types, read_units
from fastlstm.kernel.forward_pass import TERMS
from fastlstm.kernel.inner import keep_inner, load_inner
from fastlstm.kernel.lanes.convert import as_integer, by_width, one_if
from fastlstm.kernel.lanes.jit import choose_meaning, generic, inline, kernel, meaning
from fastlstm.kernel.lanes.memory import align_stack, load, store, uncounted
from fastlstm.kernel.lanes.registers import mapped, places
from fastlstm.kernel.lanes.simd import fill, lanes_of, maximum
from fastlstm.kernel.lanes.transpose import read_draws, write_draws
from fastlstm.kernel.lstm import GIVEN, gate_gradients, input_gradient
from fastlstm.kernel.modes import build_mode
from fastlstm.kernel.options import options
from fastlstm.kernel.passes import allocate_scratch, memory_kind, run_draws
from fastlstm.kernel.scale import outside, times_power_of_two
from fastlstm.kernel.wide import Wide, scale_of, size_of

# What follows from the adjoint of a step, and x is dL/dx_t; dW_hf_t to dW_hc_t are the terms dz_k,t h_{t-1} whose sums
# over t are dW_hf to dW_hc
StepGradients = namedtuple("StepGradients", "dh dC df di do dg dz_f dz_i dz_o dz_c x dW_hf_t dW_hi_t dW_ho_t dW_hc_t")
NAMES = (*StepGradients._fields, "dz_y")  # and delta_t
DZ_Y = len(StepGradients._fields)
# Arrays that a kernel fills: sizes of params (n, 14) and of h_0 and C_0 (n, 2) with their exponents; the numbers of
# every step (names, n, T), with exponents where they are wide; and 1 where all of a draw is suspect, and where a number
# of one of its steps is, (n, 2)
Filled = namedtuple("Filled", "params params_k state state_k steps steps_k suspect")
# Where a register of draws goes: the rows of every step, and the row of the suspect
Out = namedtuple("Out", "steps suspect")

# A factor and a number in these ranges have a product that is exact but for rounding.
SMALLEST_FACTOR = by_width(2.0**-50, 2.0**-500)
LARGEST_FACTOR = by_width(2.0**50, 2.0**500)
SMALLEST_NORMAL = by_width(2.0**-126, 2.0**-1022)
LARGEST_FLOAT = by_width(float(np.finfo(np.float32).max), float(np.finfo(np.float64).max))


@inline
def _start(zero):
    return ()


@inline
def _keep(nothing, p, seen):
    keep_inner(seen)
    return nothing


Keeper = namedtuple("Keeper", "start add")
KEEPER = Keeper(_start, _keep)


@inline
def step_gradients(p, r, inner, a):
    """All of StepGradients, in units of the adjoint."""
    gates = gate_gradients(inner, a)
    return StepGradients(
        dh=a.dh, dC=a.dC, df=gates.df, di=gates.di, do=gates.do, dg=gates.dg,
        dz_f=a.dz_f, dz_i=a.dz_i, dz_o=a.dz_o, dz_c=a.dz_c, x=input_gradient(p, a),
        dW_hf_t=a.dz_f * r.h_before, dW_hi_t=a.dz_i * r.h_before,
        dW_ho_t=a.dz_o * r.h_before, dW_hc_t=a.dz_c * r.h_before,
    )  # fmt: skip


@inline
def _lost_factor(v):
    return outside(v, SMALLEST_FACTOR(v), LARGEST_FACTOR(v))


@inline
def _lost_number(v):
    return outside(v, SMALLEST_NORMAL(v), LARGEST_FLOAT(v))


@inline
def lost_something(p, seen, r, inner, a, steps, silent):
    """Where a number, or what it is made of, is beyond what plain ones hold; a true 0 of the first state is not."""
    first = seen.t == 0
    C_counts = inner.C_before != 0.0 if first else inner.C_before == inner.C_before
    h_counts = r.h_before != 0.0 if first else r.h_before == r.h_before
    listens = (p.W_xf != 0.0) | (p.W_xi != 0.0) | (p.W_xo != 0.0) | (p.W_xc != 0.0)
    nothing = silent & (a.dh == 0.0) & (a.dC == 0.0)
    lost = _lost_factor(r.C_C) | _lost_factor(r.C_i) | _lost_factor(r.C_c) | _lost_factor(r.h_C) | _lost_factor(r.h_o)
    lost = lost | _lost_factor(inner.i) | _lost_factor(inner.g) | _lost_factor(inner.tau)
    lost = lost | (C_counts & (_lost_factor(inner.C_before) | _lost_factor(r.C_f)))
    lost = lost | (h_counts & _lost_factor(r.h_before)) | _lost_factor(a.dh) | _lost_factor(a.dC)
    lost = lost | (C_counts & (_lost_number(steps.df) | _lost_number(steps.dz_f)))
    lost = lost | (C_counts & h_counts & _lost_number(steps.dW_hf_t))
    lost = lost | _lost_number(steps.dh) | _lost_number(steps.dC)
    lost = lost | _lost_number(steps.di) | _lost_number(steps.do) | _lost_number(steps.dg)
    lost = lost | _lost_number(steps.dz_i) | _lost_number(steps.dz_o) | _lost_number(steps.dz_c)
    lost = lost | (h_counts & (_lost_number(steps.dW_hi_t) | _lost_number(steps.dW_ho_t)))
    lost = lost | (h_counts & _lost_number(steps.dW_hc_t)) | (listens & _lost_number(steps.x))
    return (lost & ~nothing) | (~silent & _lost_factor(r.delta))


@inline
def _store_step(v, place, rows, t):
    store(rows, (place, t), v)


@inline
def _write_step(p, seen, a, scale, out):
    r, inner = seen.r, load_inner(seen)
    numbers = step_gradients(p, r, inner, a)
    steps = mapped(times_power_of_two, (numbers,), (scale,))
    mapped(_store_step, (steps, places(steps)), (out.steps, seen.t))
    store(out.steps, (DZ_Y, seen.t), r.delta)
    dy = load(seen.scratch.target, (seen.t,))
    no_dy = (dy == 0.0) if seen.terms.loss == GIVEN else (dy != dy)
    silent = (dy == dy) if seen.t < seen.terms.first_loss_step else no_dy
    lost = lost_something(p, seen, r, inner, a, steps, silent)
    before = load(out.suspect, (0,))
    store(out.suspect, (0,), maximum(before, one_if(lost, before)))


@generic
def parts(v):
    """A number as a size and an exponent: a plain one is its own size."""
    return v, as_integer(v) & 0


@meaning(parts, Wide)
def _wide_parts(v):
    return size_of(v), scale_of(v)


def write_steps(out, start, rows):
    """Rows (names, T, lanes) to their draws."""


@choose_meaning(write_steps)
def _write_steps(out, start, rows):
    return _write_wide if isinstance(rows, types.BaseTuple) else _write_plain


def _write_plain(out, start, rows):
    for k in range(len(rows)):
        write_draws(out.steps[k], start, rows[k])


def _write_wide(out, start, rows):
    for k in range(len(rows.sizes)):
        write_draws(out.steps[k], start, rows.sizes[k])
        write_draws(out.steps_k[k], start, rows.exponents[k])


def allocate_steps(arithmetic, steps):
    """Working memory for one thread, beside its scratch."""
    dtype, numbers = memory_kind(arithmetic)
    return numbers((len(NAMES), steps, lanes_of(dtype)), dtype)


def allocate_filled(arithmetic, draws, steps):
    """What a kernel fills for some draws."""
    dtype, _ = memory_kind(arithmetic)
    exponents = np.int32 if dtype == "float32" else np.int64
    names = len(NAMES)
    return Filled(
        params=np.empty((draws, 14), dtype),
        params_k=np.empty((draws, 14), exponents),
        state=np.empty((draws, 2), dtype),
        state_k=np.empty((draws, 2), exponents),
        steps=np.empty((names, draws, steps), dtype),
        steps_k=np.empty((names if arithmetic == "wide" else 0, draws, steps), exponents),
        suspect=np.empty((draws, 2), dtype),
    )


@cache
def build_step_gradients(arithmetic, mode):
    """The kernel that fills `Filled`; its other arguments are those of arrays.build_gradients."""
    MODE = build_mode(mode, _write_step)
    OPTIONS = options({"inner": KEEPER, "mode": MODE})
    finish, suspects = MODE.finish, MODE.suspect
    dtype, _ = memory_kind(arithmetic)
    lanes = lanes_of(dtype)
    source, _ = array_types(dtype)
    memory = typeof(allocate_scratch(arithmetic, 1))
    rows = typeof(allocate_steps(arithmetic, 1))
    filled = [types.Array(from_dtype(a.dtype), a.ndim, "A") for a in allocate_filled(arithmetic, 1, 1)]

    @kernel(
        void(source, source, source, source, source, TERMS, memory, rows, *filled),
        (arithmetic, mode),
    )
    def gradients_of_steps(
        params, state, last, x, target, terms, scratch, rows,
        out_params, out_params_k, out_state, out_state_k, out_steps, out_steps_k, out_suspect,
    ):  # fmt: skip
        align_stack()
        filled = Filled(out_params, out_params_k, out_state, out_state_k, out_steps, out_steps_k, out_suspect)
        params, state, last, x, target, scratch = uncounted((params, state, last, x, target, scratch))
        rows, filled = uncounted((rows, filled))
        for start in range(0, len(x), lanes):
            read_units(scratch, params, state, x, start)
            read_draws(scratch.target, target, start)
            read_draws(scratch.last, last, start)
            out = Out(rows, scratch.gap.sizes)
            store(out.suspect, (0,), fill(load(out.suspect, (0,)), 0.0))
            done = run_draws(scratch, terms, out, OPTIONS)
            lost = load(out.suspect, (0,))
            suspect = one_if(suspects(done), lost)
            carry, scale = finish(done)
            write_draws(filled.params, start, scratch.full.sizes)
            write_draws(filled.params_k, start, scratch.full.exponents)
            h_size, h_k = parts(carry.dh)
            C_size, C_k = parts(carry.dC)
            store(scratch.full.sizes, (0,), h_size)
            store(scratch.full.sizes, (1,), C_size)
            store(scratch.full.exponents, (0,), h_k + scale)
            store(scratch.full.exponents, (1,), C_k + scale)
            write_draws(filled.state, start, scratch.full.sizes[:2])
            write_draws(filled.state_k, start, scratch.full.exponents[:2])
            store(scratch.gap.sizes, (0,), suspect)
            store(scratch.gap.sizes, (1,), lost)
            write_draws(filled.suspect, start, scratch.gap.sizes)
            write_steps(filled, start, rows)

    return gradients_of_steps
