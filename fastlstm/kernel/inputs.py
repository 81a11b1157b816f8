"""Input processes: x_1 .. x_T of a register of draws, step t in row t - 1 of scratch.

One function for each process, so that a kernel compiles only its own. Each first leaves uniforms in the rows
and then turns them into x in place. Both in one loop was no faster (normal, float64: 3.8 against 3.5 ns).
"""

from math import sqrt

import numpy as np
from numba import int64, uint64

from fastlstm.kernel.elementary import sin_cos_turns
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import gather, load, store
from fastlstm.kernel.lanes.simd import convert, fill, fma, select
from fastlstm.kernel.random import (
    CONSTANT,
    INPUT,
    SEQUENCE,
    TARGET,
    apply_quantile,
    between,
    fill_uniforms,
    philox,
    standard_normal,
    uniform_at,
)


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
def fill_normal(x, steps, mean, std, draws):
    """Independent normal inputs."""
    fill_uniforms(x, steps, INPUT, draws)
    for row in range(steps):
        store(x, (row, 0), fma(standard_normal(uniform_at(x, row)), std, mean))


@inline
def fill_uniform(x, steps, low, high, draws):
    """Independent inputs, uniform between low and high."""
    fill_uniforms(x, steps, INPUT, draws)
    for row in range(steps):
        store(x, (row, 0), between(low, high, uniform_at(x, row)))


@inline
def fill_choice(x, steps, choices, draws):
    """Independent inputs from a list; choices: a table of one distribution."""
    fill_distribution(x, steps, choices, INPUT, draws)


@inline
def fill_constant(x, steps, value):
    """The same number at every step."""
    like = load(x, (0, 0))
    for row in range(steps):
        store(x, (row, 0), fill(like, value))


@inline
def fill_sine(x, steps, amplitude, period, phases, draws):
    """x_t = amplitude sin 2 pi (phase + (t - 1) / period); phases: a table of one distribution, in turns."""
    fill_distribution(x, 1, phases, SEQUENCE, draws)
    phase = load(x, (0, 0))
    for row in range(steps):
        turns = row / period
        sine, _ = sin_cos_turns(phase + (turns - np.floor(turns)))
        store(x, (row, 0), amplitude * sine)


@inline
def fill_ar1(x, steps, mean, phi, std, draws):
    """x_t = mean + d_t, d_t = phi d_{t-1} + std sqrt(1 - phi^2) n_t, n_t ~ N(0, 1); each d_t has that std."""
    fill_normal(x, steps, 0.0, std, draws)
    fresh = sqrt((1.0 - phi) * (1.0 + phi))
    deviation = load(x, (0, 0))
    store(x, (0, 0), mean + deviation)
    for row in range(1, steps):
        deviation = fma(deviation, phi, fresh * load(x, (row, 0)))
        store(x, (row, 0), mean + deviation)


@inline
def fill_walk(x, steps, start, std, draws):
    """x_t = x_{t-1} + std n_t with n_t ~ N(0, 1), from x_0 = start."""
    fill_normal(x, steps, 0.0, std, draws)
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
def fill_window(x, steps, series, borders, draws):
    """Consecutive values of a series (float64, at least `steps` long, below 2^32) from a random place on."""
    starts = window_starts(steps, series, borders, draws)
    for row in range(steps):
        store(x, (row, 0), gather(series, starts, row))
