"""Draw the strange attractor of one LSTM unit without input: python examples/attractor.py [FILE.png]

The unit of sims/attractor.toml; that run measures the exponent. Without arguments the picture goes to attractor.png.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import fastlstm

UNIT = {"W_hf": -4.49, "W_hi": 6.69, "W_ho": 4.25, "W_hc": -8.96, "b_f": 2.2, "b_i": -1.05, "b_o": 3.08, "b_c": 1.32}
STEPS = 400_000
TRANSIENT = 1000  # steps left out, so that what is drawn is where the orbit stays


def orbit() -> tuple[np.ndarray, np.ndarray]:
    """The cell C_t and the output gate o_t of one long orbit with x_t = 0.

    They say as much as (C_t, h_t), for h_t = o_t tanh C_t, and lie less close to a line.
    """
    params = dict.fromkeys(fastlstm.PARAMETERS, 0.0) | UNIT
    trace = fastlstm.forward(params, np.zeros((1, STEPS)), h0=0.1, C0=0.0)
    return trace.C[0, TRANSIENT:], trace.o[0, TRANSIENT:]


def draw(path: Path, *, zooms: int = 2, dots_per_inch: int = 110) -> None:
    """The attractor, and closer and closer looks at one of its folds."""
    C, o = orbit()
    low, high = np.array([C.min(), o.min()]), np.array([C.max(), o.max()])
    middle = len(C) // 2
    centre = np.array([C[middle], o[middle]])  # some point of the orbit, which the zooms close in on
    figure, axes = plt.subplots(1, zooms + 1, figsize=(3.6 * (zooms + 1), 3.5), layout="constrained")
    for number, axis in enumerate(axes):
        inside = (low[0] <= C) & (high[0] >= C) & (low[1] <= o) & (high[1] >= o)
        axis.plot(C[inside], o[inside], ",", color="#0b3c5d", alpha=0.6 if number else 0.25)
        axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="cell $C_t$", ylabel="output gate $o_t$")
        axis.set_title("one orbit without input" if number == 0 else f"{8**number} times closer")
        if number < zooms:
            half = (high - low) / 16
            low, high = centre - half, centre + half
            corner, size = low, high - low
            axis.add_patch(plt.Rectangle(corner, *size, fill=False, color="#d1495b", linewidth=1.5))
    figure.savefig(path, dpi=dots_per_inch)
    plt.close(figure)


if __name__ == "__main__":
    draw(Path(sys.argv[1] if len(sys.argv) > 1 else "attractor.png"))
