"""Published initialisation schemes, for the unit: one input, one hidden unit, a read-out of one number.

pytorch: torch.nn.LSTM and torch.nn.Linear draw every weight and bias from U(-k, k), k = 1 /
sqrt(hidden_size) = 1. The LSTM has two biases for each gate, b_ih and b_hh, of which only the sum matters:
a triangle.

keras: keras.layers.LSTM and Dense. Glorot-uniform kernels, limit sqrt(6 / (fan_in + fan_out)), where the
four gates share one kernel of shape (1, 4); an orthogonal recurrent kernel of shape (1, 4), which is a
random unit vector; biases 0, but 1 for the forget gate (Jozefowicz et al. 2015).

chrono: Tallec and Ollivier 2018, "Can recurrent neural networks warp time?": b_f = log u with u uniform on
(1, T_max - 1), b_i = -b_f, and the other gate biases 0. The weights are left open.

uniform_gate: Gu et al. 2020, "Improving the gating mechanism of recurrent neural networks": b_f such that
the forget gate starts uniform on (0, 1). Their input gate is 1 - f, which b_i = -b_f gives at zero weights.
They cut the uniform to (1/n, 1 - 1/n) for n hidden units; of one unit that would leave nothing. All else is
left open.

jozefowicz: Jozefowicz, Zaremba and Sutskever 2015, "An empirical exploration of recurrent network architectures": a
forget bias of 1, the other gate biases 0. The weights are left open.

xlstm: Beck et al. 2025, "xLSTM 7B", whose input gates start with a bias of -10 against large gradients. The forget
biases are those of the cell it is made of, mLSTM, in the published code (xlstm/blocks/mlstm/cell.py): evenly spaced
from 3 to 6 over the heads, which for a unit taken at random is U(3, 6). The mLSTM's input gate is an exponential; here
it is s(-10). The other gate biases are 0, the weights are left open. (The code's other cell, sLSTM, spreads its forget
biases by a power that depends on the depth of the block, with input biases of 0.)
"""

import math
from typing import Literal

from fastlstm.names import PARAMETERS
from fastlstm.spec.distributions import (
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

PresetName = Literal["pytorch", "keras", "chrono", "uniform_gate", "jozefowicz", "xlstm"]


def _symmetric(limit: float) -> Distribution:
    return Uniform(low=-limit, high=limit)


def _pytorch(name: ParameterName) -> Distribution:
    return Triangular(low=-2.0, high=2.0) if name in ("b_f", "b_i", "b_o", "b_c") else _symmetric(1.0)


def _keras(name: ParameterName) -> Distribution:
    if name.startswith("W_h"):
        return Orthogonal(gain=1.0)
    if name.startswith("W_x"):
        return _symmetric(math.sqrt(6 / (1 + 4)))
    if name == "W_y":
        return _symmetric(math.sqrt(6 / (1 + 1)))
    return Constant(value=1.0 if name == "b_f" else 0.0)


_ZERO = Constant(value=0.0)
_OPPOSITE_OF_B_F = Tied(to="b_f", factor=-1.0)

PRESETS: dict[PresetName, dict[ParameterName, Distribution]] = {
    "pytorch": {name: _pytorch(name) for name in PARAMETERS},
    "keras": {name: _keras(name) for name in PARAMETERS},
    "chrono": {"b_f": Chrono(), "b_i": _OPPOSITE_OF_B_F, "b_o": _ZERO, "b_c": _ZERO},
    "uniform_gate": {"b_f": LogitUniform(low=0.0, high=1.0), "b_i": _OPPOSITE_OF_B_F},
    "jozefowicz": {"b_f": Constant(value=1.0), "b_i": _ZERO, "b_o": _ZERO, "b_c": _ZERO},
    "xlstm": {"b_f": Uniform(low=3.0, high=6.0), "b_i": Constant(value=-10.0), "b_o": _ZERO, "b_c": _ZERO},
}
