"""One run at a time works in a directory; shards work side by side."""

import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from small_store import (
    Died,
    Stage,
    assert_nothing_wrong_is_read,
    assert_whole,
    begin,
    commit,
    dies_at,
    do_all,
    plan,
)

from fastlstm.store import (
    DirectoryLocked,
    OtherSpec,
    PartId,
    read_rows,
    status,
    verify,
)

# Locks


def test_second_run_of_a_directory_is_refused(tmp_path):
    with begin(tmp_path) as run:
        with pytest.raises(DirectoryLocked):
            begin(tmp_path)
        with pytest.raises(DirectoryLocked):
            verify(tmp_path)
        commit(run, PartId(0, 0), 0, 8)
    begin(tmp_path).close()


def test_lock_of_a_killed_process_is_free_again(tmp_path, undisturbed):
    script = f"""
import sys, time
sys.path[:0] = [{str(Path(__file__).parent)!r}]
import small_store
run = small_store.begin(small_store.Path({str(tmp_path)!r}))
small_store.commit(run, small_store.PartId(0, 0), 0, 24)
print("locked", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(DirectoryLocked):
            begin(tmp_path)
        assert len(read_rows(tmp_path)) == 24  # reading needs no lock
        process.send_signal(signal.SIGKILL)
    assert do_all(tmp_path) == [part for part, _, _ in plan(3) if part != (0, 0)]
    assert_whole(tmp_path, undisturbed)


def test_lock_is_given_back_when_opening_fails(done):
    for _ in range(2):
        with pytest.raises(OtherSpec):
            begin(done, spec_hash="07e2")
    begin(done).close()


# Shards


def test_shards_run_side_by_side_and_an_unsharded_run_takes_them_in(tmp_path, undisturbed):
    parts = list(plan(1))
    runs = [begin(tmp_path, blocks_per_part=1, shard=(k, 3)) for k in (1, 2, 3)]
    for number, (part, first, draws) in enumerate(parts):
        commit(runs[number % 3], part, first, draws)
        assert status(tmp_path).parts == number + 1
    with pytest.raises(DirectoryLocked):
        begin(tmp_path)
    for run in runs:
        run.close()
    assert len(list(tmp_path.glob("_journal-*-of-3.jsonl"))) == 3
    assert_nothing_wrong_is_read(tmp_path)
    assert verify(tmp_path) == []
    assert do_all(tmp_path) == []
    assert [path.name for path in tmp_path.glob("_journal*")] == ["_journal.jsonl"]
    assert_whole(tmp_path, undisturbed)
    assert [session["shard"] for session in status(tmp_path).sessions] == ["1-of-3", "2-of-3", "3-of-3", None]


def test_reader_misses_nothing_while_an_unsharded_run_takes_shards_in(tmp_path):
    for number in count():
        path = tmp_path / str(number)
        for shard in (1, 2):
            with begin(path, shard=(shard, 2)) as run:
                commit(run, PartId(shard, 0), 0, 24)

        def take_in(step: int, name: str, path: Path = path, number: int = number) -> None:
            if step == number:
                begin(path).close()

        stage = Stage(take_in)
        assert status(path, disk=stage).parts == 2
        if number == len(stage.steps):
            break
    assert number > 3


def test_shard_refuses_itself_other_divisions_and_an_unsharded_run(tmp_path):
    with begin(tmp_path, shard=(1, 2)):
        for other in ((1, 2), (1, 3), (3, 16), None):
            with pytest.raises(DirectoryLocked):
                begin(tmp_path, shard=other)
        begin(tmp_path, shard=(2, 2)).close()
    with begin(tmp_path), pytest.raises(DirectoryLocked):
        begin(tmp_path, shard=(1, 2))
    begin(tmp_path, shard=(1, 3)).close()


def test_shard_that_died_goes_on_beside_the_others(tmp_path, undisturbed):
    parts = list(plan(1))
    with begin(tmp_path, blocks_per_part=1, shard=(2, 2)) as other:
        commit(other, *parts[1])
        for number in range(30, 60, 3):
            stage = Stage(dies_at(number))
            with pytest.raises(Died):
                work_on_shard(tmp_path, parts[0::2], stage)
            stage.bury()
        half_done = tmp_path / "draws/point=0001/.part-00000001.parquet.2-of-2.partial"
        half_done.parent.mkdir(exist_ok=True)
        half_done.write_bytes(b"the other shard is writing this")
        work_on_shard(tmp_path, parts[0::2], Stage())
        assert half_done.exists()
        for part in parts[3::2]:
            commit(other, *part)
    assert not half_done.exists()
    do_all(tmp_path)
    assert_whole(tmp_path, undisturbed)


def work_on_shard(path: Path, parts: list[tuple[PartId, int, int]], stage: Stage) -> None:
    with begin(path, shard=(1, 2), disk=stage) as run:
        for part in parts:
            if part[0] not in run.committed:
                commit(run, *part)


def test_shard_makes_again_what_an_unsharded_run_left_damaged(done, undisturbed):
    (done / "draws/point=0000/part-00000001.parquet").write_bytes(b"")
    with begin(done, shard=(1, 2)) as run:
        assert PartId(0, 1) not in run.committed
        commit(run, PartId(0, 1), 24, 24)
    assert do_all(done) == []
    assert_whole(done, undisturbed)


def test_shard_neither_makes_tables_nor_finishes(tmp_path):
    with begin(tmp_path, shard=(1, 2)) as run:
        with pytest.raises(ValueError, match="share"):
            run.write_table("points", pa.table({"point": [0]}))
        with pytest.raises(ValueError, match="share"):
            run.finish()
