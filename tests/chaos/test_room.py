"""A disk, a file size or a memory that runs out, and a directory that may not be written."""

import os
import shutil
from pathlib import Path

import pytest
from ledger import Fault
from tiny_disk import NoMounting, tiny_disk

from fastlstm import store

pytestmark = pytest.mark.chaos

DISK_ERROR, ABORTED, HUNG, NO_THREAD_LOCAL_DATA = 74, -6, -14, 127
KIB = 1024
NOBODY = {"user": 65534} if os.geteuid() == 0 else {}  # root may write everywhere; anybody else minds the modes


def fill(bench, ledger, fault, ballast_of, options, cases):
    """Run on a disk with little room, which is told; take the ballast away; go on."""
    failed = 0
    for case in cases:
        try:
            with tiny_disk(bench.folder / "tiny", options) as disk:
                run = disk / "run"
                shutil.copytree(bench.run_with_parts_of(120, name="begun"), run)
                ballast = ballast_of(disk, case)
                ended = bench.go_on(run)
                assert ended.code in (0, DISK_ERROR), ended
                assert "Traceback" not in ended.stderr
                if ended.code:
                    failed += 1
                    assert "No space left on device" in ended.stderr
                    assert store.verify(run) == []
                wrong = bench.wrong_numbers(run)
                for file in ballast:
                    file.unlink()
                ledger.enter(fault, bench.judge_after_going_on(run, wrong=wrong), told=(case, ended))
        except NoMounting as error:
            pytest.skip(f"no tmpfs can be mounted: {error}")
    assert failed


def bytes_in_the_way(disk, left):
    file = disk / "ballast"
    room = os.statvfs(disk)
    file.write_bytes(bytes(max(0, room.f_bavail * room.f_bsize - left * KIB)))
    return [file]


def files_in_the_way(disk, left):
    files = [disk / f"ballast-{number}" for number in range(os.statvfs(disk).f_favail - left)]
    for file in files:
        file.touch()
    return files


def test_full_disk(bench, ledger, some):
    fill(bench, ledger, Fault.DISK_FULL, bytes_in_the_way, "size=4m", some(range(0, 480, 40), 1))


def test_disk_without_inodes(bench, ledger, some):
    fill(bench, ledger, Fault.NO_INODES, files_in_the_way, "size=4m,nr_inodes=200", some(range(0, 36, 4), 1))


def test_limit_on_the_size_of_files(bench, ledger, some):
    failed = 0
    # From 1 KiB on: here the limit holds for stderr too, which must take the message.
    for kib in some([1, 2, *range(4, 40, 4), 64, 120], 2):
        run = bench.run_with_parts_of(120, name="run")
        ended = bench.go_on(run, file_size=kib * KIB)
        assert ended.code in (0, DISK_ERROR), ended
        failed += ended.code != 0
        assert store.verify(run) == []
        wrong = bench.wrong_numbers(run)
        ledger.enter(Fault.FILE_SIZE, bench.judge_after_going_on(run, wrong=wrong), told=(kib, ended))
    assert failed


def test_limit_on_memory(bench, ledger, some):
    """Too little ends the run with a message, Python's or that of C or C++; what is committed stays.

    Python 3.11 may hang instead, in `threading.Thread.start`; then the run is killed.
    """
    failed = 0
    for mib in some([1, 2, 4, 8, *range(11, 24, 2), 32], 2):
        run = bench.run_with_parts_of(120, name="run")
        ended = bench.go_on(run, memory=mib * KIB * KIB, timeout=30)
        assert ended.code in (0, 1, DISK_ERROR, ABORTED, HUNG, NO_THREAD_LOCAL_DATA), ended
        assert "Traceback" not in ended.stderr, ended
        assert ended.code == HUNG or (ended.code == 0) == (ended.stderr == "")
        failed += ended.code != 0
        wrong = bench.wrong_numbers(run)
        ledger.enter(Fault.MEMORY, bench.judge_after_going_on(run, wrong=wrong), told=(mib, ended))
    assert failed


def change_modes(folder: Path, *, writable: bool) -> None:
    for path in [folder, *folder.rglob("*")]:
        mode = 0o755 if path.is_dir() else 0o644
        path.chmod(mode if writable else mode & ~0o222)


def test_directory_that_may_not_be_written(bench, ledger, some):
    """It can be read and verified; going on is refused until it may be written again."""
    for died_at in some([0, 40, 120], 1):
        run = bench.run_with_parts_of(120, name="run")
        if died_at:
            assert bench.go_on(run, operation=died_at, kind="die").code == 137
        change_modes(run, writable=False)
        try:
            refused = bench.go_on(run, **NOBODY)
            assert refused.code == DISK_ERROR, refused
            assert "Permission denied" in refused.stderr
            assert "Traceback" not in refused.stderr
            assert bench.fork("status", run, **NOBODY).code == 0
            assert "Traceback" not in bench.fork("verify", run, **NOBODY).stderr
            wrong = bench.wrong_numbers(run)
        finally:
            change_modes(run, writable=True)
        ledger.enter(Fault.READ_ONLY, bench.judge_after_going_on(run, wrong=wrong))


def test_new_directory_in_one_that_may_not_be_written(bench, ledger):
    folder = bench.folder / "closed"
    folder.mkdir(exist_ok=True)
    change_modes(folder, writable=False)
    try:
        refused = bench.go_on(folder / "run", **NOBODY)
        assert refused.code == DISK_ERROR, refused
        assert "Permission denied" in refused.stderr
        assert not any(folder.iterdir())
    finally:
        change_modes(folder, writable=True)
    ledger.enter(Fault.READ_ONLY, bench.judge_after_going_on(folder / "run"))
