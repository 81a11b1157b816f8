"""Runs: their rows are what the twin says, and depend on nothing but the spec."""

import math
import os
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import specs

import fastlstm
from fastlstm import replay
from fastlstm.measures import FLAGS, group, selected
from fastlstm.oracles import naive
from fastlstm.oracles.naive import NAMES
from fastlstm.store import NotARun, content_hash, status
from fastlstm.sweep.engine import sweep
from fastlstm.sweep.making import LocalMaker
from fastlstm.sweep.opening import open_directory
from fastlstm.sweep.plan import Plan
from fastlstm.sweep.stopping import Stopped, Stopper, quiet

MODES = ("full", "cec", "local", "window")
TWIN_DRAWS = 40  # of each point, every 37th


def changed(spec, **tables):
    """A spec with some keys of its tables replaced."""
    merged = {
        key: spec.get(key, {}) | value if isinstance(value, dict) and "grid" not in value else value
        for key, value in tables.items()
    }
    return spec | merged


def run_in_parts(spec, path, *, part_draws, threads=2, progress=quiet, stopper=None):
    """`fastlstm.run` with another size of the parts."""
    plan = Plan(fastlstm.load(spec), part_draws)
    with open_directory(plan, path, made_by={}) as directory:
        make = LocalMaker(plan, threads=threads)
        sweep(plan, directory, make, progress=progress, stopper=stopper or Stopper())
        directory.finish()
    return fastlstm.read(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run of specs.WHOLE."""
    return fastlstm.run(specs.WHOLE, tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture(scope="module")
def whole_rows(whole):
    return whole.draws()


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
    pd.testing.assert_frame_equal(run.draws(), whole_rows)
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
        pd.testing.assert_frame_equal(rows, whole_rows, check_like=True)
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
        found = status(path)
        assert found.finished is None
        assert found.draws == found.rows
        seen.append(found.draws)
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
        pd.testing.assert_frame_equal(run.regimes(), whole.regimes())
        pd.testing.assert_frame_equal(run.histograms(), whole.histograms())
        pd.testing.assert_frame_equal(run.points(), whole.points())


def test_a_sample_of_rows_has_its_size_and_is_spread_evenly(whole_rows, kept):
    assert not (kept["none"].path / "draws").exists()
    for number in (77, 1499, 9999):
        rows = kept[number].draws()
        for _, of_point in rows.groupby("point"):
            assert len(of_point) == min(number, 1500)
            gaps = np.diff([*of_point["draw"], of_point["draw"].iloc[0] + 1500])
            assert set(gaps) <= {1500 // len(of_point), -(-1500 // len(of_point))}
        same = whole_rows.set_index(["point", "draw"]).loc[pd.MultiIndex.from_frame(rows[["point", "draw"]])]
        pd.testing.assert_frame_equal(rows.set_index(["point", "draw"]), same)


def test_a_sample_does_not_depend_on_the_size_of_parts(tmp_path, kept):
    run = run_in_parts(changed(specs.WHOLE, store={"rows": 77}), tmp_path / "run", part_draws=150)
    pd.testing.assert_frame_equal(run.draws(), kept[77].draws())
    rows = fastlstm.simulate(changed(specs.WHOLE, store={"rows": 77}))
    pd.testing.assert_frame_equal(rows, kept[77].draws(), check_like=True)


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
    again = fastlstm.simulate(spec)
    pd.testing.assert_frame_equal(rows, again)


# Rows against the twin


class Twin:
    """Some draws of a point made again by the twin: trace, loss and gradients of every mode."""

    def __init__(self, spec, rows, point):
        self.rows = rows[rows["point"] == point].iloc[::37].head(TWIN_DRAWS)
        self.replays = [replay(spec, point=point, draw=int(draw)) for draw in self.rows["draw"]]
        drawn = [again.drawn for again in self.replays]
        params, x, h0, C0, target = (
            np.array([np.longdouble(getattr(one, name)) for one in drawn])
            for name in ("params", "x", "h0", "C0", "target")
        )
        kind, silent = fastlstm.load(spec).loss.kind, drawn[0].first_loss_step
        if kind == "last":
            silent = 0
        elif kind != "sum":
            target = np.where(np.arange(x.shape[1]) < silent, 0, target)
        self.steps = x.shape[1]
        self.trace = naive.forward(params, x, h0, C0)
        self.jacobians = naive.jacobians(params, x, h0, C0)
        self.W_ho = params[:, 6:7]
        target = target if kind in ("mse", "bce") else 0
        self.loss = naive.loss_and_dy(kind, self.trace.y, target, self.trace.z_y, silent_steps=silent)
        self.full, self.cec, self.local, self.window = (
            naive.gradients(params, x, None, h0, C0, mode, delta=self.loss.delta, window=specs.WINDOW) for mode in MODES
        )

    def assert_columns(self, columns, *, rtol=1e-9, atol=1e-9):
        for name, true in columns.items():
            found = self.rows[name].to_numpy()
            np.testing.assert_allclose(found, np.asarray(true, float), rtol=rtol, atol=atol, err_msg=name)


@pytest.fixture(scope="module")
def twins(whole_rows):
    return [Twin(specs.WHOLE, whole_rows, point) for point in range(4)]


def log10(values):
    with np.errstate(divide="ignore"):
        return np.log10(np.abs(values))


def log10_norm(gradients):
    return log10(np.sqrt((gradients**2).sum(axis=1)))


def test_gate_columns_are_shares_and_means_over_the_steps(twins):
    for twin in twins:
        columns = {}
        for gate in "fio":
            value, z = getattr(twin.trace, gate), getattr(twin.trace, f"z_{gate}")
            columns |= {
                f"{gate}_left": (value < 0.1).mean(axis=1),
                f"{gate}_right": (value > 0.9).mean(axis=1),
                f"{gate}_mean": value.mean(axis=1),
                f"{gate}_slope": naive.sigmoid_slope(z).mean(axis=1),
            }
        columns["g_sat"] = (np.abs(twin.trace.g) > 0.9).mean(axis=1)
        columns["g_slope"] = naive.tanh_slope(twin.trace.z_c).mean(axis=1)
        assert set(columns) == {measure.name for measure in group("gates")}
        twin.assert_columns(columns, rtol=1e-10, atol=1e-14)


def test_norm_columns_are_logarithms_of_the_full_gradient(twins):
    for twin in twins:
        full = twin.full
        columns = {
            "loss": twin.loss.value,
            "log10_grad": log10_norm(full.params),
            **{f"log10_grad_{gate}": log10_norm(full.params[:, 3 * k : 3 * k + 3]) for k, gate in enumerate("fioc")},
            "log10_grad_y": log10_norm(full.params[:, 12:]),
            "log10_dh0": log10(full.h0),
            "log10_dC0": log10(full.C0),
            "log10_dh_max": log10(full.dh).max(axis=1),
            "log10_dC_max": log10(full.dC).max(axis=1),
        }
        assert set(columns) == {measure.name for measure in group("norms")}
        twin.assert_columns(columns)


def test_gradient_columns_are_the_fourteen_gradients(twins):
    for twin in twins:
        size = np.abs(twin.full.params).max(axis=1, keepdims=True)
        found = twin.rows[[f"d{name}" for name in NAMES]].to_numpy()
        assert (np.abs(found - twin.full.params) / size).max() < 1e-10


def test_carousel_columns_are_the_sum_and_mean_of_log_f(twins):
    for twin in twins:
        log_f = np.log(twin.trace.f)
        columns = {
            "log10_forget": log_f.sum(axis=1) / np.log(np.longdouble(10)),
            "memory_time": -1 / log_f.mean(axis=1),
        }
        assert set(columns) == {measure.name for measure in group("carousel")}
        twin.assert_columns(columns, rtol=1e-11)


def test_truncation_columns_compare_the_modes_of_the_twin(twins):
    for twin in twins:
        full, columns = twin.full.params, {}
        size = np.sqrt((full**2).sum(axis=1))
        for mode in MODES[1:]:
            other = getattr(twin, mode).params
            columns |= {
                f"{mode}_rel_error": np.sqrt(((other - full) ** 2).sum(axis=1)) / size,
                f"{mode}_cosine": (other * full).sum(axis=1) / size / np.sqrt((other**2).sum(axis=1)),
                f"{mode}_W_hi_sign": np.sign(other[:, 3] * full[:, 3]),
            }
        assert set(columns) == {measure.name for measure in (*group("truncation"), *group("window"))}
        twin.assert_columns(columns)


def test_jacobian_columns_are_of_the_product_of_the_twins_jacobians(twins):
    for twin in twins:
        product = np.eye(2, dtype=np.longdouble)
        for t in range(twin.steps):
            product = np.einsum("nij,njk->nik", twin.jacobians[:, t], np.broadcast_to(product, (TWIN_DRAWS, 2, 2)))
        b = np.tanh(twin.trace.C) * naive.sigmoid_slope(twin.trace.z_o) * twin.W_ho
        determinant = np.abs(twin.trace.f * b).prod(axis=1)
        squares = (product**2).sum(axis=(1, 2))  # of both singular values, whose product is the determinant
        larger = np.sqrt((squares + np.sqrt(squares**2 - 4 * determinant**2)) / 2)
        columns = {
            "lyapunov_1": np.log(larger) / twin.steps,
            "lyapunov_2": np.log(determinant / larger) / twin.steps,
            "log10_J_CC": log10(product[:, 0, 0]),
            "log10_J_Ch": log10(product[:, 0, 1]),
            "log10_J_hC": log10(product[:, 1, 0]),
            "log10_J_hh": log10(product[:, 1, 1]),
            "b_max": np.abs(b).max(axis=1),
        }
        assert set(columns) == {measure.name for measure in group("jacobian")}
        twin.assert_columns(columns)


def test_lag_columns_are_the_adjoints_some_steps_before_the_end(twins):
    for twin in twins:
        columns = {}
        for lag in (1, 2, 5, 10, 20):
            for name in ("dh", "dC"):
                there = lag < twin.steps
                true = log10(getattr(twin.full, name)[:, twin.steps - lag]) if there else np.nan
                columns[f"log10_{name}_lag_{lag}"] = np.broadcast_to(true, TWIN_DRAWS)
        assert set(columns) == {measure.name for measure in group("lags", 33)}
        twin.assert_columns(columns)


def test_gate_gradient_columns_are_norms_and_largest_over_the_steps(twins):
    for twin in twins:
        columns = {}
        for name in ("df", "di", "do", "dg"):
            values = getattr(twin.full, name)
            columns |= {f"log10_{name}": log10_norm(values), f"log10_{name}_max": log10(values).max(axis=1)}
        assert set(columns) == {measure.name for measure in group("gate_grads")}
        twin.assert_columns(columns)


def test_gate_lag_columns_are_the_gradients_of_the_gates_some_steps_before_the_end(twins):
    for twin in twins:
        columns = {}
        for lag in (1, 2, 5, 10, 20):
            for name in ("df", "di", "do", "dg"):
                there = lag < twin.steps
                true = log10(getattr(twin.full, name)[:, twin.steps - lag - 1]) if there else np.nan
                columns[f"log10_{name}_lag_{lag}"] = np.broadcast_to(true, TWIN_DRAWS)
        assert set(columns) == {measure.name for measure in group("gate_lags", 33)}
        twin.assert_columns(columns)


def test_cell_columns_are_of_the_cell_and_of_the_slope_of_tanh_there(twins):
    for twin in twins:
        C = twin.trace.C
        columns = {
            "C_max": np.abs(C).max(axis=1),
            "C_mean": np.abs(C).mean(axis=1),
            "tau_slope": naive.tanh_slope(C).mean(axis=1),
        }
        assert set(columns) == {measure.name for measure in group("cell")}
        twin.assert_columns(columns, rtol=1e-10)


def test_only_a_lag_that_a_point_does_not_have_is_nan(whole_rows):
    short = whole_rows["steps"] == 2
    lags = (*group("lags", 33), *group("gate_lags", 33))
    beyond = [measure.name for measure in lags if not measure.name.endswith("lag_1")]
    assert whole_rows.loc[short, beyond].isna().all().all()
    missing = whole_rows.isna()
    missing.loc[short, beyond] = False
    assert not missing.any().any()


def test_regimes_and_flags_follow_from_the_columns_of_their_row(whole_rows):
    rows = whole_rows
    for gate in "fio":
        left, right = rows[f"{gate}_left"] > 0.5, rows[f"{gate}_right"] > 0.5
        expected = np.select([left, right], ["left", "right"], "mid")
        assert (rows[f"regime_{gate}"] == expected).all()
        assert set(expected) == {"left", "mid", "right"}
    assert (rows["exploded"] == (rows[["log10_dh_max", "log10_dC_max"]].max(axis=1) > 0)).all()
    assert (rows["vanished"] == (rows[["log10_dh0", "log10_dC0"]].max(axis=1) < -3)).all()
    assert 0 < rows["exploded"].sum() < len(rows)
    assert 0 < rows["vanished"].sum() < len(rows)


def test_the_regime_table_is_what_pandas_finds_in_the_rows(whole, whole_rows):
    table = whole.regimes().set_index(["point", "regime_f", "regime_i", "regime_o"])
    groups = whole_rows.groupby(["point", "regime_f", "regime_i", "regime_o"], observed=True)
    assert len(table) == len(groups)
    for name, rows in groups:
        row = table.loc[name]
        assert row["draws"] == len(rows)
        assert row["share"] == pytest.approx(len(rows) / 1500)
        for flag in FLAGS:
            assert row[flag] == rows[flag].sum()
            assert row[f"{flag}_low"] - 1e-12 <= rows[flag].mean() <= row[f"{flag}_high"] + 1e-12
        for measure in selected([*specs.GROUPS, "window"], 33):
            if measure.resolution is None or rows[measure.name].isna().any():
                continue
            values = rows[measure.name].to_numpy()
            assert row[f"{measure.name}_min"] == values.min()
            assert row[f"{measure.name}_max"] == values.max()
            median = row[f"{measure.name}_q50"]
            rank = 1 / len(values)
            low, high = np.quantile(values, [max(0, 0.5 - rank), min(1, 0.5 + rank)], method="inverted_cdf")
            width = measure.resolution + abs(median) / 128
            assert low - width <= median <= high + width


# Replay


def assert_replay_is_the_row(again, row):
    stored = again.spec.store.dtype
    for name, value in (*zip(NAMES, again.drawn.params, strict=True), *again.drawn.measures.items()):
        if name in row:
            assert np.array_equal(np.dtype(stored).type(value), row[name], equal_nan=True), name


def test_replay_of_a_run_or_of_its_spec_is_the_row_to_the_bit(whole, whole_rows, kept, tmp_path):
    file = tmp_path / "spec.toml"
    file.write_text(fastlstm.load(specs.WHOLE).normalised())
    rows = whole_rows.set_index(["point", "draw"])
    for source in (whole.path, str(whole.path), kept["none"].path, specs.WHOLE, file, fastlstm.load(specs.WHOLE)):
        for point, draw in ((0, 0), (1, 7), (2, 1023), (3, 1499)):
            again = replay(source, point=point, draw=draw)
            assert set(again.drawn.measures) > {measure.name for measure in selected([*specs.GROUPS, "window"], 2)}
            assert_replay_is_the_row(again, rows.loc[(point, draw)])


def test_replay_has_the_trace_and_the_gradients_of_the_twin(twins):
    for twin in twins:
        for place, again in enumerate(twin.replays):
            spec, trace, grads = again
            assert spec.hash == fastlstm.load(specs.WHOLE).hash
            for name in ("f", "i", "o", "g", "C", "h", "y"):
                true = getattr(twin.trace, name)[place]
                np.testing.assert_allclose(getattr(trace, name)[0], true.astype(float), rtol=1e-9, atol=1e-10)
            for name in ("params", "x", "h0", "C0"):
                true = np.atleast_1d(getattr(twin.full, name)[place])
                assert np.abs(getattr(grads, name)[0] - true).max() <= 1e-9 * np.abs(true).max()


@pytest.mark.parametrize(("point", "draw"), [(4, 0), (-1, 0), (0, 1500), (0, -1)])
def test_replay_of_no_such_draw_says_which_there_are(point, draw):
    with pytest.raises(ValueError, match=r"0 \.\. (3|1499)"):
        replay(specs.WHOLE, point=point, draw=draw)


# Every process, every loss, both types


@pytest.fixture(scope="module")
def series_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("series") / "series.csv"
    pd.DataFrame({"year": np.arange(50), "value": specs.SERIES}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module", params=specs.CASES)
def case(request, series_file):
    """A spec, its rows, and the twin of all of them."""
    spec = specs.case(request.param, series_file)
    rows = fastlstm.simulate(spec)
    return spec, rows, Twin(spec, rows.iloc[np.repeat(range(24), 37)], 0)


def test_loss_and_gradients_of_every_process_and_loss_are_the_twins(case):
    spec, rows, twin = case
    single = spec.get("dtype") == "float32"
    assert len(twin.rows) == len(rows) == 24
    twin.assert_columns({"loss": twin.loss.value}, rtol=1e-5 if single else 1e-11)
    size = np.abs(twin.full.params).max(axis=1, keepdims=True)
    gap = np.abs(twin.rows[[f"d{name}" for name in NAMES]].to_numpy() - twin.full.params) / size
    assert gap.max() < (1e-3 if single else 1e-11)
    assert (size > 0).all()


def test_replay_of_every_process_and_loss_is_the_row_and_has_its_gradients(case):
    _, rows, twin = case
    for row, again in zip(rows.to_dict("records"), twin.replays, strict=True):
        assert_replay_is_the_row(again, row)
        found = np.array([row[f"d{name}"] for name in NAMES])
        tolerance = 1e-4 if again.spec.dtype == "float32" else 1e-11
        np.testing.assert_allclose(again.grads.params[0], found, rtol=0, atol=tolerance * np.abs(found).max())


def test_inputs_and_targets_are_what_the_spec_says(case):
    spec, _, twin = case
    for again in twin.replays:
        x, target, given = again.drawn.x, again.drawn.target, spec["input"]
        match given["process"]:
            case "uniform":
                assert ((x > 0) & (x < 1)).all()
            case "sine":
                turned = x[:-2] + x[2:]  # of a sine: 2 cos(2 pi / period) times what stands between
                np.testing.assert_allclose(turned, 2 * np.cos(2 * np.pi / 7.3) * x[1:-1], atol=1e-12)
            case "constant":
                assert (x == 0.7).all()
            case "file":
                start = int(np.argmin(np.abs(specs.SERIES - x[0])))
                np.testing.assert_allclose(x, specs.SERIES[start : start + 12], rtol=1e-15)
            case _:
                assert len(np.unique(x)) == 12
        wanted = spec.get("loss", {}).get("target", {})
        if "delay" in wanted:
            delay = wanted["delay"]["steps"]
            assert again.drawn.first_loss_step == delay
            assert (target[delay:] == x[: 12 - delay]).all()
        elif "choice" in wanted:
            assert set(target) <= {0.0, 1.0}


def test_windows_of_a_file_are_windows_of_its_column(tmp_path, monkeypatch):
    table = pa.table({"other": np.zeros(50), "value": specs.SERIES})
    pq.write_table(table, tmp_path / "series.parquet")
    pd.DataFrame({"value": specs.SERIES}).to_csv(tmp_path / "series.csv", index=False)
    name = "windows of a file, mse against the input three steps ago"
    standard = (specs.SERIES - specs.SERIES.mean()) / specs.SERIES.std()
    starts = {}
    for file in ("series.csv", "series.parquet"):
        for standardize, series in ((False, specs.SERIES), (True, standard)):
            spec = changed(specs.case(name, tmp_path / file), input={"standardize": standardize})
            found = [replay(spec, point=0, draw=draw).drawn.x for draw in range(24)]
            starts[file, standardize] = [int(np.argmin(np.abs(series - x[0]))) for x in found]
            for x, start in zip(found, starts[file, standardize], strict=True):
                np.testing.assert_allclose(x, series[start : start + 12], rtol=1e-13)
    assert all(places == starts["series.csv", False] for places in starts.values())
    assert len(set(starts["series.csv", False])) > 8
    # a run finds its file from anywhere
    monkeypatch.chdir(tmp_path)
    run = fastlstm.run(specs.case(name, "series.csv"), "run")
    monkeypatch.chdir(Path("/"))
    again = replay(run.path if run.path.is_absolute() else tmp_path / run.path, point=0, draw=3)
    assert_replay_is_the_row(again, fastlstm.read(tmp_path / "run").draws().iloc[3])


# Published schemes


def scheme(name, **params):
    return specs.WHOLE | {"steps": 12, "draws": 500, "params": {"preset": name} | params}


def test_chrono_makes_forget_and_memory_gate_add_to_one_without_weights():
    rows = fastlstm.simulate(scheme("chrono", default=0.0, W_y=1.0))
    assert (rows["b_i"] == -rows["b_f"]).all()
    np.testing.assert_allclose(rows["f_mean"] + rows["i_mean"], 1, rtol=1e-14)
    np.testing.assert_allclose(-1 / rows["memory_time"], np.log(rows["f_mean"]), rtol=1e-12)
    assert rows["b_f"].between(0, np.log(11)).all()


def test_uniform_gate_spreads_the_forget_gate_evenly():
    rows = fastlstm.simulate(scheme("uniform_gate", default=0.0))
    assert (rows["b_i"] == -rows["b_f"]).all()
    counts, _ = np.histogram(rows["f_mean"], bins=10, range=(0, 1))
    assert counts.sum() == 500
    assert ((counts - 50) ** 2 / 50).sum() < 27.9  # the 99.9% quantile of chi-square with 9


def test_keras_draws_orthogonal_recurrent_weights_and_a_forget_bias_of_one():
    rows = fastlstm.simulate(scheme("keras"))
    np.testing.assert_allclose((rows[["W_hf", "W_hi", "W_ho", "W_hc"]] ** 2).sum(axis=1), 1, rtol=1e-12)
    assert (rows[["b_i", "b_o", "b_c", "b_y"]] == 0).all().all()
    assert (rows["b_f"] == 1).all()


def test_pytorch_draws_within_its_bounds():
    rows = fastlstm.simulate(scheme("pytorch"))
    gate_biases = ["b_f", "b_i", "b_o", "b_c"]
    assert (rows[gate_biases].abs() < 2).all().all()
    assert (rows[gate_biases].abs() > 1).any().all()
    assert (rows[[name for name in NAMES if name not in gate_biases]].abs() < 1).all().all()


def test_a_tied_parameter_is_a_multiple_of_the_other():
    spec = changed(specs.WHOLE, params={"W_hi": {"tied": {"to": "W_hf", "factor": {"grid": [-0.5, 2.0]}}}})
    rows = fastlstm.simulate(spec | {"steps": 12, "draws": 100})
    assert (rows["W_hi"] == rows["W_hf"] * rows["W_hi_tied_factor"]).all()
    assert set(rows["W_hi_tied_factor"]) == {-0.5, 2.0}


# Beyond the range of a float


STEPS = 100_000


def at_fixed_point(W_hc):
    """Parameters that leave C = h = 0 for ever, all gates one half: dC_{t-1} = lambda dC_t; and lambda.

    lambda = f + o i W_hc, since g has the slope 1 there and tanh C = 0 closes every other path.
    """
    return dict.fromkeys(NAMES, 0.0) | {"W_hc": W_hc, "W_y": 1.0}, 0.5 + 0.25 * W_hc


@pytest.mark.parametrize("W_hc", [12.0, -1.75])
def test_norms_of_a_hundred_thousand_steps_in_float32_are_right_whatever_the_growth(W_hc):
    params, ratio = at_fixed_point(W_hc)
    spec = specs.case("float32, last output") | {"draws": 1, "steps": STEPS, "params": params, "state": {}}
    row = fastlstm.simulate(spec).iloc[0]
    dC_1 = (STEPS - 1) * math.log10(abs(ratio)) + math.log10(0.5 * 0.25)  # o W_y y (1 - y), carried back
    assert row["log10_dC0"] == pytest.approx(dC_1 + math.log10(0.5), rel=1e-6)
    assert row["log10_dh0"] == pytest.approx(dC_1 + math.log10(0.5 * abs(W_hc)), rel=1e-6)
    assert np.isfinite(row["log10_grad"])


def test_norms_of_a_hundred_thousand_steps_in_float64_are_right_whatever_the_growth():
    params, ratio = at_fixed_point(12.0)
    loss = {"kind": "mse", "target": 0.0}  # dy = 1/2 at every step; the last one outgrows all others
    one = {"draws": 1, "steps": STEPS, "params": params, "state": {}, "loss": loss}
    row = fastlstm.simulate(specs.WHOLE | one).iloc[0]
    dC_1 = STEPS * math.log10(ratio) - math.log10(ratio - 1) + math.log10(0.5 * 0.5 * 0.25)
    assert row["log10_dC0"] == pytest.approx(dC_1 + math.log10(0.5), rel=1e-11)
    assert row["log10_dC_lag_50000"] == pytest.approx(50_001 * math.log10(ratio) + math.log10(0.0625 / 2.5), rel=1e-9)
    assert np.isfinite(row["log10_grad"])


def test_a_true_zero_is_minus_infinity_and_nothing_is_nan():
    rows = fastlstm.simulate(changed(specs.WHOLE, params={"W_y": 0.0}, draws=64, steps=33))
    zero = [measure.name for measure in selected(["norms", "lags"], 33)]
    zero = [name for name in zero if name not in ("loss", "log10_grad", "log10_grad_y")]
    assert (rows[zero] == -np.inf).all().all()
    assert (rows[[f"d{name}" for name in NAMES[:12]]] == 0).all().all()
    assert np.isfinite(rows[["log10_grad", "log10_grad_y", "loss"]]).all().all()
    assert not rows.isna().any().any()
    assert rows["vanished"].all()
    assert not rows["exploded"].any()


def test_a_run_with_true_zeros_has_its_tables(tmp_path):
    run = fastlstm.run(changed(specs.WHOLE, params={"W_y": 0.0}, draws=64, steps=33), tmp_path / "run")
    table = run.regimes()
    assert (table[["log10_dh0_min", "log10_dh0_q50", "log10_dh0_max"]] == -np.inf).all().all()
    assert table["vanished"].sum() == table["draws"].sum() == 128


@pytest.mark.parametrize("limit", [30.0, 1e3, 1e6])
def test_weights_of_any_size_give_no_nan(limit):
    params = {"default": {"uniform": {"low": -limit, "high": limit}}}
    rows = fastlstm.simulate(specs.WHOLE | {"draws": 500, "steps": 33, "params": params})
    names = [name for name in rows if rows[name].dtype == float]
    assert not rows[names].isna().any().any()
    assert (rows["log10_forget"] <= 0).all()
    assert (rows["memory_time"] > 0).all()
    assert (rows[["cec_rel_error", "local_rel_error"]] >= 0).all().all()
    assert (rows[["cec_cosine", "local_cosine"]].abs() <= 1 + 1e-12).all().all()


# The figures of the design


def test_truncated_gradients_err_as_much_as_the_design_says():
    changes = ["draws=20000", "steps=20", f"measure.groups={specs.GROUPS}", 'store.dtype="float64"', "claim=[]"]
    rows = fastlstm.simulate(specs.SIMS / "truncation.toml", overrides=changes)
    assert len(rows) == 20_000
    median, most = rows["cec_rel_error"].quantile([0.5, 0.95])
    assert median == pytest.approx(0.0176, rel=0.06)
    assert most == pytest.approx(0.22, rel=0.09)
    median, most = rows["local_rel_error"].quantile([0.5, 0.95])
    assert median == pytest.approx(0.050, rel=0.06)
    assert most == pytest.approx(0.38, rel=0.07)
    assert (rows["cec_W_hi_sign"] < 0).mean() == pytest.approx(0.0245, abs=0.004)
    assert (rows["local_W_hi_sign"] < 0).mean() == pytest.approx(0.092, abs=0.007)


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


STRAINED = {
    "seed": 3, "draws": 64, "steps": 12, "dtype": "float32",
    "params": {"default": {"normal": {"std": 8.0}}},
    "measure": {"groups": ["norms", "grads"]},
}  # fmt: skip


def test_a_strained_float32_draw_has_one_row_replay_and_gradients():
    rows = fastlstm.simulate(STRAINED)
    replays = [replay(STRAINED, point=0, draw=draw) for draw in range(64)]
    assert 8 < sum(again.drawn.strained for again in replays) < 64
    for (_, row), again in zip(rows.iterrows(), replays, strict=True):
        drawn = again.drawn
        alone = fastlstm.gradients(drawn.params, drawn.x, h0=drawn.h0, C0=drawn.C0, loss="sum")
        for name in NAMES:  # again.grads are those of steps=True
            assert np.float32(row[f"d{name}"]) == again.grads[name][0] == alone[name][0], name
        np.testing.assert_array_equal(again.grads.x, alone.x)
        if drawn.strained:
            twice = [values.astype(np.float64) for values in (drawn.params, drawn.x)]
            exact = fastlstm.forward(*twice, h0=drawn.h0, C0=drawn.C0)
            np.testing.assert_array_equal(again.trace.C, exact.C.astype(np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_does_not_depend_on_the_groups_beside_it(dtype):
    spec = STRAINED | {"dtype": dtype, "draws": 500, "store": {"dtype": dtype}}
    groups = ["gates", "carousel", "jacobian", "lags", "gate_grads", "gate_lags", "truncation"]
    alone = fastlstm.simulate(spec)
    beside = fastlstm.simulate(spec | {"measure": {"groups": [*STRAINED["measure"]["groups"], *groups]}})
    assert set(alone) < set(beside)
    pd.testing.assert_frame_equal(alone, beside[list(alone)], check_exact=True)
