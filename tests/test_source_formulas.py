"""The source solution's formulas beside the modes, and the table that docs/derivation.md makes of them."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import fastlstm
from fastlstm.oracles import naive

DOCS = Path(__file__).parents[1] / "docs"
SCRIPT = runpy.run_path(str(DOCS / "make_source_formulas.py"))
QUANTITIES = SCRIPT["QUANTITIES"]


@pytest.fixture(scope="module")
def problem():
    return SCRIPT["random_problems"]()


@pytest.fixture(scope="module")
def one_step(problem):
    return SCRIPT["source_formulas"](*problem)


@pytest.mark.parametrize("name", QUANTITIES)
def test_each_formula_of_a_step_is_mode_local_to_two_roundings(name, problem, one_step):
    local = SCRIPT["gradients"](*problem, "local")[name]
    np.testing.assert_allclose(one_step[name], local, rtol=4 * np.finfo(float).eps, atol=0)


def test_the_sum_for_W_hi_is_that_of_mode_local(problem, one_step):
    params, x, dy = problem
    local = fastlstm.gradients(params, x, dy, mode="local")["W_hi"]
    size = np.abs(fastlstm.gradients(params, x, np.abs(dy), mode="local").params).max(axis=1)
    assert np.max(np.abs(one_step["dW_hi"] - local) / size) < 1e-14
    assert np.median(np.abs(one_step["dW_hi"] / local - 1)) < 4 * np.finfo(float).eps


@pytest.mark.parametrize("name", QUANTITIES)
def test_the_formulas_are_right_at_the_last_step_and_at_no_other(name, problem, one_step):
    full = SCRIPT["gradients"](*problem, "full")[name]
    np.testing.assert_allclose(one_step[name][:, -1], full[:, -1], rtol=4 * np.finfo(float).eps, atol=0)
    second = 1 if name == "df" else 0  # df_1 is 0, as C_0 is
    assert np.all(one_step[name][:, second:-1] != full[:, second:-1])


def test_gradients_of_a_step_are_derivatives_by_its_gates(problem):
    """The columns that the formulas are held against, by central differences of the loss in each gate and state."""
    params, x, dy = (array[:50, ...] for array in problem)
    full = SCRIPT["gradients"](params, x[:, :4], dy[:, :4], "full")
    for name in QUANTITIES:
        for t in range(4):
            slope = difference(params, x[:, :4], dy[:, :4], name[1], t)
            np.testing.assert_allclose(full[name][:, t], slope, rtol=1e-6, atol=1e-8)


def difference(params, x, dy, quantity, step):
    """d(sum_t dy_t y_t) / d(f_t, i_t, o_t, C_t or h_t) at one step, by adding a little to it."""

    def loss(little):
        p = naive.Parameters(*params.T)
        h = C = np.zeros(len(x))
        total = 0.0
        for t in range(x.shape[1]):
            of = {}
            for k in "fio":
                z = getattr(p, f"W_h{k}") * h + getattr(p, f"W_x{k}") * x[:, t] + getattr(p, f"b_{k}")
                of[k] = naive.sigmoid(z) + little * (k == quantity and t == step)
            g = np.tanh(p.W_hc * h + p.W_xc * x[:, t] + p.b_c)
            C = of["f"] * C + of["i"] * g + little * (quantity == "C" and t == step)
            h = of["o"] * np.tanh(C) + little * (quantity == "h" and t == step)
            total = total + dy[:, t] * naive.sigmoid(p.W_y * h + p.b_y)
        return total

    return (loss(1e-5) - loss(-1e-5)) / 2e-5


def test_the_derivation_has_the_table_as_the_script_makes_it():
    assert SCRIPT["table"]() in (DOCS / "derivation.md").read_text(), "make it again: docs/make_source_formulas.py"


def test_the_sign_of_dW_hi_is_wrong_as_often_as_in_the_simulation_of_truncation(problem):
    """9.3% of the draws in sims/truncation.toml; four standard errors of 20,000 draws."""
    one_step, full = SCRIPT["source_formulas"](*problem), SCRIPT["gradients"](*problem, "full")
    _, wrong_sign = SCRIPT["error_and_wrong_sign"](one_step["dW_hi"], full["dW_hi"])
    assert wrong_sign == pytest.approx(0.0930, abs=0.008)


def test_an_open_forget_gate_is_where_one_step_costs_most(problem, one_step):
    full, regimes = SCRIPT["gradients"](*problem, "full"), SCRIPT["forget_regimes"](*problem[:2])
    for name in ("dC", "df", "di", "dW_hi"):
        errors = [
            SCRIPT["error_and_wrong_sign"](one_step[name][regimes[f]], full[name][regimes[f]])
            for f in ("left", "mid", "right")
        ]
        assert errors == sorted(errors)
