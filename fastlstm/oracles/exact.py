"""One draw of the univariate LSTM in mpmath: the reference where floating point itself is in question.

Nothing underflows or overflows here, so saturated gates (|z| of a million) and ten thousand steps are
ordinary, and with 50 digits the rounding of a step is far below what any float can hold. What remains is
sensitivity: an orbit that grows by a factor of 10 a step loses one digit at every step, so ask for more.

The gradients follow docs/derivation.md (the ids stand in the comments); `central_differences` and
`complex_step` know nothing of them and only evaluate `objective`.

params is a sequence of 14 numbers in canonical order (W_hf W_xf b_f, the same for i, o and c, then W_y b_y);
x and dy are sequences of T numbers; h0 and C0 are numbers. Floats of any width are taken at their exact
binary value.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from mpmath import mp

Number = Any  # mpmath has no types: an mpf, or an mpc inside `complex_step`
Mode = Literal["full", "cec", "local", "window"]


class Trace(NamedTuple):
    """The forward pass, each a list of T numbers; slope_k is s'(z^k), or tanh' for c; kappa is J3."""

    f: list[Number]
    i: list[Number]
    o: list[Number]
    g: list[Number]
    C: list[Number]
    h: list[Number]
    y: list[Number]
    tanh_C: list[Number]
    slope_f: list[Number]
    slope_i: list[Number]
    slope_o: list[Number]
    slope_c: list[Number]
    slope_y: list[Number]
    kappa: list[Number]


class Gradients(NamedTuple):
    """params: 14 numbers, x: T, dh and dC: the adjoints of steps 0..T; h0 and C0 are their first entries.

    steps: by name those of steps 1..T, as in `fastlstm.StepGradients`. dh, dC and steps are None from
    `central_differences` and `complex_step`.
    """

    params: list[Number]
    x: list[Number]
    h0: Number
    C0: Number
    dh: list[Number] | None = None
    dC: list[Number] | None = None
    steps: dict[str, list[Number]] | None = None


def number(value: Any) -> Number:
    """value as an mpf at the working precision; ints and floats, NumPy's included, are taken exactly."""
    if isinstance(value, int | float | mp.mpf):
        return mp.mpf(value)
    numerator, denominator = value.as_integer_ratio()
    return mp.mpf(numerator) / denominator


def sigmoid_and_slope(z: Number) -> tuple[Number, Number]:
    """S1 and S2 from one exponential."""
    e = mp.exp(-abs(z))
    s = 1 / (1 + e)
    slope = e * s * s
    return (s if z >= 0 else e * s), slope


def tanh_and_slope(z: Number) -> tuple[Number, Number]:
    """tanh z and S3."""
    e = mp.exp(-2 * abs(z))
    return mp.tanh(z), 4 * e / (1 + e) ** 2


def forward(
    params: Sequence[Number], x: Sequence[Number], h0: Number = 0, C0: Number = 0, *, digits: int = 50
) -> Trace:
    """Run the unit over x."""
    with mp.workdps(digits):
        W_hf, W_xf, b_f, W_hi, W_xi, b_i, W_ho, W_xo, b_o, W_hc, W_xc, b_c, W_y, b_y = map(number, params)
        h, C = number(h0), number(C0)
        trace = Trace(*([] for _ in Trace._fields))
        for x_t in map(number, x):
            f, slope_f = sigmoid_and_slope(W_hf * h + W_xf * x_t + b_f)  # F1, F2
            i, slope_i = sigmoid_and_slope(W_hi * h + W_xi * x_t + b_i)
            o, slope_o = sigmoid_and_slope(W_ho * h + W_xo * x_t + b_o)
            g, slope_c = tanh_and_slope(W_hc * h + W_xc * x_t + b_c)  # F3
            C = f * C + i * g  # F4
            tanh_C, slope_C = tanh_and_slope(C)
            h = o * tanh_C  # F5
            y, slope_y = sigmoid_and_slope(W_y * h + b_y)  # F6, F7
            kappa = o * slope_C  # J3
            now = (f, i, o, g, C, h, y, tanh_C, slope_f, slope_i, slope_o, slope_c, slope_y, kappa)
            for column, value in zip(trace, now, strict=True):
                column.append(value)
        return trace


def gradients(
    params: Sequence[Number],
    x: Sequence[Number],
    dy: Sequence[Number] | None,
    h0: Number = 0,
    C0: Number = 0,
    mode: Mode = "full",
    *,
    delta: Sequence[Number] | None = None,
    window: int = 1,
    dh_T: Number = 0,
    dC_T: Number = 0,
    digits: int = 50,
) -> Gradients:
    """Backpropagate dy, or delta = dL/dz^y where that is given, through the unit.

    window: the steps of a window, for that mode; dh_T, dC_T: what comes in through the last state.
    """
    trace = forward(params, x, h0, C0, digits=digits)
    with mp.workdps(digits):
        W_hf, W_xf, _, W_hi, W_xi, _, W_ho, W_xo, _, W_hc, W_xc, _, W_y, _ = map(number, params)
        h_before = [number(h0), *trace.h[:-1]]
        C_before = [number(C0), *trace.C[:-1]]
        if delta is None:
            assert dy is not None, "one of dy and delta is needed"
            delta = [number(dy_t) * slope for dy_t, slope in zip(dy, trace.slope_y, strict=True)]  # B1
        total = [mp.zero] * 14
        dx: list[Number] = []
        dh: list[Number] = []
        dC: list[Number] = []
        steps: dict[str, list[Number]] = {}
        # what reaches h_t and C_t from step t + 1: the sum in B2, and f dC in B3
        dh_next, dC_next = number(dh_T), number(dC_T)
        for t in reversed(range(len(x))):
            delta_t = number(delta[t])
            dh_t = W_y * delta_t + dh_next  # B2
            dC_t = dh_t * trace.kappa[t] + dC_next  # B3
            do, df = dh_t * trace.tanh_C[t], dC_t * C_before[t]  # B4, B5
            di, dg = dC_t * trace.g[t], dC_t * trace.i[t]  # B6, B7
            dz_f, dz_i = df * trace.slope_f[t], di * trace.slope_i[t]  # B8
            dz_o, dz_c = do * trace.slope_o[t], dg * trace.slope_c[t]
            x_t = number(x[t])
            step = [
                term
                for dz in (dz_f, dz_i, dz_o, dz_c)
                for term in (dz * h_before[t], dz * x_t, dz)  # B9, B10, B11
            ]
            step += [delta_t * trace.h[t], delta_t]  # B12, B13
            total = [sum_ + term for sum_, term in zip(total, step, strict=True)]
            dx.append(W_xf * dz_f + W_xi * dz_i + W_xo * dz_o + W_xc * dz_c)  # B14
            dh.append(dh_t)
            dC.append(dC_t)
            now = {"dh": dh_t, "dC": dC_t, "df": df, "di": di, "do": do, "dg": dg}
            now |= {"dz_f": dz_f, "dz_i": dz_i, "dz_o": dz_o, "dz_c": dz_c, "dz_y": delta_t}
            now |= dict(zip(("dW_hf_t", "dW_hi_t", "dW_ho_t", "dW_hc_t"), step[0:12:3], strict=True))
            for name, value in now.items():
                steps.setdefault(name, []).insert(0, value)
            dh_next = dC_next = mp.zero
            if mode == "full" or (mode == "window" and (t == 0 or t % window > 0)):  # t counts from 0
                dh_next = W_hf * dz_f + W_hi * dz_i + W_ho * dz_o + W_hc * dz_c  # B2, and B15 at t = 1
            if mode in ("full", "cec") or (mode == "window" and (t == 0 or t % window > 0)):
                dC_next = trace.f[t] * dC_t  # B3, and B16 at t = 1
        dh.append(dh_next)
        dC.append(dC_next)
        return Gradients(total, dx[::-1], dh_next, dC_next, dh[::-1], dC[::-1], steps)


def objective(
    params: Sequence[Number],
    x: Sequence[Number],
    dy: Sequence[Number],
    h0: Number,
    C0: Number,
    seen: Callable[[int, Number, Number], tuple[Number, Number]],
) -> Number:
    """sum_t dy_t y_t in textbook formulas, at the caller's working precision, for real or complex arguments.

    `seen` turns (t, C_{t-1}, h_{t-1}) into the values that step t + 1 sees, counting t from 0: a truncated
    gradient is the true gradient of a unit in which some of them are constants.
    """
    W_hf, W_xf, b_f, W_hi, W_xi, b_i, W_ho, W_xo, b_o, W_hc, W_xc, b_c, W_y, b_y = params
    C, h, total = C0, h0, mp.zero
    for t, (x_t, dy_t) in enumerate(zip(x, dy, strict=True)):
        C, h = seen(t, C, h)
        f = _sigmoid(W_hf * h + W_xf * x_t + b_f)
        i = _sigmoid(W_hi * h + W_xi * x_t + b_i)
        o = _sigmoid(W_ho * h + W_xo * x_t + b_o)
        g = _tanh(W_hc * h + W_xc * x_t + b_c)
        C = f * C + i * g
        h = o * _tanh(C)
        total += dy_t * _sigmoid(W_y * h + b_y)
    return total


def central_differences(
    params: Sequence[Number],
    x: Sequence[Number],
    dy: Sequence[Number],
    h0: Number = 0,
    C0: Number = 0,
    mode: Mode = "full",
    *,
    digits: int = 50,
) -> Gradients:
    """Gradients from differences of `objective` alone, with an absolute error of about 10^(-2 digits / 3)."""
    with mp.workdps(digits):
        step = mp.mpf(10) ** (-digits // 3)
        return _one_at_a_time(
            lambda evaluate, at: (evaluate(at + step) - evaluate(at - step)) / (2 * step),
            *(params, x, dy, h0, C0, mode),
        )


def complex_step(
    params: Sequence[Number],
    x: Sequence[Number],
    dy: Sequence[Number],
    h0: Number = 0,
    C0: Number = 0,
    mode: Mode = "full",
    *,
    inputs: bool = True,
    digits: int = 50,
) -> Gradients:
    """Gradients from Im objective(v + i step) / step: no difference is taken, so the error is relative.

    It therefore also checks gradients far below 10^-digits, which central differences cannot see. The objective is
    evaluated once for each gradient; without `inputs` x stays empty, which spares T evaluations.
    """
    with mp.workdps(2 * digits):  # `_tanh` cancels near 0
        step = mp.mpf(10) ** (-10 * digits)
        return _one_at_a_time(
            lambda evaluate, at: mp.im(evaluate(mp.mpc(at, step))) / step,
            *(params, x, dy, h0, C0, mode),
            inputs=inputs,
        )


def log10_abs(value: Number) -> float:
    """log10 |value| as a float, whatever its size; -inf for 0."""
    with mp.workdps(30):
        return float(mp.log10(abs(value))) if value else float("-inf")


def log10_norm(values: Iterable[Number]) -> float:
    """log10 of the Euclidean norm, whatever its size; -inf where all values are 0."""
    with mp.workdps(30):
        return log10_abs(mp.sqrt(mp.fsum(value * value for value in values)))


def _one_at_a_time(
    derivative: Callable[[Callable[[Number], Number], Number], Number],
    params: Sequence[Number],
    x: Sequence[Number],
    dy: Sequence[Number],
    h0: Number,
    C0: Number,
    mode: Mode,
    *,
    inputs: bool = True,
) -> Gradients:
    """Apply derivative(function of one number, where) to each of the 14 + T + 2 arguments, or to all but x."""
    at = [number(value) for value in (*params, *x, h0, C0)]
    dy = [number(value) for value in dy]
    recorded = forward(params, x, h0, C0, digits=mp.dps)
    h_before = [number(h0), *recorded.h]
    C_before = [number(C0), *recorded.C]

    def seen(t: int, C: Number, h: Number) -> tuple[Number, Number]:
        return C_before[t] if mode == "local" else C, h if mode == "full" else h_before[t]

    def with_one_replaced(index: int) -> Callable[[Number], Number]:
        def evaluate(value: Number) -> Number:
            values = [*at[:index], value, *at[index + 1 :]]
            return objective(values[:14], values[14:-2], dy, values[-2], values[-1], seen)

        return evaluate

    wanted = [index for index in range(len(at)) if inputs or not 14 <= index < len(at) - 2]
    slopes = [derivative(with_one_replaced(index), at[index]) for index in wanted]
    return Gradients(params=slopes[:14], x=slopes[14:-2], h0=slopes[-2], C0=slopes[-1])


def _sigmoid(z: Number) -> Number:
    return 1 / (1 + mp.exp(-z))


def _tanh(z: Number) -> Number:
    return 1 - 2 / (1 + mp.exp(2 * z))
