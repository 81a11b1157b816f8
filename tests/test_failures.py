"""Points that fail, input files that vanish, and kernels that change between two sessions of a run."""

import errno
import shutil

import pandas as pd
import pytest
import specs

import fastlstm
from fastlstm.store import DiskError, RunDirectory, content_hash, status
from fastlstm.sweep import plan, session
from fastlstm.sweep.provenance import kernels, provenance
from fastlstm.sweep.session import OtherKernel
from fastlstm.sweep.simulation import Simulation
from fastlstm.sweep.stopping import PointsFailed, Stopped, Stopper
from fastlstm.tables.rows import Rows

SPEC = specs.SHORT | {"draws": 300}  # six points


@pytest.fixture(scope="module")
def undisturbed_hash(tmp_path_factory):
    return content_hash(fastlstm.run(SPEC, tmp_path_factory.mktemp("runs") / "whole").path)


def fails_at(bad, what):
    """A function that takes the place of another, and fails for the points in `bad`."""

    def instead(original):
        def work(self, *arguments, **options):
            point = arguments[1] if original.__name__ == "__init__" else self.point
            if point.index in bad:
                raise what
            return original(self, *arguments, **options)

        return work

    return instead


# Points that fail


@pytest.mark.parametrize("place", ["__init__", "columns"])
@pytest.mark.parametrize("threads", [1, 3])
def test_points_that_fail_are_told_at_the_end_and_the_others_are_committed(
    tmp_path, monkeypatch, undisturbed_hash, place, threads
):
    with monkeypatch.context() as patch:
        instead = fails_at({0, 3}, MemoryError("Unable to allocate 9 TiB"))
        patch.setattr(Simulation, place, instead(getattr(Simulation, place)))
        for _ in range(2):  # the second finds the others done
            with pytest.raises(PointsFailed) as failed:
                fastlstm.run(SPEC, tmp_path, threads=threads, keep_going=True)
            assert sorted(failed.value.errors) == [0, 3]
            assert "point 3: MemoryError: Unable to allocate 9 TiB" in str(failed.value)
            assert "2 points failed; 1,200 of 1,800 draws" in str(failed.value)
            found = status(tmp_path)
            assert found.draws_by_point == dict.fromkeys((1, 2, 4, 5), 300)
            assert (found.finished, found.tables) == (None, ())
    fastlstm.run(SPEC, tmp_path)
    assert content_hash(tmp_path) == undisturbed_hash


def test_without_keep_going_the_first_failure_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(Simulation, "columns", fails_at({1, 3}, ArithmeticError("no"))(Simulation.columns))
    with pytest.raises(ArithmeticError, match="no"):
        fastlstm.run(SPEC, tmp_path, threads=1)
    assert status(tmp_path).draws <= 300


def test_a_point_that_fails_within_a_part_leaves_nothing_of_the_part(tmp_path, monkeypatch, undisturbed_hash):
    monkeypatch.setattr("fastlstm.sweep.engine.slice_size", lambda spec, steps: 64)
    make_rows = Rows.table

    def rows(self, point, draws, *rest):
        if point.index == 2 and draws[0] == 128:
            raise ValueError("a defect in the third slice")
        return make_rows(self, point, draws, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Rows, "table", rows)
        with pytest.raises(PointsFailed, match="point 2: ValueError: a defect"):
            fastlstm.run(SPEC, tmp_path, keep_going=True)
    assert sorted(status(tmp_path).draws_by_point) == [0, 1, 3, 4, 5]
    fastlstm.run(SPEC, tmp_path)
    assert content_hash(tmp_path) == undisturbed_hash


def test_a_part_that_the_store_refuses_is_its_points_failure_and_a_full_disk_is_not(
    tmp_path, monkeypatch, undisturbed_hash
):
    commit = RunDirectory.commit

    def fail(what):
        def instead(self, part, **what_else):
            if part.point == 2:
                raise what
            return commit(self, part, **what_else)

        return instead

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "commit", fail(ValueError("column log10_grad has 3 nulls")))
        with pytest.raises(PointsFailed, match="point 2: ValueError: column log10_grad"):
            fastlstm.run(SPEC, tmp_path, keep_going=True)
        assert status(tmp_path).draws == 1500
        patch.setattr(RunDirectory, "commit", fail(DiskError(OSError(errno.ENOSPC, "No space left on device"))))
        with pytest.raises(DiskError, match="No space left"):
            fastlstm.run(SPEC, tmp_path, keep_going=True)
    fastlstm.run(SPEC, tmp_path)
    assert content_hash(tmp_path) == undisturbed_hash


def test_a_failed_point_of_a_shard_is_left_to_its_shard(tmp_path, monkeypatch, undisturbed_hash):
    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "columns", fails_at({2}, MemoryError("9 TiB"))(Simulation.columns))
        fastlstm.run(SPEC, tmp_path, shard=(2, 2), keep_going=True)
        with pytest.raises(PointsFailed, match="point 2"):
            fastlstm.run(SPEC, tmp_path, shard=(1, 2), keep_going=True)
    fastlstm.run(SPEC, tmp_path, shard=(1, 2))
    fastlstm.merge(tmp_path)
    assert content_hash(tmp_path) == undisturbed_hash


# Input files that vanish


def test_input_file_that_vanishes_during_the_run_harms_nothing_and_is_named_when_it_is_needed_again(tmp_path):
    series, path = tmp_path / "series.csv", tmp_path / "run"
    pd.DataFrame({"value": specs.SERIES}).to_csv(series, index=False)
    spec = specs.case("windows of a file, mse against the input three steps ago", series)
    content = content_hash(fastlstm.run(spec, tmp_path / "other").path)

    def vanish(done, total):
        series.unlink(missing_ok=True)

    ready = fastlstm.load(spec)
    run = fastlstm.run(ready, path, progress=vanish)
    assert not series.exists()
    assert content_hash(path) == content
    assert (run.status().draws, run.overall()["draws"].sum()) == (24, 24)
    with pytest.raises(fastlstm.SpecError, match="no such file"):
        fastlstm.run(spec, path)
    (problem,) = fastlstm.verify(path)
    assert problem.file == "_spec.toml"
    assert "series.csv" in str(problem)
    assert fastlstm.verify(path, repair=True) == [problem]  # which drops no draw for it
    assert content_hash(path) == content


# Kernels that change


@pytest.fixture
def half_done(tmp_path):
    """A run that was stopped on its way."""
    stopper, path = Stopper(), tmp_path / "run"

    def stop(done, total):
        stopper.signal = 15 if done else 0

    with pytest.raises(Stopped):
        fastlstm.run(SPEC, path, progress=stop, stopper=stopper, threads=1)
    assert 0 < status(path).draws < 1800
    return path


def as_of(monkeypatch, **changes):
    monkeypatch.setattr(session, "provenance", lambda dtype: provenance(dtype) | changes)


def test_draws_of_a_kernel_with_other_sources_are_not_continued_unasked(half_done, monkeypatch):
    before = {file: file.read_bytes() for file in half_done.rglob("*.*")}
    as_of(monkeypatch, kernel="f00d" * 16, versions={"fastlstm": "0.2.0"})
    for shard in (None, (2, 3)):
        with pytest.raises(OtherKernel, match=r"fastlstm 0\.1\.0.*f00df00df00d.*--mix-kernels"):
            fastlstm.run(SPEC, half_done, shard=shard)
    (half_done / "_journal-2-of-3.jsonl").unlink()
    assert {file: file.read_bytes() for file in half_done.rglob("*.*")} == before
    fastlstm.run(SPEC, half_done, mix_kernels=True)
    made_by = kernels(status(half_done).sessions)
    assert list(made_by.values()) == ["0.1.0", "0.2.0"]
    assert list(made_by)[1] == "f00d" * 16
    monkeypatch.undo()
    before = {file: file.read_bytes() for file in half_done.rglob("*.*")}
    fastlstm.run(SPEC, half_done)  # finished: there is nothing to refuse
    assert {file: file.read_bytes() for file in half_done.rglob("*.*")} == before


def test_another_version_with_the_same_kernel_goes_on(half_done, monkeypatch, undisturbed_hash):
    as_of(monkeypatch, versions={"fastlstm": "0.2.0", "numba": "1.0"})
    fastlstm.run(SPEC, half_done)
    found = status(half_done)
    assert [session["provenance"]["versions"]["fastlstm"] for session in found.sessions] == ["0.1.0", "0.2.0"]
    assert len(kernels(found.sessions)) == 1
    assert content_hash(half_done) == undisturbed_hash


def test_a_killed_session_may_have_computed_draws_and_a_merge_has_not(half_done, monkeypatch):
    sessions = status(half_done).sessions
    killed = [session | {"ended": None, "draws": 0} for session in sessions]
    assert list(kernels(killed)) == [provenance("float64")["kernel"]]
    idle = [session | {"draws": 0} for session in sessions]
    assert kernels(idle) == {}
    fastlstm.merge(half_done, incomplete=True)
    assert "kernel" not in status(half_done).sessions[-1]["provenance"]


def test_other_streams_of_random_numbers_are_another_spec(half_done, monkeypatch):
    monkeypatch.setattr(plan, "STREAM_VERSION", 2)
    with pytest.raises(fastlstm.store.OtherSpec):
        fastlstm.run(SPEC, half_done, mix_kernels=True)


def test_the_record_of_a_run_says_what_made_it_and_how_much(half_done):
    fastlstm.run(SPEC, half_done)
    found = status(half_done)
    assert found.spec_hash == f"{fastlstm.load(SPEC).hash}-stream1"
    assert found.layout == {"points": 6, "draws": 300, "part_draws": 1024}
    assert found.started <= found.finished
    for entry in found.sessions:
        made_by = entry["provenance"]
        assert {"fastlstm", "numba", "numpy", "pyarrow"} <= made_by["versions"].keys()
        assert {"python", "kernel", "stream_version", "dtype", "cpu", "features"} <= made_by.keys()
        assert entry["started"] <= entry["ended"]
    assert sum(entry["draws"] for entry in found.sessions) == 1800
    assert (found.parts, found.draws, found.rows) == (6, 1800, 1800)
    shutil.rmtree(half_done / "draws")
    assert status(half_done) == found  # it stands in the record, not in the parts
