"""The figures of docs/derivation.md: its counterexample, its bounds, and what the source solution's gradients cost.

Nothing in this file imports fastlstm's kernels: the numbers are those of the oracles.
"""

from typing import Any

import numpy as np
import pytest
from mpmath import mp
from named_params import named

from fastlstm.oracles import exact, naive

Array = naive.Array


# The counterexample: forget gate open, input gate shut, and the gradient explodes


def counterexample(**changes: float) -> Array:
    values: dict[str, float] = {"W_hf": 0.5, "W_hi": 0.5, "W_hc": 0.5, "W_ho": 20, "W_xo": 1}
    return named(**values | {"b_f": 7, "b_i": -7, "b_c": 1.4722, "b_o": -7.2} | changes)


def recorded_inputs(params: Array, steps: int) -> Array:
    """x_t = sin(t) / 2 - W_ho h_{t-1} - b_o from h_0 = 0.36, C_0 = 0.9: they hold z^o at sin(t) / 2.

    The orbit is unstable, so a replay finds it again only in the arithmetic that recorded it.
    """
    h, C = np.array([0.36]), np.array([0.9])
    x = np.empty((1, steps))
    for t in range(steps):
        x[:, t] = np.sin(t) / 2 - params[0, 6] * h - params[0, 8]
        trace = naive.forward(params, x[:, t : t + 1], h, C)
        h, C = trace.h[:, 0], trace.C[:, 0]
    return x


def growth_of_h(params: Array, x: Array) -> Array:
    """|dh_t / dh_0| for t = 1..T from h_0 = 0.36, C_0 = 0.9."""
    state = np.array([0.0, 1.0])
    growth = []
    for J in naive.jacobians(params, x, 0.36, 0.9)[0]:
        state = J @ state
        growth.append(abs(state[1]))
    return np.array(growth)


def test_counterexample_explodes_with_saturated_forget_and_input_gates() -> None:
    params = counterexample()
    x = recorded_inputs(params, 60)
    trace = naive.forward(params, x, 0.36, 0.9)
    assert trace.f.min() > 0.9992
    assert trace.i.max() < 0.001142
    growth = growth_of_h(params, x)[[9, 19, 39, 59]]
    np.testing.assert_allclose(growth, [2.62888e5, 7.04118e10, 5.09657e21, 4.12514e32], rtol=1e-5)


def test_counterexample_found_by_backpropagation_too() -> None:
    params = counterexample(W_y=1)
    x = recorded_inputs(params, 60)
    dy = np.zeros_like(x)
    dy[0, -1] = 4.0
    full, local = (naive.gradients(params, x, dy, 0.36, 0.9, mode) for mode in ("full", "local"))
    slope = naive.sigmoid_slope(naive.forward(params, x, 0.36, 0.9).z_y[0, -1])
    assert abs(full.h0[0]) / (4 * slope) == pytest.approx(4.12514e32, rel=1e-5)
    assert np.linalg.norm(full.params) > 1e31
    assert np.linalg.norm(local.params) < 1.2


def test_counterexample_with_W_ho_below_four_does_not_explode() -> None:
    params = counterexample(W_ho=3.9)
    growth = growth_of_h(params, recorded_inputs(params, 60))
    assert growth[9] == pytest.approx(0.02307, rel=1e-3)
    assert growth[9:].max() < 0.03


def test_what_is_left_below_four_is_the_cell_path() -> None:
    """The path h -> o -> h is gone after 60 steps; the cell holds what it got at the start."""
    through_o_alone = counterexample(W_ho=3.9, W_hf=0, W_hi=0, W_hc=0)
    assert growth_of_h(through_o_alone, recorded_inputs(through_o_alone, 60))[-1] < 1e-10
    params = counterexample(W_ho=3.9)
    assert 0.001 < growth_of_h(params, recorded_inputs(params, 1000))[-1] < 0.003


def test_exact_arithmetic_confirms_the_counterexample_and_shows_that_rounded_inputs_lose_it() -> None:
    params = counterexample(W_y=1)[0].tolist()
    steps, digits = 60, 90

    def growth(x: list[Any]) -> Any:
        slope = exact.forward(params, x, h0, C0, digits=digits).slope_y[-1]
        dy = [0] * (steps - 1) + [1]
        return abs(exact.gradients(params, x, dy, h0, C0, digits=digits).h0) / slope

    with mp.workdps(digits):
        h0, C0 = mp.mpf(0.36), mp.mpf(0.9)
        h, C, x = h0, C0, []
        for t in range(steps):
            x.append(mp.sin(t) / 2 - 20 * h - mp.mpf(-7.2))
            trace = exact.forward(params, x[-1:], h, C, digits=digits)
            h, C = trace.h[0], trace.C[0]
        assert float(growth(x)) == pytest.approx(4.12514e32, rel=1e-5)
        rounded = [mp.mpf(float(x_t)) for x_t in x]
        assert float(growth(rounded)) < 1e20
        orbits = (exact.forward(params, inputs, h0, C0, digits=digits).h for inputs in (x, rounded))
        assert max(abs(kept - lost) for kept, lost in list(zip(*orbits, strict=True))[:40]) > 0.1


# With inputs that do not know the state an explosion is rare, and its mean is bounded


def test_h_T_is_monotone_in_h_0_and_the_mean_slope_is_below_one_half() -> None:
    """W_hf = W_hi = W_hc = 0, h_0 ~ U(-1, 1): mean = |h_T(1) - h_T(-1)| / 2 < |tanh C_T| / 2 < 1/2."""
    random = np.random.default_rng(15)
    points, steps = 20001, 6
    h0 = np.linspace(-1, 1, points)
    for _ in range(20):
        params = random.normal(0, 2, (1, 14))
        params[0, [naive.NAMES.index(name) for name in ("W_hf", "W_hi", "W_hc")]] = 0
        params[0, naive.NAMES.index("W_ho")] = random.choice([-30, -8, 8, 30])
        x = random.normal(size=(1, steps))
        many_params, many_x = np.repeat(params, points, axis=0), np.repeat(x, points, axis=0)
        trace = naive.forward(many_params, many_x, h0)
        slope = naive.jacobians(many_params, many_x, h0)[:, :, 1, 1].prod(axis=1)
        assert np.all(slope >= 0) or np.all(slope <= 0)
        mean = abs(trace.h[-1, -1] - trace.h[0, -1]) / 2
        assert mean < abs(np.tanh(trace.C[0, -1])) / 2
        assert np.trapezoid(np.abs(slope), h0) / 2 == pytest.approx(mean, rel=1e-3, abs=1e-12)


def through_the_output_gate() -> Array:
    return counterexample(W_hf=0, W_hi=0, W_hc=0)


def slopes_over_h0(steps: int, h0: Array) -> Array:
    """|dh_T/dh_0| along the recorded inputs, from other h_0 than the one they were recorded for."""
    params = through_the_output_gate()
    x = recorded_inputs(params, steps)
    J = naive.jacobians(np.repeat(params, len(h0), axis=0), np.repeat(x, len(h0), axis=0), h0, 0.9)
    slopes: Array = np.abs(J[:, :, 1, 1].prod(axis=1))
    return slopes


def test_sample_mean_of_a_heavy_tail_misses_the_mean() -> None:
    params, steps = through_the_output_gate(), 20
    ends = naive.forward(
        np.repeat(params, 2, axis=0), np.repeat(recorded_inputs(params, steps), 2, axis=0), [-1, 1], 0.9
    ).h[:, -1]
    assert abs(ends[1] - ends[0]) / 2 == pytest.approx(0.3569, abs=1e-4)
    sample = slopes_over_h0(steps, np.random.default_rng(16).uniform(-1, 1, 100_000))
    assert sample.mean() < 1e-10


def test_tail_over_h_0_is_of_order_one_over_K_and_below_the_bound() -> None:
    """The worst T for each K, by quadrature in log |h_0 - 0.36|, because samples do not find the tail."""
    distance = np.geomspace(1e-12, 0.6, 3000)
    h0 = np.concatenate([0.36 - distance[::-1], 0.36 + distance])
    weight = np.gradient(h0) / 2
    tails = np.zeros(3)
    K = np.array([1e1, 1e3, 1e5])
    for steps in range(1, 15):
        tails = np.maximum(tails, weight @ (slopes_over_h0(steps, h0)[:, None] > K))
    assert np.all(tails * K < 0.16)
    assert np.all(tails * K > 0.13)


# What the source solution's gradients cost


def random_problems(draws: int = 20_000, steps: int = 20) -> tuple[Array, Array, Array]:
    """params, x, dy: parameters and inputs N(0, 1), targets U(0, 1), squared error at every step."""
    random = np.random.default_rng(17)
    params, x = random.normal(size=(draws, 14)), random.normal(size=(draws, steps))
    trace = naive.forward(params, x)
    return params, x, naive.loss_and_dy("mse", trace.y, random.uniform(size=x.shape), trace.z_y).dy


def cost(wrong: Array, right: Array) -> tuple[float, float, float]:
    """Relative error of the 14-vector (median, 95%) and the share of draws with the wrong sign of dW_hi."""
    error = np.linalg.norm(wrong - right, axis=1) / np.linalg.norm(right, axis=1)
    W_hi = naive.NAMES.index("W_hi")
    wrong_sign = np.sign(wrong[:, W_hi]) != np.sign(right[:, W_hi])
    return float(np.median(error)), float(np.quantile(error, 0.95)), float(wrong_sign.mean())


def gradients_with_f_t_for_f_next(params: Array, x: Array, dy: Array) -> Array:
    """The 14 gradients with the source's slip dC_t = dh_t kappa_t + f_t dC_{t+1}, and no other."""
    p, trace = naive.Parameters(*params.T), naive.forward(params, x)
    total = np.zeros_like(params)
    zero = np.zeros(len(x))
    dh_next = dC_next = zero
    for t in reversed(range(x.shape[1])):
        now = naive.Trace(*(column[:, t] for column in trace))
        h_before, C_before = (trace.h[:, t - 1], trace.C[:, t - 1]) if t else (zero, zero)
        delta = dy[:, t] * naive.sigmoid_slope(now.z_y)
        dh = p.W_y * delta + dh_next
        dC = dh * now.o * naive.tanh_slope(now.C) + now.f * dC_next
        dz_f = dC * C_before * naive.sigmoid_slope(now.z_f)
        dz_i = dC * now.g * naive.sigmoid_slope(now.z_i)
        dz_o = dh * np.tanh(now.C) * naive.sigmoid_slope(now.z_o)
        dz_c = dC * now.i * naive.tanh_slope(now.z_c)
        terms = [term for dz in (dz_f, dz_i, dz_o, dz_c) for term in (dz * h_before, dz * x[:, t], dz)]
        total += np.stack([*terms, delta * now.h, delta], axis=1)
        dh_next = p.W_hf * dz_f + p.W_hi * dz_i + p.W_ho * dz_o + p.W_hc * dz_c
        dC_next = dC
    return total


def test_truncated_gradients_cost_what_the_derivation_says() -> None:
    problem = random_problems()
    right = naive.gradients(*problem).params
    within = [0.001, 0.02, 0.005]  # four standard errors of the three figures, and a little more
    cec = cost(naive.gradients(*problem, mode="cec").params, right)
    assert np.all(np.abs(np.subtract(cec, [0.0177, 0.219, 0.0253])) < within), cec
    local = cost(naive.gradients(*problem, mode="local").params, right)
    assert np.all(np.abs(np.subtract(local, [0.0504, 0.382, 0.0930])) < [0.0025, 0.022, 0.008]), local
    gates = slice(0, 12)
    medians: dict[naive.Mode, float] = {"cec": 0.128, "local": 0.378}
    for mode, median in medians.items():
        wrong = naive.gradients(*problem, mode=mode).params
        assert cost(wrong[:, gates], right[:, gates])[0] == pytest.approx(median, abs=0.006)


def test_f_t_for_f_next_costs_what_the_derivation_says() -> None:
    problem = random_problems()
    slip = cost(gradients_with_f_t_for_f_next(*problem), naive.gradients(*problem).params)
    assert np.all(np.abs(np.subtract(slip, [0.0127, 0.141, 0.0443])) < [0.001, 0.02, 0.006]), slip


def test_local_gradient_is_bounded_for_every_gate_value() -> None:
    """|dz^i_t| <= |W_y dy_t| / 16 in mode local, so its bound explains nothing about f -> 1 and i -> 0."""
    random = np.random.default_rng(18)
    params = random.uniform(-8, 8, (5000, 14))
    x, dy = random.normal(size=(2, 5000, 1))
    C0 = random.normal(0, 3, 5000)
    W_y, b_i = naive.NAMES.index("W_y"), naive.NAMES.index("b_i")
    dz_i = naive.gradients(params, x, dy, 0.0, C0, "local").params[:, b_i]
    ratio = np.abs(dz_i) / np.abs(params[:, W_y] * dy[:, 0])
    assert ratio.max() <= 1 / 16
