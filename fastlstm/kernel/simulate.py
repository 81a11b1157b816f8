"""The simulation of draws: registers of them are drawn, run forward and backward, and their columns are written.

`build_simulation` makes a kernel for one choice of options; what is not chosen is not compiled. A kernel runs
without the interpreter's lock and uses only the scratch memory it is given, so threads run side by side.
"""

from collections import namedtuple
from functools import cache
from itertools import pairwise

import numpy as np
from numba import int64, typeof, void

from fastlstm import measures
from fastlstm.kernel import suspicion
from fastlstm.kernel.drawing import Job, allocate_drawn, job_type, register, registers_at_once
from fastlstm.kernel.lanes.calls import call, in_frame
from fastlstm.kernel.lanes.convert import one_if
from fastlstm.kernel.lanes.jit import kernel
from fastlstm.kernel.lanes.memory import align_stack, load, store, uncounted
from fastlstm.kernel.lanes.registers import Fixed, mapped, store_column
from fastlstm.kernel.lanes.simd import lanes_of
from fastlstm.kernel.options import column_writers, group_modules, hooks, options
from fastlstm.kernel.passes import allocate_scratch, memory_kind, run_draws, with_units
from fastlstm.kernel.random import VALUES

# Arrays (columns, draws): the 16 drawn values, 1 where one of `suspects` says so, and one for each group
ColumnArrays = namedtuple("ColumnArrays", ("values", "suspect", *measures.GROUPS))
# Where a register of draws goes: the columns, and its first draw
Out = namedtuple("Out", "columns start")

ALWAYS = ("norms", "gates")  # groups that regimes are made from


def with_always(groups):
    """The groups that are computed where these are asked for, in order."""
    return tuple(name for name in measures.GROUPS if name in (*groups, *ALWAYS))


def suspects(groups):
    """Functions of a Done: where all of a `draw` is suspect, and where only the columns of a group are, by its name."""
    return hooks("suspect", {"draw": suspicion, **group_modules(with_always(groups))})


def _fresh(size):
    return np.empty(size, np.uint8)


def allocate_columns(stored, draws, groups, steps, lend=_fresh):
    """Memory for the columns of whole registers of draws; a group that is not computed has none.

    `lend` gives so many bytes; they lie in one piece, since that is what can be used again.
    """
    sizes = {g: len(measures.group(g, steps)) if g in with_always(groups) else 0 for g in measures.GROUPS}
    rows = ColumnArrays(values=VALUES, suspect=len(suspects(groups)), **sizes)
    types = [np.dtype(measures.STORED.get(name, stored)) for name in rows._fields]
    bounds = np.cumsum([0, *(count * draws * kind.itemsize for count, kind in zip(rows, types, strict=True))])
    memory = lend(bounds[-1])
    parts = zip(pairwise(bounds), types, strict=True)
    columns = ColumnArrays(*(memory[begin:end].view(kind).reshape(-1, draws) for (begin, end), kind in parts))
    for group in measures.GROUPS:
        getattr(columns, group).fill(np.nan)
    return columns


def memory_for(dtype, groups, steps, arithmetic):
    """Memory for one thread that computes these groups: Job.narrow, Job.drawn and that of the passes."""
    computed, _ = memory_kind(arithmetic)
    narrow = allocate_drawn("float32", 0 if computed == dtype else steps)
    drawn = allocate_drawn(computed, steps, registers_at_once(dtype, computed, steps))
    inner = "gate_grads" in group_modules(groups)
    units = [registers[0] for registers in drawn]
    return narrow, drawn, allocate_scratch(arithmetic, steps, units=units, inner=inner)


@cache
def build_simulation(stored, groups, arithmetic):
    """The kernel that makes the draws of the given numbers, whole registers of them, and fills columns.

    stored: the type of the columns; groups: measure groups, of with_always; arithmetic: what computes the draws, see
    suspicion. `draw` is the address of a kernel of build_drawing.
    """
    OPTIONS = options(group_modules(groups))
    WRITERS = column_writers(groups, ColumnArrays._fields)
    SUSPECTS = Fixed(suspects(groups))
    computed, _ = memory_kind(arithmetic)
    lanes = lanes_of(computed)
    sources, numbers, terms, narrow, drawn = job_type(computed)
    scratch, columns = typeof(allocate_scratch(arithmetic, 1)), typeof(allocate_columns(stored, 1, (), 1))

    @kernel(void(int64, sources, numbers, terms, narrow, drawn, scratch, columns), (stored, groups, arithmetic))
    def simulate(draw, sources, numbers, terms, narrow, drawn, memory, columns):
        align_stack()
        sources, numbers, narrow, drawn, memory, columns = uncounted((sources, numbers, narrow, drawn, memory, columns))
        job = in_frame(Job(sources, numbers, terms, narrow, drawn))
        for start in range(0, len(numbers), lanes):
            number = (start // lanes) % len(drawn.x)
            if number == 0:
                call(draw, job, start)
            scratch = with_units(memory, register(drawn, number))
            out = Out(columns, start)
            done = run_draws(scratch, terms, out, OPTIONS)
            for row in range(VALUES):
                store(columns.values, (row, start), load(scratch.values, (row,)))
            store_column(columns.suspect, start, mapped(one_if, (mapped(SUSPECTS, (), (done,)),), (done.p.W_y,)))
            mapped(WRITERS, (), (done, out))

    return simulate
