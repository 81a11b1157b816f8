"""Runs: their rows and tables depend on nothing but the spec."""

import math
import os
import shutil
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import specs
from specs import changed

import fastlstm
from fastlstm import replay
from fastlstm.oracles.naive import NAMES
from fastlstm.store import NotARun, content_hash, status
from fastlstm.sweep.engine import sweep
from fastlstm.sweep.making import LocalMaker
from fastlstm.sweep.opening import open_directory
from fastlstm.sweep.plan import Plan
from fastlstm.sweep.stopping import Stopped, Stopper, quiet


def run_in_parts(spec, path, *, part_draws, threads=2, progress=quiet, stopper=None):
    """`fastlstm.run` with another size of the parts."""
    plan = Plan(fastlstm.load(spec), part_draws)
    with open_directory(plan, path, made_by={}) as directory:
        make = LocalMaker(plan, threads=threads)
        sweep(plan, directory, make, progress=progress, stopper=stopper or Stopper())
        directory.finish()
    return fastlstm.read(path)


def assert_same(actual, expected):
    """The same columns, types, index and values, without a tolerance. pandas's check takes categories singly."""
    if not actual.equals(expected):
        pd.testing.assert_frame_equal(actual, expected, check_exact=True)  # says where they differ
        raise AssertionError("the frames differ")
    assert actual.index.names == expected.index.names
    assert actual.dtypes.equals(expected.dtypes)


@pytest.fixture(scope="module")
def whole_hash(whole):
    return content_hash(whole.path)


@pytest.fixture
def whole_copy(whole, tmp_path):
    return shutil.copytree(whole.path, tmp_path / "copy")


# What does not change the content


@pytest.mark.parametrize(
    ("threads", "part_draws"), [(1, 1500), (1, 250), (2, 333), (7, 1024), (7, 199)], ids=lambda number: str(number)
)
def test_content_depends_neither_on_threads_nor_on_the_size_of_parts(
    tmp_path, whole_hash, whole_rows, threads, part_draws
):
    run = run_in_parts(specs.WHOLE, tmp_path / "run", threads=threads, part_draws=part_draws)
    assert run.status().parts == 4 * math.ceil(1500 / part_draws)
    assert_same(run.draws(), whole_rows)
    assert content_hash(run.path) == whole_hash


def test_content_does_not_depend_on_the_order_in_which_parts_are_made(tmp_path, whole_hash):
    path = tmp_path / "run"
    run_in_parts(specs.WHOLE, path, part_draws=500)
    for part in ("draws/point=0000/part-00000001", "counts/point=0001/part-00000000"):
        (path / f"{part}.parquet").unlink()
    shutil.rmtree(path / "draws/point=0003")
    run_in_parts(specs.WHOLE, path, part_draws=500)
    assert content_hash(path) == whole_hash


def test_whole_run_agrees_with_itself(whole):
    assert fastlstm.verify(whole.path) == []


def test_content_follows_the_seed(tmp_path, whole_hash):
    run = fastlstm.run(changed(specs.WHOLE, seed=8), tmp_path / "run")
    assert content_hash(run.path) != whole_hash


def test_simulate_gives_the_rows_of_run(whole_rows):
    for threads in (1, 3):
        rows = fastlstm.simulate(specs.WHOLE, threads=threads)
        assert_same(rows[list(whole_rows)], whole_rows)
        assert len(rows.columns) == len(whole_rows.columns)
    assert rows.attrs == whole_rows.attrs


def test_a_stopped_run_keeps_what_it_has_and_goes_on_to_the_same_content(tmp_path, whole_hash):
    path, stopper = tmp_path / "run", Stopper()

    def stop_after(draws):
        def progress(done, total):
            assert total == 6000
            if done >= draws:
                stopper.signal = 15

        return progress

    seen = []
    for draws in (0, 1500, 3000):
        stopper.signal, progress = 0, stop_after(draws)
        with pytest.raises(Stopped) as stopped:
            run_in_parts(specs.WHOLE, path, part_draws=250, threads=1, progress=progress, stopper=stopper)
        assert stopped.value.signal == 15
        assert "6,000" in str(stopped.value)
        progress_so_far = status(path)
        assert progress_so_far.finished is None
        assert progress_so_far.draws == progress_so_far.rows
        seen.append(progress_so_far.draws)
    assert seen == sorted(seen)
    assert 0 < seen[1] < seen[2] < 6000
    first = []
    run = run_in_parts(specs.WHOLE, path, part_draws=250, progress=lambda done, total: first.append(done))
    assert first[0] == seen[-1]
    assert first[-1] == 6000
    assert run.status().finished is not None
    assert content_hash(path) == whole_hash


def test_running_a_finished_run_again_computes_and_writes_nothing(whole_copy, whole_hash):
    def files():
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in whole_copy.rglob("*.*")}

    before, reported = files(), []
    fastlstm.run(specs.WHOLE, whole_copy, progress=lambda done, total: reported.append((done, total)))
    assert files() == before
    assert reported == [(6000, 6000)]
    assert content_hash(whole_copy) == whole_hash


# Which rows are kept


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Runs that keep no rows, a number of them, and more than there are."""
    folder = tmp_path_factory.mktemp("kept")
    return {
        rows: run_in_parts(changed(specs.WHOLE, store={"rows": rows}), folder / str(rows), part_draws=750)
        for rows in ("none", 77, 1499, 9999)
    }


def test_tables_count_every_draw_whichever_rows_are_kept(whole, kept):
    for run in kept.values():
        assert_same(run.regimes(), whole.regimes())
        assert_same(run.histograms(), whole.histograms())
        assert_same(run.points(), whole.points())


def test_a_sample_of_rows_has_its_size_and_is_spread_evenly(whole_rows, kept):
    assert not (kept["none"].path / "draws").exists()
    for number in (77, 1499, 9999):
        rows = kept[number].draws()
        for _, of_point in rows.groupby("point"):
            assert len(of_point) == min(number, 1500)
            gaps = np.diff([*of_point["draw"], of_point["draw"].iloc[0] + 1500])
            assert set(gaps) <= {1500 // len(of_point), -(-1500 // len(of_point))}
        same = whole_rows.set_index(["point", "draw"]).loc[pd.MultiIndex.from_frame(rows[["point", "draw"]])]
        assert_same(rows.set_index(["point", "draw"]), same)


def test_a_sample_does_not_depend_on_the_size_of_parts(tmp_path, kept):
    run = run_in_parts(changed(specs.WHOLE, store={"rows": 77}), tmp_path / "run", part_draws=150)
    sample = kept[77].draws()
    assert_same(run.draws(), sample)
    rows = fastlstm.simulate(changed(specs.WHOLE, store={"rows": 77}))
    assert_same(rows[list(sample)], sample)
    assert len(rows.columns) == len(sample.columns)


def test_simulate_without_rows_gives_an_empty_frame(whole_rows):
    rows = fastlstm.simulate(changed(specs.WHOLE, store={"rows": "none"}))
    assert len(rows) == 0
    assert set(rows.columns) == set(whole_rows.columns)


# Points


def test_points_are_the_product_of_the_axes_with_the_last_one_fastest(whole, whole_rows):
    points = whole.points()
    assert points["point"].tolist() == [0, 1, 2, 3]
    assert points["steps"].tolist() == [2, 2, 33, 33]
    assert points["default_normal_std"].tolist() == [1.0, 2.5, 1.0, 2.5]
    assert points["draws"].tolist() == [1500] * 4
    merged = whole_rows.merge(points, on="point", suffixes=("", "_of_point"))
    assert (merged["steps"] == merged["steps_of_point"]).all()
    assert (merged["default_normal_std"] == merged["default_normal_std_of_point"]).all()
    assert (whole_rows["draw"].to_numpy().reshape(4, 1500) == np.arange(1500)).all()


def test_points_share_their_random_numbers_so_that_draws_can_be_compared(whole_rows):
    values = whole_rows[list(NAMES)].to_numpy().reshape(4, 1500, 14)
    free = [place for place, name in enumerate(NAMES) if name != "b_f"]
    np.testing.assert_allclose(values[1][:, free], 2.5 * values[0][:, free], rtol=1e-14)
    assert (values[2] == values[0]).all()
    narrow, wide, long = (replay(specs.WHOLE, point=point, draw=5).drawn for point in (0, 1, 2))
    assert (narrow.x == wide.x).all()
    assert (narrow.x == long.x[:2]).all()
    assert (narrow.target == wide.target).all()
    assert (narrow.h0, narrow.C0) == (wide.h0, wide.C0)


def test_points_that_do_not_share_their_random_numbers_differ_everywhere():
    spec = changed(specs.WHOLE, common=False, draws=200)
    rows = fastlstm.simulate(spec)
    free = [name for name in (*NAMES, "h0", "C0") if name != "b_f"]
    scale = np.where([name in ("h0", "C0") for name in free], 1.0, rows[["default_normal_std"]].to_numpy())
    values = (rows[free].to_numpy() / scale).reshape(4, 200, 15)
    for one in range(4):
        for other in range(one):
            assert np.abs(values[one] - values[other]).min() > 0
    assert (replay(spec, point=0, draw=5).drawn.x != replay(spec, point=1, draw=5).drawn.x).all()
    assert_same(rows, fastlstm.simulate(spec))


# The promised names


def test_the_package_has_the_functions_that_it_promises():
    for name in ("run", "simulate", "forward", "gradients", "replay", "read"):
        assert callable(getattr(fastlstm, name)), name


def test_gaps_of_a_sample_are_those_of_an_even_spread(kept):
    draws = kept[77].draws().query("point == 0")["draw"].tolist()
    assert draws[0] == 0
    assert {after - before for before, after in pairwise(draws)} == {19, 20}


def test_read_refuses_what_is_no_run(tmp_path):
    with pytest.raises(NotARun):
        fastlstm.read(tmp_path)
    assert os.listdir(tmp_path) == []
