"""The presets of biases alone, drawn: what their sources say, whatever the weights."""

import numpy as np
import pytest
from scipy import stats

import fastlstm
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
