"""The univariate LSTM and its gradients in plain NumPy: the twin that fastlstm is measured against.

It imports nothing from fastlstm and takes no short cut. The equations of docs/derivation.md stand below as tables,
a line for each quantity under the id of its formula, and one loop over the steps evaluates them, vectorised over the
draws. A gradient mode replaces lines of the tables; so does a mistake that `fastlstm.diagnose` knows. It computes in
the dtype it is given: float32, float64 or longdouble. Gradients that leave the range of that dtype overflow or
underflow here; `exact.py` has no such limits.

Shapes: params (draws, 14) in the order of `NAMES`; x, dy and every column of a trace (draws, steps);
h0 and C0 (draws,) or a number. Column t - 1 of a (draws, steps) array belongs to step t = 1..T.
"""

from collections.abc import Callable, Container, Mapping
from functools import cache
from types import CodeType
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Mode = Literal["full", "cec", "local", "window"]
LossKind = Literal["sum", "last", "mse", "bce"]
Readout = Literal["sigmoid", "linear"]
Quantities = dict[str, Any]

GATES = {"f": "f", "i": "i", "o": "o", "c": "g"}  # the letter in a gate's parameters -> its value


class Parameters(NamedTuple):
    """The fourteen parameters in their canonical order, each (draws,)."""

    W_hf: Array
    W_xf: Array
    b_f: Array
    W_hi: Array
    W_xi: Array
    b_i: Array
    W_ho: Array
    W_xo: Array
    b_o: Array
    W_hc: Array
    W_xc: Array
    b_c: Array
    W_y: Array
    b_y: Array


NAMES = Parameters._fields


class Trace(NamedTuple):
    """Everything the forward pass computes, each (draws, steps)."""

    f: Array
    i: Array
    o: Array
    g: Array
    C: Array
    h: Array
    y: Array
    z_f: Array
    z_i: Array
    z_o: Array
    z_c: Array
    z_y: Array


class Gradients(NamedTuple):
    """params (draws, 14), x (draws, steps), h0 and C0 (draws,).

    dh and dC (draws, steps + 1) are the adjoints: column t holds dh_t and dC_t, column 0 repeats h0 and C0.
    df, di, do, dg (draws, steps): of the gates and the candidate.
    """

    params: Array
    x: Array
    h0: Array
    C0: Array
    dh: Array
    dC: Array
    df: Array
    di: Array
    do: Array
    dg: Array


class Loss(NamedTuple):
    """value (draws,): the loss summed over the steps; dy and delta (draws, steps): dL/dy_t and dL/dz^y_t."""

    value: Array
    dy: Array
    delta: Array


def sigmoid(z: Array) -> Array:
    """S1: s(z) = 1 / (1 + exp(-z)), accurate in both tails."""
    e = np.exp(-_magnitude(z))
    return np.where(z.real >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_slope(z: Array) -> Array:
    """S2: s'(z) = s(z) (1 - s(z)), without the cancellation of 1 - s."""
    e = np.exp(-_magnitude(z))
    slope: Array = e / (1 + e) ** 2
    return slope


def tanh_slope(z: Array) -> Array:
    """S3: tanh'(z) = 1 - tanh^2 z, without the cancellation."""
    e = np.exp(-2 * _magnitude(z))
    slope: Array = 4 * e / (1 + e) ** 2
    return slope


def _magnitude(z: Array) -> Array:
    """|z|; for the complex z of a complex step its continuation beside the real line."""
    return np.where(z.real < 0, -z, z)


# Quantity -> expression, in the order of evaluation. v[0] is the initial state or 0, v[T+1] is 0, `zero` is 0.

FORWARD: dict[str, dict[str, str]] = {  # for t = 1..T
    "F1": {f"z_{k}": f"W_h{k} * h[t-1] + W_x{k} * x[t] + b_{k}" for k in GATES},
    "F2": {k: f"sigmoid(z_{k}[t])" for k in "fio"},
    "F3": {"g": "tanh(z_c[t])"},
    "F4": {"C": "f[t] * C[t-1] + i[t] * g[t]"},
    "F5": {"h": "o[t] * tanh(C[t])"},
    "F6": {"z_y": "W_y * h[t] + b_y"},
    "F7": {"y": "sigmoid(z_y[t])"},
}
BACKWARD: dict[str, dict[str, str]] = {  # for t = T..1
    "B1": {"slope_y": "sigmoid_slope(z_y[t])", "delta": "dy[t] * slope_y[t]"},
    "B2": {
        "out": "W_y * delta[t]",
        "back": " + ".join(f"W_h{k} * dz_{k}[t+1]" for k in GATES),
        "dh": "out[t] + back[t]",
    },
    "B3": {
        "slope_C": "tanh_slope(C[t])",
        "through": "dh[t] * o[t] * slope_C[t]",
        "carry": "f[t+1] * dC[t+1]",
        "dC": "through[t] + carry[t]",
    },
    "B4": {"do": "dh[t] * tanh(C[t])"},
    "B5": {"df": "dC[t] * C[t-1]"},
    "B6": {"di": "dC[t] * g[t]"},
    "B7": {"dg": "dC[t] * i[t]"},
    "B8": {f"slope_{k}": f"{'tanh' if k == 'c' else 'sigmoid'}_slope(z_{k}[t])" for k in GATES}
    | {f"dz_{k}": f"d{value}[t] * slope_{k}[t]" for k, value in GATES.items()},
    "B9": {f"dW_h{k}": f"dz_{k}[t] * h[t-1]" for k in GATES},
    "B10": {f"dW_x{k}": f"dz_{k}[t] * x[t]" for k in GATES},
    "B11": {f"db_{k}": f"dz_{k}[t]" for k in GATES},
    "B12": {"dW_y": "delta[t] * h[t]"},
    "B13": {"db_y": "delta[t]"},
    "B14": {"dx": " + ".join(f"W_x{k} * dz_{k}[t]" for k in GATES)},
}
ENDS: dict[str, dict[str, str]] = {  # once, after the last step back: the sums of B9 to B13 over t, and the state
    "B9": {f"grad_W_h{k}": f"sum(dW_h{k}[1:T+1])" for k in GATES},
    "B10": {f"grad_W_x{k}": f"sum(dW_x{k}[1:T+1])" for k in GATES},
    "B11": {f"grad_b_{k}": f"sum(db_{k}[1:T+1])" for k in GATES},
    "B12": {"grad_W_y": "sum(dW_y[1:T+1])"},
    "B13": {"grad_b_y": "sum(db_y[1:T+1])"},
    "B15": {"dh0": " + ".join(f"W_h{k} * dz_{k}[1]" for k in GATES)},
    "B16": {"dC0": "f[1] * dC[1]"},
}

READOUTS: dict[Readout, dict[str, str]] = {"sigmoid": {}, "linear": {"y": "z_y[t]"}}  # what a read-out replaces
MODES: dict[Mode, dict[str, str]] = {  # M1 to M4: the expressions that a mode replaces; step t ends a window
    "full": {},
    "cec": {"back": "zero", "dh0": "zero"},
    "local": {"back": "zero", "carry": "zero", "dh0": "zero", "dC0": "zero"},
    "window": {
        "back": f"({BACKWARD['B2']['back']}) if t % window else zero",
        "carry": f"({BACKWARD['B3']['carry']}) if t % window else zero",
    },
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sigmoid": sigmoid, "tanh": np.tanh, "sigmoid_slope": sigmoid_slope, "tanh_slope": tanh_slope, "clip": np.clip,
}  # fmt: skip


@cache
def _compiled(expression: str) -> CodeType:
    return compile(expression, expression, "eval")


def _expressions(
    section: Mapping[str, Mapping[str, str]], replaced: Mapping[str, str], only: Container[str] | None = None
) -> list[tuple[str, CodeType]]:
    """The quantities of a section in their order, all or only some, with what computes them."""
    lines = (line for formulas in section.values() for line in formulas.items() if only is None or line[0] in only)
    return [(name, _compiled(replaced.get(name, expression))) for name, expression in lines]


def forward_quantities(
    p: Parameters, x: Array, h0: Array, C0: Array, replaced: Mapping[str, str] | None = None
) -> Quantities:
    """F1 to F7: every quantity as the list of its values at t = 0..T+1, each (draws,), in one dtype, maybe complex."""
    steps, zero = x.shape[1], np.zeros_like(h0)
    values: Quantities = {**_FUNCTIONS, **p._asdict(), "T": steps, "zero": zero, "x": [zero, *x.T, zero]}
    expressions = _expressions(FORWARD, replaced or {})
    values |= {name: [zero] * (steps + 2) for name, _ in expressions}
    values["h"][0], values["C"][0] = h0, C0
    for t in range(1, steps + 1):
        values["t"] = t
        for name, expression in expressions:
            values[name][t] = eval(expression, values)
    return values


def backward_quantities(
    trace: Quantities, dy: Array, replaced: Mapping[str, str] | None = None, *, only: Container[str] | None = None
) -> Quantities:
    """B1 to B16, all or `only` some, added to a trace; the sums over t are `grad_W_hf` and so on, (draws,)."""
    replaced, steps, zero = replaced or {}, trace["T"], trace["zero"]
    values = {**trace, "dy": [zero, *dy.T, zero]}
    values |= {name: [zero] * (steps + 2) for lines in BACKWARD.values() for name in lines}
    expressions = _expressions(BACKWARD, replaced, only)
    for t in range(steps, 0, -1):
        values["t"] = t
        for name, expression in expressions:
            values[name][t] = eval(expression, values)
    for name, expression in _expressions(ENDS, replaced, only):
        values[name] = eval(expression, values)
    return values


def forward(
    params: ArrayLike, x: ArrayLike, h0: ArrayLike = 0.0, C0: ArrayLike = 0.0, *, readout: Readout = "sigmoid"
) -> Trace:
    """Run the unit over x and return every gate, state and pre-activation."""
    values = forward_quantities(*_arguments(params, x, h0, C0), READOUTS[readout])
    return Trace(*(np.stack(values[name][1:-1], axis=1) for name in Trace._fields))


def gradients(
    params: ArrayLike,
    x: ArrayLike,
    dy: ArrayLike | None,
    h0: ArrayLike = 0.0,
    C0: ArrayLike = 0.0,
    mode: Mode = "full",
    *,
    delta: ArrayLike | None = None,
    window: int = 1,
) -> Gradients:
    """Backpropagate dy (draws, steps) through the unit.

    Where `delta` (draws, steps) is given it is taken for B1 and dy is not read: the cross-entropy loss knows
    delta_t itself, and dividing and multiplying by a slope that has underflowed would lose it. `window`: the steps of
    a window, for that mode.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"mode must be one of {get_args(Mode)}, not {mode!r}")
    p, x, h0, C0 = _arguments(params, x, h0, C0)
    replaced = MODES[mode] | ({} if delta is None else {"delta": "dy[t]"})
    dL_dy_or_delta = np.broadcast_to(np.asarray(dy if delta is None else delta, x.dtype), x.shape)
    trace = forward_quantities(p, x, h0, C0) | {"window": window}
    values = backward_quantities(trace, dL_dy_or_delta, replaced)
    values["dh"][0], values["dC"][0] = values["dh0"], values["dC0"]
    return Gradients(
        params=np.stack([values[f"grad_{name}"] for name in NAMES], axis=1),
        x=np.stack(values["dx"][1:-1], axis=1),
        h0=values["dh0"],
        C0=values["dC0"],
        dh=np.stack(values["dh"][:-1], axis=1),
        dC=np.stack(values["dC"][:-1], axis=1),
        **{name: np.stack(values[name][1:-1], axis=1) for name in ("df", "di", "do", "dg")},
    )


def jacobians(params: ArrayLike, x: ArrayLike, h0: ArrayLike = 0.0, C0: ArrayLike = 0.0) -> Array:
    """J_t = d(C_t, h_t) / d(C_{t-1}, h_{t-1}) for every step, (draws, steps, 2, 2)."""
    f, i, o, g, C, _, _, z_f, z_i, z_o, z_c, _ = forward(params, x, h0, C0)
    p, x, h0, C0 = _arguments(params, x, h0, C0)
    W_hf, W_hi, W_ho, W_hc = (W[:, None] for W in (p.W_hf, p.W_hi, p.W_ho, p.W_hc))
    C_before = np.concatenate([C0[:, None], C[:, :-1]], axis=1)
    a = (  # J1
        C_before * sigmoid_slope(z_f) * W_hf + g * sigmoid_slope(z_i) * W_hi + i * tanh_slope(z_c) * W_hc
    )
    b = np.tanh(C) * sigmoid_slope(z_o) * W_ho  # J2
    kappa = o * tanh_slope(C)  # J3
    return np.stack([np.stack([f, a], axis=-1), np.stack([kappa * f, kappa * a + b], axis=-1)], axis=-2)  # J4


def loss_and_dy(
    kind: LossKind, y: Array, target: ArrayLike, z_y: Array, *, silent_steps: int = 0, readout: Readout = "sigmoid"
) -> Loss:
    """The loss of outputs y = s(z_y), or y = z_y, and its gradient; the first `silent_steps` steps carry no loss.

    sum and last do not read the target. z_y is needed because y rounds to 1 from z_y = 37 on, where 1 - y,
    log(1 - y) and y - target still have a value.
    """
    target = np.broadcast_to(np.asarray(target, y.dtype), y.shape)
    if readout == "sigmoid":
        slope = sigmoid_slope(z_y)
        y_minus_target = (1 - target) * y - target * sigmoid(-z_y)  # exact in the tail, where target is 0 or 1
    else:
        slope, y_minus_target = np.ones_like(z_y), y - target
    heard = np.broadcast_to(np.arange(y.shape[1]) >= silent_steps, y.shape)
    if kind == "sum":  # L1
        terms, dy = y, np.ones_like(y)
    elif kind == "last":  # L2
        heard = heard & (np.arange(y.shape[1]) == y.shape[1] - 1)
        terms, dy = y, np.ones_like(y)
    elif kind == "mse":  # L3
        terms, dy = y_minus_target**2 / 2, y_minus_target
    elif kind == "bce":  # L4
        terms = (1 - target) * _softplus(z_y) + target * _softplus(-z_y)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            dy = y_minus_target / slope  # leaves the range where the slope underflows: use delta
    else:
        raise ValueError(f"kind must be one of {get_args(LossKind)}, not {kind!r}")
    delta = y_minus_target if kind == "bce" else dy * slope
    zero = y.dtype.type(0)
    return Loss(
        value=np.where(heard, terms, zero).sum(axis=1),
        dy=np.where(heard, dy, zero),
        delta=np.where(heard, delta, zero),
    )


def _softplus(z: Array) -> Array:
    """log(1 + exp(z)): -log(1 - s(z)), and -log s(-z)."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _arguments(params: ArrayLike, x: ArrayLike, h0: ArrayLike, C0: ArrayLike) -> tuple[Parameters, Array, Array, Array]:
    """Named parameters, x (draws, steps), h0 and C0 (draws,), all in one floating dtype."""
    params, x = np.atleast_2d(params), np.atleast_2d(x)
    dtype = np.result_type(params, x)
    if dtype.kind != "f":
        dtype = np.dtype(np.float64)
    draws, steps = max(len(params), len(x)), x.shape[1]
    params = np.broadcast_to(params.astype(dtype), (draws, len(NAMES)))
    x = np.broadcast_to(x.astype(dtype), (draws, steps))
    h0 = np.broadcast_to(np.asarray(h0, dtype), (draws,))
    C0 = np.broadcast_to(np.asarray(C0, dtype), (draws,))
    return Parameters(*params.T), x, h0, C0
