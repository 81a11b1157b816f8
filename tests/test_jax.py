"""Gradients against JAX's automatic differentiation in float64; conftest.py says so where JAX is missing."""

import numpy as np
import pandas as pd
import pytest
from specs import CASES, SERIES, case

import fastlstm

pytest.importorskip("jax")
import autodiff


def example(seed, draws, steps, std=1.0):
    """params, x, h0, C0, dy of some draws."""
    random = np.random.default_rng([seed, draws, steps])
    params = std * random.standard_normal((draws, 14))
    x, dy = random.standard_normal((2, draws, steps))
    return params, x, random.uniform(-1, 1, draws), random.standard_normal(draws), dy


def errors(actual, true):
    """For each draw the largest error of any component, relative to the largest component."""
    actual, true = (np.reshape(values, (len(values), -1)) for values in (actual, true))
    assert actual.shape == true.shape
    return np.abs(actual - true).max(axis=1) / np.abs(true).max(axis=1)


@pytest.mark.parametrize(("steps", "draws"), [(1, 1000), (33, 1000), (300, 100)])
def test_gradients_by_parameters_inputs_and_state_are_those_of_jax(steps, draws):
    params, x, h0, C0, dy = example(1, draws, steps)
    actual = fastlstm.gradients(params, x, dy, h0=h0, C0=C0)
    true = autodiff.gradients(params, x, h0, C0, dy)
    for name, expected in zip(("params", "x", "h0", "C0"), true, strict=True):
        error = errors(getattr(actual, name), expected)
        assert np.median(error) < 3e-15, name
        assert error.max() < 2e-11, name


def test_each_of_the_14_gradients_is_that_of_jax():
    params, x, h0, C0, dy = example(2, 1000, 33)
    actual = fastlstm.gradients(params, x, dy, h0=h0, C0=C0)
    true, *_ = autodiff.gradients(params, x, h0, C0, dy)
    for place, name in enumerate(fastlstm.PARAMETERS):
        error = np.abs(actual[name] / true[:, place] - 1)
        assert np.median(error) < 3e-15, name
        assert np.quantile(error, 0.99) < 1e-12, name


def test_a_gradient_that_grows_by_orders_of_magnitude_is_that_of_jax():
    """At h_0 = C_0 = W_xc = b_c = 0 the state stays 0, and the orbit cannot be lost to rounding; see test_oracles."""
    params, x, _, _, dy = example(3, 1000, 33)
    params[:, [fastlstm.PARAMETERS.index(name) for name in ("W_xc", "b_c")]] = 0
    params[:, fastlstm.PARAMETERS.index("W_hc")] = np.linspace(-1e4, 1e4, 1000)
    zero = np.zeros(1000)
    actual = fastlstm.gradients(params, x, dy)
    true = autodiff.gradients(params, x, zero, zero, dy)
    assert np.abs(true[2]).max() > 1e80
    for name, expected in zip(("params", "x", "h0", "C0"), true, strict=True):
        if name != "x":  # by which nothing changes
            assert errors(getattr(actual, name), expected).max() < 1e-12, name


@pytest.mark.parametrize("name", CASES)
def test_replayed_loss_and_gradients_are_those_of_jax(name, tmp_path):
    file = tmp_path / "series.csv"
    pd.DataFrame({"value": SERIES}).to_csv(file, index=False)
    spec = fastlstm.load(case(name, file))
    tolerance = {"float64": 1e-12, "float32": 1e-4}[spec.dtype]
    for draw in range(0, spec.draws, 5):
        replayed = fastlstm.replay(spec, point=0, draw=draw)
        arguments = (np.asarray(v, np.float64) for v in (replayed.drawn[k] for k in range(5)))
        params, h0, C0, x, target = arguments
        loss, true = autodiff.loss_and_gradients(
            params, x, h0, C0, target, kind=spec.loss.kind, silent=replayed.drawn.first_loss_step
        )
        assert replayed.drawn.measures["loss"] == pytest.approx(float(loss), rel=tolerance)
        grads = replayed.grads
        for actual, expected in zip((grads.params[0], grads.x[0], grads.h0[0], grads.C0[0]), true, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


def test_the_cases_have_every_loss():
    assert {CASES[name].get("loss", {"kind": "sum"})["kind"] for name in CASES} == {"sum", "last", "mse", "bce"}
