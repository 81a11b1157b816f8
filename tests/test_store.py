"""The run directory loses no draw, repeats none, and reads no damage without a word."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastlstm import store
from fastlstm.store import (
    Damaged,
    DirectoryLocked,
    DiskError,
    NotARun,
    NotThere,
    OtherSpec,
    PartEntry,
    PartId,
    RunDirectory,
    Stored,
    content_hash,
    read_counts,
    read_rows,
    read_spec,
    read_table,
    status,
    verify,
)
from fastlstm.store.disk import Disk
from fastlstm.store.parquet import encode

SPEC = {"spec_text": "draws = 48\n", "spec_hash": "5bec", "provenance": {"fastlstm": "0.1"}}
POINTS, DRAWS = 2, 48
LABELS = ["left", "mid", "right"]


# The run of these tests: two points of 48 draws, every value a function of point and draw alone.


def rows_of(point: int, first: int, draws: int) -> pa.Table:
    ids = np.arange(first, first + draws)
    codes = np.where(ids < 8, 0, ids % 3).astype(np.int8)  # the first parts lack two labels
    columns = {
        "draw": pa.array(ids),
        "log10_grad": pa.array(np.sin(ids * 1.7 + point).astype(np.float32)),
        "b_f": pa.array(np.full(draws, 2.0 * point, np.float32)),
        "regime_f": pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(LABELS), ordered=True),
        "exploded": pa.array(ids % 5 == 0),
    }
    return pa.table(columns).replace_schema_metadata({"PANDAS_ATTRS": json.dumps({"title": "a test"})})


def counts_of(point: int, first: int, draws: int) -> pa.Table:
    return pa.table({"bin": [point, 7], "count": [draws, first]})


def plan(blocks_per_part: int) -> Iterator[tuple[PartId, int, int]]:
    size = 8 * blocks_per_part
    for point in range(POINTS):
        for number, first in enumerate(range(0, DRAWS, size)):
            yield PartId(point, number), first, min(size, DRAWS - first)


def begin(path: Path, *, blocks_per_part: int = 3, **changes: Any) -> RunDirectory:
    layout = {"blocks_per_part": blocks_per_part}
    return RunDirectory.open(path, **({"layout": layout, "disk": Stage()} | SPEC | changes))


def commit(run: RunDirectory, part: PartId, first: int, draws: int, *, keep_rows: bool = True) -> PartEntry:
    rows = rows_of(part.point, first, draws) if keep_rows else None
    return run.commit(part, first_draw=first, draws=draws, rows=rows, counts=counts_of(part.point, first, draws))


def do_all(path: Path, **changes: Any) -> list[PartId]:
    """Run whatever is left of the whole run; the parts that were made now."""
    made = []
    with begin(path, **changes) as run:
        if not run.finished:
            run.write_table("points", pa.table({"point": list(range(POINTS))}))
        for part, first, draws in plan(run.layout["blocks_per_part"]):
            if part not in run.committed:
                commit(run, part, first, draws)
                made.append(part)
        merged = [table["count"][0].as_py() for _, table in read_counts(path)]
        run.write_table("points", pa.table({"point": list(range(POINTS)), "draws": [sum(merged) // POINTS] * POINTS}))
        run.write_table("regimes", pa.table({"regime": pa.array(["left", None, "right"]), "share": [0.5, 0.25, None]}))
        run.finish()
    return made


class Stage:
    """Stands in for the disk: writes down every step, asks `before` first, and leaves out the slow syncing.

    `before` may raise, in which case a write has got half of its bytes onto the disk, and a close has
    happened.
    """

    def __init__(self, before: Callable[[int, str], None] = lambda number, step: None) -> None:
        self.disk = Disk()
        self.before = before
        self.steps: list[tuple[str, tuple[Any, ...]]] = []
        self.open: set[int] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            self.steps.append((name, arguments))
            try:
                self.before(len(self.steps) - 1, name)
            except BaseException as fault:
                if name == "write":
                    descriptor, data = arguments
                    self.disk.write(descriptor, memoryview(data)[: len(data) // 2])
                if name == "close" and isinstance(fault, OSError):
                    self.forget(*arguments)
                    self.disk.close(*arguments)
                raise
            if name in ("sync", "sync_folder"):
                return None
            if name == "close":
                self.forget(*arguments)
            result = getattr(self.disk, name)(*arguments, **options)
            if name in ("lock", "create", "open_at"):
                self.open.add(result)
            return result

        return step

    def forget(self, descriptor: int) -> None:
        self.open.discard(descriptor)

    def bury(self) -> None:
        """What the kernel does for a process that died."""
        for descriptor in self.open:
            os.close(descriptor)
        self.open.clear()


class Died(BaseException):
    """Raised by every step from the fatal one on, so that no clean-up can happen."""


def fails_once(number: int) -> Callable[[int, str], None]:
    def before(step: int, name: str) -> None:
        if step == number:
            raise OSError(errno.EIO, "Input/output error")

    return before


def is_full_from(number: int) -> Callable[[int, str], None]:
    def before(step: int, name: str) -> None:
        if step >= number and name in NEEDS_ROOM:
            raise OSError(errno.ENOSPC, "No space left on device")

    return before


def dies_at(number: int) -> Callable[[int, str], None]:
    def before(step: int, name: str) -> None:
        if step >= number:
            raise Died

    return before


NEEDS_ROOM = ("create", "write", "make_folder", "sync")
FAULTS = [fails_once, is_full_from, dies_at]


def places(fault: Callable[..., Any], work: Callable[[Stage], object]) -> list[int]:
    """The steps of undisturbed work at which the fault makes a difference."""
    stage = Stage()
    work(stage)
    steps = [name for name, _ in stage.steps]
    return [number for number, name in enumerate(steps) if fault is not is_full_from or name in NEEDS_ROOM]


def suffers(work: Callable[[Stage], object], before: Callable[[int, str], None]) -> bool:
    """Whether the fault stopped the work."""
    stage = Stage(before)
    try:
        work(stage)
    except (DiskError, Died):
        return True
    finally:
        stage.bury()
    return False


def files_of(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def assert_nothing_wrong_is_read(path: Path) -> None:
    """What can be read is right, though it may be less than all."""
    try:
        frame = read_rows(path)
    except (NotARun, NotThere):
        return
    assert len(frame) == status(path).rows
    assert not frame.duplicated(["point", "draw"]).any()
    assert frame.log10_grad.equals(np.sin(frame.draw * 1.7 + frame.point).astype(np.float32))


def assert_nothing_unfinished_is_left(path: Path) -> None:
    try:
        problems = verify(path)
    except NotARun:
        problems = []
    assert problems == []
    assert not [file for file in files_of(path) if file.endswith(".partial")]


def assert_whole(path: Path, undisturbed: str) -> None:
    assert verify(path) == []
    assert content_hash(path) == undisturbed
    frame = read_rows(path, columns=["point", "draw"])
    assert list(frame.itertuples(index=False, name=None)) == [(p, d) for p in range(POINTS) for d in range(DRAWS)]
    assert status(path).draws == POINTS * DRAWS
    assert status(path).finished is not None


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("undisturbed")
    do_all(path)
    return content_hash(path)


@pytest.fixture
def done(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    do_all(path)
    return path


# ------------------------------------------------------------------------------------ the commit protocol


def test_part_is_written_synced_renamed_and_its_folder_synced_before_the_journal_names_it(tmp_path):
    stage = Stage()
    with begin(tmp_path, disk=stage) as run:
        commit(run, PartId(0, 0), 0, 8)
        stage.steps.clear()
        commit(run, PartId(0, 1), 8, 8)
    steps = [name for name, _ in stage.steps if name != "make_folder"][:16]
    one_file = ["create", "write", "sync", "close"]
    line = ["open_at", "write", "sync", "close"]
    assert steps == [*one_file, *one_file, "rename", "rename", "sync_folder", "sync_folder", *line]


@pytest.mark.parametrize("made", ["draws", "draws/point=0000"])
def test_folder_that_a_process_made_that_died_is_synced_before_the_journal_names_a_part_in_it(tmp_path, made):
    """It may have died between the two, or be another shard at work; then nobody else brings the name to the device."""
    stage = Stage()
    with begin(tmp_path, disk=stage) as run:
        (tmp_path / made).mkdir(parents=True)
        commit(run, PartId(0, 0), 0, 8)
        commit(run, PartId(0, 1), 8, 8)
    steps = [(name, *arguments) for name, arguments in stage.steps]
    for folder in (tmp_path, tmp_path / "draws"):
        made_known = steps.index(("make_folder", tmp_path / "draws" / "point=0000")) + 1
        journal = steps.index(("open_at", tmp_path / "_journal.jsonl", 0))
        assert ("sync_folder", folder) in steps[:journal]
        assert steps[made_known] == ("sync_folder", tmp_path / "draws")
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
def test_run_goes_on_after_any_step_fails(tmp_path, undisturbed, fault):
    path = tmp_path / "run"

    def work(stage: Stage) -> None:
        do_all(path, blocks_per_part=6, disk=stage)

    numbers = places(fault, work)
    assert len(numbers) > 50
    for number in numbers:
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
def test_recovery_and_repair_can_themselves_fail_at_any_step(tmp_path, wreck, undisturbed, work, fault):
    path = tmp_path / "run"
    shutil.copytree(wreck, path)
    numbers = places(fault, partial(work, path))
    assert verify(path) == []
    assert len(numbers) > 2
    for number in numbers:
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


# ------------------------------------------------------------------------------------ resume


def test_resume_makes_only_what_is_missing(tmp_path, undisturbed):
    with begin(tmp_path) as run:
        for part, first, draws in list(plan(3))[:3]:
            commit(run, part, first, draws)
    assert do_all(tmp_path) == [part for part, _, _ in list(plan(3))[3:]]
    assert_whole(tmp_path, undisturbed)


def test_finished_run_is_left_alone(done):
    before = {file: (done / file).read_bytes() for file in files_of(done)}
    stage = Stage()
    assert do_all(done, disk=stage) == []
    assert not {"create", "open_at", "write", "rename", "remove"} & {name for name, _ in stage.steps}
    assert {file: (done / file).read_bytes() for file in files_of(done)} == before


def test_layout_is_the_one_of_the_beginning(tmp_path):
    begin(tmp_path, blocks_per_part=2).close()
    with begin(tmp_path, blocks_per_part=3) as run:
        assert run.layout == {"blocks_per_part": 2}


def test_every_session_leaves_its_provenance(tmp_path):
    with begin(tmp_path) as run:
        commit(run, PartId(0, 0), 0, 24)
    with begin(tmp_path, provenance={"fastlstm": "0.2"}) as run:
        commit(run, PartId(0, 1), 24, 24)
        sessions = status(tmp_path).sessions
        assert [session["ended"] is None for session in sessions] == [False, True]
    sessions = status(tmp_path).sessions
    assert [session["provenance"]["fastlstm"] for session in sessions] == ["0.1", "0.2"]
    assert [session["draws"] for session in sessions] == [24, 24]
    assert all(session["ended"] for session in sessions)


def test_other_spec_is_refused_with_the_stored_one(done):
    before = files_of(done)
    with pytest.raises(OtherSpec) as caught:
        begin(done, spec_text="draws = 49\n", spec_hash="07e2")
    assert caught.value.stored_spec_text == SPEC["spec_text"]
    assert files_of(done) == before
    assert read_spec(done) == SPEC["spec_text"]


def test_cosmetic_edit_of_the_spec_goes_on_and_keeps_the_spec_as_run(done, undisturbed):
    assert do_all(done, spec_text="# the same\ndraws = 48\n") == []
    assert read_spec(done) == SPEC["spec_text"]
    assert_whole(done, undisturbed)


@pytest.mark.parametrize("loss", ["_journal.jsonl", "_run.json", "_spec.toml"])
@pytest.mark.parametrize("content", [None, b"", b"{}"])
def test_lost_record_costs_time_but_no_draw(done, undisturbed, loss, content):
    (done / loss).unlink()
    if content is not None:
        (done / loss).write_bytes(content)
    assert verify(done) != []
    do_all(done)
    assert_whole(done, undisturbed)


def test_draws_without_a_record_of_their_spec_are_not_touched(done):
    (done / "_run.json").unlink()
    (done / "_spec.toml").unlink()
    before = files_of(done)
    with pytest.raises(Damaged, match="missing or damaged"):
        begin(done)
    assert files_of(done) == before


def test_wrong_clocks_do_not_matter(done, undisturbed, monkeypatch):
    monkeypatch.setattr(store.writing, "_now", lambda: "1970-01-01T00:00:00+00:00")
    (done / "draws/point=0001/part-00000001.parquet").write_bytes(b"")
    for age, file in enumerate(files_of(done)):
        os.utime(done / file, (4e9 if age % 2 else 0, 4e9 if age % 2 else 0))
    assert do_all(done) == [PartId(1, 1)]
    assert_whole(done, undisturbed)


# ------------------------------------------------------------------------------------ the journal


def test_torn_journal_line_is_cut_off_at_any_byte(tmp_path, undisturbed):
    with begin(tmp_path / "run") as run:
        for part, first, draws in plan(3):
            commit(run, part, first, draws)
    text = (tmp_path / "run/_journal.jsonl").read_bytes()
    last_line = len(text) - len(text.splitlines(keepends=True)[-1])
    for end in range(last_line, len(text), 29):
        path = tmp_path / str(end)
        shutil.copytree(tmp_path / "run", path)
        (path / "_journal.jsonl").write_bytes(text[:end])
        assert status(path).parts == 3
        assert status(path).damaged_lines == 0
        assert_nothing_wrong_is_read(path)
        assert do_all(path) == [PartId(1, 1)]
        assert_whole(path, undisturbed)


def test_doubled_journal_lines_count_once(done, undisturbed):
    journal = done / "_journal.jsonl"
    journal.write_bytes(journal.read_bytes() * 2)
    assert status(done).draws == POINTS * DRAWS
    assert len(read_rows(done)) == POINTS * DRAWS
    assert do_all(done) == []
    assert_whole(done, undisturbed)


def test_orphan_journal_line_makes_its_part_again(done, undisturbed):
    for kind in ("draws", "counts"):
        (done / kind / "point=0000/part-00000001.parquet").unlink()
    assert {problem.part for problem in verify(done)} == {PartId(0, 1)}
    assert do_all(done) == [PartId(0, 1)]
    assert_whole(done, undisturbed)


def test_table_that_lost_its_journal_line_is_missed_and_made_again(done, undisturbed):
    journal = done / "_journal.jsonl"
    *rest, line = journal.read_bytes().splitlines(keepends=True)
    assert b'"table"' in line
    journal.write_bytes(b"".join(rest))
    assert [problem.file for problem in verify(done)] == ["_journal.jsonl"]
    with begin(done) as run:
        assert not run.finished
    do_all(done)
    assert_whole(done, undisturbed)


@pytest.mark.parametrize("byte", [3, 40, 200, 300])
def test_flipped_bit_in_the_journal_makes_that_part_again(done, undisturbed, byte):
    text = bytearray((done / "_journal.jsonl").read_bytes())
    text[text.index(b'{"part": [0, 0]') + byte] ^= 4
    (done / "_journal.jsonl").write_bytes(text)
    with pytest.raises(Damaged, match="journal"):
        read_rows(done)
    assert status(done).damaged_lines == 1
    assert verify(done) != []
    assert do_all(done) == [PartId(0, 0)]
    assert_whole(done, undisturbed)


def test_status_of_ten_thousand_parts_looks_at_no_part(tmp_path):
    with begin(tmp_path) as run:
        entry = commit(run, PartId(0, 0), 0, 8)
    with (tmp_path / "_journal.jsonl").open("ab") as journal:
        for number in range(1, 10_000):
            part = PartId(number % 4, number)
            journal.write(
                store.journal.part_line(PartEntry(part, 8 * number, 8, 8, entry.rows, entry.footer, entry.counts))
            )
    stage = Stage()
    found = status(tmp_path, disk=stage)
    assert (found.parts, found.draws, found.rows) == (10_000, 80_000, 80_000)
    assert found.draws_by_point == dict.fromkeys(range(4), 20_000)
    assert found.bytes == 10_000 * (entry.rows.size + entry.counts.size)
    assert sorted(name for name, _ in stage.steps) == ["names", "read", "read"]


# ------------------------------------------------------------------------------------ damage


def truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def lose_last_byte(data: bytes) -> bytes:
    return data[:-1]


def empty(data: bytes) -> bytes:
    return b""


def flip_first(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def flip_middle(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1 :]


def grow(data: bytes) -> bytes:
    return data + b"\0"


DAMAGES = [truncate, lose_last_byte, empty, flip_first, flip_middle, grow, None]
FILES = [
    "draws/point=0001/part-00000000.parquet",
    "counts/point=0000/part-00000001.parquet",
    "regimes.parquet",
]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_named_repaired_and_made_again(done, undisturbed, file, damage):
    if damage is None:
        (done / file).unlink()
    else:
        (done / file).write_bytes(damage((done / file).read_bytes()))
    problems = verify(done)
    assert [problem.file for problem in problems] == [file]
    with pytest.raises(Damaged):
        read_all(done)
    assert verify(done, repair=True) == problems
    assert verify(done) == []
    assert status(done).finished is None
    do_all(done)
    assert_whole(done, undisturbed)


def read_all(path: Path) -> None:
    content_hash(path)
    list(read_counts(path))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", [truncate, empty, grow, None])
def test_file_of_the_wrong_size_is_made_again_without_verify(done, undisturbed, file, damage):
    if damage is None:
        (done / file).unlink()
    else:
        (done / file).write_bytes(damage((done / file).read_bytes()))
    with begin(done) as run:
        assert len(run.dropped) == 1
        assert not run.finished
    assert status(done).finished is None
    do_all(done)
    assert_whole(done, undisturbed)


def test_no_flipped_bit_of_a_part_is_read_without_a_word(tmp_path):
    """Of data pages, page headers and footer alike; pyarrow's page checksums alone let some through."""
    with begin(tmp_path) as run:
        entry = commit(run, PartId(0, 0), 8, 8)
    file = tmp_path / "draws/point=0000/part-00000000.parquet"
    data, right = file.read_bytes(), read_rows(tmp_path)
    regime = pq.read_metadata(file).row_group(0).column(3)
    labels = range(8 * regime.dictionary_page_offset, 8 * regime.data_page_offset)
    caught = harmless = 0
    for bit in sorted({*range(0, 8 * len(data), 17), *labels}):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        try:
            frame = read_rows(tmp_path)
        except Damaged:
            caught += 1
        else:
            pd.testing.assert_frame_equal(frame, right)
            harmless += 1
    assert caught > 5 * harmless
    assert bit // 8 > len(data) - entry.footer.size


def test_stray_files_are_named_and_only_own_ones_removed(done, undisturbed):
    foreign = ["draws/point=0000/copy of part.parquet", "draws/notes.txt", "counts/old/part-00000000.parquet"]
    own = ["draws/point=0000/part-00000009.parquet", "counts/point=0007/part-00000000.parquet"]
    for file in [*foreign, *own]:
        (done / file).parent.mkdir(exist_ok=True)
        (done / file).write_bytes(b"who knows")
    (done / "draws/.DS_Store").write_bytes(b"no reader sees this")
    (done / "notes.md").write_text("nor does this matter")
    assert {problem.file for problem in verify(done)} == {*foreign, *own}
    assert len(read_rows(done)) == POINTS * DRAWS
    assert content_hash(done) == undisturbed
    begin(done).close()
    assert {problem.file for problem in verify(done)} == set(foreign)
    assert {problem.file for problem in verify(done, repair=True)} == set(foreign)
    assert all((done / file).exists() for file in [*foreign, "draws/.DS_Store", "notes.md"])


def test_part_with_other_columns_is_named(tmp_path):
    with begin(tmp_path) as run:
        for part, first, draws in plan(3):
            rows = rows_of(part.point, first, draws)
            if part == PartId(0, 0):
                rows = rows.drop_columns(["exploded"])
            run.commit(part, first_draw=first, draws=draws, rows=rows, counts=counts_of(0, 0, 0))
    assert [problem.part for problem in verify(tmp_path)] == [PartId(0, 0)]


def test_draws_in_two_parts_are_named(tmp_path):
    with begin(tmp_path) as run:
        commit(run, PartId(0, 0), 0, 24)
        commit(run, PartId(0, 1), 23, 24)
    (problem,) = verify(tmp_path)
    assert problem.part == PartId(0, 1)
    assert "draws 23 .. 23 are in another part too" in str(problem)


def test_draws_missing_from_a_finished_run_are_named(tmp_path):
    with begin(tmp_path) as run:
        commit(run, PartId(0, 1), 24, 24)
        assert verify_of_others_copy(tmp_path, tmp_path.with_name("copy")) == []
        run.finish()
    (problem,) = verify(tmp_path)
    assert "draws 0 .. 23 before it are missing" in str(problem)


def verify_of_others_copy(path: Path, copy: Path) -> list[store.Problem]:
    shutil.copytree(path, copy)
    return verify(copy)


# ------------------------------------------------------------------------------------ locks


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
import test_store
run = test_store.begin(test_store.Path({str(tmp_path)!r}))
test_store.commit(run, test_store.PartId(0, 0), 0, 24)
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


# ------------------------------------------------------------------------------------ shards


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


# ------------------------------------------------------------------------------------ reading


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A run under a path with spaces, unicode, and what looks like a partition."""
    path = tmp_path / "seed=7" / "Tür und Tor ∂h"
    do_all(path)
    return path


def test_pandas_polars_and_duckdb_read_the_folder(odd):
    frame = pd.read_parquet(odd / "draws")
    assert len(frame) == POINTS * DRAWS
    assert frame.attrs == {"title": "a test"}
    assert frame.regime_f.cat.ordered
    assert frame.regime_f.cat.categories.tolist() == LABELS
    assert frame.regime_f.max() == "right"
    assert frame.groupby("point", observed=True).draw.nunique().tolist() == [DRAWS] * POINTS
    other = pl.read_parquet(odd / "draws")
    assert other["draw"].to_list() == frame.draw.tolist()
    assert other["regime_f"].cast(pl.String).to_list() == frame.regime_f.tolist()
    files = f"{odd}/draws/*/*.parquet"
    query = f"select sum(draw), avg(log10_grad), count(*) filter (regime_f = 'mid') from '{files}'"
    ((total, mean, mid),) = duckdb.sql(query).fetchall()
    assert total == frame.draw.sum()
    assert mean == pytest.approx(frame.log10_grad.astype(float).mean())
    assert mid == (frame.regime_f == "mid").sum()


def test_read_rows_is_pandas_read_parquet_with_a_point_to_compare(odd):
    frame = read_rows(odd)
    assert frame.columns[0] == "point"
    assert frame.attrs == {"title": "a test"}
    plain = pd.read_parquet(odd / "draws").astype({"point": "int32"})
    pd.testing.assert_frame_equal(frame, plain[frame.columns])
    assert (frame.point > 0).sum() == DRAWS


def test_read_rows_takes_columns_and_filters(odd):
    frame = read_rows(odd, columns=["regime_f", "draw"], filters=[("point", "==", 1), ("regime_f", "==", "right")])
    assert frame.columns.tolist() == ["regime_f", "draw"]
    assert frame.regime_f.cat.categories.tolist() == LABELS
    assert frame.draw.tolist() == [draw for draw in range(8, DRAWS) if draw % 3 == 2]
    with pytest.raises(KeyError, match=r"log10_grat.*log10_grad"):
        read_rows(odd, columns=["log10_grat"])
    with pytest.raises(pa.ArrowInvalid, match="nowhere"):
        read_rows(odd, filters=[("nowhere", "==", 1)])


def test_counts_come_back_part_by_part(done):
    found = {entry.part: table for entry, table in read_counts(done)}
    assert list(found) == [part for part, _, _ in plan(3)]
    for part, first, draws in plan(3):
        assert found[part].equals(counts_of(part.point, first, draws))


def test_table_comes_back_and_is_replaced_in_one_step(done):
    assert read_table(done, "points").draws.tolist() == [DRAWS, DRAWS]
    with begin(done) as run:
        run.write_table("points", pa.table({"point": [5]}))
        assert read_table(done, "points").point.tolist() == [5]
        assert not run.finished
    assert status(done).finished is None
    assert status(done).tables == ("points", "regimes")


def test_run_without_rows_has_counts_and_no_draws(tmp_path):
    with begin(tmp_path) as run:
        for part, first, draws in plan(3):
            commit(run, part, first, draws, keep_rows=False)
        run.finish()
    assert not (tmp_path / "draws").exists()
    assert verify(tmp_path) == []
    assert len(list(read_counts(tmp_path))) == len(list(plan(3)))
    assert (status(tmp_path).draws, status(tmp_path).rows) == (POINTS * DRAWS, 0)
    with pytest.raises(NotThere, match="no rows"):
        read_rows(tmp_path)
    with pytest.raises(NotThere, match="no table regimes"):
        read_table(tmp_path, "regimes")


def test_sample_of_the_rows_is_kept_as_it_is(tmp_path):
    with begin(tmp_path) as run:
        rows = rows_of(0, 0, 24).take([1, 5, 23])
        run.commit(PartId(0, 0), first_draw=0, draws=24, rows=rows, counts=counts_of(0, 0, 24))
    assert read_rows(tmp_path).draw.tolist() == [1, 5, 23]
    assert verify(tmp_path) == []
    assert (status(tmp_path).draws, status(tmp_path).rows) == (24, 3)


@pytest.mark.parametrize("read", [status, read_spec, read_rows, content_hash, verify])
def test_folder_that_is_no_run_is_refused(tmp_path, read):
    (tmp_path / "file").write_text("no folder at all")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(NotARun):
            read(path)


def test_unwritable_directory_can_be_read_and_verified_but_not_continued(done):
    def before(step: int, name: str) -> None:
        if name in ("create", "open_at", "remove", "rename", "make_folder"):
            raise OSError(errno.EROFS, "Read-only file system")

    assert verify(done, disk=Stage(before)) == []
    (done / "_lock").unlink()

    def before_lock(step: int, name: str) -> None:
        if name == "lock":
            raise OSError(errno.EROFS, "Read-only file system")

    assert verify(done, disk=Stage(before_lock)) == []
    with pytest.raises(DiskError, match="Read-only") as caught:
        begin(done, disk=Stage(before_lock))
    assert caught.value.errno == errno.EROFS


# ------------------------------------------------------------------------------------ content


@pytest.mark.parametrize("blocks_per_part", [1, 2, 4, 6])
def test_content_does_not_depend_on_the_size_of_the_parts(tmp_path, undisturbed, blocks_per_part):
    do_all(tmp_path, blocks_per_part=blocks_per_part)
    assert_whole(tmp_path, undisturbed)


def test_content_does_not_depend_on_the_encoding(tmp_path, undisturbed, monkeypatch):
    def plain(table: pa.Table) -> memoryview:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="gzip", row_group_size=5)
        return memoryview(sink.getvalue())

    monkeypatch.setattr(store.writing, "encode", plain)
    do_all(tmp_path)
    assert content_hash(tmp_path) == undisturbed


CHANGES = {
    "a value": lambda rows: rows.set_column(1, "log10_grad", pa.array([9.0] * len(rows), pa.float32())),
    "a label": lambda rows: rows.set_column(
        3, "regime_f", pa.DictionaryArray.from_arrays(pa.array([2] * len(rows), pa.int8()), pa.array(LABELS))
    ),
    "a name": lambda rows: rows.rename_columns(["draw", "log10_grad", "b_f", "regime_f", "vanished"]),
    "a type": lambda rows: rows.set_column(1, "log10_grad", rows["log10_grad"].cast(pa.float64())),
    "fewer rows": lambda rows: rows.slice(0, len(rows) - 1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_content_depends_on_every_column_of_the_rows(tmp_path, change):
    for path, rows in ((tmp_path / "a", rows_of(0, 0, 24)), (tmp_path / "b", change(rows_of(0, 0, 24)))):
        with begin(path) as run:
            run.commit(PartId(0, 0), first_draw=0, draws=24, rows=rows, counts=counts_of(0, 0, 24))
    assert content_hash(tmp_path / "a") != content_hash(tmp_path / "b")


def test_content_tells_texts_and_nulls_of_tables_apart(tmp_path):
    texts = [[], [None], [""], ["ab", "c"], ["a", "bc"], ["", None], [None, ""], ["", ""]]
    numbers = [[], [None], [0], [0, None], [None, 0], [0, 0]]
    columns = [pa.array(text, pa.string()) for text in texts] + [pa.array(n, pa.int64()) for n in numbers]
    hashes = []
    for number, column in enumerate(columns):
        with begin(tmp_path / str(number)) as run:
            run.write_table("points", pa.table({"column": column}))
        hashes.append(content_hash(tmp_path / str(number)))
    assert len(set(hashes)) == len(columns)


# ------------------------------------------------------------------------------------ what goes in


def test_same_table_gives_the_same_bytes_and_checked_pages():
    data = encode(rows_of(1, 24, 24))
    assert encode(rows_of(1, 24, 24)) == data
    middle = bytes(data).index(b"draw")
    assert middle > 0
    metadata = pq.read_metadata(pa.BufferReader(bytes(data))).row_group(0)
    encodings = {metadata.column(i).path_in_schema: metadata.column(i).encodings for i in range(metadata.num_columns)}
    assert "RLE_DICTIONARY" in encodings["b_f"]
    assert "RLE_DICTIONARY" in encodings["regime_f"]


def test_random_floats_are_split_into_streams_and_ids_into_differences():
    values = np.random.default_rng(0).normal(size=5000)
    data = encode(pa.table({"draw": np.arange(5000), "x": values.astype(np.float32), "y": values}))
    metadata = pq.read_metadata(pa.BufferReader(bytes(data))).row_group(0)
    assert "DELTA_BINARY_PACKED" in metadata.column(0).encodings
    assert "BYTE_STREAM_SPLIT" in metadata.column(1).encodings
    assert "BYTE_STREAM_SPLIT" in metadata.column(2).encodings


def test_commit_refuses_what_would_make_the_run_wrong(tmp_path):
    with begin(tmp_path) as run:
        commit(run, PartId(0, 0), 0, 24)
        before = files_of(tmp_path)
        with pytest.raises(ValueError, match="committed already"):
            commit(run, PartId(0, 0), 0, 24)
        for rows, complaint in (
            (rows_of(0, 23, 24), "not within 24 .. 47"),
            (rows_of(0, 25, 24), "not within 24 .. 47"),
            (rows_of(0, 24, 24).take(list(range(23, -1, -1))), "increasing"),
            (rows_of(0, 24, 24).take([0, 0]), "increasing"),
            (rows_of(0, 24, 24).set_column(1, "log10_grad", pa.array([None] * 24, pa.float32())), "24 nulls"),
        ):
            with pytest.raises(ValueError, match=complaint):
                run.commit(PartId(0, 1), first_draw=24, draws=24, rows=rows, counts=counts_of(0, 24, 24))
        assert files_of(tmp_path) == before
        assert list(run.committed) == [PartId(0, 0)]


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (-1, 2)])
def test_shard_beyond_its_division_is_refused_before_anything_is_made(tmp_path, shard):
    with pytest.raises(ValueError, match="counts from 1"):
        begin(tmp_path / "run", shard=shard)
    assert not (tmp_path / "run").exists()


def test_stored_is_the_size_and_the_sha256():
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert Stored.of(b"abc") == (3, known)
