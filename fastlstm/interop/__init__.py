"""The weights of a torch.nn.LSTM or keras.layers.LSTM of one unit, as parameters of fastlstm, and the way back.

Both libraries stack the gates in the order i, f, g, o, where g is the candidate, here c. PyTorch adds two biases, b_ih
and b_hh, of which only the sum matters. torch and keras are imported only when they are needed.
"""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastlstm.names import PARAMETERS

if TYPE_CHECKING:
    import keras
    import torch

Array = NDArray[Any]
Readout = Literal["linear", "sigmoid"]
Settings = dict[str, tuple[object, object]]  # by name: what a layer has, and what the unit needs

_GATES = ("i", "f", "c", "o")  # as torch and keras stack them
_TORCH_WEIGHTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


class Weights(NamedTuple):
    """params (14,) in the order of PARAMETERS, float32 or float64 as in the layers, and what follows the read-out.

    readout is that of `forward` and `gradients`: with "linear" y_t = W_y h_t + b_y, with "sigmoid" s(W_y h_t + b_y).
    """

    params: Array
    readout: Readout


def from_torch(lstm: "torch.nn.LSTM", linear: "torch.nn.Linear | None" = None) -> Weights:
    """The weights of a torch.nn.LSTM(1, 1) and of the torch.nn.Linear(1, 1) that reads it.

    Without `linear` the output is the hidden state itself: W_y = 1, b_y = 0. A torch.nn.Linear has no sigmoid, so
    readout is "linear".

    Raises TypeError for another layer, ValueError for one of another size or form; it names all that does not fit.

    Examples
    --------
    >>> import fastlstm
    >>> import torch
    >>> params, readout = fastlstm.from_torch(torch.nn.LSTM(1, 1), torch.nn.Linear(1, 1))
    >>> params.shape, readout
    ((14,), 'linear')
    >>> fastlstm.forward(params, [0.5, -1.0, 2.0]).h.shape
    (1, 3)
    """
    import torch

    _require_type("lstm", lstm, torch.nn.LSTM, "torch.nn.LSTM")
    settings: Settings = {
        "input_size": (lstm.input_size, 1),
        "hidden_size": (lstm.hidden_size, 1),
        "num_layers": (lstm.num_layers, 1),
        "proj_size": (lstm.proj_size, 0),
        "bidirectional": (lstm.bidirectional, False),
    }
    names = {name for name, _ in lstm.named_parameters(recurse=False)}
    _require("lstm", settings, extra=names - set(_TORCH_WEIGHTS) if lstm.num_layers == 1 else set())
    kernel, recurrent = _torch_array(lstm.weight_ih_l0), _torch_array(lstm.weight_hh_l0)
    bias = _torch_array(lstm.bias_ih_l0) + _torch_array(lstm.bias_hh_l0) if lstm.bias else np.zeros_like(kernel)
    readout = (np.ones(1), np.zeros(1))
    if linear is not None:
        _require_type("linear", linear, torch.nn.Linear, "torch.nn.Linear")
        _require("linear", {"in_features": (linear.in_features, 1), "out_features": (linear.out_features, 1)})
        weight = _torch_array(linear.weight)
        readout = weight, np.zeros_like(weight) if linear.bias is None else _torch_array(linear.bias)
    return Weights(_in_order(kernel, recurrent, bias, *readout), "linear")


def from_keras(lstm: "keras.layers.LSTM", dense: "keras.layers.Dense | None" = None) -> Weights:
    """The weights of a built keras.layers.LSTM(1) and of the keras.layers.Dense(1) that reads it.

    Without `dense` the output is the hidden state itself: W_y = 1, b_y = 0. The activation of `dense`, linear or
    sigmoid, is the readout. Dropout is no part of the unit and is passed over.

    Raises TypeError for another layer, ValueError for one of another size or form; it names all that does not fit.

    Examples
    --------
    >>> import fastlstm
    >>> import keras
    >>> lstm, dense = keras.layers.LSTM(1, return_sequences=True), keras.layers.Dense(1, activation="sigmoid")
    >>> model = keras.Sequential([keras.Input((None, 1)), lstm, dense])
    >>> params, readout = fastlstm.from_keras(lstm, dense)
    >>> params.shape, readout
    ((14,), 'sigmoid')
    """
    import keras

    _require_type("lstm", lstm, keras.layers.LSTM, "keras.layers.LSTM")
    settings: Settings = {
        "units": (lstm.units, 1),
        "activation": (_activation(lstm), "tanh"),
        "recurrent_activation": (_activation(lstm, "recurrent_activation"), "sigmoid"),
        "go_backwards": (lstm.go_backwards, False),
    }
    _require("lstm", settings | _keras_input(lstm), extra=_keras_extra(lstm, "kernel", "recurrent_kernel", "bias"))
    kernel, recurrent = _keras_array(lstm.cell.kernel), _keras_array(lstm.cell.recurrent_kernel)
    bias = _keras_array(lstm.cell.bias) if lstm.use_bias else np.zeros_like(kernel)
    readout, kind = (np.ones(1), np.zeros(1)), "linear"
    if dense is not None:
        _require_type("dense", dense, keras.layers.Dense, "keras.layers.Dense")
        kind = _activation(dense)
        right = kind if kind in get_args(Readout) else " or ".join(get_args(Readout))
        settings = {"units": (dense.units, 1), "activation": (kind, right)}
        _require("dense", settings | _keras_input(dense), extra=_keras_extra(dense, "kernel", "bias"))
        weight = _keras_array(dense.kernel)
        readout = weight, _keras_array(dense.bias) if dense.use_bias else np.zeros_like(weight)
    return Weights(_in_order(kernel, recurrent, bias, *readout), "sigmoid" if kind == "sigmoid" else "linear")


def to_torch(params: ArrayLike | Mapping[str, float]) -> "tuple[torch.nn.LSTM, torch.nn.Linear]":
    """A torch.nn.LSTM(1, 1) and a torch.nn.Linear(1, 1) with the parameters of one unit.

    params: (14,) in the order of PARAMETERS, or a mapping of the 14 names to numbers. The layers are float32 if params
    is, otherwise float64. bias_hh_l0 is 0, since one bias is enough.

    Raises ValueError where params is not one unit.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 1000, "steps": 10, "params": {"preset": "pytorch"}}
    >>> lstm, linear = fastlstm.to_torch(fastlstm.replay(spec, point=0, draw=17).drawn.params)
    >>> lstm.weight_hh_l0.shape, lstm.bias_hh_l0.tolist()
    (torch.Size([4, 1]), [0.0, 0.0, 0.0, 0.0])
    """
    import torch

    if isinstance(params, Mapping):
        missing = [name for name in PARAMETERS if name not in params]
        if missing:
            raise ValueError(f"params lacks {', '.join(missing)}; it must have the 14 parameters of one unit")
        params = [params[name] for name in PARAMETERS]
    values = np.asarray(params)
    if values.shape != (len(PARAMETERS),):
        raise ValueError(f"params has shape {values.shape}; it must be (14,), the parameters of one unit")
    dtype = torch.float32 if values.dtype == np.float32 else torch.float64
    of = dict(zip(PARAMETERS, values.tolist(), strict=True))
    lstm, linear = torch.nn.LSTM(1, 1, dtype=dtype), torch.nn.Linear(1, 1, dtype=dtype)
    with torch.no_grad():
        for row, k in enumerate(_GATES):
            lstm.weight_ih_l0[row] = of[f"W_x{k}"]
            lstm.weight_hh_l0[row] = of[f"W_h{k}"]
            lstm.bias_ih_l0[row] = of[f"b_{k}"]
        lstm.bias_hh_l0.zero_()
        linear.weight.fill_(of["W_y"])
        linear.bias.fill_(of["b_y"])
    return lstm, linear


def _in_order(kernel: Array, recurrent: Array, bias: Array, W_y: Array, b_y: Array) -> Array:
    """The 14 parameters in the order of PARAMETERS, from four gates in the order i, f, c, o."""
    of = {"W_y": W_y.item(), "b_y": b_y.item()}
    for k, W_x, W_h, b in zip(_GATES, kernel.ravel(), recurrent.ravel(), bias.ravel(), strict=True):
        of |= {f"W_x{k}": W_x, f"W_h{k}": W_h, f"b_{k}": b}
    return np.array([of[name] for name in PARAMETERS], kernel.dtype)


def _torch_array(weight: "torch.Tensor") -> Array:
    return _float_array(weight.detach().cpu().double().numpy(), str(weight.dtype).removeprefix("torch."))


def _keras_array(weight: "keras.Variable") -> Array:
    import keras

    return _float_array(
        keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(weight)), keras.backend.standardize_dtype(weight.dtype)
    )


def _float_array(values: Array, dtype: str) -> Array:
    if dtype not in ("float32", "float64"):
        raise ValueError(f"a weight has the type {dtype}; it must be float32 or float64")
    return np.asarray(values, dtype)


def _activation(layer: Any, name: str = "activation") -> str:
    function = getattr(layer, name)
    return getattr(function, "__name__", repr(function))


def _keras_input(layer: Any) -> Settings:
    """How many numbers a Keras layer reads at each step; it has weights only once that is settled."""
    if not layer.built:
        return {"built": (False, True)}
    kernel = layer.cell.kernel if hasattr(layer, "cell") else layer.kernel
    return {"input size": (kernel.shape[0], 1)}


def _keras_extra(layer: Any, *names: str) -> set[str]:
    return {weight.name for weight in layer.weights} - set(names)


def _require_type(name: str, layer: object, kind: type, public_name: str) -> None:
    if not isinstance(layer, kind):
        raise TypeError(f"{name} is of type {type(layer).__name__}; it must be a {public_name}")


def _require(name: str, settings: Settings, *, extra: Set[str] = frozenset()) -> None:
    """Raise one error for all settings of a layer that the unit does not have, and for its extra weights."""
    wrong = [f"{key} is {value}, not {right}" for key, (value, right) in settings.items() if value != right]
    wrong += [f"{weight} is a weight that the unit does not have (peepholes, projections)" for weight in sorted(extra)]
    if wrong:
        raise ValueError(f"{name} does not fit the univariate LSTM: {'; '.join(wrong)}")
