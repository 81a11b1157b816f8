"""The presets, drawn: what their sources say of biases and weights."""

import numpy as np
import pytest
import specs
from scipy import stats
from specs import changed

import fastlstm
from fastlstm.oracles.naive import NAMES
from fastlstm.spec.presets import PRESETS


def drawn(preset):
    spec = {"seed": 5, "draws": 4000, "steps": 2, "params": {"preset": preset, "default": {"normal": {}}}}
    return fastlstm.simulate(spec)


def test_jozefowicz_has_a_forget_bias_of_1_and_no_other():
    rows = drawn("jozefowicz")
    assert set(rows.b_f) == {1.0}
    assert set(rows.b_i) | set(rows.b_o) | set(rows.b_c) == {0.0}


def test_xlstm_has_an_input_bias_of_minus_10_and_forget_biases_even_from_3_to_6():
    rows = drawn("xlstm")
    assert set(rows.b_i) == {-10.0}
    assert set(rows.b_o) | set(rows.b_c) == {0.0}
    heads = np.linspace(3, 6, 4000)  # the published code, with as many heads as draws
    assert stats.kstest(rows.b_f, stats.uniform(3, 3).cdf).pvalue > 1e-3
    assert np.abs(np.sort(rows.b_f) - heads).max() < 0.1


@pytest.mark.parametrize("preset", ["jozefowicz", "xlstm"])
def test_a_preset_of_biases_leaves_all_weights_to_the_default(preset):
    assert set(PRESETS[preset]) == {"b_f", "b_i", "b_o", "b_c"}


# Those of weights too


def scheme(name, **params):
    return specs.WHOLE | {"steps": 12, "draws": 500, "params": {"preset": name} | params}


def test_chrono_makes_forget_and_input_gate_add_to_one_without_weights():
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
