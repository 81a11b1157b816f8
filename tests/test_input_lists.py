"""Inputs from a list, and windows of several series in one file, as draws get them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import fastlstm
from fastlstm.spec import SpecError
from fastlstm.spec.processes import FileInput
from fastlstm.sweep.simulation import Simulation

BASE = {"draws": 3000, "steps": 4, "params": {"default": 0.0}}
LENGTHS = (4, 9, 5, 30)


def inputs(spec, draws, steps):
    ready = fastlstm.load(spec)
    simulation = Simulation(ready, ready.points()[0])
    return np.array([simulation.make(draw).x[:steps] for draw in range(draws)])


@pytest.fixture
def stacked(tmp_path):
    """Four series, the rows of which are told apart by their hundreds."""
    frame = pd.concat(
        [pd.DataFrame({"name": f"s{k}", "x": 100.0 * k + np.arange(length)}) for k, length in enumerate(LENGTHS)]
    )
    frame.sample(frac=1, random_state=1).sort_values("x", kind="stable").to_csv(tmp_path / "a.csv", index=False)
    return BASE | {"input": {"file": str(tmp_path / "a.csv"), "column": "x", "by": "name"}}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_choice_draws_from_the_list_with_the_chances_that_it_gives(dtype):
    spec = BASE | {"dtype": dtype, "input": {"process": "choice", "values": [-1.0, 1.0, 1.0, 0.5]}}
    x = inputs(spec, 400, 4)
    values, counts = np.unique(x, return_counts=True)
    assert values.tolist() == [-1.0, 0.5, 1.0]
    assert stats.chisquare(counts, [400, 400, 800]).pvalue > 1e-3
    assert abs(np.corrcoef(x[:, 0], x[:, 1])[0, 1]) < 4 / np.sqrt(400)
    assert len({tuple(row) for row in x.tolist()}) > 50


def test_one_unit_counts_brackets():
    """b = 36 opens every gate and W_xc = 30 makes g the sign of x, so that C is the depth."""
    params = {"default": 0.0, "b_f": 36.0, "b_i": 36.0, "b_o": 36.0, "W_xc": 36.0}
    spec = {"draws": 3, "steps": 400, "params": params, "input": {"process": "choice", "values": [-1.0, 1.0]}}
    for draw in range(3):
        replayed = fastlstm.replay(spec, point=0, draw=draw)
        depths = np.cumsum(replayed.drawn.x)
        np.testing.assert_allclose(replayed.trace.C.ravel()[-400:], depths, rtol=0, atol=1e-10)


def test_no_window_crosses_from_one_series_to_another_and_each_place_is_as_likely(stacked):
    x = inputs(stacked, 1500, 4)
    assert (np.diff(x, axis=1) == 1).all()
    first = [100.0 * k + start for k, length in enumerate(LENGTHS) for start in range(length - 3)]
    counts = pd.Series(x[:, 0]).value_counts().reindex(first)
    assert counts.notna().all()
    assert counts.sum() == 1500
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("steps", [1, 4])
def test_borders_count_the_windows_before_each_series(stacked, steps):
    process = fastlstm.load(stacked | {"steps": steps}).input
    assert isinstance(process, FileInput)
    starts = np.cumsum([length - steps + 1 for length in LENGTHS])
    assert process.source(steps)["borders"].tolist() == starts[:-1].tolist()


@pytest.mark.parametrize(
    ("table", "key"), [({"values": []}, "values"), ({"values": [1, "a"]}, "values[1]"), ({}, "values")]
)
def test_a_choice_needs_a_list_of_numbers(table, key):
    with pytest.raises(SpecError) as caught:
        fastlstm.load(BASE | {"input": {"process": "choice"} | table})
    assert caught.value.problems[0].key == f"input.{key}"
