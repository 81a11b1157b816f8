"""A run that is killed at any time goes on to the same content."""

import random
import time

import pytest
from ledger import Fault

pytestmark = pytest.mark.chaos

KILLS, KILLS_OF_ONE_RUN = 30, 5
FORKED = 40


def wait_for_first_commit(process, journal):
    """Until the process has added to the journal, or has ended."""
    before = journal.stat().st_size
    while process.poll() is None and journal.stat().st_size == before:
        time.sleep(0.001)


def test_real_command_goes_on_however_often_it_is_killed(bench, ledger, some):
    random_times = random.Random(30)
    for _ in some(range(KILLS // KILLS_OF_ONE_RUN), 1):
        run = bench.run_with_parts_of(10, name="run")  # 72 parts
        for _ in some(range(KILLS_OF_ONE_RUN), 1):
            process = bench.start("run", bench.spec, "--out", run)
            wait_for_first_commit(process, run / "_journal.jsonl")
            time.sleep(random_times.uniform(0.0, 0.3))
            process.kill()
            process.communicate()
            assert process.returncode in (0, -9)  # the kill may come a moment after the end
            assert bench.wrong_numbers(run) == 0
            ledger.enter(Fault.KILLED, bench.judge_of_a_copy(run))
        assert bench.judge_after_going_on(run).clean


def test_process_killed_from_its_first_moment_on(bench, ledger, some):
    random_times = random.Random(31)
    for _ in some(range(FORKED), 2):
        run = bench.run_with_parts_of(120, name="run")
        bench.go_on(run, kill_after=random_times.uniform(0.0, 0.25))
        wrong = bench.wrong_numbers(run)
        ledger.enter(Fault.KILLED, bench.judge_after_going_on(run, wrong=wrong))
