"""Both passes over a register of draws, and the memory they work in.

Long sequences are cut into segments: the forward pass keeps only the state at each segment's start, and a
segment's record is made again, to the same bits, when the backward pass gets there.
"""

import math
from collections import namedtuple

import numpy as np

from fastlstm.kernel.backward_pass import backward, start_backward
from fastlstm.kernel.forward_pass import Window, forward, restart_forward, start_forward
from fastlstm.kernel.gradient_rows import ALL, store_gradients
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import load
from fastlstm.kernel.lanes.registers import load_registers, mapped, store_registers
from fastlstm.kernel.lanes.simd import lanes_of
from fastlstm.kernel.lstm import Carry, Inner, Parameters, Record, State
from fastlstm.kernel.random import C_0, H_0, VALUES
from fastlstm.kernel.widened import Rows, of_kind

Scratch = namedtuple("Scratch", "values last x target dx record inner states full truncated gap")
# All there is of a register of draws after both passes
Done = namedtuple("Done", "p terms scratch ahead back")

SEGMENT = 8192  # steps; bounds the record of a register to 16 MiB


def aligned(shape, dtype):
    """Rows that begin on cache lines; without that, loads and stores were 15% slower."""
    memory = np.empty(math.prod(shape) * np.dtype(dtype).itemsize + 64, np.uint8)
    address, _ = memory.__array_interface__["data"]
    return np.ndarray(shape, dtype, memory, offset=-address % 64)


def pair_of_arrays(shape, dtype):
    """Sizes and exponents."""
    return Rows(aligned(shape, dtype), aligned(shape, np.int32 if dtype == "float32" else np.int64))


def memory_kind(arithmetic):
    """The type of the arrays that some arithmetic computes in, and what allocates memory for its numbers."""
    return ("float64", pair_of_arrays) if arithmetic == "wide" else (arithmetic, aligned)


def allocate_units(dtype, steps, *registers):
    """Memory for values (16), x and target (steps) of a register of draws, or of so many registers."""
    return [aligned((*registers, rows, lanes_of(dtype)), dtype) for rows in (VALUES, steps, steps)]


def allocate_scratch(arithmetic, steps, *, units=None, inputs=False, inner=False):
    """Working memory for one thread: values (16), dh_T and dC_T, x, target and dx (steps), record and segment states.

    The record decides with which kind of number the passes compute: plain ones of a type or, if that is "wide", wide.
    `units` is memory of allocate_units that there is already.
    """
    dtype, numbers = memory_kind(arithmetic)
    values, x, target = units or allocate_units(dtype, steps)
    segments = -(-steps // SEGMENT)
    lanes = lanes_of(dtype)
    last = aligned((len(Carry._fields), lanes), dtype)
    last[:] = 0.0
    return Scratch(
        values=values,
        last=last,
        x=x,
        target=target,
        dx=aligned((steps if inputs else 0, lanes), dtype),
        record=numbers((min(steps, SEGMENT), len(Record._fields), lanes), dtype),
        inner=numbers((min(steps, SEGMENT) if inner else 0, len(Inner._fields), lanes), dtype),
        states=numbers((segments, len(State._fields), lanes), dtype),
        full=pair_of_arrays((ALL, lanes), dtype),
        truncated=pair_of_arrays((ALL, lanes), dtype),
        gap=pair_of_arrays((ALL, lanes), dtype),
    )


@inline
def with_units(s, units):
    """The same working memory for a register of draws, `units`, that lies elsewhere."""
    return Scratch(
        values=units.values, last=s.last, x=units.x, target=units.target, dx=s.dx, record=s.record, inner=s.inner,
        states=s.states, full=s.full, truncated=s.truncated, gap=s.gap,
    )  # fmt: skip


@inline
def load_unit(scratch):
    """The parameters and the first state of the draws whose values are in scratch, as plain lanes."""
    p = load_registers(Parameters, scratch.values, ())
    return p, State(C=load(scratch.values, (C_0,)), h=load(scratch.values, (H_0,)))


@inline
def _of_kind(v, array):
    return of_kind(array, v)


@inline
def run_draws(scratch, terms, out, options):
    """Both passes over all segments; the gradients of the full mode end in scratch.full."""
    p, state = load_unit(scratch)
    ahead = start_forward(state, scratch.record, options)
    last = mapped(_of_kind, (load_registers(Carry, scratch.last, ()),), (scratch.record,))
    back = start_backward(last, options)
    segments = -(-terms.steps // SEGMENT)
    # there and back, in one loop: each pass is in the code once, which compiles wide kernels in 14% less time
    for visit in range(2 * segments - 1):
        again = visit >= segments
        segment = 2 * (segments - 1) - visit if again else visit
        window = Window(segment * SEGMENT, min(terms.steps, (segment + 1) * SEGMENT))
        begin = ahead
        if again:
            begin = restart_forward(load_registers(State, scratch.states, (segment,)), options)
        else:
            store_registers(scratch.states, (segment,), ahead.state)
        end = forward(p, begin, scratch, terms, window, options)
        if not again:
            ahead = end
        if visit >= segments - 1:
            back = backward(p, back, scratch, terms, window, out, options)
    # a mode of `gradients` or the group `truncation` may change these rows later
    store_gradients(scratch.full, back.full.total, back.full.total_scale, ahead.readout)
    return Done(p, terms, scratch, ahead, back)
