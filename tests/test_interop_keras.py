"""Weights from Keras, beside its own outputs and automatic gradients; Keras runs on JAX, the oracle of test_jax.py."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from docstrings import run_example

import fastlstm

os.environ["KERAS_BACKEND"] = "jax"
pytest.importorskip("keras")
import jax
import jax.numpy as jnp
import keras

DRAWS, STEPS = 500, 20
PAGE = Path(__file__).parents[1] / "docs" / "interop.md"


def layers(activation="linear", **settings):
    """A unit and its read-out, with weights."""
    lstm = keras.layers.LSTM(1, return_sequences=True, dtype="float32", **settings)
    dense = keras.layers.Dense(1, activation=activation, dtype="float32")
    lstm.build((None, STEPS, 1))
    dense.build((None, STEPS, 1))
    return lstm, dense


def drawn_weights(random):
    """kernel (draws, 1, 4), recurrent kernel, bias (draws, 4), and kernel and bias of the read-out, all U(-1, 1)."""
    shapes = (1, 4), (1, 4), (4,), (1, 1), (1,)
    return [random.uniform(-1, 1, (DRAWS, *shape)).astype(np.float32) for shape in shapes]


def taken_over(lstm, dense, weights):
    """params (draws, 14) through from_keras, one draw after the other, and the readout."""
    params = []
    for kernel, recurrent, bias, W_y, b_y in zip(*weights, strict=True):
        lstm.set_weights([kernel, recurrent, bias])
        dense.set_weights([W_y, b_y])
        params.append(fastlstm.from_keras(lstm, dense))
    return np.stack([weights.params for weights in params]), params[0].readout


def kerass_own(lstm, dense, weights, x, dy):
    """Outputs (draws, steps) and the gradients of sum_t dy_t y_t by the weights and x, from Keras and JAX."""

    def outputs(weights, x):
        h, _ = lstm.stateless_call(weights[:3], lstm.non_trainable_variables, x[None, :, None])
        return dense.stateless_call(weights[3:], [], h)[0][0, :, 0]

    def loss(weights, x, dy):
        return jnp.sum(dy * outputs(weights, x))

    y = jax.jit(jax.vmap(outputs))(weights, x)
    return np.asarray(y), *jax.jit(jax.vmap(jax.grad(loss, argnums=(0, 1))))(weights, x, dy)


def in_order(kernel, recurrent, bias, W_y, b_y):
    """Gradients (draws, 14) in the order of PARAMETERS, from those of Keras' weights, written out."""
    W_xi, W_xf, W_xc, W_xo = np.asarray(kernel)[:, 0].T
    W_hi, W_hf, W_hc, W_ho = np.asarray(recurrent)[:, 0].T
    b_i, b_f, b_c, b_o = np.asarray(bias).T
    readout = np.asarray(W_y)[:, 0, 0], np.asarray(b_y)[:, 0]
    return np.stack([W_hf, W_xf, b_f, W_hi, W_xi, b_i, W_ho, W_xo, b_o, W_hc, W_xc, b_c, *readout], axis=1)


def relative_error(values, true):
    """The largest error of each draw, relative to its largest component."""
    return np.max(np.abs(values - true).max(axis=1) / np.abs(true).max(axis=1))


@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_outputs_and_gradients_through_from_keras_are_those_of_keras_to_1e_5(activation):
    random = np.random.default_rng(1)
    lstm, dense = layers(activation)
    weights = drawn_weights(random)
    x, dy = random.standard_normal((2, DRAWS, STEPS)).astype(np.float32)
    y, by_weights, by_x = kerass_own(lstm, dense, weights, x, dy)
    params, readout = taken_over(lstm, dense, weights)
    assert params.dtype == np.float32
    assert readout == activation
    assert relative_error(fastlstm.forward(params, x, readout=readout).y, y) < 1e-5
    grads = fastlstm.gradients(params, x, dy, readout=readout)
    assert relative_error(grads.params, in_order(*by_weights)) < 1e-5
    assert relative_error(grads.x, np.asarray(by_x)) < 1e-5


def test_without_dense_or_biases_the_output_is_h_and_the_biases_are_0():
    params, readout = fastlstm.from_keras(layers(use_bias=False)[0])
    of = dict(zip(fastlstm.PARAMETERS, params, strict=True))
    assert (of["W_y"], of["b_y"], readout) == (1, 0, "linear")
    assert [of[f"b_{k}"] for k in "fioc"] == [0, 0, 0, 0]
    dense = keras.layers.Dense(1, use_bias=False)
    dense.build((None, 1))
    assert fastlstm.from_keras(layers()[0], dense).params[13] == 0


def test_float64_layers_give_float64_parameters():
    lstm = keras.layers.LSTM(1, dtype="float64")
    with jax.enable_x64(True):
        lstm.build((None, None, 1))
        assert fastlstm.from_keras(lstm).params.dtype == np.float64


class Peepholes(keras.layers.LSTM):
    """A layer that has one weight more."""

    def build(self, shape):
        super().build(shape)
        self.peephole = self.add_weight(shape=(3,), name="peephole")


def built(layer, size=1):
    layer.build((None, None, size))
    return layer


MISFITS = {
    "units is 2, not 1": lambda: built(keras.layers.LSTM(2)),
    "input size is 3, not 1": lambda: built(keras.layers.LSTM(1), 3),
    "recurrent_activation is hard_sigmoid, not sigmoid": lambda: built(
        keras.layers.LSTM(1, recurrent_activation="hard_sigmoid")
    ),
    "activation is relu, not tanh": lambda: built(keras.layers.LSTM(1, activation="relu")),
    "go_backwards is True, not False": lambda: built(keras.layers.LSTM(1, go_backwards=True)),
    "built is False, not True": lambda: keras.layers.LSTM(1),
    "peephole is a weight that the unit does not have": lambda: built(Peepholes(1)),
    "a weight has the type bfloat16; it must be float32 or float64": lambda: built(
        keras.layers.LSTM(1, dtype="bfloat16", recurrent_initializer="zeros")
    ),
}


@pytest.mark.parametrize("message", MISFITS)
def test_a_layer_that_does_not_fit_is_refused_with_what_does_not_fit(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        fastlstm.from_keras(MISFITS[message]())


def test_everything_that_does_not_fit_is_in_one_message():
    lstm = built(keras.layers.LSTM(2, recurrent_activation="hard_sigmoid"), 3)
    with pytest.raises(ValueError, match=r"units is 2, not 1; .*hard_sigmoid, not sigmoid; input size is 3, not 1$"):
        fastlstm.from_keras(lstm)


def test_a_readout_that_does_not_fit_is_refused():
    lstm = layers()[0]
    with pytest.raises(ValueError, match=r"dense does not fit .*: activation is relu, not linear or sigmoid$"):
        fastlstm.from_keras(lstm, built(keras.layers.Dense(1, activation="relu")))
    with pytest.raises(ValueError, match=r"dense does not fit .*: units is 3, not 1; input size is 2, not 1$"):
        fastlstm.from_keras(lstm, built(keras.layers.Dense(3), 2))


@pytest.mark.parametrize("layer", [keras.layers.GRU(1), keras.layers.Bidirectional(keras.layers.LSTM(1))])
def test_another_layer_is_refused_by_its_type(layer):
    with pytest.raises(TypeError, match=f"lstm is of type {type(layer).__name__}; it must be a keras.layers.LSTM"):
        fastlstm.from_keras(layer)
    with pytest.raises(TypeError, match=f"dense is of type {type(layer).__name__}; it must be a keras.layers.Dense"):
        fastlstm.from_keras(layers()[0], layer)


def test_fastlstm_alone_imports_neither_torch_nor_keras():
    source = "import sys, fastlstm; print({'torch', 'keras', 'jax'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_page_shows_how_to_check_keras_and_its_lines_do(capsys):
    (lines,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "keras" in block)
    exec(compile(lines, "<docs/interop.md, keras>", "exec"), {})
    assert float(capsys.readouterr().out) < 1e-5


def test_the_example_in_the_docstring_runs_and_gives_what_it_says():
    run_example("from_keras")
