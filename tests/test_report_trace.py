"""The figure of one draw from within: its adjoints are those of the row, at any size."""

import numpy as np
import pytest
import specs

import fastlstm
from fastlstm.audit.replay import replay
from fastlstm.report import choose, style, trace
from fastlstm.report.adjoints import adjoints
from fastlstm.report.run_data import RunData


def check_adjoints(again, within=1e-8):
    """The adjoints are those of the row: the first, the largest, and at the lags, where these were measured."""
    actual, measured = adjoints(again), again.drawn.measures
    steps = len(again.drawn.x)
    for side, logs in zip(("dh", "dC"), actual, strict=True):
        assert len(logs) == steps + 1
        assert logs[0] == pytest.approx(measured[f"log10_{side}0"], abs=within)
        assert logs.max() == pytest.approx(measured[f"log10_{side}_max"], abs=within)
        for lag in (1, 2, 5, 10, 20):
            if f"log10_{side}_lag_{lag}" in measured:
                assert logs[-1 - lag] == pytest.approx(measured[f"log10_{side}_lag_{lag}"], abs=within)
    return actual


def test_trace_has_the_adjoints_that_the_row_has(whole):
    for point, draw in ((0, 3), (3, 17), (3, 1200)):
        check_adjoints(replay(whole.path, point=point, draw=draw))


def test_trace_has_the_adjoints_of_a_linear_readout():
    spec = {
        "draws": 20,
        "steps": 12,
        "dtype": "float64",
        "params": {"default": {"normal": {"std": 2.0}}},
        "loss": {"kind": "mse", "target": 0.5, "readout": "linear"},
        "measure": specs.EVERYTHING,
        "store": {"dtype": "float64"},
    }
    for draw in (0, 7, 19):
        check_adjoints(replay(spec, point=0, draw=draw))


# An attractor of Laurent and von Brecht 2017: its gradient grows by a factor of 1.7 at every step
CHAOS = {"W_hf": -4.49, "W_hi": 6.69, "W_ho": 4.25, "W_hc": -8.96, "b_f": 2.2, "b_i": -1.05, "b_o": 3.08, "b_c": 1.32}


def test_trace_goes_below_the_range_of_floats(tmp_path):
    shut = {"b_f": -6.0, "b_c": 1.0}  # only the cell path, and it decays
    only_h = {"b_f": 9.0, "b_i": -9.0, "W_ho": 1.0}  # dh dies, dC lives
    for number, params in enumerate((shut, shut | {"W_hc": 1e-3}, only_h)):
        spec = specs.case("choice, last output, float32") | {"draws": 1, "steps": 1000}
        run = fastlstm.run(spec | {"params": {"default": 0.0, "W_y": 1.0} | params}, tmp_path / f"shut {number}")
        actual = check_adjoints(replay(run.path, point=0, draw=0), within=0.01)
        assert min(actual.dh[0], actual.dC[0]) < -400
    assert actual.dC[0] > -10


def test_trace_of_a_long_draw_goes_beyond_floats_and_shows_its_orbit(tmp_path):
    spec = specs.case("constant, sum of outputs") | {"draws": 2, "steps": 2000}
    run = fastlstm.run(spec | {"params": CHAOS | {"W_y": 1.0, "default": 0.0}}, tmp_path / "long")
    actual = check_adjoints(replay(run.path, point=0, draw=1))
    assert actual.dh.max() > 400
    with style.drawing():
        (drawn,) = trace.draw(RunData(run, "long", (0, 1)))
    assert len(drawn.figure.axes) == 4  # with the orbit
    assert [kind.name for kind in choose.chosen(RunData(run, "run"))] == ["trace"]  # two draws have no quantiles


def test_trace_of_a_draw_whose_gradient_dies_ends_in_zero(tmp_path):
    spec = specs.case("constant, sum of outputs") | {"draws": 1, "params": {"default": 0.0, "b_y": 0.5}}
    run = fastlstm.run(spec, tmp_path / "dead")
    assert np.isneginf(np.concatenate(check_adjoints(replay(run.path, point=0, draw=0)))).all()
    with style.drawing():
        assert len(trace.draw(RunData(run, "dead"))) == 1
