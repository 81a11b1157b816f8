"""Kernels over arrays that the caller holds: the trace of the forward pass, and gradients for given dy.

Arrays are (draws, ...) with any strides. A register takes consecutive draws; the last register of an
array repeats its last draw in the lanes that are left over, and does not write them.
"""

from functools import cache

import numpy as np
from numba import int64, typeof, types, void
from numba.np.numpy_support import from_dtype

from fastlstm.kernel.backward_pass import CEC, FULL, LOCAL
from fastlstm.kernel.columns import scale_rows, store_gradients
from fastlstm.kernel.draws import CHUNK, LOSSES, allocate_scratch, is_uncertain, load_parameters, run_draws
from fastlstm.kernel.forward_pass import one_if
from fastlstm.kernel.lanes.jit import inline, kernel, source_digest
from fastlstm.kernel.lanes.memory import align_stack, load, store, uncounted
from fastlstm.kernel.lanes.simd import LANES
from fastlstm.kernel.lanes.transpose import read_draws, write_draws
from fastlstm.kernel.lstm import State, output, step
from fastlstm.kernel.random import C_0, H_0
from fastlstm.kernel.scale import times_power_of_two

MODES = {"full": FULL, "cec": CEC, "local": LOCAL}


def _array_types(dtype):
    """The types of a given and of a filled array of two axes, of any strides."""
    scalar = from_dtype(np.dtype(dtype))
    return types.Array(scalar, 2, "A", readonly=True), types.Array(scalar, 2, "A")


@inline
def read_units(scratch, params, state, x, start):
    """The parameters, (h_0, C_0) and inputs of a register of draws."""
    read_draws(scratch.values, params, start)
    read_draws(scratch.values[H_0:], state, start)
    read_draws(scratch.x, x, start)


@cache
def build_gradients(dtype, mode, loss="given", wide=False):
    """The kernel that fills gradients: out_params (n, 14), out_state (n, 2: h_0, C_0), out_x (n, T).

    `target` holds dy for the loss "given", targets for mse and bce, and is not read for sum and last; the first
    `silent` steps carry no loss.
    """
    CHUNK_STEPS = CHUNK[dtype]
    MODE = MODES[mode]
    LOSS = LOSSES[loss]
    SOURCE = source_digest()
    given, filled = _array_types(dtype)
    memory = typeof(allocate_scratch(dtype, 1, wide=wide))

    @kernel(void(given, given, given, given, int64, memory, filled, filled, filled, filled))
    def gradients(params, state, x, target, silent, scratch, out_params, out_state, out_x, out_strained):
        align_stack()
        assert SOURCE  # which makes it part of the key that Numba caches the kernel under
        params, state, x, target, scratch = uncounted((params, state, x, target, scratch))
        out_params, out_state, out_x = uncounted((out_params, out_state, out_x))
        out_strained = uncounted(out_strained)
        steps = x.shape[1]
        for start in range(0, len(x), LANES):
            read_units(scratch, params, state, x, start)
            read_draws(scratch.target, target, start)
            p, ahead, back = run_draws(scratch, steps, LOSS, silent, 0.5, CHUNK_STEPS, MODE, False, scratch.x, start)
            store_gradients(scratch.full, back.full.total, back.full.total_scale, ahead.readout)
            strained = is_uncertain(scratch, steps, p, ahead, back)
            carry, scale = back.full.carry, back.full.scale
            if MODE == CEC:
                carry, scale = back.cec.carry, scale & 0
                store_gradients(scratch.full, back.cec.total, scale, ahead.readout)
            if MODE == LOCAL:
                carry, scale = back.local.carry, scale & 0
                store_gradients(scratch.full, back.local.total, scale, ahead.readout)
            scale_rows(scratch.full, scale & 0)
            store(scratch.values, (H_0,), times_power_of_two(carry.dh, scale))
            store(scratch.values, (C_0,), times_power_of_two(carry.dC, scale))
            store(scratch.gap.sizes, (0,), one_if(strained, p.W_y))
            write_draws(out_params, start, scratch.full.sizes)
            write_draws(out_state, start, scratch.values[H_0:])
            write_draws(out_strained, start, scratch.gap.sizes)
            write_draws(out_x, start, scratch.dx)

    return gradients


@cache
def build_trace(dtype):
    """The kernel that fills the trace: f, i, o, g, C, h, y, each (n, T)."""
    SOURCE = source_digest()
    given, _ = _array_types(dtype)
    memory = typeof(allocate_scratch(dtype, 1))
    filled = types.Array(from_dtype(np.dtype(dtype)), 3, "A")

    @kernel(void(given, given, given, memory, filled))
    def trace(params, state, x, scratch, out):
        align_stack()
        assert SOURCE  # which makes it part of the key that Numba caches the kernel under
        params, state, x, scratch, out = uncounted((params, state, x, scratch, out))
        for start in range(0, len(x), LANES):
            read_units(scratch, params, state, x, start)
            p = load_parameters(scratch.values)
            now = State(C=load(scratch.values, (C_0,)), h=load(scratch.values, (H_0,)))
            for t in range(x.shape[1]):
                s = step(p, now, load(scratch.x, (t,)))
                now = State(s.C, s.h)
                _, y = output(p, s.h)
                store(scratch.values, (0,), s.f.value)
                store(scratch.values, (1,), s.i.value)
                store(scratch.values, (2,), s.o.value)
                store(scratch.values, (3,), s.g.value)
                store(scratch.values, (4,), s.C)
                store(scratch.values, (5,), s.h)
                store(scratch.values, (6,), y.value)
                for k in range(7):
                    for lane in range(min(LANES, len(x) - start)):
                        out[k, start + lane, t] = scratch.values[k, lane]

    return trace
