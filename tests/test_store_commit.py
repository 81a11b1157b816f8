"""A part is committed whole or not at all, whichever step fails."""

import errno
import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_store import (
    FAULTS,
    POINTS,
    Stage,
    assert_nothing_unfinished_is_left,
    assert_nothing_wrong_is_read,
    assert_whole,
    begin,
    commit,
    dies_at,
    do_all,
    encoded,
    files_of,
    places,
    plan,
    rows_of,
    suffers,
)

from fastlstm.store import (
    DiskError,
    PartId,
    verify,
)
from fastlstm.store.journal import Stored
from fastlstm.store.parquet import encode

# The commit protocol


def test_part_is_written_synced_renamed_and_its_folder_synced_before_the_journal_names_it(tmp_path):
    stage = Stage()
    with begin(tmp_path, blocks_per_part=1, disk=stage) as run:
        commit(run, PartId(0, 0), 0, 8)
        stage.steps.clear()
        commit(run, PartId(0, 1), 8, 8)
    steps = [name for name, _ in stage.steps if name != "make_folder"][:16]
    two_files = [*["create", "write"] * 2, *["sync"] * 2, *["close"] * 2]
    line = ["open_at", "write", "sync", "close"]
    assert steps == [*two_files, "rename", "rename", "sync_folder", "sync_folder", *line]


@pytest.mark.parametrize("made", ["draws", "draws/point=0000"])
def test_folder_that_a_process_made_that_died_is_synced_before_the_journal_names_a_part_in_it(tmp_path, made):
    """It may have died between the two, or be another shard at work; then nobody else brings the name to the device."""
    stage = Stage()
    with begin(tmp_path, blocks_per_part=1, disk=stage) as run:
        (tmp_path / made).mkdir(parents=True)
        commit(run, PartId(0, 0), 0, 8)
        commit(run, PartId(0, 1), 8, 8)
    steps = [(name, *arguments) for name, arguments in stage.steps]
    for folder in (tmp_path, tmp_path / "draws"):
        made_known = steps.index(("make_folder", tmp_path / "draws" / "point=0000")) + 1
        journal = steps.index(("open_at", tmp_path / "_journal.jsonl", 0))
        assert ("sync_folder", folder) in steps[:journal]
        placed = next(number for number, step in enumerate(steps) if step[0] == "rename" and "draws" in step[2].parts)
        assert ("sync_folder", tmp_path / "draws") in steps[made_known:placed]
        assert steps[:journal].count(("sync_folder", tmp_path / "draws")) == 1  # once for a session


def test_no_reader_can_see_a_temporary(tmp_path):
    stage = Stage()
    do_all(tmp_path, disk=stage)
    created = [arguments[0] for name, arguments in stage.steps if name == "create"]
    assert len(created) > 2 * POINTS
    for path in created:
        assert path.name.startswith(".")
        assert path.suffix == ".partial"
    for old, new in [arguments for name, arguments in stage.steps if name == "rename"]:
        assert old.parent == new.parent


def test_pyarrow_is_never_given_a_path_to_write(tmp_path, monkeypatch):
    sinks = []
    write = pq.write_table
    monkeypatch.setattr(pq, "write_table", lambda table, sink, **kw: (sinks.append(sink), write(table, sink, **kw)))
    do_all(tmp_path)
    assert len(sinks) == 2 * len(list(plan(3))) + 3
    assert all(isinstance(sink, pa.BufferOutputStream) for sink in sinks)


@pytest.mark.parametrize("fault", FAULTS)
def test_run_goes_on_after_any_step_fails(tmp_path, undisturbed, fault, some):
    path = tmp_path / "run"

    def work(stage: Stage) -> None:
        do_all(path, blocks_per_part=6, disk=stage)

    numbers = places(fault, work)
    assert len(numbers) > 50
    for number in some(numbers, 10):
        shutil.rmtree(path)
        assert suffers(work, fault(number)) or number == numbers[-1]  # giving back the lock
        assert_nothing_wrong_is_read(path)
        if fault is not dies_at:
            assert_nothing_unfinished_is_left(path)
        work(Stage())
        assert_whole(path, undisturbed)


@pytest.fixture(scope="module")
def wreck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything at once: shards' journals, a torn line, damaged and uncommitted parts, temporaries."""
    path = tmp_path_factory.mktemp("wreck") / "run"
    for shard in (1, 2):
        with begin(path, shard=(shard, 2)) as run:
            for part, first, draws in list(plan(3))[shard - 1 :: 2]:
                commit(run, part, first, draws)
    with (path / "_journal-1-of-2.jsonl").open("r+b") as journal:
        journal.truncate(journal.seek(0, os.SEEK_END) - 40)
    (path / "draws/point=0000/part-00000001.parquet").write_bytes(b"PAR1")
    (path / "draws/point=0000/.part-00000009.parquet.partial").write_bytes(b"half")
    (path / "._run.json.2-of-2.partial").write_bytes(b"half")
    shutil.copy(path / "counts/point=0000/part-00000000.parquet", path / "counts/point=0001/part-00000077.parquet")
    return path


def recover(path: Path, stage: Stage) -> None:
    begin(path, disk=stage).close()


def repair(path: Path, stage: Stage) -> None:
    verify(path, repair=True, disk=stage)


@pytest.mark.parametrize("work", [recover, repair])
@pytest.mark.parametrize("fault", FAULTS)
def test_recovery_and_repair_can_themselves_fail_at_any_step(tmp_path, wreck, undisturbed, work, fault, some):
    path = tmp_path / "run"
    shutil.copytree(wreck, path)
    numbers = places(fault, partial(work, path))
    assert verify(path) == []
    assert len(numbers) > 2
    for number in some(numbers, 5):
        shutil.rmtree(path)
        shutil.copytree(wreck, path)
        assert suffers(partial(work, path), fault(number)) or number == numbers[-1]  # giving back the lock
        do_all(path)
        assert_whole(path, undisturbed)


def test_session_goes_on_committing_after_a_full_disk(tmp_path, undisturbed):
    full = False

    def before(step: int, name: str) -> None:
        if full and name == "write":
            raise OSError(errno.ENOSPC, "No space left on device")

    with begin(tmp_path, disk=Stage(before)) as run:
        for part, first, draws in plan(3):
            full = True
            with pytest.raises(DiskError, match="No space left") as caught:
                commit(run, part, first, draws)
            assert caught.value.errno == errno.ENOSPC
            full = False
            commit(run, part, first, draws)
    do_all(tmp_path)
    assert_whole(tmp_path, undisturbed)


# What goes in


def test_same_table_gives_the_same_bytes_and_checked_pages():
    data = encode(rows_of(1, 24, 24))
    assert encode(rows_of(1, 24, 24)) == data
    middle = bytes(data).index(b"draw")
    assert middle > 0
    metadata = pq.read_metadata(pa.BufferReader(bytes(data))).row_group(0)
    encodings = {metadata.column(i).path_in_schema: metadata.column(i).encodings for i in range(metadata.num_columns)}
    assert "RLE_DICTIONARY" in encodings["b_f"]
    assert "RLE_DICTIONARY" in encodings["regime_f"]


def test_random_floats_are_stored_as_they_are_and_ids_as_differences():
    values = np.random.default_rng(0).normal(size=5000)
    data = encode(pa.table({"draw": np.arange(5000), "x": values.astype(np.float32), "y": values}))
    metadata = pq.read_metadata(pa.BufferReader(bytes(data))).row_group(0)
    assert "DELTA_BINARY_PACKED" in metadata.column(0).encodings
    for place in (1, 2):
        column = metadata.column(place)
        assert set(column.encodings) <= {"PLAIN", "RLE"}
        assert column.compression == "UNCOMPRESSED"


def test_commit_refuses_what_would_make_the_run_wrong(tmp_path):
    with begin(tmp_path) as run:
        commit(run, PartId(0, 0), 0, 24)
        before = files_of(tmp_path)
        with pytest.raises(ValueError, match="committed already"):
            commit(run, PartId(0, 0), 0, 24)
        twice = encoded(PartId(0, 1), 24, 24)
        with pytest.raises(ValueError, match="committed already"):
            run.commit(twice, twice)
        for rows, complaint in (
            (rows_of(0, 23, 24), "not within 24 .. 47"),
            (rows_of(0, 25, 24), "not within 24 .. 47"),
            (rows_of(0, 24, 24).take(list(range(23, -1, -1))), "increasing"),
            (rows_of(0, 24, 24).take([0, 0]), "increasing"),
            (rows_of(0, 24, 24).set_column(1, "log10_grad", pa.array([None] * 24, pa.float32())), "24 nulls"),
        ):
            with pytest.raises(ValueError, match=complaint):
                commit(run, PartId(0, 1), 24, 24, rows=rows)
        assert files_of(tmp_path) == before
        assert list(run.committed) == [PartId(0, 0)]


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (-1, 2)])
def test_shard_beyond_its_division_is_refused_before_anything_is_made(tmp_path, shard):
    with pytest.raises(ValueError, match="counts from 1"):
        begin(tmp_path / "run", shard=shard)
    assert not (tmp_path / "run").exists()


def test_stored_is_the_size_and_the_sha256():
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert Stored.of(b"abc") == (3, digest)
