"""Going on at a wrong moment, by a wrong clock, with something else, or with another version."""

import fcntl
import os
import random
import signal
import time

import pytest
from ledger import Fault
from small_run import SPEC

from fastlstm import store

pytestmark = pytest.mark.chaos

REFUSED = 3


def is_locked(run):
    with (run / "_lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


# --- two at once -------------------------------------------------------------------------------------


def test_second_run_of_a_directory_is_refused_and_goes_on_when_the_first_has_died(bench, ledger):
    run = bench.run_with_parts_of(10, name="run")
    first = bench.start("run", bench.spec, "--out", run)
    try:
        while not is_locked(run):
            assert first.poll() is None
            time.sleep(0.001)
        first.send_signal(signal.SIGSTOP)
        refused = bench.go_on(run)
        assert refused.code == REFUSED, refused
        assert "another fastlstm process" in refused.stderr
        wrong = bench.wrong_numbers(run)
    finally:
        first.kill()
        first.communicate()
    ledger.enter(Fault.TWO_AT_ONCE, bench.judge_after_going_on(run, wrong=wrong))


@pytest.mark.chaos(only_all=True)
def test_runs_that_start_together(bench, ledger):
    for _ in range(3):
        run = bench.run_with_parts_of(10, name="run")
        pair = [bench.start("run", bench.spec, "--out", run) for _ in range(2)]
        told = [process.communicate(timeout=600) for process in pair]
        codes = sorted(process.returncode for process in pair)
        assert codes in ([0, REFUSED], [0, 0]), told  # or the second came when all was done
        ledger.enter(Fault.TWO_AT_ONCE, bench.judge(run), told=told)


# --- clocks ------------------------------------------------------------------------------------------


def test_clocks_that_go_back(bench, ledger, some):
    random_times = random.Random(3)
    for operation in some(range(10, 200, 38), 1):
        run = bench.run_with_parts_of(120, name="run")
        assert bench.go_on(run, operation=operation, kind="die", clocks_go_back=True).code == 137
        for path in run.rglob("*"):
            os.utime(path, (random_times.uniform(0, 4e9), random_times.uniform(0, 4e9)))
        wrong = bench.wrong_numbers(run)
        ended = bench.go_on(run, clocks_go_back=True)
        assert ended.code == 0, ended
        sessions = store.status(run).sessions
        assert sessions[-1]["ended"] < sessions[-1]["started"]  # the clock did go back
        ledger.enter(Fault.CLOCKS, bench.judge_after_going_on(run, wrong=wrong), told=operation)


# --- something else ----------------------------------------------------------------------------------


OTHERS = [
    "seed=6",
    "draws=241",
    "steps=11",
    "params.b_f=0.0",
    'dtype="float32"',
    'store.dtype="float64"',
    "measure.saturation=0.2",
]


def test_other_spec_is_refused_and_the_difference_named(bench, ledger, some):
    for change in some(OTHERS, 1):
        run = bench.run_with_parts_of(120, name="run")
        assert bench.go_on(run, operation=100, kind="die").code == 137
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        refused = bench.fork("run", bench.spec, "--out", run, "--set", change)
        assert refused.code == REFUSED, refused
        assert change.partition("=")[0] in refused.stderr
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
        ledger.enter(Fault.OTHER_SPEC, bench.judge_after_going_on(run))


def test_cosmetic_edit_is_no_other_spec(bench, ledger):
    run = bench.run_with_parts_of(120, name="run")
    assert bench.go_on(run, operation=100, kind="die").code == 137
    edited = bench.folder / "edited.toml"
    seed, rest = SPEC.split("\n", 1)
    head, tables = rest.split("\n\n", 1)
    edited.write_text(f'# a note\n{head}\n{seed}\ntitle = "another title"\n\n{tables}')
    ended = bench.fork("run", edited, "--out", run, "--threads", "2")
    ledger.enter(Fault.OTHER_SPEC, bench.judge(run, survived=ended.code == 0), told=ended)


def test_other_version_of_fastlstm_goes_on_and_both_are_on_record(bench, ledger):
    run = bench.run_with_parts_of(120, name="run")
    assert bench.go_on(run, operation=100, kind="die", version="0.0.9").code == 137
    ledger.enter(Fault.OTHER_VERSION, bench.judge_after_going_on(run))
    versions = [session["provenance"]["versions"]["fastlstm"] for session in store.status(run).sessions]
    assert len(set(versions)) == 2
    assert versions[0] == "0.0.9"


def test_draws_of_another_kernel_are_refused_and_not_mixed(bench, ledger):
    run = bench.run_with_parts_of(120, name="run")
    assert bench.go_on(run, operation=100, kind="die").code == 137
    refused = bench.go_on(run, kernel="0" * 64)
    assert refused.code == REFUSED, refused
    assert "--mix-kernels" in refused.stderr
    ledger.enter(Fault.OTHER_VERSION, bench.judge_after_going_on(run))


def test_other_version_of_the_random_streams_is_refused(bench, ledger):
    run = bench.run_with_parts_of(120, name="run")
    assert bench.go_on(run, operation=100, kind="die").code == 137
    refused = bench.go_on(run, stream_version=2)
    assert refused.code == REFUSED, refused
    assert "version of the random streams" in refused.stderr
    ledger.enter(Fault.OTHER_VERSION, bench.judge_after_going_on(run))
