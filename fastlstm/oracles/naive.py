"""The univariate LSTM and its gradients in plain NumPy: the twin that fastlstm is measured against.

It imports nothing from fastlstm and takes no short cut: one Python loop over the steps, vectorised over the
draws, in the equations of docs/derivation.md (their ids stand in the comments). It computes in the dtype it
is given: float32, float64 or longdouble. Gradients that leave the range of that dtype overflow or underflow
here; `exact.py` has no such limits.

Shapes: params (draws, 14) in the order of `NAMES`; x, dy and every column of a trace (draws, steps);
h0 and C0 (draws,) or a number. Column t - 1 of a (draws, steps) array belongs to step t = 1..T.
"""

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Mode = Literal["full", "cec", "local", "window"]
LossKind = Literal["sum", "last", "mse", "bce"]
Readout = Literal["sigmoid", "linear"]


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
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_slope(z: Array) -> Array:
    """S2: s'(z) = s(z) (1 - s(z)), without the cancellation of 1 - s."""
    e = np.exp(-np.abs(z))
    slope: Array = e / (1 + e) ** 2
    return slope


def tanh_slope(z: Array) -> Array:
    """S3: tanh'(z) = 1 - tanh^2 z, without the cancellation."""
    e = np.exp(-2 * np.abs(z))
    slope: Array = 4 * e / (1 + e) ** 2
    return slope


def forward(
    params: ArrayLike, x: ArrayLike, h0: ArrayLike = 0.0, C0: ArrayLike = 0.0, *, readout: Readout = "sigmoid"
) -> Trace:
    """Run the unit over x and return every gate, state and pre-activation."""
    p, x, h, C = _arguments(params, x, h0, C0)
    trace = Trace(*(np.empty_like(x) for _ in Trace._fields))
    for t in range(x.shape[1]):
        z_f = p.W_hf * h + p.W_xf * x[:, t] + p.b_f  # F1
        z_i = p.W_hi * h + p.W_xi * x[:, t] + p.b_i
        z_o = p.W_ho * h + p.W_xo * x[:, t] + p.b_o
        z_c = p.W_hc * h + p.W_xc * x[:, t] + p.b_c
        f = sigmoid(z_f)  # F2
        i = sigmoid(z_i)
        o = sigmoid(z_o)
        g = np.tanh(z_c)  # F3
        C = f * C + i * g  # F4
        h = o * np.tanh(C)  # F5
        z_y = p.W_y * h + p.b_y  # F6
        y = sigmoid(z_y) if readout == "sigmoid" else z_y  # F7
        now = Trace(f=f, i=i, o=o, g=g, C=C, h=h, y=y, z_f=z_f, z_i=z_i, z_o=z_o, z_c=z_c, z_y=z_y)
        for column, value in zip(trace, now, strict=True):
            column[:, t] = value
    return trace


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
    trace = forward(params, x, h0, C0)
    p, x, h0, C0 = _arguments(params, x, h0, C0)
    draws, steps = x.shape
    if delta is None:
        delta = np.asarray(dy, x.dtype) * sigmoid_slope(trace.z_y)  # B1

    # From here on time is the first index and counts as in the equations: v[t] is v_t for t = 1..T, and
    # v[T + 1] is 0. What belongs to step 0 is 0 but for the initial state.
    def counted_from_one(column: Array) -> Array:
        return np.concatenate([np.zeros((1, draws), x.dtype), column.T, np.zeros((1, draws), x.dtype)])

    f, i, o, g, C, h, _, z_f, z_i, z_o, z_c, _ = (counted_from_one(column) for column in trace)
    h[0], C[0] = h0, C0
    x_ = counted_from_one(x)
    delta_ = counted_from_one(np.broadcast_to(np.asarray(delta, x.dtype), x.shape))

    dh, dC, dx, df, di, do, dg, dz_f, dz_i, dz_o, dz_c = (np.zeros((steps + 2, draws), x.dtype) for _ in range(11))
    total = Parameters(*(np.zeros(draws, x.dtype) for _ in NAMES))._asdict()

    for t in range(steps, 0, -1):
        dh[t] = p.W_y * delta_[t]  # B2
        at_border = t % window == 0  # step t ends a window, and t + 1 begins one
        if mode == "full" or (mode == "window" and not at_border):
            dh[t] += p.W_hf * dz_f[t + 1] + p.W_hi * dz_i[t + 1] + p.W_ho * dz_o[t + 1] + p.W_hc * dz_c[t + 1]
        dC[t] = dh[t] * o[t] * tanh_slope(C[t])  # B3
        if mode in ("full", "cec") or (mode == "window" and not at_border):
            dC[t] += f[t + 1] * dC[t + 1]
        do[t] = dh[t] * np.tanh(C[t])  # B4
        df[t] = dC[t] * C[t - 1]  # B5
        di[t] = dC[t] * g[t]  # B6
        dg[t] = dC[t] * i[t]  # B7
        dz_f[t] = df[t] * sigmoid_slope(z_f[t])  # B8
        dz_i[t] = di[t] * sigmoid_slope(z_i[t])
        dz_o[t] = do[t] * sigmoid_slope(z_o[t])
        dz_c[t] = dg[t] * tanh_slope(z_c[t])
        for k, dz in zip("fioc", (dz_f[t], dz_i[t], dz_o[t], dz_c[t]), strict=True):
            total[f"W_h{k}"] += dz * h[t - 1]  # B9
            total[f"W_x{k}"] += dz * x_[t]  # B10
            total[f"b_{k}"] += dz  # B11
        total["W_y"] += delta_[t] * h[t]  # B12
        total["b_y"] += delta_[t]  # B13
        dx[t] = p.W_xf * dz_f[t] + p.W_xi * dz_i[t] + p.W_xo * dz_o[t] + p.W_xc * dz_c[t]  # B14

    if mode in ("full", "window"):
        dh[0] = p.W_hf * dz_f[1] + p.W_hi * dz_i[1] + p.W_ho * dz_o[1] + p.W_hc * dz_c[1]  # B15
    if mode != "local":
        dC[0] = f[1] * dC[1]  # B16

    return Gradients(
        params=np.stack(list(total.values()), axis=1),
        x=dx[1:-1].T,
        h0=dh[0],
        C0=dC[0],
        dh=dh[:-1].T,
        dC=dC[:-1].T,
        df=df[1:-1].T,
        di=di[1:-1].T,
        do=do[1:-1].T,
        dg=dg[1:-1].T,
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
