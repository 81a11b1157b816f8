"""Loops over draws: each register of draws is drawn or loaded, run forward and backward, and written.

`build_*` make a kernel for one choice of options; what is not chosen is not compiled. A kernel runs
without the interpreter's lock and uses only the scratch memory it is given, so threads run side by side.

Long sequences are cut into segments: the forward pass keeps only the state at each segment's start, and a
segment's record is made again, to the same bits, when the backward pass gets there.
"""

from collections import namedtuple
from functools import cache

import numpy as np
from numba import int64, typeof, uint32, uint64, void

from fastlstm import measures
from fastlstm.kernel.backward_pass import NO_INPUTS, backward, may_outgrow, start_backward
from fastlstm.kernel.columns import (
    ALL,
    Rows,
    carousel_columns,
    gate_columns,
    jacobian_columns,
    lost_sums,
    norm_columns,
    store_gradients,
    truncation_columns,
)
from fastlstm.kernel.forward_pass import (
    BCE,
    GIVEN,
    LAST,
    MSE,
    RECORD_ROWS,
    SUM,
    forward,
    one_if,
    start_forward,
    strained_tangent,
)
from fastlstm.kernel.inputs import (
    fill_ar1,
    fill_choice,
    fill_constant,
    fill_normal,
    fill_sine,
    fill_targets,
    fill_uniform,
    fill_walk,
    fill_window,
)
from fastlstm.kernel.lanes.jit import inline, kernel, source_digest
from fastlstm.kernel.lanes.memory import align_stack, load, load_lanes, store, store_column, uncounted
from fastlstm.kernel.lanes.simd import LANES
from fastlstm.kernel.lstm import Parameters, State
from fastlstm.kernel.random import C_0, CONSTANT, H_0, VALUES, Draws, distributions, draw_values
from fastlstm.kernel.scale import times_power_of_two

LOSSES = {"sum": SUM, "last": LAST, "mse": MSE, "bce": BCE, "given": GIVEN}

Scratch = namedtuple("Scratch", "values x target dx record states full truncated gap")
# What a point asks for: the numbers of its input process, the phases of its sine or its choices (a table of one
# distribution), a series of float64 and its borders, the
# law of its targets, how many steps at the beginning carry no loss, and the saturation threshold
Setting = namedtuple("Setting", "numbers phases series borders targets silent saturation")
# Arrays (columns, draws): the 16 drawn values, whether the draw needs wide numbers, and one for each group
Columns = namedtuple("Columns", ("values", "strained", *measures.GROUPS))

NUMBERS = "plain"  # what the passes compute with; see widened.py for the other kind

SEGMENT = 8192  # steps; bounds the record of a register to 16 MiB

# Steps of the backward pass between two scalings: few enough that ordinary weights stay in range.
CHUNK = {"float32": 4, "float64": 16}


def _aligned(shape, dtype):
    """Rows that begin on cache lines; without that, loads and stores were 15% slower."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def _pair(shape, dtype):
    """Sizes and exponents."""
    return Rows(_aligned(shape, dtype), _aligned(shape, np.int32 if dtype == "float32" else np.int64))


def allocate_scratch(dtype, steps, *, inputs=False):
    """Working memory for one thread: values (16), x, target and dx (steps), record and segment states."""
    memory = _pair if NUMBERS == "wide" else _aligned
    segments = -(-steps // SEGMENT)
    return Scratch(
        values=_aligned((VALUES, LANES), dtype),
        x=_aligned((steps, LANES), dtype),
        target=_aligned((steps, LANES), dtype),
        dx=_aligned((steps if inputs else 0, LANES), dtype),
        record=memory((min(steps, SEGMENT), RECORD_ROWS, LANES), dtype),
        states=memory((segments, 2, LANES), dtype),
        full=_pair((ALL, LANES), dtype),
        truncated=_pair((ALL, LANES), dtype),
        gap=_pair((ALL, LANES), dtype),
    )


@inline
def load_parameters(values):
    """The parameters from rows 0..13 of scratch."""
    return Parameters(
        load(values, (0,)), load(values, (1,)), load(values, (2,)),
        load(values, (3,)), load(values, (4,)), load(values, (5,)),
        load(values, (6,)), load(values, (7,)), load(values, (8,)),
        load(values, (9,)), load(values, (10,)), load(values, (11,)),
        load(values, (12,)), load(values, (13,)),
    )  # fmt: skip


@inline
def run_draws(scratch, steps, loss, first_loss, saturation, chunk, mode, keep_lags, lag_columns, column):
    """Both passes over all segments for the register of draws whose values and inputs are in scratch."""
    p = load_parameters(scratch.values)
    state = State(C=load(scratch.values, (C_0,)), h=load(scratch.values, (H_0,)))
    ahead = start_forward(state)
    segments = -(-steps // SEGMENT)
    for segment in range(segments):
        store(scratch.states, (segment, 0), ahead.state.C)
        store(scratch.states, (segment, 1), ahead.state.h)
        first = segment * SEGMENT
        last = min(steps, first + SEGMENT)
        ahead = forward(p, ahead, scratch.x, scratch.target, scratch.record, first, last, loss, first_loss, saturation)
    back = start_backward(ahead.state.C)
    for segment in range(segments - 1, -1, -1):
        first = segment * SEGMENT
        last = min(steps, first + SEGMENT)
        if segment < segments - 1:
            again = State(C=load(scratch.states, (segment, 0)), h=load(scratch.states, (segment, 1)))
            forward(
                p, start_forward(again), scratch.x, scratch.target, scratch.record,
                first, last, loss, first_loss, saturation,
            )  # fmt: skip
        back = backward(
            p, back, scratch.x, scratch.record, first, last, steps, chunk,
            mode, scratch.dx, keep_lags, lag_columns, column,
        )  # fmt: skip
    return p, ahead, back


@inline
def is_uncertain(scratch, steps, p, ahead, back):
    """Where plain numbers may have lost something on the way; the full gradients are in their rows."""
    h, C = load(scratch.values, (H_0,)), load(scratch.values, (C_0,))
    lost = lost_sums(scratch.full, h, C, steps, ahead.extent)
    return back.full.strained | may_outgrow(p, ahead.extent.C) | lost


# --- simulation ----------------------------------------------------------------------------------


def allocate_columns(stored, draws, groups, steps):
    """Memory for the columns of `draws` draws; a group that is not asked for has none, but for gates and norms."""
    always = ("gates", "norms")
    sizes = {g: len(measures.group(g, steps)) if g in (*groups, *always) else 0 for g in measures.GROUPS}
    return Columns(
        values=np.empty((VALUES, draws), stored),
        strained=np.empty((1, draws), stored),
        **{g: np.full((size, draws), np.nan, stored) for g, size in sizes.items()},
    )


def setting(
    numbers=(), *, phase=(CONSTANT, 0.0), series=(0.0,), borders=(), target=(CONSTANT, 0.0), silent=0, saturation=0.1
):
    """A Setting; `numbers` are those of the input process, up to three."""
    a, b, c = (*map(float, numbers), 0.0, 0.0, 0.0)[:3]
    return Setting(
        (a, b, c),
        distributions([phase]),
        np.array(series, np.float64),
        np.array(borders, np.int64),
        distributions([target]),
        silent,
        float(saturation),
    )


def _simulation_signature(dtype, stored):
    samples = (
        distributions([(CONSTANT, 0.0)] * VALUES),
        setting(),
        allocate_scratch(dtype, 1),
        allocate_columns(stored, 1, (), 1),
    )
    return void(uint64, uint32, uint64[::1], int64, *map(typeof, samples))


@cache
def build_simulation(dtype, stored, process, loss, target, groups):
    """The kernel that makes the draws of the given numbers, whole registers of them, and fills columns.

    dtype, stored: the type computed in and the type of the columns; process: normal, uniform, choice, constant, sine,
    ar1, walk or file; loss: sum, last, mse or bce; target: none, law or delay; groups: measure groups.
    """
    CHUNK_STEPS = CHUNK[dtype]
    PROCESS = process
    LOSS = LOSSES[loss]
    TARGET = target
    GRADS, TRUNCATION, LAGS = ("grads" in groups, "truncation" in groups, "lags" in groups)
    CAROUSEL, JACOBIAN = ("carousel" in groups, "jacobian" in groups)
    SOURCE = source_digest() + NUMBERS

    @kernel(_simulation_signature(dtype, stored))
    def simulate(seed, stream, numbers, steps, law, setting, scratch, columns):
        align_stack()
        assert SOURCE  # which makes it part of the key that Numba caches the kernel under
        law, setting, scratch, columns = uncounted((law, setting, scratch, columns))
        numbers = uncounted(numbers)
        a, b, c = setting.numbers
        for start in range(0, len(numbers), LANES):
            draws = Draws(seed, stream, load_lanes(numbers, (start,), LANES))
            draw_values(scratch.values, law, draws)
            if PROCESS == "normal":
                fill_normal(scratch.x, steps, a, b, draws)
            if PROCESS == "uniform":
                fill_uniform(scratch.x, steps, a, b, draws)
            if PROCESS == "choice":
                fill_choice(scratch.x, steps, setting.phases, draws)
            if PROCESS == "constant":
                fill_constant(scratch.x, steps, a)
            if PROCESS == "sine":
                fill_sine(scratch.x, steps, a, b, setting.phases, draws)
            if PROCESS == "ar1":
                fill_ar1(scratch.x, steps, a, b, c, draws)
            if PROCESS == "walk":
                fill_walk(scratch.x, steps, a, b, draws)
            if PROCESS == "file":
                fill_window(scratch.x, steps, setting.series, setting.borders, draws)
            if TARGET == "law":
                fill_targets(scratch.target, steps, setting.targets, draws)
            if TARGET == "delay":
                for t in range(setting.silent, steps):
                    store(scratch.target, (t,), load(scratch.x, (t - setting.silent,)))
            p, ahead, back = run_draws(
                scratch, steps, LOSS, setting.silent, setting.saturation, CHUNK_STEPS, NO_INPUTS,
                LAGS, columns.lags, start,
            )  # fmt: skip
            for row in range(VALUES):
                store(columns.values, (row, start), load(scratch.values, (row,)))
            store_column(columns.gates, start, gate_columns(ahead.shares, ahead.means, steps))
            store_gradients(scratch.full, back.full.total, back.full.total_scale, ahead.readout)
            store_column(columns.norms, start, norm_columns(scratch.full, back.full, ahead.readout))
            strained = is_uncertain(scratch, steps, p, ahead, back)
            if GRADS:
                for row in range(ALL):
                    size, k = load(scratch.full.sizes, (row,)), load(scratch.full.exponents, (row,))
                    store(columns.grads, (row, start), times_power_of_two(size, k))
            if CAROUSEL:
                store_column(columns.carousel, start, carousel_columns(ahead.forget, steps))
            if JACOBIAN:
                strained = strained | strained_tangent(p, ahead.tangent)
                store_column(columns.jacobian, start, jacobian_columns(ahead.tangent, ahead.forget, steps))
            if TRUNCATION:
                store_column(
                    columns.truncation,
                    start,
                    truncation_columns(scratch.full, scratch.truncated, scratch.gap, back, ahead.readout),
                )
            store(columns.strained, (0, start), one_if(strained, p.W_y))

    return simulate
