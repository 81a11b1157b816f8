"""Kernels over arrays that the caller holds: the trace of the forward pass, and gradients for given dy.

Arrays are (draws, ...) with any strides. A register takes consecutive draws; the last register of an
array repeats its last draw in the lanes that are left over, and does not write them.
"""

from collections import namedtuple
from functools import cache

import numpy as np
from numba import int64, typeof, types, void
from numba.np.numpy_support import from_dtype

from fastlstm.kernel import suspicion
from fastlstm.kernel.forward_pass import TERMS, Extent
from fastlstm.kernel.gradient_rows import unscale_gradients
from fastlstm.kernel.lanes.convert import one_if
from fastlstm.kernel.lanes.jit import inline, kernel
from fastlstm.kernel.lanes.memory import align_stack, ask_for_part, load, store, uncounted
from fastlstm.kernel.lanes.registers import store_registers
from fastlstm.kernel.lanes.simd import absolute, fill, lanes_of, maximum
from fastlstm.kernel.lanes.transpose import read_draws, write_draws
from fastlstm.kernel.lstm import State, input_gradient, output, step
from fastlstm.kernel.modes import build_mode
from fastlstm.kernel.options import options
from fastlstm.kernel.passes import allocate_scratch, load_unit, memory_kind, run_draws
from fastlstm.kernel.random import C_0, H_0
from fastlstm.kernel.scale import times_power_of_two
from fastlstm.kernel.widened import of_kind


def array_types(dtype):
    """The types of a source and of a filled array of two axes, of any strides."""
    scalar = from_dtype(np.dtype(dtype))
    return types.Array(scalar, 2, "A", readonly=True), types.Array(scalar, 2, "A")


SUSPECT = types.Array(types.uint8, 2, "A")  # 0 or 1


@inline
def read_units(scratch, params, state, x, start):
    """The parameters, (h_0, C_0) and inputs of a register of draws."""
    read_draws(scratch.values, params, start)
    read_draws(scratch.values[H_0:], state, start)
    read_draws(scratch.x, x, start)


# Where a register of draws goes: rows for dL/dx, the arrays that are read and written next, its first draw and lanes
Out = namedtuple("Out", "dx params x out_params out_x start lanes")


@inline
def _ask_for_next(p, seen, a, scale, out):
    """Ask memory for what the next draws are made of while these are computed, a step's share at each step."""
    ask_for_part(out.x, out.start + out.lanes, seen.t, 0)
    if seen.t < out.params.shape[1]:
        ask_for_part(out.params, out.start + out.lanes, seen.t, 0)
        ask_for_part(out.out_params, out.start, seen.t, 1)


@inline
def _write_input_gradient(p, seen, a, scale, out):
    store(out.dx, (seen.t,), times_power_of_two(input_gradient(p, a), scale))
    _ask_for_next(p, seen, a, scale, out)
    ask_for_part(out.out_x, out.start, seen.t, 1)


@cache
def build_gradients(arithmetic, mode, inputs=True):
    """The kernel that fills gradients: out_params (n, 14), out_h and out_C (n, 1: h_0, C_0), out_x (n, T).

    `last` (n, 2: dh_T, dC_T) comes in through the last state. `target` holds dy for the loss "given", targets for mse
    and bce, and is not read for sum and last. Without `inputs`, out_x is (n, 0). out_suspect (n, 1) is 1 where numbers
    may have lost something, and 0 elsewhere.
    """
    MODE = build_mode(mode, _write_input_gradient if inputs else _ask_for_next)
    OPTIONS = options({"mode": MODE})
    finish, suspects = MODE.finish, MODE.suspect
    dtype, _ = memory_kind(arithmetic)
    lanes = lanes_of(dtype)
    source, filled = array_types(dtype)
    memory = typeof(allocate_scratch(arithmetic, 1))

    @kernel(
        void(source, source, source, source, source, TERMS, memory, filled, filled, filled, filled, SUSPECT),
        (arithmetic, mode, inputs),
    )
    def gradients(params, state, last, x, target, terms, scratch, out_params, out_h, out_C, out_x, out_suspect):
        align_stack()
        params, state, last, x, target, scratch = uncounted((params, state, last, x, target, scratch))
        out_params, out_h, out_C, out_x = uncounted((out_params, out_h, out_C, out_x))
        out_suspect = uncounted(out_suspect)
        for start in range(0, len(x), lanes):
            read_units(scratch, params, state, x, start)
            # what all draws share, such as one dy, is read once
            if start == 0 or target.strides[0] != 0:
                read_draws(scratch.target, target, start)
            if start == 0 or last.strides[0] != 0:
                read_draws(scratch.last, last, start)
            done = run_draws(scratch, terms, Out(scratch.dx, params, x, out_params, out_x, start, lanes), OPTIONS)
            suspect = suspects(done)
            carry, scale = finish(done)
            unscale_gradients(scratch.full, carry.dh)
            store(scratch.values, (H_0,), times_power_of_two(carry.dh, scale))
            store(scratch.values, (C_0,), times_power_of_two(carry.dC, scale))
            store(scratch.gap.sizes, (0,), one_if(suspect, done.p.W_y))
            write_draws(out_params, start, scratch.full.sizes)
            write_draws(out_h, start, scratch.values[H_0:])
            write_draws(out_C, start, scratch.values[C_0:])
            write_draws(out_suspect, start, scratch.gap.sizes)
            write_draws(out_x, start, scratch.dx)

    return gradients


@cache
def build_trace(arithmetic):
    """The kernel that fills the trace: f, i, o, g, C, h, y, each (n, T); and out_suspect, as build_gradients does.

    `readout` is one of the codes READOUTS.
    """
    dtype, _ = memory_kind(arithmetic)
    lanes = lanes_of(dtype)
    source, _ = array_types(dtype)
    memory = typeof(allocate_scratch(arithmetic, 1))
    traces = types.Array(source.dtype, 3, "A")

    @kernel(void(source, source, source, int64, memory, traces, SUSPECT), (arithmetic,))
    def trace(params, state, x, readout, scratch, out, out_suspect):
        align_stack()
        params, state, x, scratch, out = uncounted((params, state, x, scratch, out))
        out_suspect = uncounted(out_suspect)
        for start in range(0, len(x), lanes):
            read_units(scratch, params, state, x, start)
            p, first = load_unit(scratch)
            now = State(of_kind(scratch.record, first.C), of_kind(scratch.record, first.h))
            furthest = fill(first.h, 0.0)
            for t in range(x.shape[1]):
                x_t = load(scratch.x, (t,))
                s = step(p, now, x_t)
                furthest = maximum(furthest, absolute(x_t))
                now = State(s.C, s.h)
                _, y = output(p, readout, s.h)
                traced = (s.f.value, s.i.value, s.o.value, s.g.value, s.C, s.h, y.value)
                store_registers(scratch.values, (), traced)
                for k in range(len(traced)):
                    for lane in range(min(lanes, len(x) - start)):
                        out[k, start + lane, t] = scratch.values[k, lane]
            suspect = suspicion.may_leave_gate_range(p, first.h, Extent(now.C, furthest, furthest < 0.0))
            store(scratch.gap.sizes, (0,), one_if(suspect, p.W_y))
            write_draws(out_suspect, start, scratch.gap.sizes)

    return trace
