"""Input processes: x_1 .. x_T of a register of draws, step t in row t - 1 of scratch.

One function for each process, in `PROCESSES` by its name in a spec, so that a drawing compiles only its own. Each
first leaves uniforms in the rows and then turns them into x in place. Both in one loop was no faster (normal,
float64: 3.8 against 3.5 ns).
"""

from collections import namedtuple
from math import sqrt

import numpy as np
from numba import int64, uint64

from fastlstm.kernel.elementary import sin_cos_turns
from fastlstm.kernel.lanes.convert import convert
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import gather, load, store
from fastlstm.kernel.lanes.simd import fill, fma, select
from fastlstm.kernel.random import (
    CONSTANT,
    INPUT,
    SEQUENCE,
    TARGET,
    apply_quantile,
    between,
    distributions,
    fill_uniforms,
    philox,
    standard_normal,
    uniform_at,
)

# What inputs are made from: the numbers of the process in a spec (up to three, in its order), the phases of a sine or
# the choices (a table of one distribution), and series of float64 with their borders, see `window_starts`
Source = namedtuple("Source", "numbers distribution series borders")


def source(numbers=(), *, distribution=("constant", 0.0), series=(0.0,), borders=()):
    """A Source; `distribution` is one by name and arguments."""
    a, b, c = (*map(float, numbers), 0.0, 0.0, 0.0)[:3]
    return Source((a, b, c), distributions([distribution]), np.array(series, np.float64), np.array(borders, np.int64))


@inline
def fill_distribution(rows, steps, table, purpose, draws):
    """Independent values of the table's first distribution, for any purpose."""
    kinds, a, b, choices = table
    if kinds[0] != CONSTANT:
        fill_uniforms(rows, steps, purpose, draws)
    for row in range(steps):
        apply_quantile(rows, row, kinds[0], a[0], b[0], choices)


@inline
def fill_targets(targets, steps, table, draws):
    """Independent targets of the table's first distribution."""
    fill_distribution(targets, steps, table, TARGET, draws)


@inline
def _fill_normal(x, steps, mean, std, draws):
    fill_uniforms(x, steps, INPUT, draws)
    for row in range(steps):
        store(x, (row, 0), fma(standard_normal(uniform_at(x, row)), std, mean))


@inline
def normal(x, steps, source, draws):
    """Independent normal inputs."""
    mean, std, _ = source.numbers
    _fill_normal(x, steps, mean, std, draws)


@inline
def uniform(x, steps, source, draws):
    """Independent inputs, uniform between low and high."""
    low, high, _ = source.numbers
    fill_uniforms(x, steps, INPUT, draws)
    for row in range(steps):
        store(x, (row, 0), between(low, high, uniform_at(x, row)))


@inline
def choice(x, steps, source, draws):
    """Independent inputs from a list."""
    fill_distribution(x, steps, source.distribution, INPUT, draws)


@inline
def constant(x, steps, source, draws):
    """The same number at every step."""
    value, _, _ = source.numbers
    like = load(x, (0, 0))
    for row in range(steps):
        store(x, (row, 0), fill(like, value))


@inline
def sine(x, steps, source, draws):
    """x_t = amplitude sin 2 pi (phase + (t - 1) / period), with phases in turns."""
    amplitude, period, _ = source.numbers
    fill_distribution(x, 1, source.distribution, SEQUENCE, draws)
    phase = load(x, (0, 0))
    for row in range(steps):
        turns = row / period
        height, _ = sin_cos_turns(phase + (turns - np.floor(turns)))
        store(x, (row, 0), amplitude * height)


@inline
def ar1(x, steps, source, draws):
    """x_t = mean + d_t, d_t = phi d_{t-1} + std sqrt(1 - phi^2) n_t, n_t ~ N(0, 1); each d_t has that std."""
    mean, phi, std = source.numbers
    _fill_normal(x, steps, 0.0, std, draws)
    fresh = sqrt((1.0 - phi) * (1.0 + phi))
    deviation = load(x, (0, 0))
    store(x, (0, 0), mean + deviation)
    for row in range(1, steps):
        deviation = fma(deviation, phi, fresh * load(x, (row, 0)))
        store(x, (row, 0), mean + deviation)


@inline
def walk(x, steps, source, draws):
    """x_t = x_{t-1} + std n_t with n_t ~ N(0, 1), from x_0 = start."""
    start, std, _ = source.numbers
    _fill_normal(x, steps, 0.0, std, draws)
    position = fill(load(x, (0, 0)), start)
    for row in range(steps):
        position = position + load(x, (row, 0))
        store(x, (row, 0), position)


@inline
def window_starts(steps, series, borders, draws):
    """Where a window begins: each place where it fits into one series has the same probability to within 2^-32.

    Several series may follow each other in `series`; borders: for each but the first, how many windows begin before it.
    """
    word, _, _, _ = philox(draws.seed, draws.stream + SEQUENCE, draws.numbers, 0)
    windows = len(series) - (len(borders) + 1) * (steps - 1)
    number = convert((convert(word, uint64) * uint64(windows)) >> 32, int64)
    starts = number
    for border in range(len(borders)):
        # at the end of each series before its own, no window begins at steps - 1 places
        starts = select(number < borders[border], starts, starts + (steps - 1))
    return starts


@inline
def file(x, steps, source, draws):
    """Consecutive values of one series, each at least `steps` long and all below 2^32, from a random place on."""
    starts = window_starts(steps, source.series, source.borders, draws)
    for row in range(steps):
        store(x, (row, 0), gather(source.series, starts, row))


PROCESSES = {function.__name__: function for function in (normal, uniform, choice, constant, sine, ar1, walk, file)}
