"""The drawing of registers of draws: their parameters and first states, their inputs, their targets.

It is a kernel of its own, which that of a simulation calls by address. So an input process is compiled once, and not
again with the passes for each choice of groups; and the passes once, for all processes.
"""

from collections import namedtuple
from functools import cache

import numpy as np
from numba import int64, typeof, types, uint64, void

from fastlstm.kernel.forward_pass import TERMS
from fastlstm.kernel.inputs import PROCESSES, fill_targets, source
from fastlstm.kernel.lanes.calls import reader
from fastlstm.kernel.lanes.jit import callee, inline
from fastlstm.kernel.lanes.memory import align_stack, load, load_lanes, store
from fastlstm.kernel.lanes.simd import REGISTER, lanes_of
from fastlstm.kernel.passes import allocate_units
from fastlstm.kernel.random import VALUES, Draws, distributions, draw_values

# What draws are made from: the seed, the stream of a point, and the distributions of the 16 values, the source of the
# inputs, and the distribution of the targets (a table of one)
Sources = namedtuple("Sources", "seed stream values inputs targets")
# Registers of draws: their 16 values, and x and target of each step
Drawn = namedtuple("Drawn", "values x target")
# What a drawing is called with: where draws come from, their numbers (uint64), Terms, and where they go. Draws of
# float32 that are computed in float64 are drawn into `narrow`, a register, first; it is not used for others.
Job = namedtuple("Job", "sources numbers terms narrow drawn")

# As many registers are drawn at once as have inputs of this size. To draw and to compute each by itself took 7 to 20%
# longer in float32: both together are more code than the first cache holds.
MOST_BYTES, MOST_REGISTERS = 2**16, 64


def sources(seed, stream, values, inputs, target=("constant", 0.0)):
    """Sources; `values` are 16 distributions and `target` is one, by name and arguments."""
    return Sources(np.uint64(seed), np.uint32(stream), distributions(values), inputs, distributions([target]))


def allocate_drawn(dtype, steps, registers=1):
    """Memory for some registers of draws of a type."""
    return Drawn(*allocate_units(dtype, steps, registers))


def registers_at_once(dtype, computed, steps):
    """How many registers to draw at once: as many draws as whole registers of the type drawn in have."""
    parts = lanes_of(dtype) // lanes_of(computed)
    return parts * max(1, min(MOST_REGISTERS, MOST_BYTES // (steps * REGISTER)) // parts)


@inline
def register(drawn, number):
    """One register of draws, the rows (16 or steps, lanes)."""
    return Drawn(drawn.values[number], drawn.x[number], drawn.target[number])


# --- targets -------------------------------------------------------------------------------------


@inline
def _no_targets(rows, terms, sources, draws):
    pass


@inline
def _random_targets(rows, terms, sources, draws):
    fill_targets(rows.target, terms.steps, sources.targets, draws)


@inline
def _delayed_inputs(rows, terms, sources, draws):
    for t in range(terms.first_loss_step, terms.steps):
        store(rows.target, (t,), load(rows.x, (t - terms.first_loss_step,)))


TARGETS = {"none": _no_targets, "distribution": _random_targets, "delay": _delayed_inputs}


# --- where they are drawn ------------------------------------------------------------------------


@inline
def _in_place(narrow, drawn, number):
    return register(drawn, number)


@inline
def _apart(narrow, drawn, number):
    return register(narrow, 0)


@inline
def _stay(rows, drawn, number, steps):
    pass


WIDER, NARROWER = lanes_of("float32"), lanes_of("float64")


@inline
def _convert(rows, drawn, number, steps):
    for first in range(0, WIDER, NARROWER):
        one = register(drawn, number + first // NARROWER)
        for row in range(VALUES):
            store(one.values, (row,), load_lanes(rows.values, (row, first), NARROWER))
        for t in range(steps):
            store(one.x, (t,), load_lanes(rows.x, (t, first), NARROWER))
            store(one.target, (t,), load_lanes(rows.target, (t, first), NARROWER))


def job_type(computed):
    """The type of a Job whose draws are computed in a type."""
    some = sources(0, 0, [("constant", 0.0)] * VALUES, source())
    narrow, drawn = allocate_drawn("float32", 1), allocate_drawn(computed, 1)
    return types.NamedTuple((typeof(some), uint64[::1], TERMS, typeof(narrow), typeof(drawn)), Job)


@cache
def build_drawing(dtype, computed, process, target):
    """The kernel that draws the numbers from `start` on, of the Job at an address: as many as its memory takes.

    dtype, computed: the types that are drawn in and computed in; process, target: keys of PROCESSES and TARGETS.
    """
    fill_inputs, fill_targets = PROCESSES[process], TARGETS[target]
    choose, copy = (_in_place, _stay) if dtype == computed else (_apart, _convert)
    read_job = reader(job_type(computed))
    lanes, register_lanes = lanes_of(dtype), lanes_of(computed)
    parts = lanes // register_lanes

    @callee(void(int64, int64), (dtype, computed, process, target))
    def draw(job, start):
        align_stack()
        sources, numbers, terms, narrow, drawn = read_job(job)
        for number in range(0, min(len(drawn.x), (len(numbers) - start) // register_lanes), parts):
            first = start + number * register_lanes
            draws = Draws(sources.seed, sources.stream, load_lanes(numbers, (first,), lanes))
            rows = choose(narrow, drawn, number)
            draw_values(rows.values, sources.values, draws)
            fill_inputs(rows.x, terms.steps, sources.inputs, draws)
            fill_targets(rows, terms, sources, draws)
            copy(rows, drawn, number, terms.steps)

    return draw
