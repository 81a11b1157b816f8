"""Files of two runs in one folder: refused and named before a draw is counted twice or taken for another's."""

import shutil

import pytest
from ledger import Fault
from small_run import SPEC, write_spec

pytestmark = pytest.mark.chaos

REFUSED, NOT_VERIFIED = 3, 4


def bring_in(source, target):
    """What `cp -rn source/. target/` does."""
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif not place.exists():
            shutil.copy(path, place)


def other_spec(bench):
    folder = bench.folder / "other spec"
    folder.mkdir(exist_ok=True)
    return write_spec(folder, SPEC.replace("seed = 5", "seed = 6"))


COMMANDS = (["status"], ["merge"], ["claims"], ["regimes"], ["verify"], ["verify", "--repair"])


def assert_refused(bench, run, names):
    """Every command says which file is the stranger; nothing is written."""
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for command in COMMANDS:
        refused = bench.fork(*command, run)
        assert refused.code == (NOT_VERIFIED if "verify" in command else REFUSED), refused
        told = refused.stdout + refused.stderr
        assert names in told
        assert "remove it" in told
        assert "Traceback" not in told
    refused = bench.go_on(run)
    assert refused.code == REFUSED, refused
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_shards_of_another_spec_are_refused_and_the_rest_completed(bench, ledger):
    run, other = (bench.folder / name for name in ("run", "other"))
    for path in (run, other):
        shutil.rmtree(path, ignore_errors=True)
    assert bench.fork("run", bench.spec, "--out", run, "--shard", "1/2").code == 0
    assert bench.fork("run", other_spec(bench), "--out", other, "--shard", "2/2").code == 0
    bring_in(other, run)
    assert_refused(bench, run, "_journal-2-of-2.jsonl")
    wrong = bench.wrong_numbers(run)
    (run / "_journal-2-of-2.jsonl").unlink()
    ledger.enter(Fault.MIXED, bench.judge_after_going_on(run, wrong=wrong))


def test_record_of_another_run_is_refused_and_the_right_one_can_be_put_back(bench, ledger):
    run, other = bench.copy(), bench.folder / "other"
    shutil.rmtree(other, ignore_errors=True)
    assert bench.fork("run", other_spec(bench), "--out", other).code == 0
    kept = {name: (run / name).read_bytes() for name in ("_run.json", "_spec.toml")}
    for name in kept:
        shutil.copy(other / name, run / name)
    refused = bench.fork("run", other_spec(bench), "--out", run)
    assert (refused.code, "_journal.jsonl" in refused.stderr) == (REFUSED, True)
    assert_refused(bench, run, "_journal.jsonl")
    wrong = bench.wrong_numbers(run)
    for name, data in kept.items():
        (run / name).write_bytes(data)
    ledger.enter(Fault.MIXED, bench.judge_after_going_on(run, wrong=wrong))


def test_parts_of_another_size_are_refused_and_no_draw_is_counted_twice(bench, ledger):
    run, other = bench.copy(), bench.run_with_parts_of(60, name="other")
    for shard in ("1/2", "2/2"):
        assert bench.fork("run", bench.spec, "--out", other, "--shard", shard).code == 0
    bring_in(other, run)
    assert_refused(bench, run, "_journal-1-of-2.jsonl")
    wrong = bench.wrong_numbers(run)
    for journal in run.glob("_journal-*"):
        journal.unlink()
    ledger.enter(Fault.MIXED, bench.judge_after_going_on(run, wrong=wrong))


@pytest.mark.parametrize("kept", ["", "own lines"])
def test_lines_of_a_run_with_smaller_parts_are_refused(bench, ledger, kept):
    run, other = bench.copy(), bench.run_with_parts_of(60, name="other")
    assert bench.go_on(other).code == 0
    journal = run / "_journal.jsonl"
    own = journal.read_bytes()
    journal.write_bytes((own if kept else b"") + (other / "_journal.jsonl").read_bytes())
    assert_refused(bench, run, "_journal.jsonl")
    wrong = bench.wrong_numbers(run)
    journal.unlink()
    ledger.enter(Fault.MIXED, bench.judge_after_going_on(run, wrong=wrong))
