"""How near the kernel of gradients is to what the vector units can do."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

from benchmarks.performance.assembly import Block, Loop, Operations, blocks_of, loops_of, operations
from benchmarks.performance.problem import Problem
from benchmarks.performance.results import Findings, Table
from benchmarks.performance.sections import Effort
from benchmarks.performance.timing import Contestant, interleave
from fastlstm.kernel.backward_pass import CHUNK
from fastlstm.kernel.forward_pass import Terms
from fastlstm.kernel.lanes.memory import align_stack, load, store, uncounted
from fastlstm.kernel.lanes.simd import REGISTER, fma, lanes_of
from fastlstm.kernel.lstm import GIVEN, SIGMOID
from fastlstm.kernel.options import options
from fastlstm.kernel.passes import allocate_scratch, run_draws

TITLE = "The limit: vector operations"
TEXT = """\
The two passes are compiled by themselves, for given dy, and the vector instructions in their loops over time are
counted: arithmetic, comparisons, shifts and selections, but no loads, stores and copies. What stands between the
chunks of the backward pass is shared among the steps of a chunk. Next to it, on the same processor and in turns, runs
a loop of independent fused multiply-adds on registers of the same width. The bound is the time that the counted
instructions would take at that rate; where additions have units of their own, as on Zen 4, it can be passed by a
little. The share is the bound over the time that `fastlstm.gradients` takes with one thread, T = 100, all it does
besides included: arrays transposed in and out, dL/dx written, memory. "The two passes alone" have their parameters and
inputs in the kernel's layout and in cache, and write no dL/dx, like C."""

DRAW_STEPS = 2**23  # of a run: one of a few milliseconds is too short to count what starting it takes
INDEPENDENT = 4  # registers of lanes in the loop that measures the rate: more would not stay in the machine's registers
REGISTERS = {"zmm": 64, "ymm": 32, "xmm": 16}  # bytes


class Count(NamedTuple):
    """Instructions for a register of lanes and a step."""

    register: str
    forward: Operations
    outputs: Operations
    backward: Operations
    chunk: Operations


def count(dtype: str) -> Count:
    """Find the loops over time in the two passes. Raises ValueError where there are none to be found.

    Only an exponential shifts: of the loops that do, the steps of the forward pass have the most operations, and its
    outputs shift a fifth as often. The backward pass has the most operations of the loops that do not shift.
    """
    passes = compiled_passes()
    passes(allocate_scratch(dtype, 1), 0)
    (text,) = passes.inspect_asm().values()
    blocks = blocks_of(text)
    register = max(REGISTERS, key=lambda name: text.count(f"%{name}"))
    loops = loops_of(blocks)
    own = [(operations(blocks, loop.blocks - loop.inside, register), loop) for loop in loops]
    forward = max((code for code, loop in own if code.shifts and not loop.inside), default=None)
    outputs = max((code for code, _ in own if forward and 5 * code.shifts == forward.shifts), default=None)
    backward = max(((code, loop) for code, loop in own if not code.shifts), default=None, key=lambda pair: pair[0])
    if forward is None or outputs is None or backward is None:
        raise ValueError("no loops over time were found in the compiled code; they are looked for on x86-64 only")
    return Count(register, forward, outputs, backward[0], _around(blocks, loops, backward[1], register))


def _around(blocks: list[Block], loops: list[Loop], loop: Loop, register: str) -> Operations:
    """What the next outer loop does by itself."""
    outer = min((other for other in loops if loop.blocks < other.blocks), key=lambda other: len(other.blocks))
    return operations(blocks, outer.blocks - outer.inside, register)


@numba.njit(error_model="numpy", nogil=True)
def _multiply_adds(rows: Any, times: int) -> None:
    a, b, c, d = load(rows, (0,)), load(rows, (1,)), load(rows, (2,)), load(rows, (3,))
    m, n = load(rows, (4,)), load(rows, (5,))
    for _ in range(times):
        a, b, c, d = fma(a, m, n), fma(b, m, n), fma(c, m, n), fma(d, m, n)
    store(rows, (0,), a + b + c + d)


def compiled_passes() -> Any:
    """Both passes for given dy, so many times over the same register of draws."""
    OPTIONS = options({})

    @numba.njit(error_model="numpy", nogil=True)
    def passes(scratch: Any, times: int) -> None:
        align_stack()
        scratch = uncounted(scratch)
        for _ in range(times):
            run_draws(scratch, Terms(len(scratch.x), GIVEN, SIGMOID, 0, 0.5, window=1), (), OPTIONS)

    return passes


def passes_alone(dtype: str, steps: int, registers: int) -> Contestant:
    """The forward and the backward pass over the same register of draws, again and again."""
    passes = compiled_passes()
    scratch = allocate_scratch(dtype, steps)
    random = np.random.default_rng(1)
    for rows in (scratch.values, scratch.x):
        rows[:] = random.normal(size=rows.shape)
    scratch.target[:] = 1.0

    def run() -> None:
        passes(scratch, registers)

    run()
    return Contestant("passes", run, registers * lanes_of(dtype) * steps, one_processor=True)


def rate(name: str, loop: Any, dtype: str, register: str, times: int) -> Contestant:
    """A loop of one operation; its unit is an instruction."""
    rows = np.full((INDEPENDENT + 2, lanes_of(dtype)), 0.75, dtype)

    def run() -> None:
        rows[:INDEPENDENT] = np.linspace(1.0, 2.0, rows[:INDEPENDENT].size).reshape(INDEPENDENT, -1)
        loop(rows, times)

    run()
    instructions = REGISTER // REGISTERS[register]
    return Contestant(name, run, times * INDEPENDENT * instructions, one_processor=True)


def measure(effort: Effort, tell: Callable[[str], None]) -> Findings:
    findings = Findings()
    table = Table("Instructions for a register of draws and a step", ["", "float32", "float64"])
    columns: list[list[float | int | str]] = []
    for dtype in ("float32", "float64"):
        tell(f"limit, {dtype}: counting")
        try:
            counted = count(dtype)
        except ValueError as error:
            findings.left_out.append(str(error))
            return findings
        tell(f"limit, {dtype}: measuring")
        inputs = Problem(dtype, DRAW_STEPS // 100 // 256 * 256, 100)
        times = interleave(
            [
                rate("fma", _multiply_adds, dtype, counted.register, 4_000_000),
                passes_alone(dtype, 100, DRAW_STEPS // 100 // lanes_of(dtype)),
                Contestant("gradients", inputs.solve, inputs.draws * inputs.steps, one_processor=True),
            ],
            seconds=effort.seconds,
        )
        fma_ns, passes, spent = (min(times[name].processor) * 1e9 for name in ("fma", "passes", "gradients"))
        parts = (counted.forward, 1), (counted.outputs, 1), (counted.backward, 1), (counted.chunk, CHUNK[dtype])
        bound = sum(part.arithmetic / steps for part, steps in parts) * fma_ns / lanes_of(dtype)
        findings.figures[f"bound_{dtype}"] = 100 * bound / spent
        columns.append(
            [
                f"{lanes_of(dtype)} in {counted.register}", counted.forward.arithmetic, counted.outputs.arithmetic,
                counted.backward.arithmetic, counted.chunk.arithmetic, CHUNK[dtype], 1 / fma_ns, bound, spent,
                100 * bound / spent, passes, 100 * bound / passes,
            ]
        )  # fmt: skip
    names = (
        "lanes", "forward: arithmetic", "outputs: arithmetic", "backward: arithmetic",
        "between chunks: arithmetic", "steps of a chunk",
        "fma instructions, 10^9 a second", "bound, ns a step and draw", "gradients, ns a step and draw",
        "share of the bound, %", "the two passes alone, ns a step and draw", "their share of the bound, %",
    )  # fmt: skip
    table.rows = [list(row) for row in zip(names, *columns, strict=True)]
    findings.tables.append(table)
    return findings
