"""Published initialisation schemes, written for the unit: one input, one hidden unit, a read-out of one number.

Sources:
pytorch       torch.nn.LSTM and torch.nn.Linear: every weight and bias U(-k, k), k = 1 / sqrt(hidden_size) = 1. The
              LSTM has two biases for each gate, b_ih and b_hh, of which only the sum matters: a triangle on (-2, 2).
keras         keras.layers.LSTM and Dense: Glorot-uniform kernels, limit sqrt(6 / (fan_in + fan_out)), where the four
              gates share one kernel of shape (1, 4); an orthogonal recurrent kernel of shape (1, 4), so a random unit
              vector; biases 0, but 1 for the forget gate (Jozefowicz et al. 2015).
chrono        Tallec and Ollivier 2018, "Can recurrent neural networks warp time?": b_f = log u, u ~ U(1, T_max - 1),
              and b_i = -b_f. The weights are the user's.
uniform_gate  Gu et al. 2020, "Improving the gating mechanism of recurrent neural networks": b_f such that the forget
              gate starts uniform on (0, 1). Their input gate is 1 - f; b_i = -b_f gives that at zero weights here. They
              cut the uniform to (1/n, 1 - 1/n) for n hidden units, which for one unit would leave nothing.
"""

import math
from typing import Literal, get_args

from fastlstm.distributions import (
    PARAMETERS,
    Chrono,
    Constant,
    Distribution,
    LogitUniform,
    Orthogonal,
    ParameterName,
    Tied,
    Triangular,
    Uniform,
)

PresetName = Literal["pytorch", "keras", "chrono", "uniform_gate"]


def _between(limit: float) -> Uniform:
    return Uniform(low=-limit, high=limit)


def _keras(name: ParameterName) -> Distribution:
    if name == "W_y":
        return _between(math.sqrt(6 / (1 + 1)))
    if name.startswith("W_x"):
        return _between(math.sqrt(6 / (1 + 4)))
    if name.startswith("W_h"):
        return Orthogonal(gain=1.0)
    return Constant(value=1.0 if name == "b_f" else 0.0)


_ZERO = Constant(value=0.0)
_CLOSED_BY_FORGETTING = Tied(to="b_f", factor=-1.0)

PRESETS: dict[PresetName, dict[ParameterName, Distribution]] = {
    "pytorch": {
        name: Triangular(low=-2.0, high=2.0) if name in ("b_f", "b_i", "b_o", "b_c") else _between(1.0)
        for name in PARAMETERS
    },
    "keras": {name: _keras(name) for name in PARAMETERS},
    "chrono": {"b_f": Chrono(), "b_i": _CLOSED_BY_FORGETTING, "b_o": _ZERO, "b_c": _ZERO},
    "uniform_gate": {"b_f": LogitUniform(low=0.0, high=1.0), "b_i": _CLOSED_BY_FORGETTING},
}

assert tuple(PRESETS) == get_args(PresetName)
