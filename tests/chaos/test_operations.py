"""Whichever file operation fails, or is the last one of a process: the run says so, and goes on."""

import pytest
from ledger import Fault

pytestmark = pytest.mark.chaos

KINDS = {"EIO": Fault.INPUT_OUTPUT, "ENOSPC": Fault.NO_SPACE, "die": Fault.DIES}
EXPECTED = {"EIO": (0, 74), "ENOSPC": (0, 74), "die": (137,)}


@pytest.mark.parametrize("kind", KINDS)
def test_any_file_operation_may_fail(bench, ledger, some, kind):
    # One part for each point: the operations of a second one are those of the first.
    whole = bench.go_on(bench.run_with_parts_of(240, name="run"))
    assert whole.code == 0
    assert whole.operations > 100
    failed = 0
    for operation in some(range(whole.operations), 1):
        run = bench.run_with_parts_of(240, name="run")
        ended = bench.go_on(run, operation=operation, kind=kind)
        if ended.code == 0 and operation >= ended.operations:
            continue  # it never came: parts that are ready together are synced together, so a run may have fewer
        assert ended.code in EXPECTED[kind], ended
        assert "Traceback" not in ended.stderr
        assert bool(ended.stderr) == (ended.code == 74), ended
        failed += ended.code != 0
        wrong = bench.wrong_numbers(run)
        ledger.enter(KINDS[kind], bench.judge_after_going_on(run, wrong=wrong), told=(operation, ended))
    assert failed


@pytest.mark.parametrize("kind", KINDS)
def test_going_on_may_itself_fail_at_any_file_operation(bench, ledger, some, kind):
    died = 100  # in the middle of a commit
    for operation in some(range(0, 60, 6), 1):  # of the recovery, and the first commit
        run = bench.run_with_parts_of(120, name="run")
        assert bench.go_on(run, operation=died, kind="die").code == 137
        ended = bench.go_on(run, operation=operation, kind=kind)
        assert ended.code in EXPECTED[kind], ended
        wrong = bench.wrong_numbers(run)
        ledger.enter(KINDS[kind], bench.judge_after_going_on(run, wrong=wrong), told=(operation, ended))
