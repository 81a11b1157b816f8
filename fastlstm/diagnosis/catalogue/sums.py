"""Mistakes in the sums over the steps, B9 to B13, at the ends, B15 and B16, in the scale, and by truncation."""

from itertools import combinations

from fastlstm.diagnosis.mistake import RIGHT, Mistake, each
from fastlstm.oracles.naive import GATES

_PARAMETERS = [name.removeprefix("grad_") for name in RIGHT if name.startswith("grad_")]
_GATE_SUMS = ("dW_h{k}", "dW_x{k}", "db_{k}")


def exchanged(j: str, k: str) -> Mistake:
    """The gradients of two gates, each in the other's place."""
    changes = {
        name.replace("{k}", mine): (f"dz_{mine}", f"dz_{other}")
        for name in _GATE_SUMS
        for mine, other in ((j, k), (k, j))
    }
    return Mistake(f"B9.{j}<>{k}", f"the gradients of gates {j} and {k} stand in each other's place", changes)


HIDDEN_WEIGHTS = (
    Mistake("B9.h_t", "h_t stands where h_{t-1} belongs in dW_h", each("dW_h{k}", ("h[t-1]", "h[t]"))),
    Mistake("B9.h0", "step 1 is missing in dW_h: h_0 counts as 0", each("dW_h{k}", ("h[t-1]", "(h[t-1] * (t > 1))"))),
    Mistake(
        "B9.h1", "h_1 stands where h_0 belongs in dW_h at t = 1", each("dW_h{k}", ("h[t-1]", "h[max(t - 1, 1)]")),
        "VikParuchuri/zero_to_gpt#9",
    ),
    Mistake("B9.C", "C_{t-1} stands where h_{t-1} belongs in dW_h", each("dW_h{k}", ("h[t-1]", "C[t-1]"))),
    Mistake("B9.x", "x_t stands where h_{t-1} belongs in dW_h", each("dW_h{k}", ("h[t-1]", "x[t]"))),
    Mistake("B9.shift", "dz_t is paired with h_{t+1} in dW_h", each("dW_h{k}", ("h[t-1]", "h[t+1]"))),
    Mistake("B9.last", "dW_h is that of step T alone, not summed", each("grad_W_h{k}", "dW_h{k}[T]")),
    Mistake(
        "B9.T", "the sum of dW_h runs over an index that its terms lack: T times the term of step T",
        each("grad_W_h{k}", "T * dW_h{k}[T]"), "the worked solution",
    ),
)  # fmt: skip

INPUT_WEIGHTS_AND_BIASES = (
    Mistake("B10.x-1", "x_{t-1} stands where x_t belongs in dW_x", each("dW_x{k}", ("x[t]", "x[t-1]"))),
    Mistake(
        "B10.last", "dW_x is that of step T alone, not summed", each("grad_W_x{k}", "dW_x{k}[T]"), "hanbt/learn_dl#30",
    ),
    Mistake(
        "B11.mean", "the biases' gradients are averaged over the steps, not summed",
        each("grad_b_{k}", "({}) / T"),
    ),
    Mistake("B11.last", "the biases' gradients are those of step T alone, not summed", each("grad_b_{k}", "db_{k}[T]")),
    Mistake(
        "B11.fff", "b_i and b_o get the gradient of b_f", {"db_i": ("dz_i", "dz_f"), "db_o": ("dz_o", "dz_f")},
        "hanbt/learn_dl#53",
    ),
    Mistake("B11.noslope", "the biases get df, di, do, dg without the slopes", each("db_{k}", ("dz_{k}", "d{a}"))),
)  # fmt: skip

ALL_SUMS = (
    Mistake(
        "B9.first", "= stands where += belongs: all 14 sums hold step 1 alone",
        {f"grad_{name}": f"d{name}[1]" for name in _PARAMETERS},
    ),
    Mistake(
        "B9.noslope", "the 12 sums take df, di, do, dg where dz belongs; the carry is right",
        {name: change for line in _GATE_SUMS for name, change in each(line, ("dz_{k}", "d{a}")).items()},
    ),
    *(exchanged(j, k) for j, k in combinations(GATES, 2)),
)  # fmt: skip

READOUT = (
    Mistake("B12.h-1", "h_{t-1} stands where h_t belongs in dW_y", {"dW_y": ("h[t]", "h[t-1]")}),
    Mistake(
        "B12.last", "dW_y and db_y are those of step T alone, not summed",
        {"grad_W_y": "dW_y[T]", "grad_b_y": "db_y[T]"},
    ),
    Mistake(
        "B12.dy", "dW_y and db_y take dy_t where delta_t belongs",
        {"dW_y": ("delta[t]", "dy[t]"), "db_y": "dy[t]"},
    ),
    Mistake("B12.y", "y_t stands where h_t belongs in dW_y", {"dW_y": ("h[t]", "y[t]")}),
)  # fmt: skip

ENDS = (
    Mistake("B15.zero", "dh_0 and dC_0 are 0", {"dh0": "zero", "dC0": "zero"}),
    Mistake("B15.dh1", "dh_1 stands where dh_0 belongs: one step short", {"dh0": "dh[1]"}),
    Mistake("B16.none", "f_1 is missing in dC_0: it is dC_1, one step short", {"dC0": "dC[1]"}),
    Mistake("B16.dC", "dC_0 is dC_1 without its carry, and without f_1", {"dC0": "through[1]"}),
)  # fmt: skip

TRUNCATIONS = (
    Mistake(
        "M3", "nothing comes back through step t+1, neither in dh_t nor in dC_t (a one-step gradient, mode local)",
        {"back": "zero", "carry": "zero"}, "the worked solution; CaptainE/RNN-LSTM-in-numpy#1; FluxML/Flux.jl#1209",
    ),
    Mistake(
        "T.win2", "truncated: nothing comes back across every second step",
        {"dh": "out[t] + (t % 2 == 1) * back[t]", "dC": "through[t] + (t % 2 == 1) * carry[t]"},
    ),
    Mistake(
        "T.one", "nothing comes back from step T: the carries start one step late",
        {"dh": "out[t] + (t < T - 1) * back[t]", "dC": "through[t] + (t < T - 1) * carry[t]"},
    ),
)  # fmt: skip

SCALE = (
    Mistake("S.-", "the sign is turned in all gradients", {"delta": "-({})"}),
    Mistake(
        "S.2", "all gradients are twice too large: the one half of the squared error is missing",
        {"delta": "2 * ({})"},
    ),
    Mistake(
        "S./T", "all gradients are divided by the number of steps", {"delta": "({}) / T"},
        "karpathy/char-rnn#70 (where it is meant)",
    ),
    Mistake("S./D", "all gradients are divided by the number of draws in the batch", {"delta": "({}) / len(zero)"}),
    Mistake("S.clip", "dh_t is clipped to [-1, 1] at every step", {"dh": "clip({}, -1, 1)"}),
    Mistake(
        "S.clipg", "the 14 gradients are clipped to [-1, 1]",
        {f"grad_{name}": "clip({}, -1, 1)" for name in _PARAMETERS},
    ),
)  # fmt: skip

MISTAKES = (
    *HIDDEN_WEIGHTS, *INPUT_WEIGHTS_AND_BIASES, *ALL_SUMS, *READOUT, *ENDS, *TRUNCATIONS, *SCALE,
)  # fmt: skip
