"""What the gradients are of: losses by name, gradients of the last state, linear read-outs, windows of steps."""

import numpy as np
import pytest

import fastlstm
from fastlstm.oracles import naive


def example(draws=40, steps=12):
    random = np.random.default_rng([31, draws, steps])
    params, x = random.standard_normal((draws, 14)), random.standard_normal((draws, steps))
    return params, x, random.uniform(size=(draws, steps)), random.uniform(-1, 1, draws), random.standard_normal(draws)


def close(actual, true):
    """Whether two gradients agree to rounding, relative to each draw's largest component."""
    for name in ("params", "x", "h0", "C0"):
        one, other = (np.asarray(getattr(each, name), float).reshape(len(actual.h0), -1) for each in (actual, true))
        size = np.maximum(np.abs(other).max(axis=1), 1e-300)
        assert (np.abs(one - other).max(axis=1) / size).max() < 1e-11, name


@pytest.mark.parametrize(
    ("loss", "readout", "mode"),
    [
        ("sum", "sigmoid", "full"), ("bce", "sigmoid", "full"), ("last", "linear", "full"), ("mse", "linear", "full"),
        ("mse", "sigmoid", "full"), ("mse", "sigmoid", "cec"), ("last", "sigmoid", "local"),
        ("mse", "linear", "window"),
    ],
)  # fmt: skip
def test_gradients_of_a_loss_are_the_twins(loss, readout, mode):
    params, x, target, h0, C0 = example()
    window = {"window": 4} if mode == "window" else {}
    trace = naive.forward(params, x, h0, C0, readout=readout)
    true_loss = naive.loss_and_dy(loss, trace.y, target if loss in ("mse", "bce") else 0.0, trace.z_y, readout=readout)
    true = naive.gradients(params, x, None, h0, C0, mode, delta=true_loss.delta, **window)
    chosen = {"target": target} if loss in ("mse", "bce") else {}
    close(fastlstm.gradients(params, x, loss=loss, **chosen, h0=h0, C0=C0, mode=mode, readout=readout, **window), true)
    np.testing.assert_allclose(fastlstm.forward(params, x, h0=h0, C0=C0, readout=readout).y, trace.y, rtol=1e-11)


def test_cross_entropy_of_a_saturated_read_out_has_its_gradient():
    """y rounds to 1 and the target is 0: dy is infinite, and delta_t = 1 at each of four steps."""
    params = dict.fromkeys(fastlstm.PARAMETERS, 0.0) | {"W_y": 60.0, "b_y": 20.0, "b_i": 5.0, "b_c": 5.0, "b_o": 5.0}
    assert fastlstm.gradients(params, np.zeros(4), loss="bce", target=0.0)["b_y"] == 4


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mode", ["full", "cec", "local", "window"])
def test_a_gradient_of_the_last_state_is_what_the_steps_after_it_hand_back(mode, dtype):
    """Cut in two, the later half's dh_0 and dC_0 are the earlier half's dh_T and dC_T."""
    params, x, dy, h0, C0 = (values.astype(dtype) for values in example())
    window = {"window": 5} if mode == "window" else {}
    middle = fastlstm.forward(params, x[:, :5], h0=h0, C0=C0)
    late = fastlstm.gradients(params, x[:, 5:], dy[:, 5:], h0=middle.h[:, -1], C0=middle.C[:, -1])
    early = fastlstm.gradients(
        params, x[:, :5], dy[:, :5], h0=h0, C0=C0, dh_T=late.h0, dC_T=late.C0, mode=mode, **window
    )
    if mode == "full":
        whole = fastlstm.gradients(params, x, dy, h0=h0, C0=C0)
        size = np.abs(whole.params).max(axis=1, keepdims=True)
        assert (np.abs(early.params + late.params - whole.params) / size).max() < 100 * np.finfo(dtype).eps
        np.testing.assert_array_equal(early.h0, whole.h0)
    alone = fastlstm.gradients(params, x[:, :5], h0=h0, C0=C0, dh_T=late.h0, dC_T=late.C0, mode=mode, **window)
    of_dy = fastlstm.gradients(params, x[:, :5], dy[:, :5], h0=h0, C0=C0, mode=mode, **window)
    size = np.abs(early.params).max(axis=1, keepdims=True)
    assert (np.abs(alone.params + of_dy.params - early.params) / size).max() < 1000 * np.finfo(dtype).eps
    assert (np.abs(alone.params).max(axis=1) > 0).all()


def test_the_gradient_of_one_step_from_the_last_state_is_in_closed_form():
    params, x, _, h0, C0 = example(steps=1)
    grads = fastlstm.gradients(params, x, h0=h0, C0=C0, dh_T=0.5, dC_T=0.25, steps=True)
    trace = naive.forward(params, x, h0, C0)
    dC = 0.25 + 0.5 * trace.o[:, 0] * naive.tanh_slope(trace.C[:, 0])
    np.testing.assert_allclose(grads["dC"][:, 0], dC, rtol=1e-13)
    np.testing.assert_allclose(grads["df"][:, 0], dC * C0, rtol=1e-13)
    np.testing.assert_allclose(grads["do"][:, 0], 0.5 * np.tanh(trace.C[:, 0]), rtol=1e-13)
    assert (grads["W_y"] == 0).all()


@pytest.mark.parametrize("length", [1, 3, 4, 12, 50])
@pytest.mark.parametrize("steps", [False, True])
def test_windows_are_chained_calls_with_the_state_handed_on(length, steps):
    params, x, dy, h0, C0 = example()
    h, C, total, dx, first = h0, C0, 0.0, [], None
    for start in range(0, 12, length):
        part = slice(start, start + length)
        grads = fastlstm.gradients(params, x[:, part], dy[:, part], h0=h, C0=C)
        total, dx = total + grads.params, [*dx, grads.x]
        trace = fastlstm.forward(params, x[:, part], h0=h, C0=C)
        h, C = trace.h[:, -1], trace.C[:, -1]
        first = first or grads
    windows = fastlstm.gradients(params, x, dy, h0=h0, C0=C0, mode="window", window=length, steps=steps)
    close(windows, naive.Gradients(total, np.concatenate(dx, axis=1), first.h0, first.C0, *[None] * 6))


def test_a_window_that_explodes_and_one_that_vanishes_are_right():
    """Weights of 1e6 take a window out of the range of plain numbers: it is what the full gradient of its steps is."""
    random = np.random.default_rng(5)
    params, x, dy = 1e6 * random.standard_normal((30, 14)), random.standard_normal((30, 40)), np.zeros((30, 40))
    params[:, 12:] = 0.5
    dy[:, -1] = 1.0
    full = fastlstm.gradients(params, x, dy)
    one_window = fastlstm.gradients(params, x, dy, mode="window", window=40)
    for name in full.names:
        np.testing.assert_allclose(one_window[name], full[name], rtol=1e-9)
    assert (full.h0 == 0).any()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dy": None}, "there is no loss; give dy, or loss"),
        ({"loss": "sum"}, "both given"),
        ({"dy": None, "loss": "mean"}, "'mean'; it must be one of sum, last, mse, bce"),
        ({"dy": None, "loss": "mse"}, "needs a target"),
        ({"dy": None, "loss": "sum", "target": 0.5}, "takes no target"),
        ({"dy": None, "loss": "bce", "target": 0.5, "readout": "linear"}, "needs outputs between 0 and 1"),
        ({"target": 0.5}, "target is for a loss"),
        ({"dy": None, "loss": "mse", "target": np.zeros((3, 4))}, r"target has shape \(3, 4\)"),
        ({"readout": "softmax"}, "'softmax'; it must be one of sigmoid, linear"),
        ({"mode": "window"}, "needs window, its number of steps"),
        ({"window": 5}, "mode='full' has no window"),
        ({"mode": "window", "window": 0}, "a whole number of steps, at least 1"),
        ({"mode": "window", "window": 2.5}, "a whole number of steps"),
        ({"dh_T": np.zeros(2)}, r"dh_T has shape \(2,\); it must be one number or \(draws,\), here \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(changes, told):
    arguments = {"params": np.zeros((3, 14)), "x": np.zeros((3, 5)), "dy": np.zeros((3, 5))} | changes
    with pytest.raises(ValueError, match=told):
        fastlstm.gradients(**arguments)
