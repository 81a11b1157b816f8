"""The simulation of draws: each register of draws is drawn, run forward and backward, and its columns are written.

`build_simulation` makes a kernel for one choice of options; what is not chosen is not compiled. A kernel runs
without the interpreter's lock and uses only the scratch memory it is given, so threads run side by side.
"""

from collections import namedtuple
from functools import cache
from itertools import pairwise

import numpy as np
from numba import int64, typeof, uint32, uint64, void

from fastlstm import measures
from fastlstm.kernel import suspicion
from fastlstm.kernel.forward_pass import Terms
from fastlstm.kernel.inputs import PROCESSES, fill_targets, source
from fastlstm.kernel.lanes.convert import one_if
from fastlstm.kernel.lanes.jit import inline, kernel
from fastlstm.kernel.lanes.memory import align_stack, load, load_lanes, store, uncounted
from fastlstm.kernel.lanes.registers import Fixed, mapped, store_column
from fastlstm.kernel.lanes.simd import LANES
from fastlstm.kernel.options import column_writers, group_modules, hooks, options
from fastlstm.kernel.passes import allocate_drawn, allocate_scratch, memory_kind, run_draws
from fastlstm.kernel.random import VALUES, Draws, distributions, draw_values

# What a point asks for: the source of its inputs, the distribution of its targets (a table of one), and more of Terms
Setting = namedtuple("Setting", "source targets first_loss_step saturation window")
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
    """Memory for one thread that computes these groups: for what is drawn, and for the passes."""
    inner = "gate_grads" in group_modules(with_always(groups))
    scratch = allocate_scratch(arithmetic, steps, inner=inner)
    return allocate_drawn(dtype, steps, scratch), scratch


def setting(source, *, target=("constant", 0.0), first_loss_step=0, saturation=0.1, window=1):
    """A Setting; `target` is a distribution by name and arguments."""
    return Setting(source, distributions([target]), first_loss_step, float(saturation), window)


def _simulation_signature(dtype, stored, arithmetic):
    scratch = allocate_scratch(arithmetic, 1)
    samples = (
        distributions([("constant", 0.0)] * VALUES),
        setting(source()),
        allocate_drawn(dtype, 1, scratch),
        scratch,
        allocate_columns(stored, 1, (), 1),
    )
    return void(uint64, uint32, uint64[::1], int64, *map(typeof, samples))


# --- targets -------------------------------------------------------------------------------------


@inline
def _no_targets(drawn, steps, setting, draws):
    pass


@inline
def _random_targets(drawn, steps, setting, draws):
    fill_targets(drawn.target, steps, setting.targets, draws)


@inline
def _delayed_inputs(drawn, steps, setting, draws):
    for t in range(setting.first_loss_step, steps):
        store(drawn.target, (t,), load(drawn.x, (t - setting.first_loss_step,)))


TARGETS = {"none": _no_targets, "distribution": _random_targets, "delay": _delayed_inputs}


@inline
def _leave_in_place(drawn, scratch, steps):
    pass


@inline
def _convert(drawn, scratch, steps):
    """Draws of float32, to be computed in float64."""
    for row in range(VALUES):
        store(scratch.values, (row,), load(drawn.values, (row,)))
    for t in range(steps):
        store(scratch.x, (t,), load(drawn.x, (t,)))
        store(scratch.target, (t,), load(drawn.target, (t,)))


@cache
def build_simulation(dtype, stored, process, loss, readout, target, groups, arithmetic):
    """The kernel that makes the draws of the given numbers, whole registers of them, and fills columns.

    dtype, stored: the type drawn in and the type of the columns; process, target, loss, readout: keys of PROCESSES,
    TARGETS, LOSSES and READOUTS; groups: measure groups; arithmetic: what computes the draws, see suspicion.
    """
    computed = with_always(groups)
    modules = group_modules(computed)
    OPTIONS = options(loss, readout, modules)
    WRITERS = column_writers(computed, ColumnArrays._fields)
    fill_inputs, fill_targets = PROCESSES[process], TARGETS[target]
    SUSPECTS = Fixed(suspects(groups))
    copy = _leave_in_place if memory_kind(arithmetic)[0] == dtype else _convert

    @kernel(
        _simulation_signature(dtype, stored, arithmetic),
        (dtype, stored, process, loss, readout, target, groups, arithmetic),
    )
    def simulate(seed, stream, numbers, steps, table, setting, drawn, scratch, columns):
        align_stack()
        table, setting, drawn, scratch, columns = uncounted((table, setting, drawn, scratch, columns))
        numbers = uncounted(numbers)
        terms = Terms(steps, setting.first_loss_step, setting.saturation, setting.window)
        for start in range(0, len(numbers), LANES):
            draws = Draws(seed, stream, load_lanes(numbers, (start,), LANES))
            out = Out(columns, start)
            draw_values(drawn.values, table, draws)
            fill_inputs(drawn.x, steps, setting.source, draws)
            fill_targets(drawn, steps, setting, draws)
            copy(drawn, scratch, steps)
            done = run_draws(scratch, terms, out, OPTIONS)
            for row in range(VALUES):
                store(columns.values, (row, start), load(scratch.values, (row,)))
            store_column(columns.suspect, start, mapped(one_if, (mapped(SUSPECTS, (), (done,)),), (done.p.W_y,)))
            mapped(WRITERS, (), (done, out))

    return simulate
