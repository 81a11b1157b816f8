"""Record the inputs of the counterexample: python sims/data/record_counterexample.py > sims/data/counterexample.csv

x_t = sin(t) / 2 - W_ho h_{t-1} - b_o holds the pre-activation of the output gate at sin(t) / 2, so that gate stays
half open. The orbit is unstable: only the arithmetic that recorded it finds it again, which is that of float64 here.
"""

import math
import sys

import numpy as np

import fastlstm

STEPS = 60
UNIT = {"W_hf": 0.5, "W_hi": 0.5, "W_hc": 0.5, "W_xo": 1.0, "b_f": 7.0, "b_i": -7.0, "b_c": 1.4722, "b_o": -7.2}
WEIGHTS = (20.0, 3.9)  # above and below four


def recorded(W_ho: float) -> list[float]:
    """The inputs x_1 .. x_T of one unit."""
    params = dict.fromkeys(fastlstm.PARAMETERS, 0.0) | UNIT | {"W_ho": W_ho}
    h, C = 0.36, 0.9
    inputs = []
    for t in range(STEPS):
        inputs.append(math.sin(t) / 2 - W_ho * h - UNIT["b_o"])
        trace = fastlstm.forward(params, np.array([inputs[-1:]]), h0=h, C0=C)
        h, C = float(trace.h[0, -1]), float(trace.C[0, -1])
    return inputs


if __name__ == "__main__":
    lines = ["step," + ",".join(f"W_ho_{weight}" for weight in WEIGHTS)]
    for step, row in enumerate(zip(*map(recorded, WEIGHTS), strict=True), start=1):
        lines.append(f"{step},{','.join(map(repr, row))}")
    sys.stdout.write("\n".join(lines) + "\n")
