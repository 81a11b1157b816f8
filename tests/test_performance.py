"""The benchmark's own instruments: counts in compiled code, marks, the check of peers. Nothing here is timed."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.performance.assembly import Operations, blocks_of, loops_of, operations
from benchmarks.performance.page import page
from benchmarks.performance.peers.numpy_peer import NumPy
from benchmarks.performance.problem import Problem, WrongGradients
from benchmarks.performance.targets import TARGETS, judged
from benchmarks.performance.timing import Contestant, interleave, ratio

ROOT = Path(__file__).parents[1]

# for a: for b: {multiply, shift}; add -- with a way round the shift, and something after the function
NESTED = """\
\t.type\tkernel,@function
kernel:
\tvmovups\t(%rdi), %zmm0
.LBB0_1:
\tvmovups\t(%rsi), %zmm1
.LBB0_2:
\tvmulps\t%zmm0, %zmm1, %zmm1
\ttestb\t%al, %al
\tje\t.LBB0_4
\tvpslld\t$23, %zmm0, %zmm1
.LBB0_4:
\tvaddss\t%xmm1, %xmm2, %xmm2
\tdecq\t%rcx
\tjne\t.LBB0_2
\tvaddps\t(%rsi), %zmm1, %zmm0
\tdecq\t%rdx
\tjne\t.LBB0_1
\tretq
.Lfunc_end0:
\t.type\tother,@function
other:
.LBB1_1:
\tvmulps\t%zmm0, %zmm1, %zmm1
\tjmp\t.LBB1_1
"""


def test_loops_are_found_with_the_loops_inside_them():
    loops = sorted(loops_of(blocks_of(NESTED)), key=lambda loop: len(loop.blocks))
    assert len(loops) == 2
    assert loops[0].blocks == loops[1].inside
    assert loops[0].blocks < loops[1].blocks
    assert not loops[0].inside


def test_vector_arithmetic_is_counted_without_moves_and_other_registers():
    blocks = blocks_of(NESTED)
    inner, outer = sorted(loops_of(blocks), key=lambda loop: len(loop.blocks))
    assert operations(blocks, inner.blocks, "zmm") == Operations(arithmetic=2, shifts=1)
    assert operations(blocks, outer.blocks - outer.inside, "zmm") == Operations(arithmetic=1, shifts=0)


def test_marks_are_met_from_their_own_side():
    marks = {target.key: target for target in TARGETS}
    more, less = marks["c_float32"], marks["cached_start"]
    assert [more.verdict(value) for value in (0.94, 0.95, 1.2)] == ["short", "at least", "aim"]
    assert [less.verdict(value) for value in (3.01, 3.0, 2.0)] == ["short", "at least", "aim"]
    assert judged({"cached_start": 2.5}) == [(less, 2.5, "at least")]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_right_peer_passes_and_one_that_lacks_a_term_does_not(dtype):
    problem = Problem(dtype, 256, 20)
    actual = NumPy().load(problem, {"batch": 256, "at_once": 1}).solution()
    problem.check("NumPy", actual)
    actual = actual.copy()
    actual[:, 3] *= 0.9
    with pytest.raises(WrongGradients, match=f"{dtype}, 20 steps"):
        problem.check("NumPy", actual)


def test_a_peer_in_another_type_does_not_pass():
    problem = Problem("float32", 32, 5)
    with pytest.raises(WrongGradients, match="float64 instead of float32"):
        problem.check("NumPy", problem.solution.astype(np.float64))


def test_contestants_take_turns_and_begin_in_turn():
    order: list[str] = []
    contest = [Contestant(name, lambda name=name: order.append(name), units=1) for name in "ab"]
    times = interleave(contest, seconds=0.0, least=3)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"  # the first round is not counted
    assert len(times["a"].wall) == len(times["b"].wall) == 3
    assert ratio(times["a"], times["a"])["min"] == 1.0


def test_the_page_is_made_from_the_stored_measurements():
    stored = json.loads((ROOT / "benchmarks" / "performance.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / "performance.md").read_text(encoding="utf-8") == page(stored)
