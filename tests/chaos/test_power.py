"""The power may be cut after any file operation: the syncing is in the right places."""

import pickle
import random

import pytest
from ledger import Fault
from power import PowerCut

pytestmark = pytest.mark.chaos


def steps_of(bench, run, **faults):
    """The file operations that go on with a run, which is then as it was before."""
    trace = bench.folder / "trace"
    assert bench.go_on(run, trace=str(trace), **faults).code == 0
    return pickle.loads(trace.read_bytes())


def cut_power(bench, run, steps, choices):
    state = PowerCut(run)
    for step in steps:
        state.take(step)
    state.leave(choices)


def test_power_cut_after_any_file_operation(bench, ledger, some):
    run = bench.run_with_parts_of(240, name="run")
    steps = steps_of(bench, run)
    assert len(steps) > 100
    for number in some(range(len(steps)), 1):
        run = bench.run_with_parts_of(240, name="run")
        cut_power(bench, run, steps[:number], random.Random(number) if number % 2 else None)
        wrong = bench.wrong_numbers(run)
        ledger.enter(Fault.POWER_CUT, bench.judge_after_going_on(run, wrong=wrong), told=(number, steps[number]))


def test_run_that_has_ended_survives_a_power_cut_as_it_is(bench):
    run = bench.run_with_parts_of(240, name="run")
    steps = steps_of(bench, run)
    run = bench.run_with_parts_of(240, name="run")
    cut_power(bench, run, steps, None)
    assert bench.judge(run).clean


def test_power_cut_finds_a_missing_sync(bench):
    """The test of the test: without the syncing of files, or of folders, a power cut leaves a damaged run."""
    for left_out in ("sync", "sync_folder"):
        run = bench.run_with_parts_of(240, name="run")
        steps = [step for step in steps_of(bench, run) if step[0] != left_out]
        run = bench.run_with_parts_of(240, name="run")
        cut_power(bench, run, steps, None)
        assert not bench.is_whole(run)
