"""Points that fail, input files that vanish, and kernels that change between two sessions of a run."""

import errno
import shutil

import fakes
import numpy as np
import pandas as pd
import pytest
import specs
from fakes import failing, made_up
from small_store import Stage

import fastlstm
from fastlstm.store import DiskError, RunDirectory, content_hash, status
from fastlstm.sweep import plan
from fastlstm.sweep.bits import BITS_VERSION
from fastlstm.sweep.engine import sweep
from fastlstm.sweep.making import FailedPart, LocalMaker
from fastlstm.sweep.opening import open_directory
from fastlstm.sweep.plan import Plan, run_key
from fastlstm.sweep.provenance import kernels, provenance
from fastlstm.sweep.recorder import NotANumber
from fastlstm.sweep.session import OtherKernel
from fastlstm.sweep.stopping import PointsFailed, Stopped, Stopper

SPEC = specs.SHORT | {"draws": 300}  # six points


@pytest.fixture(scope="module")
def undisturbed_hash(tmp_path_factory):
    return content_hash(fakes.run(SPEC, tmp_path_factory.mktemp("runs") / "whole").path)


# Points that fail


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_points_that_fail_are_told_at_the_end_and_the_others_are_committed(
    tmp_path, undisturbed_hash, prepared, threads
):
    simulator = failing(MemoryError("Unable to allocate 9 TiB"), {0, 3}, prepared=prepared)
    for _ in range(2):  # the second finds the others done
        with pytest.raises(PointsFailed) as failed:
            fakes.run(SPEC, tmp_path, simulator=simulator, threads=threads, keep_going=True)
        assert sorted(failed.value.errors) == [0, 3]
        assert "point 3: MemoryError: Unable to allocate 9 TiB" in str(failed.value)
        assert "2 points failed; 1,200 of 1,800 draws" in str(failed.value)
        actual = status(tmp_path)
        assert actual.draws_by_point == dict.fromkeys((1, 2, 4, 5), 300)
        assert (actual.finished, actual.tables) == (None, ())
    fakes.run(SPEC, tmp_path)
    assert content_hash(tmp_path) == undisturbed_hash


def test_without_keep_going_the_first_failure_ends_the_run(tmp_path):
    with pytest.raises(ArithmeticError, match="no"):
        fakes.run(SPEC, tmp_path, simulator=failing(ArithmeticError("no"), {1, 3}), threads=1)
    assert status(tmp_path).draws <= 300


LARGE = SPEC | {"draws": 200_000, "params": {"default": {"normal": {}}, "b_f": {"grid": [0.0, 1.0, 2.0]}}}


def test_a_point_that_fails_within_a_part_leaves_nothing_of_the_part(tmp_path):
    whole = fakes.run(LARGE, tmp_path / "whole")
    assert whole.status().parts == 3  # of four slices each
    simulator = failing(ValueError("a defect in the third slice"), {1}, from_draw=140_000)
    with pytest.raises(PointsFailed, match="point 1: ValueError: a defect"):
        fakes.run(LARGE, tmp_path / "run", simulator=simulator, keep_going=True)
    assert status(tmp_path / "run").draws_by_point == {0: 200_000, 2: 200_000}
    fakes.run(LARGE, tmp_path / "run")
    assert content_hash(tmp_path / "run") == content_hash(whole.path)


def with_nan(measure, point, draw):
    """Made-up columns, with one NaN."""

    def simulator(spec, at):
        compute = made_up(spec, at)

        def columns(first, draws):
            made = compute(first, draws)
            if at.index == point and first <= draw < first + draws:
                made[measure][draw - first] = np.nan
            return made

        return columns

    return simulator


@pytest.mark.parametrize("rows", ["all", "none", 7])
@pytest.mark.parametrize("measure", ["log10_grad", "f_left", "W_hf"])
def test_a_nan_ends_the_run_as_a_defect_that_names_point_and_draw(tmp_path, measure, rows):
    spec = SPEC | {"store": {"rows": rows}}
    with pytest.raises(NotANumber, match=rf"{measure} of point 4, draw 123 is NaN.*defect"):
        fakes.run(spec, tmp_path, simulator=with_nan(measure, 4, 123))
    assert status(tmp_path).draws_by_point.get(4) is None
    with pytest.raises(PointsFailed, match="point 4: NotANumber"):
        fakes.run(spec, tmp_path, simulator=with_nan(measure, 4, 123), keep_going=True)
    assert status(tmp_path).draws == 1500


def test_a_part_that_cannot_be_encoded_is_its_points_failure(tmp_path, undisturbed_hash):
    ready = Plan.of_new_run(fastlstm.load(SPEC))
    local = LocalMaker(ready, threads=1, simulator=made_up)

    def refuse():
        raise ValueError("column log10_grad has 3 nulls")

    def make(wanted, advance):
        for made in local(wanted, advance):
            yield made._replace(encode=refuse) if made.part.id.point == 2 else made

    with open_directory(ready, tmp_path, made_by={}) as directory, pytest.raises(PointsFailed, match="point 2: Value"):
        sweep(ready, directory, make, keep_going=True, stopper=Stopper())
    assert status(tmp_path).draws == 1500
    fakes.run(SPEC, tmp_path)
    assert content_hash(tmp_path) == undisturbed_hash


def test_a_full_disk_is_no_points_failure(tmp_path, undisturbed_hash):
    ready = Plan.of_new_run(fastlstm.load(SPEC))
    text, room = ready.spec.normalised(folder=tmp_path), 30

    def before(step, name):
        if name == "write" and step > room:
            raise OSError(errno.ENOSPC, "No space left on device")

    what = {"spec_text": text, "spec_hash": run_key(ready.spec), "provenance": {}, "layout": ready.layout}
    make = LocalMaker(ready, threads=1, simulator=made_up)
    with (
        RunDirectory.open(tmp_path, **what, disk=Stage(before)) as directory,
        pytest.raises(DiskError, match="No space left"),
    ):
        sweep(ready, directory, make, keep_going=True, stopper=Stopper())
    assert status(tmp_path).draws < 1800
    fakes.run(SPEC, tmp_path)
    assert content_hash(tmp_path) == undisturbed_hash


def test_a_failed_point_of_a_shard_is_left_to_its_shard(tmp_path, undisturbed_hash):
    one, two = (plan.Shard.of(number, 2) for number in (1, 2))
    simulator = failing(MemoryError("9 TiB"), {2})
    fakes.run(SPEC, tmp_path, simulator=simulator, shard=two, keep_going=True)
    with pytest.raises(PointsFailed, match="point 2"):
        fakes.run(SPEC, tmp_path, simulator=simulator, shard=one, keep_going=True)
    fakes.run(SPEC, tmp_path, shard=one)
    fastlstm.merge(tmp_path)
    assert content_hash(tmp_path) == undisturbed_hash


# Makers


@pytest.mark.parametrize("seed", range(5))
def test_parts_may_come_in_any_order(tmp_path, undisturbed_hash, seed):
    ready = Plan(fastlstm.load(SPEC), 70)
    with open_directory(ready, tmp_path, made_by={}) as directory:
        sweep(ready, directory, fakes.Unordered(ready, seed), stopper=Stopper())
        directory.finish()
    assert status(tmp_path).parts == 6 * 5
    assert content_hash(tmp_path) == undisturbed_hash
    assert fastlstm.verify(tmp_path) == []


def test_a_part_that_comes_twice_is_counted_once_and_ends_the_run(tmp_path, undisturbed_hash):
    ready = Plan(fastlstm.load(SPEC), 70)
    local = LocalMaker(ready, threads=1, simulator=made_up)

    def make(wanted, advance):
        for made in local(wanted, advance):
            yield made
            if made.part.id == (3, 1):
                yield made

    with open_directory(ready, tmp_path, made_by={}) as directory, pytest.raises(ValueError, match="committed already"):
        sweep(ready, directory, make, stopper=Stopper())
    fakes.run(SPEC, tmp_path)
    assert content_hash(tmp_path) == undisturbed_hash


def test_a_maker_that_fails_a_part_fails_its_point(tmp_path):
    ready = Plan(fastlstm.load(SPEC), 70)
    local = LocalMaker(ready, threads=1, simulator=made_up)

    def make(wanted, advance):
        for part in wanted:
            if part.id == (3, 1):
                yield FailedPart(part, RuntimeError("four workers died"))
            else:
                yield from local([part], advance)

    with open_directory(ready, tmp_path, made_by={}) as directory, pytest.raises(PointsFailed, match="four workers"):
        sweep(ready, directory, make, keep_going=True, stopper=Stopper())
    actual = status(tmp_path).draws_by_point
    assert actual.pop(3, 0) <= 70  # the part before may be committed by then
    assert actual == dict.fromkeys((0, 1, 2, 4, 5), 300)


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
        fakes.run(SPEC, path, progress=stop, stopper=stopper, threads=1)
    assert 0 < status(path).draws < 1800
    return path


def as_of(**changes):
    return provenance("float64") | changes


def test_draws_of_a_kernel_with_other_sources_are_not_continued_unasked(half_done):
    before = {file: file.read_bytes() for file in half_done.rglob("*.*")}
    other = as_of(kernel="f00d" * 16, versions={"fastlstm": "0.2.0"})
    for shard in (None, plan.Shard.of(2, 3)):
        with pytest.raises(OtherKernel, match=r"fastlstm 0\.1\.0.*f00df00df00d.*--mix-kernels"):
            fakes.run(SPEC, half_done, made_by=other, shard=shard)
    (half_done / "_journal-2-of-3.jsonl").unlink()
    assert {file: file.read_bytes() for file in half_done.rglob("*.*")} == before
    fakes.run(SPEC, half_done, made_by=other, mix_kernels=True)
    made_by = kernels(status(half_done).sessions)
    assert list(made_by.values()) == ["0.1.0", "0.2.0"]
    assert list(made_by)[1] == "f00d" * 16
    before = {file: file.read_bytes() for file in half_done.rglob("*.*")}
    fakes.run(SPEC, half_done)  # finished: there is nothing to refuse
    assert {file: file.read_bytes() for file in half_done.rglob("*.*")} == before


def test_another_version_with_the_same_kernel_goes_on(half_done, undisturbed_hash):
    fakes.run(SPEC, half_done, made_by=as_of(versions={"fastlstm": "0.2.0", "numba": "1.0"}))
    actual = status(half_done)
    assert [session["provenance"]["versions"]["fastlstm"] for session in actual.sessions] == ["0.1.0", "0.2.0"]
    assert len(kernels(actual.sessions)) == 1
    assert content_hash(half_done) == undisturbed_hash


def test_a_killed_session_may_have_computed_draws_and_a_merge_has_not(half_done):
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
        fakes.run(SPEC, half_done, mix_kernels=True)


def test_the_record_of_a_run_says_what_made_it_and_how_much(half_done):
    fakes.run(SPEC, half_done)
    actual = status(half_done)
    assert actual.spec_hash == f"{fastlstm.load(SPEC).hash}-stream1"
    assert actual.layout == {"points": 6, "draws": 300, "part_draws": 1024}
    assert actual.started <= actual.finished
    for entry in actual.sessions:
        made_by = entry["provenance"]
        assert {"fastlstm", "numba", "numpy", "pyarrow"} <= made_by["versions"].keys()
        assert {"python", "kernel", "stream_version", "dtype", "cpu", "features"} <= made_by.keys()
        assert made_by["bits_version"] == BITS_VERSION
        assert entry["started"] <= entry["ended"]
    assert sum(entry["draws"] for entry in actual.sessions) == 1800
    assert (actual.parts, actual.draws, actual.rows) == (6, 1800, 1800)
    shutil.rmtree(half_done / "draws")
    assert status(half_done) == actual  # it stands in the record, not in the parts
