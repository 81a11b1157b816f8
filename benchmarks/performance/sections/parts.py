"""What the time of a step is made of, from the activations alone to a call of `fastlstm.gradients`."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numba
import numpy as np

from benchmarks.performance.problem import Problem
from benchmarks.performance.results import Findings, Table
from benchmarks.performance.sections import Effort
from benchmarks.performance.sections.limit import DRAW_STEPS, passes_alone
from benchmarks.performance.timing import Contestant, interleave
from fastlstm.kernel.arrays import build_gradients
from fastlstm.kernel.elementary import sigmoid, tanh
from fastlstm.kernel.forward_pass import Terms
from fastlstm.kernel.lanes.memory import align_stack, load, store, uncounted
from fastlstm.kernel.lanes.simd import lanes_of
from fastlstm.kernel.lstm import GIVEN, SIGMOID
from fastlstm.kernel.passes import allocate_scratch

TITLE = "What the time of a step is made of"
TEXT = """\
On one processor, in turns; each line does what the line above it does, and more. "Activations" are the four sigmoids
and the two tanh of a step with their slopes, of numbers that do not wait for each other, in cache. "Both passes" have
the parameters and inputs of one register of draws in the kernel's layout and in cache, and write no dL/dx. "From arrays
in cache" is the kernel on arrays (draws, 14) and (draws, steps) that the second cache holds, again and again: it
transposes them, finds suspect draws and takes scales off. "Of all draws" is the kernel on arrays that no cache holds.
"Filled arrays" is `fastlstm.gradients` into arrays that are there already. "New arrays" come from the system, which
clears them page by page. "dL/dx" is one number more for each step, computed, transposed and written."""


NAMES = (
    "activations", "both passes", "from arrays in cache", "of all draws", "filled arrays", "new arrays",
    "new arrays, and dL/dx",
)  # fmt: skip
IN_CACHE = 25_600  # draw-steps


@numba.njit(error_model="numpy", nogil=True)
def _activate(rows: Any, results: Any, times: int) -> None:
    align_stack()
    rows, results = uncounted(rows), uncounted(results)
    for _ in range(times):
        for row in range(0, len(rows), 6):
            f, i, o = sigmoid(load(rows, (row,))), sigmoid(load(rows, (row + 1,))), sigmoid(load(rows, (row + 2,)))
            g, tau, y = tanh(load(rows, (row + 3,))), tanh(load(rows, (row + 4,))), sigmoid(load(rows, (row + 5,)))
            values = (f.value + i.value) + (o.value + g.value) + (tau.value + y.value)
            slopes = (f.slope + i.slope) + (o.slope + g.slope) + (tau.slope + y.slope)
            store(results, (row,), values + slopes)


def activations(dtype: str, steps: int) -> Contestant:
    """Those of so many steps of a register of draws; the rows of eight steps are in the first cache."""
    rows = np.random.default_rng(1).normal(size=(48, lanes_of(dtype))).astype(dtype)
    results, times = np.empty_like(rows), steps // 8
    return Contestant("activations", partial(_activate, rows, results, times), 8 * times * lanes_of(dtype), True)


def kernel(name: str, given: Problem, calls: int) -> Contestant:
    """The kernel behind `fastlstm.gradients` without dL/dx, so many times on the same arrays."""
    draws, steps, dtype = given.draws, given.steps, given.dtype
    solve, scratch = build_gradients(dtype, "full", False), allocate_scratch(dtype, steps)
    nothing = np.broadcast_to(np.zeros(2, dtype), (draws, 2))
    filled = [np.zeros((draws, columns), dtype) for columns in (14, 1, 1, 0)]
    suspect = np.zeros((draws, 1), np.uint8)
    dy = np.broadcast_to(given.dy, (draws, steps))
    terms = Terms(steps, GIVEN, SIGMOID, 0, 0.5, window=1)

    def run() -> None:
        for _ in range(calls):
            solve(given.params, nothing, nothing, given.x, dy, terms, scratch, *filled, suspect)

    return Contestant(name, run, calls * draws * steps, True)


def contest(dtype: str, steps: int) -> list[Contestant]:
    """In the order of NAMES."""
    draws = DRAW_STEPS // steps // 256 * 256
    given, few = Problem(dtype, draws, steps), Problem(dtype, IN_CACHE // steps, steps)
    registers = DRAW_STEPS // steps // lanes_of(dtype)
    found = (
        activations(dtype, registers * steps),
        passes_alone(dtype, steps, registers),
        kernel("", few, DRAW_STEPS // IN_CACHE),
        kernel("", given, 1),
        Contestant("", partial(given.solve, inputs=False, out=given.filled), draws * steps, True),
        Contestant("", partial(given.solve, inputs=False), draws * steps, True),
        Contestant("", given.solve, draws * steps, True),
    )
    return [each._replace(name=name) for name, each in zip(NAMES, found, strict=True)]


def measure(effort: Effort, tell: Callable[[str], None]) -> Findings:
    findings = Findings()
    for dtype in ("float32", "float64"):
        columns = []
        for steps in (10, 100):
            tell(f"parts, {dtype}, T = {steps}")
            times = interleave(contest(dtype, steps), seconds=effort.seconds)
            columns.append([min(times[name].processor) * 1e9 for name in NAMES])
        spent = dict(zip(NAMES, columns[-1], strict=True))
        findings.figures[f"passes_{dtype}"] = spent["both passes"] / spent["new arrays, and dL/dx"]  # T = 100
        added = [["", *(after - before for before, after in pairwise(column))] for column in columns]
        rows = zip(NAMES, columns[0], added[0], columns[1], added[1], strict=True)
        findings.tables.append(
            Table(f"{dtype}, ns a step", ["", "T = 10", "more", "T = 100", "more"], [list(row) for row in rows])
        )
    return findings
