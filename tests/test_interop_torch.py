"""Weights from PyTorch and back, beside its own outputs and autograd in float64: run by `make interop`."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from docstrings import run_example

import fastlstm

DRAWS, STEPS = 500, 20
PAGE = Path(__file__).parents[1] / "docs" / "interop.md"


def layers(dtype=torch.float64, **settings):
    """A unit and its read-out as PyTorch initialises them: all U(-1, 1), two biases for each gate."""
    return torch.nn.LSTM(1, 1, dtype=dtype, **settings), torch.nn.Linear(1, 1, dtype=dtype)


def in_order(lstm, linear):
    """The gradients of the layers' weights in the order of PARAMETERS, written out."""
    W_xi, W_xf, W_xc, W_xo = lstm.weight_ih_l0.grad[:, 0]
    W_hi, W_hf, W_hc, W_ho = lstm.weight_hh_l0.grad[:, 0]
    b_i, b_f, b_c, b_o = lstm.bias_ih_l0.grad
    readout = linear.weight.grad[0, 0], linear.bias.grad[0]
    return np.array([W_hf, W_xf, b_f, W_hi, W_xi, b_i, W_ho, W_xo, b_o, W_hc, W_xc, b_c, *readout])


def joined(*arrays):
    """(draws, all their components)."""
    return np.concatenate([array.reshape(DRAWS, -1) for array in arrays], axis=1)


def relative_error(values, true):
    """The largest error of each draw, relative to its largest component."""
    return np.max(np.abs(values - true).max(axis=1) / np.abs(true).max(axis=1))


@pytest.mark.parametrize("readout", ["linear", "sigmoid"])
def test_outputs_and_gradients_through_from_torch_are_those_of_autograd_to_1e_14(readout):
    torch.manual_seed(1)
    units = [layers() for _ in range(DRAWS)]
    x = torch.randn(DRAWS, STEPS, 1, dtype=torch.float64)
    dy = torch.rand(DRAWS, STEPS, 1, dtype=torch.float64)  # of one sign: sums that cancel leave only rounding
    h0, C0 = torch.randn(2, DRAWS, 1, 1, dtype=torch.float64)
    for array in (x, h0, C0):
        array.requires_grad_()
    y = torch.stack([linear(lstm(x[n], (h0[n], C0[n]))[0]) for n, (lstm, linear) in enumerate(units)])
    if readout == "sigmoid":
        y = torch.sigmoid(y)
    (dy * y).sum().backward()

    params = np.stack([fastlstm.from_torch(*unit).params for unit in units])
    state = {"h0": h0.detach().numpy().ravel(), "C0": C0.detach().numpy().ravel()}
    sequences, dy = x.detach().numpy()[..., 0], dy.numpy()[..., 0]
    outputs = fastlstm.forward(params, sequences, **state, readout=readout).y
    assert relative_error(outputs, y.detach().numpy()[..., 0]) < 1e-14
    grads = fastlstm.gradients(params, sequences, dy, **state, readout=readout)
    true = [np.stack([in_order(*unit) for unit in units]), *(array.grad.numpy() for array in (x, h0, C0))]
    assert relative_error(joined(grads.params, grads.x, grads.h0, grads.C0), joined(*true)) < 1e-14


def test_the_two_biases_are_added_and_float32_stays_float32():
    lstm, linear = layers(torch.float32)
    params, readout = fastlstm.from_torch(lstm, linear)
    of = dict(zip(fastlstm.PARAMETERS, params, strict=True))
    assert readout == "linear"
    assert params.dtype == np.float32
    assert [of[f"b_{k}"] for k in "ifco"] == (lstm.bias_ih_l0 + lstm.bias_hh_l0).tolist()


def test_without_linear_or_biases_the_output_is_h_and_the_biases_are_0():
    of = dict(zip(fastlstm.PARAMETERS, fastlstm.from_torch(layers(bias=False)[0]).params, strict=True))
    assert (of["W_y"], of["b_y"]) == (1, 0)
    assert [of[f"b_{k}"] for k in "fioc"] == [0, 0, 0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_to_torch_and_back_changes_no_bit(dtype):
    params = np.random.default_rng(2).standard_normal(14).astype(dtype)
    back = fastlstm.from_torch(*fastlstm.to_torch(params)).params
    assert back.dtype == dtype
    assert np.array_equal(back, params)
    mapping = dict(zip(fastlstm.PARAMETERS, params.tolist(), strict=True))
    assert np.array_equal(fastlstm.from_torch(*fastlstm.to_torch(mapping)).params, params)


def test_layers_of_to_torch_can_be_trained_and_give_the_units_outputs():
    params = np.random.default_rng(3).standard_normal(14)
    lstm, linear = fastlstm.to_torch(params)
    x = np.random.default_rng(4).standard_normal(STEPS)
    y = torch.sigmoid(linear(lstm(torch.from_numpy(x[:, None]))[0]))
    y.sum().backward()
    assert lstm.weight_hh_l0.grad is not None
    np.testing.assert_allclose(y.detach().numpy()[:, 0], fastlstm.forward(params, x).y[0], rtol=1e-14)


@pytest.mark.parametrize("params", [np.zeros(13), np.zeros((2, 14))])
def test_to_torch_takes_one_unit(params):
    with pytest.raises(ValueError, match=re.escape(f"params has shape {params.shape}; it must be (14,)")):
        fastlstm.to_torch(params)
    with pytest.raises(ValueError, match="params lacks W_hf, b_y; it must have the 14 parameters"):
        fastlstm.to_torch(dict.fromkeys(fastlstm.PARAMETERS[1:-1], 0.0))


class Peepholes(torch.nn.LSTM):
    """A layer that has one weight more."""

    def __init__(self):
        super().__init__(1, 1)
        self.weight_ci = torch.nn.Parameter(torch.zeros(1))


MISFITS = {
    "input_size is 3, not 1": lambda: torch.nn.LSTM(3, 1),
    "hidden_size is 2, not 1": lambda: torch.nn.LSTM(1, 2),
    "num_layers is 2, not 1": lambda: torch.nn.LSTM(1, 1, num_layers=2),
    "bidirectional is True, not False": lambda: torch.nn.LSTM(1, 1, bidirectional=True),
    "proj_size is 1, not 0": lambda: torch.nn.LSTM(1, 2, proj_size=1),
    "weight_ci is a weight that the unit does not have": Peepholes,
    "a weight has the type float16; it must be float32 or float64": lambda: torch.nn.LSTM(1, 1, dtype=torch.float16),
}


@pytest.mark.parametrize("message", MISFITS)
def test_a_layer_that_does_not_fit_is_refused_with_what_does_not_fit(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        fastlstm.from_torch(MISFITS[message]())


def test_everything_that_does_not_fit_is_in_one_message():
    with pytest.raises(ValueError, match=r"hidden_size is 2, not 1; num_layers is 2, not 1; bidirectional is True"):
        fastlstm.from_torch(torch.nn.LSTM(1, 2, num_layers=2, bidirectional=True))


def test_another_layer_or_readout_is_refused():
    with pytest.raises(TypeError, match=r"lstm is of type GRU; it must be a torch.nn.LSTM"):
        fastlstm.from_torch(torch.nn.GRU(1, 1))
    with pytest.raises(TypeError, match=r"linear is of type Sigmoid; it must be a torch.nn.Linear"):
        fastlstm.from_torch(torch.nn.LSTM(1, 1), torch.nn.Sigmoid())
    with pytest.raises(ValueError, match="linear does not fit the univariate LSTM: in_features is 2, not 1"):
        fastlstm.from_torch(torch.nn.LSTM(1, 1), torch.nn.Linear(2, 1))


def test_the_page_shows_how_to_check_pytorch_and_its_lines_do(capsys):
    (lines,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "torch" in block)
    exec(compile(lines, "<docs/interop.md, torch>", "exec"), {})
    assert float(capsys.readouterr().out) < 1e-14


def test_the_examples_in_the_docstrings_run_and_give_what_they_say():
    run_example("from_torch")
    run_example("to_torch")
