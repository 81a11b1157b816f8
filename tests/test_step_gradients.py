"""Gradients at every step: against 50 digits, their sums, and what they cost nobody who does not ask."""

import numpy as np
import pytest
from mpmath import mp

import fastlstm
from fastlstm.names import PARAMETERS
from fastlstm.oracles import exact
from fastlstm.unit import NoSuchGradient
from fastlstm.unit.results import STEP_NAMES

GATE_BIASES = [PARAMETERS.index(f"b_{gate}") for gate in "fioc"]
MODES = ("full", "cec", "local", "window")


def problem(steps, draws=200):
    """A third of the draws ordinary, a third saturated (biases of 15 to 30), a third beyond the range of float64."""
    random = np.random.default_rng([1, steps])
    params = random.standard_normal((draws, 14))
    size = np.array([0.0, 1.0, 20.0])[np.arange(draws) % 3, None] * random.uniform(15, 30, (draws, 4))
    params[:, GATE_BIASES] += size * random.choice([-1, 1], (draws, 4))
    x, dy = random.standard_normal((2, draws, steps))
    return params, x, dy, random.uniform(-1, 1, draws), random.standard_normal(draws)


@pytest.mark.parametrize("steps", [1, 2, 33])
@pytest.mark.parametrize("mode", MODES)
def test_every_value_of_every_step_is_right_to_50_digits_and_at_any_size(mode, steps, some):
    params, x, dy, h0, C0 = problem(steps)
    window = {"window": 5} if mode == "window" else {}
    grads = fastlstm.gradients(params, x, dy, h0=h0, C0=C0, mode=mode, steps=True, **window)
    chosen = some(range(200), 16)  # all of them with --all-faults
    errors, beyond = [], 0
    for draw in chosen:
        of_draw = (params[draw], x[draw], dy[draw], h0[draw], C0[draw], mode)
        true = exact.gradients(*of_draw, **window).steps
        for name in STEP_NAMES:
            actual, logs, signs = (each[draw] for each in (grads[name], grads.log10(name), grads.sign(name)))
            for t, value in enumerate(true[name]):
                assert signs[t] == mp.sign(value), (draw, name, t)
                log = exact.log10_abs(value)
                if value == 0:
                    assert actual[t] == 0
                    assert logs[t] == -np.inf
                elif -307 < log < 308:
                    errors.append(float(abs((exact.number(actual[t]) - value) / value)))
                else:
                    beyond += 1
                    assert actual[t] == 0 or abs(actual[t]) < 1e-307 or np.isinf(actual[t])
                    assert abs(logs[t] - log) < 1e-12 * max(1, abs(log)), (draw, name, t)
    assert np.median(errors) < 1e-15
    assert np.quantile(errors, 0.99) < 1e-11
    assert beyond > 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_steps_change_no_bit_of_the_gradients_and_sum_up_to_them(mode, dtype):
    params, x, dy, h0, C0 = (values.astype(dtype) for values in problem(33))
    arguments = (params, x, dy)
    more = {"h0": h0, "C0": C0, "mode": mode} | ({"window": 5} if mode == "window" else {})
    plain, grads = fastlstm.gradients(*arguments, **more), fastlstm.gradients(*arguments, **more, steps=True)
    for name in plain.names:
        np.testing.assert_array_equal(plain[name], grads[name], name)
    for gate in "fioc":
        terms, total = grads[f"dW_h{gate}_t"], grads[f"W_h{gate}"]
        assert terms.dtype == dtype
        bound = 40 * np.finfo(dtype).eps * np.abs(terms).sum(axis=1) + np.finfo(dtype).tiny
        assert (np.abs(terms.sum(axis=1) - total) <= bound).all()


def test_a_gradient_has_its_logarithm_and_sign_also_where_it_is_a_sum():
    params, x, dy, h0, C0 = problem(33, draws=30)
    grads = fastlstm.gradients(params, x, dy, h0=h0, C0=C0, steps=True)
    for draw in range(30):
        true = exact.gradients(params[draw], x[draw], dy[draw], h0[draw], C0[draw])
        values = dict(zip(PARAMETERS, true.params, strict=True)) | {"h0": true.h0, "C0": true.C0}
        for name, value in values.items():
            assert grads.log10(name)[draw] == pytest.approx(exact.log10_abs(value), rel=1e-9, abs=1e-9), name
            assert grads.sign(name)[draw] == mp.sign(value), name
        for t, value in enumerate(true.x):
            assert grads.log10("x")[draw, t] == pytest.approx(exact.log10_abs(value), rel=1e-9, abs=1e-9)


def test_a_gradient_over_many_steps_has_its_logarithm():
    """With all W = 0 but W_y and constant gates dC_t is (dC_T) f^(T-t)."""
    params = dict.fromkeys(PARAMETERS, 0.0) | {"b_f": -4.0, "b_i": 1.0, "b_c": 1.0, "W_y": 1.0}
    grads = fastlstm.gradients(params, np.zeros((1, 1000)), loss="last", steps=True)
    log_f = -np.log1p(np.exp(4.0)) / np.log(10)
    logs = grads.log10("dC")[0]
    np.testing.assert_allclose(logs - logs[-1], log_f * np.arange(999, -1, -1), rtol=1e-12)
    assert grads["dC"][0, 0] == 0
    assert (grads.sign("dC") == 1).all()


def test_an_unknown_name_is_answered_with_the_names():
    params, x, dy, _, _ = problem(2, draws=3)
    plain = fastlstm.gradients(params, x, dy)
    with pytest.raises(NoSuchGradient, match=r"'df' is no gradient; steps=True adds .* W_hf, .*, C0$"):
        plain["df"]
    grads = fastlstm.gradients(params, x, dy, steps=True)
    for name in grads.names:
        assert grads[name].shape[0] == 3
    for ask in (grads.__getitem__, grads.log10, grads.sign):
        with pytest.raises(NoSuchGradient, match=r"'dq' is no gradient; the names are W_hf, .*dz_y$"):
            ask("dq")
