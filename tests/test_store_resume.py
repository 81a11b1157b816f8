"""A directory goes on from what its journal and its files agree on."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_store import (
    DRAWS,
    POINTS,
    SPEC,
    Stage,
    assert_whole,
    begin,
    commit,
    do_all,
    files_of,
    plan,
)

from fastlstm import store
from fastlstm.store import (
    Damaged,
    MixedRuns,
    OtherFormat,
    OtherSpec,
    PartEntry,
    PartId,
    content_hash,
    read_rows,
    read_spec,
    status,
    verify,
)
from fastlstm.store.journal import RunId, part_line, seal, unseal

# Resume


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
        assert run.layout["part_draws"] == 16


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
    monkeypatch.setattr(store.record, "now", lambda: "1970-01-01T00:00:00+00:00")
    (done / "draws/point=0001/part-00000001.parquet").write_bytes(b"")
    for age, file in enumerate(files_of(done)):
        os.utime(done / file, (4e9 if age % 2 else 0, 4e9 if age % 2 else 0))
    assert do_all(done) == [PartId(1, 1)]
    assert_whole(done, undisturbed)


# The journal


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


def test_status_of_ten_thousand_parts_looks_at_no_part(tmp_path):
    with begin(tmp_path, blocks_per_part=1) as run:
        entry = commit(run, PartId(0, 0), 0, 8)
    with (tmp_path / "_journal.jsonl").open("ab") as journal:
        for number in range(1, 10_000):
            part = PartId(number % 4, number)
            line = PartEntry(part, 8 * number, 8, 8, entry.rows, entry.footer, entry.counts)
            journal.write(part_line(line, RunId.of(SPEC["spec_hash"], 8)))
    stage = Stage()
    actual = status(tmp_path, disk=stage)
    assert (actual.parts, actual.draws, actual.rows) == (10_000, 80_000, 80_000)
    assert actual.draws_by_point == dict.fromkeys(range(4), 20_000)
    assert actual.bytes == 10_000 * (entry.rows.size + entry.counts.size)
    assert sorted(name for name, _ in stage.steps) == ["names", "read", "read"]


# Formats, and lines of other runs


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the records in a file, each with a check that is right."""
    texts = path.read_bytes().splitlines() if path.suffix == ".jsonl" else [path.read_bytes()]
    records = [{key: value for key, value in unseal(text).items() if key != "check"} for text in texts]
    for record in records:
        change(record)
    path.write_bytes(b"".join(seal(record) for record in records))


@pytest.mark.parametrize(
    ("number", "says"), [(2, "install a newer fastlstm"), (None, "use the fastlstm that wrote it")]
)
def test_directory_of_another_format_is_refused_with_what_to_do(done, number, says):
    rewritten(done / "_run.json", lambda record: record.update(format=number) if number else record.pop("format"))
    before = {file: (done / file).read_bytes() for file in files_of(done)}
    for work in (begin, status, read_rows, verify, read_spec):
        with pytest.raises(OtherFormat, match=f"{says}.*new directory"):
            work(done)
    assert {file: (done / file).read_bytes() for file in files_of(done)} == before


STRANGERS = {
    "another spec": {"run": "0" * 16},
    "parts of other than 24 draws": {"part_draws": 8},
    "another format": {"format": 2},
}


@pytest.mark.parametrize("says", STRANGERS)
def test_lines_of_another_run_are_refused_and_named_and_nothing_is_changed(done, says):
    shutil.copy(done / "_journal.jsonl", done / "_journal-1-of-2.jsonl")
    rewritten(done / "_journal-1-of-2.jsonl", lambda record: record.update(STRANGERS[says]))
    before = {file: (done / file).read_bytes() for file in files_of(done)}
    for work in (begin, status, read_rows, content_hash):
        with pytest.raises(MixedRuns, match=f"_journal-1-of-2.jsonl: has .* lines of .*{says}.*remove it"):
            work(done)
    for repair in (False, True):
        (problem,) = verify(done, repair=repair)
        assert problem.file == "_journal-1-of-2.jsonl"
        assert says in problem.what
    assert {file: (done / file).read_bytes() for file in files_of(done)} == before
    (done / "_journal-1-of-2.jsonl").unlink()
    assert do_all(done) == []


def test_sealed_lines_that_fastlstm_does_not_write_are_damage(done, undisturbed):
    lines = (done / "_journal.jsonl").read_bytes().splitlines()
    broken = [
        {"part": [-1, 0]}, {"part": [0]}, {"part": "00"}, {"first_draw": 1}, {"draws": 25}, {"draws": 0}, {"kept": 99},
        {"rows": None}, {"footer": [1, "x"]}, {"counts": [1.5, "0" * 64]}, {"table": "../victim", "stored": None},
        {"table": ["points"], "stored": None}, {"table": "points", "stored": [5, "0" * 63]},
    ]  # fmt: skip
    added = [seal(unseal(lines[-4]) | change) for change in broken] + [b'{"torn": 1\n']
    assert b'"part"' in lines[-4]
    (done / "_journal.jsonl").write_bytes(b"\n".join([*lines, *(line.rstrip() for line in added), b""]))
    assert status(done).damaged_lines == len(added)
    assert [problem.file for problem in verify(done)] == ["_journal.jsonl"]
    assert do_all(done) == []
    assert_whole(done, undisturbed)


def test_journal_of_many_lines_that_are_mostly_doubled_is_written_anew(done, undisturbed):
    journal = done / "_journal.jsonl"
    once = journal.read_bytes()
    journal.write_bytes(once * 400)
    assert status(done).draws == POINTS * DRAWS
    assert do_all(done) == []
    lines = journal.read_bytes().splitlines()
    assert len(lines) == 4 + 2  # parts and tables
    assert set(lines) <= set(once.splitlines())
    assert_whole(done, undisturbed)
