"""Every input process and every loss: rows are the twin's, replays are the rows, inputs are what the spec says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import specs
from specs import changed
from twins import Twin, assert_replay_is_the_row

import fastlstm
from fastlstm import replay
from fastlstm.oracles.naive import NAMES
from fastlstm.sweep.simulation import Simulation


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
    for row, replayed in zip(rows.to_dict("records"), twin.replays, strict=True):
        assert_replay_is_the_row(replayed, row)
        gradients = np.array([row[f"d{name}"] for name in NAMES])
        tolerance = 1e-4 if replayed.spec.dtype == "float32" else 1e-11
        np.testing.assert_allclose(
            replayed.grads.params[0], gradients, rtol=0, atol=tolerance * np.abs(gradients).max()
        )


def test_inputs_and_targets_are_what_the_spec_says(case):
    spec, _, twin = case
    for replayed in twin.replays:
        x, target = replayed.drawn.x, replayed.drawn.target
        match spec["input"]["process"]:
            case "uniform":
                assert ((x > 0) & (x < 1)).all()
            case "sine":
                turned = x[:-2] + x[2:]  # of a sine: 2 cos(2 pi / period) times what stands between
                np.testing.assert_allclose(turned, 2 * np.cos(2 * np.pi / 7.3) * x[1:-1], atol=1e-12)
            case "choice":
                assert set(x) <= set(spec["input"]["values"])
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
            assert replayed.drawn.first_loss_step == delay
            assert (target[delay:] == x[: 12 - delay]).all()
        elif "choice" in wanted:
            assert set(target) <= {0.0, 1.0}


def test_targets_of_a_point_have_the_distribution_that_the_grid_gives_it():
    loss = {"kind": "bce", "target": {"uniform": {"low": {"grid": [0.0, 0.9]}, "high": 1.0}}}
    ready = fastlstm.load(specs.case("uniform inputs, bce against the input two steps ago") | {"loss": loss})
    for point, low in zip(ready.points(), (0.0, 0.9), strict=True):
        targets = np.concatenate([Simulation(ready, point).make(draw).target for draw in range(24)])
        assert low <= targets.min() < low + 0.02 < 0.99 < targets.max() <= 1.0


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
            windows = [replay(spec, point=0, draw=draw).drawn.x for draw in range(24)]
            starts[file, standardize] = [int(np.argmin(np.abs(series - x[0]))) for x in windows]
            for x, start in zip(windows, starts[file, standardize], strict=True):
                np.testing.assert_allclose(x, series[start : start + 12], rtol=1e-13)
    assert all(places == starts["series.csv", False] for places in starts.values())
    assert len(set(starts["series.csv", False])) > 8
    # a run finds its file from anywhere
    monkeypatch.chdir(tmp_path)
    run = fastlstm.run(specs.case(name, "series.csv"), "run")
    monkeypatch.chdir(Path("/"))
    replayed = replay(run.path if run.path.is_absolute() else tmp_path / run.path, point=0, draw=3)
    assert_replay_is_the_row(replayed, fastlstm.read(tmp_path / "run").draws().iloc[3])
