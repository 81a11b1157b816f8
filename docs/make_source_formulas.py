"""Print the table of the source solution's formulas, for docs/derivation.md: python docs/make_source_formulas.py

20,000 random units with T = 20, all fourteen parameters and the inputs N(0, 1), targets U(0, 1), squared error at every
step. tests/test_source_formulas.py holds the formulas and the table.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from fastlstm.oracles import naive

Array = NDArray[np.float64]
QUANTITIES = ("dh", "dC", "do", "df", "di")
SATURATION, MAJORITY = 0.1, 0.5  # as in a spec: left below 0.1, right above 0.9, at more than half of the steps


def random_problems(draws: int = 20_000, steps: int = 20) -> tuple[Array, Array, Array]:
    """params, x and dy."""
    random = np.random.default_rng(17)
    params, x = random.normal(size=(draws, 14)), random.normal(size=(draws, steps))
    trace = naive.forward(params, x)
    return params, x, naive.loss_and_dy("mse", trace.y, random.uniform(size=x.shape), trace.z_y).dy


def before(column: Array) -> Array:
    """The same one step earlier, from a state of 0."""
    return np.concatenate([np.zeros_like(column[:, :1]), column[:, :-1]], axis=1)


def source_formulas(params: Array, x: Array, dy: Array) -> dict[str, Array]:
    """The solution's one-step formulas, each (draws, steps), and its two readings of dW_hi, each (draws,).

    Taken literally but for the slopes y (1 - y), 1 - tanh^2 C and i (1 - i): these are S2 and S3, so that the
    difference to the true gradient is that of the formulas and not of rounding.
    """
    W_y, trace = params[:, 12:13], naive.forward(params, x)
    dh = dy * naive.sigmoid_slope(trace.z_y) * W_y
    dC = dy * naive.sigmoid_slope(trace.z_y) * W_y * trace.o * naive.tanh_slope(trace.C)
    do = dy * naive.sigmoid_slope(trace.z_y) * W_y * np.tanh(trace.C)
    df = dy * naive.sigmoid_slope(trace.z_y) * W_y * trace.o * naive.tanh_slope(trace.C) * before(trace.C)
    di = dy * naive.sigmoid_slope(trace.z_y) * W_y * trace.o * naive.tanh_slope(trace.C) * trace.g
    terms = di * naive.sigmoid_slope(trace.z_i) * before(trace.h)
    return {
        "dh": dh, "dC": dC, "do": do, "df": df, "di": di,
        "dW_hi": terms.sum(axis=1), "T times one term": x.shape[1] * terms[:, -1],
    }  # fmt: skip


def gradients(params: Array, x: Array, dy: Array, mode: naive.Mode) -> dict[str, Array]:
    """The same quantities by backpropagation: B2 to B6 and B9."""
    trace, grads = naive.forward(params, x), naive.gradients(params, x, dy, mode=mode)
    dh, dC = grads.dh[:, 1:], grads.dC[:, 1:]
    dW_hi = grads.params[:, naive.NAMES.index("W_hi")]
    steps = {"dh": dh, "dC": dC, "do": dh * np.tanh(trace.C), "df": dC * before(trace.C), "di": dC * trace.g}
    return steps | {"dW_hi": dW_hi, "T times one term": dW_hi}


def forget_regimes(params: Array, x: Array) -> dict[str, Array]:
    """Which draws have a forget gate that is shut, neither, or open at more than half of the steps."""
    f = naive.forward(params, x).f
    left = (f < SATURATION).mean(axis=1) > MAJORITY
    right = (f > 1 - SATURATION).mean(axis=1) > MAJORITY
    return {"any": np.full(len(f), True), "left": left, "mid": ~(left | right), "right": right}


def error_and_wrong_sign(one_step: Array, full: Array) -> tuple[float, float]:
    """The median over draws of |one step - full| / |full|, L2 over the steps; the share of values of the wrong sign.

    A value that is 0 in both, as df_1 is, has no sign to be wrong.
    """
    one_step, full = (values.reshape(len(values), -1) for values in (one_step, full))
    error = np.linalg.norm(one_step - full, axis=1) / np.linalg.norm(full, axis=1)
    some = full != 0
    return float(np.median(error)), float((np.sign(one_step) != np.sign(full))[some].mean())


def table() -> str:
    """The table, in Markdown."""
    problem = random_problems()
    one_step, full = source_formulas(*problem), gradients(*problem, "full")
    regimes = forget_regimes(*problem[:2])
    labels = {name: f"${name[0]}{name[1]}_t$" for name in QUANTITIES}
    labels |= {"dW_hi": "$dW_{hi}$, summed over $t$", "T times one term": "$dW_{hi}$ as written, $t = T$"}
    draws = (f"{name} ({some.sum():,} draws)" for name, some in regimes.items())
    lines = [f"| | {' | '.join(draws)} |", f"|{'---|' * (len(regimes) + 1)}"]
    for name, label in labels.items():
        cells = []
        for some in regimes.values():
            error, wrong_sign = error_and_wrong_sign(one_step[name][some], full[name][some])
            cells.append(f"{error:.2f}, {100 * wrong_sign:.0f}%")
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
