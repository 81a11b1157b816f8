"""Links, pipes, devices and folders in place of files: nothing hangs, and nothing outside the run is touched."""

import os
import shutil

import pytest
from ledger import Fault
from small_run import SPEC, write_spec

pytestmark = pytest.mark.chaos

NOT_VERIFIED, DISK_ERROR = 4, 74
PRECIOUS = b"precious"
SECONDS = 60  # in which each of these commands ends, if it waits for nothing
FILES = [
    "_run.json",
    "_spec.toml",
    "_journal.jsonl",
    "_journal-1-of-2.jsonl",
    "_lock",
    "_lock-run",
    "regimes.parquet",
    "draws/point=0001/part-00000001.parquet",
    "counts/point=0001/part-00000001.parquet",
]


def put_in_place(kind, path, victim):
    path.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "link":
            path.symlink_to(victim)
        case "folder":
            path.mkdir()


def take_away(path):
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("kind", ["pipe", "device", "link", "folder"])
def test_no_command_waits_for_or_writes_through_what_is_no_file(bench, ledger, some, kind):
    victim = bench.folder / "victim"
    for file in some(FILES, 2):
        run = bench.copy()
        victim.write_bytes(PRECIOUS)
        put_in_place(kind, run / file, victim)
        for command in (["status", run], ["merge", run], ["verify", run], ["verify", run, "--repair"]):
            ended = bench.fork(*command, timeout=SECONDS)
            assert ended.code in (0, 1, 3, NOT_VERIFIED, DISK_ERROR), (file, command, ended)
            assert "Traceback" not in ended.stderr
        assert bench.go_on(run, timeout=SECONDS).code in (0, 1, 3, DISK_ERROR)
        assert victim.read_bytes() == PRECIOUS, file
        wrong = bench.wrong_numbers(run)
        take_away(run / file)
        ledger.enter(Fault.NO_FILE, bench.judge_after_going_on(run, wrong=wrong), told=file)


TEMPORARIES = ["._spec.toml.partial", "._run.json.partial", "._journal.jsonl.partial"]


def test_no_file_is_written_through_a_link_that_waits_under_a_temporary_name(bench, ledger, some):
    victim = bench.folder / "victim"
    part = "draws/point=0001/.part-00000000.parquet.partial"
    for file in some([*TEMPORARIES, part], 1):
        run = bench.folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        (run / file).parent.mkdir(parents=True)
        victim.write_bytes(PRECIOUS)
        (run / file).symlink_to(victim)
        assert bench.fork("run", bench.spec, "--out", run).code == 0
        assert victim.read_bytes() == PRECIOUS
        ledger.enter(Fault.NO_FILE, bench.judge(run), told=file)


@pytest.mark.parametrize("folder", ["draws", "counts", "draws/point=0001"])
def test_no_file_is_written_or_removed_in_a_folder_that_a_link_leads_to(bench, ledger, folder):
    run, elsewhere = bench.copy(), bench.folder / "elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    (run / folder).rename(elsewhere)
    (elsewhere / "part-00000099.parquet").write_bytes(PRECIOUS)
    (run / folder).symlink_to(elsewhere)
    before = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    refused = bench.go_on(run)
    assert refused.code in (1, DISK_ERROR), refused
    assert folder in refused.stderr
    assert "Traceback" not in refused.stderr
    assert bench.fork("verify", run, "--repair").code in (1, NOT_VERIFIED)
    assert {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()} == before
    wrong = bench.wrong_numbers(run)
    (run / folder).unlink()
    ledger.enter(Fault.NO_FILE, bench.judge_after_going_on(run, wrong=wrong), told=folder)


def test_run_directory_itself_may_be_a_link(bench, ledger):
    run, elsewhere = bench.folder / "run", bench.folder / "elsewhere"
    shutil.rmtree(run, ignore_errors=True)
    shutil.rmtree(elsewhere, ignore_errors=True)
    elsewhere.mkdir()
    run.symlink_to(elsewhere)
    try:
        spec = write_spec(bench.folder, SPEC)
        ended = bench.fork("run", spec, "--out", run)
        ledger.enter(Fault.NO_FILE, bench.judge(run, survived=ended.code == 0), told=ended)
    finally:
        run.unlink()
