"""A directory goes on from what its journal and its files agree on."""

import os

import pytest
from small_store import (
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
    OtherSpec,
    PartEntry,
    PartId,
    read_spec,
    status,
    verify,
)
from fastlstm.store.journal import RunId, part_line

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
    found = status(tmp_path, disk=stage)
    assert (found.parts, found.draws, found.rows) == (10_000, 80_000, 80_000)
    assert found.draws_by_point == dict.fromkeys(range(4), 20_000)
    assert found.bytes == 10_000 * (entry.rows.size + entry.counts.size)
    assert sorted(name for name, _ in stage.steps) == ["names", "read", "read"]
