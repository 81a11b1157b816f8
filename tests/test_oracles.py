"""The two oracles, naive.py and exact.py, proved right: against each other, against differences that know no
calculus, and against closed forms.

Nothing in this file imports fastlstm.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest
from mpmath import mp
from named_params import named
from numpy.typing import DTypeLike

from fastlstm.oracles import exact, naive

Array = naive.Array

MODES: tuple[naive.Mode, ...] = ("full", "cec", "local")
DTYPES = (np.float32, np.float64, np.longdouble)


class Example(NamedTuple):
    params: Array
    x: Array
    dy: Array
    h0: Array
    C0: Array


def example(seed: int, steps: int, dtype: DTypeLike = np.float64) -> Example:
    """One draw, all of it N(0, 1) and exactly representable in float32."""
    normal = np.random.default_rng(seed).standard_normal
    shapes = ((1, 14), (1, steps), (1, steps), 1, 1)
    return Example(*(normal(shape).astype(np.float32).astype(dtype) for shape in shapes))


def flat(gradients: Any) -> list[Any]:
    """All 14 + T + 2 gradients of the first draw as one list."""
    if isinstance(gradients, naive.Gradients):
        return [*gradients.params[0], *gradients.x[0], gradients.h0[0], gradients.C0[0]]
    return [*gradients.params, *gradients.x, gradients.h0, gradients.C0]


def worst_error(values: Any, reference: Any) -> float:
    """Largest difference, relative to the largest component of the reference."""
    with mp.workdps(120):
        differences = [abs(exact.number(value) - true) for value, true in zip(values, reference, strict=True)]
        return float(max(differences) / max(abs(true) for true in reference))


def worst_relative_error(values: Any, reference: Any) -> float:
    """Largest error of a component relative to that component; a true 0 must be 0."""
    with mp.workdps(120):
        pairs = list(zip(map(exact.number, values), map(exact.number, reference), strict=True))
        assert all(value == 0 for value, true in pairs if true == 0)
        return float(max(abs(value - true) / abs(true) for value, true in pairs if true != 0))


# The elementary functions


@pytest.mark.parametrize("dtype", DTYPES)
def test_slopes_keep_their_relative_accuracy_until_they_underflow(dtype: DTypeLike) -> None:
    furthest = -float(np.log(np.finfo(dtype).smallest_normal)) / 2.1
    z = np.concatenate([np.geomspace(1e-3, furthest, 150), [0.0, 17.0, 37.0]]).astype(dtype)
    z = np.concatenate([z, -z])
    with mp.workdps(60):
        s = [1 / (1 + mp.exp(-exact.number(value))) for value in z]
        s_slope = [mp.exp(-exact.number(value)) / (1 + mp.exp(-exact.number(value))) ** 2 for value in z]
        t_slope = [mp.sech(exact.number(value)) ** 2 for value in z]
    few_ulp = 6 * float(np.finfo(dtype).eps)
    assert worst_relative_error(naive.sigmoid(z), s) < few_ulp
    assert worst_relative_error(naive.sigmoid_slope(z), s_slope) < few_ulp
    assert worst_relative_error(naive.tanh_slope(z), t_slope) < few_ulp


def test_slope_written_as_a_product_is_lost_where_the_slope_is_not() -> None:
    z = np.array([40.0])
    s = naive.sigmoid(z)
    assert s * (1 - s) == 0
    assert naive.sigmoid_slope(z) == pytest.approx(4.248354255291589e-18, rel=1e-14)


# exact.py against functions that know no calculus


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_exact_gradients_equal_central_differences(mode: naive.Mode, steps: int) -> None:
    params, x, dy, h0, C0 = (values.squeeze(0).tolist() for values in example(1, steps))
    gradients = exact.gradients(params, x, dy, h0, C0, mode)
    assert worst_error(flat(gradients), flat(exact.central_differences(params, x, dy, h0, C0, mode))) < 1e-28


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_exact_gradients_equal_complex_steps(mode: naive.Mode, steps: int) -> None:
    params, x, dy, h0, C0 = (values.squeeze(0).tolist() for values in example(2, steps))
    gradients = exact.gradients(params, x, dy, h0, C0, mode)
    assert worst_error(flat(gradients), flat(exact.complex_step(params, x, dy, h0, C0, mode))) < 1e-46


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "biases",
    [
        {"b_f": 700.0, "b_i": -700.0, "b_o": 300.0, "b_c": 40.0},
        {"b_f": -1e6, "b_i": 1e6, "b_o": -3e5, "b_c": -1e6},
        {"b_f": 7.0, "b_i": -1e6, "b_o": -7.2, "b_y": 5000.0},
    ],
)
def test_exact_gradients_of_saturated_gates_are_exact_in_every_component(
    mode: naive.Mode, biases: dict[str, float]
) -> None:
    params, x, dy, h0, C0 = (values.squeeze(0).tolist() for values in example(3, 4))
    for name, value in biases.items():
        params[naive.NAMES.index(name)] = value
    gradients = exact.gradients(params, x, dy, h0, C0, mode)
    reference = exact.complex_step(params, x, dy, h0, C0, mode)
    assert worst_relative_error(flat(gradients), flat(reference)) < 1e-40
    assert min(map(exact.log10_abs, gradients.params)) < -300


# naive.py against exact.py


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("steps", [1, 2, 33])
def test_twin_equals_exact(dtype: DTypeLike, mode: naive.Mode, steps: int) -> None:
    params, x, dy, h0, C0 = example(4, steps, dtype)
    twin = naive.gradients(params, x, dy, h0, C0, mode)
    trace = naive.forward(params, x, h0, C0)
    reference = exact.gradients(params[0], x[0], dy[0], h0[0], C0[0], mode)
    reference_trace = exact.forward(params[0], x[0], h0[0], C0[0])
    rounding = 50 * float(np.finfo(dtype).eps)
    for name in ("f", "i", "o", "g", "C", "h", "y"):
        column = getattr(trace, name)
        assert column.dtype == dtype
        assert column.shape == (1, steps)
        assert worst_error(column[0], getattr(reference_trace, name)) < rounding
    assert all(column.dtype == dtype for column in twin)
    assert worst_error(flat(twin), flat(reference)) < rounding
    assert worst_error(twin.dh[0], reference.dh) < rounding
    assert worst_error(twin.dC[0], reference.dC) < rounding


@pytest.mark.parametrize("mode", MODES)
def test_twin_with_saturated_gates_equals_exact_in_every_component(mode: naive.Mode) -> None:
    params, x, dy, h0, C0 = example(5, 5)
    for name, value in {"b_f": 120.0, "b_i": -90.0, "b_o": 60.0, "b_c": 25.0, "b_y": -200.0}.items():
        params[0, naive.NAMES.index(name)] = value
    twin = flat(naive.gradients(params, x, dy, h0, C0, mode))
    reference = flat(exact.gradients(params[0], x[0], dy[0], h0[0], C0[0], mode))
    # z = 200 is known to half an ulp of 200, and exp(-z) turns that absolute error into a relative one.
    assert worst_relative_error(twin, reference) < 200 * 10 * float(np.finfo(np.float64).eps)


def test_twin_treats_draws_independently() -> None:
    draws = [example(seed, 9) for seed in range(5)]
    p, x, dy, h0, C0 = (np.concatenate(values) for values in zip(*draws, strict=True))
    together = naive.gradients(p, x, dy, h0, C0)
    for row, draw in enumerate(draws):
        alone = naive.gradients(draw.params, draw.x, draw.dy, draw.h0, draw.C0)
        for column, values in zip(together, alone, strict=True):
            np.testing.assert_allclose(column[row], values[0], rtol=1e-13)


def test_unknown_mode_and_loss_are_refused() -> None:
    params, x, dy, *_ = example(6, 3)
    with pytest.raises(ValueError, match=r"'cec'.*'bptt'"):
        naive.gradients(params, x, dy, mode="bptt")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"'bce'.*'l1'"):
        naive.loss_and_dy("l1", x, 0.0, x)  # type: ignore[arg-type]


# What the adjoints and the modes mean


def test_adjoints_of_step_t_split_into_this_step_and_the_gradient_of_the_steps_after_it() -> None:
    """J8: dh_t = W_y delta_t + what the suffix gives h_t; dC_t = kappa_t dh_t + what it gives C_t."""
    params, x, dy, h0, C0 = example(7, 12)
    trace, whole = naive.forward(params, x, h0, C0), naive.gradients(params, x, dy, h0, C0)
    W_y = params[0, naive.NAMES.index("W_y")]
    for t in range(1, 12):
        now = t - 1
        suffix = naive.gradients(params, x[:, t:], dy[:, t:], trace.h[:, now], trace.C[:, now])
        delta = dy[0, now] * naive.sigmoid_slope(trace.z_y[0, now])
        kappa = trace.o[0, now] * naive.tanh_slope(trace.C[0, now])
        assert whole.dh[0, t] == pytest.approx(W_y * delta + suffix.h0[0], rel=1e-11)
        assert whole.dC[0, t] == pytest.approx(kappa * whole.dh[0, t] + suffix.C0[0], rel=1e-11)


def test_modes_agree_on_the_parameters_at_one_step() -> None:
    params, x, dy, h0, C0 = example(8, 1)
    full, cec, local = (naive.gradients(params, x, dy, h0, C0, mode) for mode in MODES)
    np.testing.assert_array_equal(full.params, cec.params)
    np.testing.assert_array_equal(full.params, local.params)
    np.testing.assert_array_equal(full.C0, cec.C0)
    assert full.h0 != 0
    assert cec.h0 == local.h0 == local.C0 == 0


def test_full_equals_cec_without_recurrent_weights() -> None:
    params, x, dy, h0, C0 = example(9, 15)
    for name in ("W_hf", "W_hi", "W_ho", "W_hc"):
        params[0, naive.NAMES.index(name)] = 0
    full, cec, local = (naive.gradients(params, x, dy, h0, C0, mode) for mode in MODES)
    np.testing.assert_array_equal(full.params, cec.params)
    assert np.abs(full.params - local.params).max() > 1e-5


# The state Jacobian


def test_jacobian_equals_central_differences() -> None:
    params, x, _, h0, C0 = example(10, 1, np.longdouble)
    step = np.longdouble(2.0**-14)
    columns = []
    for dC, dh in ((step, 0), (0, step)):
        ahead, behind = (naive.forward(params, x, h0 + s * dh, C0 + s * dC) for s in (1, -1))
        columns.append([(ahead.C - behind.C) / (2 * step), (ahead.h - behind.h) / (2 * step)])
    differences = np.array(columns).reshape(2, 2).T
    np.testing.assert_allclose(naive.jacobians(params, x, h0, C0)[0, 0], differences, rtol=1e-6, atol=1e-9)


def test_determinant_of_the_jacobian_is_f_times_b() -> None:
    params, x, _, h0, C0 = example(11, 40)
    trace = naive.forward(params, x, h0, C0)
    b = np.tanh(trace.C) * naive.sigmoid_slope(trace.z_o) * params[0, naive.NAMES.index("W_ho")]
    determinant = np.linalg.det(naive.jacobians(params, x, h0, C0))
    np.testing.assert_allclose(determinant, trace.f * b, rtol=1e-9, atol=1e-16)


def test_product_of_the_jacobians_equals_the_adjoint() -> None:
    """With a loss on y_T alone, (dC_0, dh_0) = (0, W_y delta_T) J_T ... J_1."""
    params, x, _, h0, C0 = example(12, 25, np.longdouble)
    dy = np.zeros_like(x)
    dy[0, -1] = 1
    product = np.eye(2, dtype=np.longdouble)
    for J in naive.jacobians(params, x, h0, C0)[0]:
        product = J @ product
    trace, gradients = naive.forward(params, x, h0, C0), naive.gradients(params, x, dy, h0, C0)
    W_y_delta = params[0, naive.NAMES.index("W_y")] * naive.sigmoid_slope(trace.z_y[0, -1])
    np.testing.assert_allclose(
        W_y_delta * product[1],
        [gradients.C0[0], gradients.h0[0]],
        rtol=2e4 * float(np.finfo(np.longdouble).eps),
    )


def test_bounds_on_the_parts_of_the_jacobian_bound_the_product() -> None:
    """P3: |J_T ... J_1| <= M^T, and rho(M) < 1 exactly where b < 1 and (1 - f)(1 - b) > kappa a."""
    random = np.random.default_rng(13)
    for _ in range(300):
        f, b, kappa, a = random.uniform(0, [1, 1.5, 1, 0.5])
        M = np.array([[f, a], [kappa * f, kappa * a + b]])
        contracts = b < 1 and (1 - f) * (1 - b) > kappa * a
        assert (np.abs(np.linalg.eigvals(M)).max() < 1) == contracts
        product, bound = np.eye(2), np.eye(2)
        for _ in range(20):
            f_t, b_t, kappa_t, a_t = (f, b, kappa, a) * random.uniform([0, -1, 0, -1], 1)
            product = np.array([[f_t, a_t], [kappa_t * f_t, kappa_t * a_t + b_t]]) @ product
            bound = M @ bound
        assert np.all(np.abs(product) <= bound * (1 + 1e-12))


# Closed forms


def test_without_W_hf_W_hi_W_hc_the_jacobian_product_has_its_closed_form() -> None:
    """dC_T/dC_0 = prod f; dh_T/dh_0 = prod b; dh_T/dC_0 = sum_k (prod_{j>k} b_j) kappa_k prod_{j<=k} f_j."""
    params, x, _, h0, C0 = example(14, 18)
    params[0, [naive.NAMES.index(name) for name in ("W_hf", "W_hi", "W_hc")]] = 0
    params[0, naive.NAMES.index("W_ho")] = 6
    trace = naive.forward(params, x, h0, C0)
    f, o, C = trace.f[0], trace.o[0], trace.C[0]
    b = np.tanh(C) * naive.sigmoid_slope(trace.z_o[0]) * 6
    kappa = o * naive.tanh_slope(C)
    product = np.eye(2)
    for T, J in enumerate(naive.jacobians(params, x, h0, C0)[0], start=1):
        product = J @ product
        h_by_C = sum(b[k + 1 : T].prod() * kappa[k] * f[: k + 1].prod() for k in range(T))
        expected = [[f[:T].prod(), 0], [h_by_C, b[:T].prod()]]
        np.testing.assert_allclose(product, expected, rtol=1e-12)


def test_forget_gates_of_a_uniform_gate_unit_survive_one_time_in_T_plus_one() -> None:
    """b_f = logit of a uniform u makes every f_t = u, and E[u^T] = 1 / (T + 1); checked by midpoints of u."""
    draws, steps = 4000, 20
    u = (np.arange(draws) + 0.5) / draws
    params = np.zeros((draws, 14))
    params[:, naive.NAMES.index("b_f")] = np.log(u / (1 - u))
    forget = naive.forward(params, np.zeros((draws, steps))).f.prod(axis=1)
    assert forget.mean() == pytest.approx(1 / (steps + 1), rel=1e-5)


def test_chrono_biases_at_zero_weights_make_forget_and_input_gate_add_to_one() -> None:
    trace = naive.forward(named(b_f=np.log(37.5), b_i=-np.log(37.5), b_c=0.3), np.zeros((1, 5)))
    np.testing.assert_allclose(trace.f + trace.i, 1, rtol=1e-15)


def test_growth_beyond_every_float_is_exact_at_the_unstable_fixed_point_zero() -> None:
    """With h_0 = C_0 = W_xc = b_c = 0 the state stays exactly 0 in any arithmetic, a_t = i W_hc, kappa = o.

    So the orbit cannot be lost to rounding however fast it grows, and the gradient is a plain product.
    """
    steps = 600
    params = named(W_hf=1, W_xf=1, W_hi=2, W_xi=1, W_ho=3, W_xo=-1, W_hc=40, W_y=1)
    x = np.sin(np.arange(1.0, steps + 1))
    gradients = exact.gradients(params[0], x, [0] * (steps - 1) + [1])
    log10_h0 = np.log10(0.25)  # W_y s'(0)
    trace = naive.forward(params, x[None])
    assert not trace.C.any()
    assert not trace.h.any()
    product = np.array([0.0, 1.0])
    for t in reversed(range(steps)):
        f, i, o = trace.f[0, t], trace.i[0, t], trace.o[0, t]
        product = product @ np.array([[f, 40 * i], [o * f, o * 40 * i]])
        log10_h0 += np.log10(np.abs(product).max())
        product /= np.abs(product).max()
    log10_h0 += np.log10(abs(product[1]))
    assert exact.log10_abs(gradients.h0) == pytest.approx(log10_h0, rel=1e-13)
    assert exact.log10_abs(gradients.h0) == pytest.approx(582.099, abs=0.001)
    assert exact.log10_norm(gradients.params) == pytest.approx(580.663, abs=0.001)


def test_log10_helpers_reach_beyond_floats_and_know_zero() -> None:
    assert exact.log10_abs(-(mp.mpf(10) ** -70000)) == -70000
    huge = [mp.mpf(10) ** 5000 * 3, mp.mpf(10) ** 5000 * 4]
    assert exact.log10_norm(huge) == pytest.approx(5000 + np.log10(5))
    assert exact.log10_abs(mp.zero) == exact.log10_norm([mp.zero] * 14) == -np.inf


# Losses


@pytest.mark.parametrize(("kind", "target"), [("sum", 0.0), ("last", 0.0), ("mse", 0.3), ("mse", 1.0), ("bce", 0.3)])
@pytest.mark.parametrize("silent_steps", [0, 2, 5])
def test_loss_gradients_equal_central_differences(kind: naive.LossKind, target: float, silent_steps: int) -> None:
    z_y = np.random.default_rng(19).normal(0, 2, (1, 5)).astype(np.longdouble)
    loss = naive.loss_and_dy(kind, naive.sigmoid(z_y), target, z_y, silent_steps=silent_steps)
    np.testing.assert_allclose(loss.delta, loss.dy * naive.sigmoid_slope(z_y), rtol=1e-15)
    step = 2.0**-14
    for t in range(5):
        ahead, behind = z_y.copy(), z_y.copy()
        ahead[0, t] += step
        behind[0, t] -= step
        values = [
            naive.loss_and_dy(kind, naive.sigmoid(z), target, z, silent_steps=silent_steps).value[0]
            for z in (ahead, behind)
        ]
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(loss.delta[0, t], rel=1e-6, abs=1e-12)
        assert (loss.delta[0, t] == 0) == (t < silent_steps or (kind == "last" and t < 4))


def test_cross_entropy_keeps_its_gradient_where_the_slope_of_y_has_underflowed() -> None:
    z_y = np.array([[800.0, -800.0, 40.0]])
    target = np.array([[0.0, 1.0, 1.0]])
    loss = naive.loss_and_dy("bce", naive.sigmoid(z_y), target, z_y)
    np.testing.assert_allclose(loss.delta, [[1.0, -1.0, -4.248354255291589e-18]], rtol=1e-14)
    assert loss.value[0] == 1600


@pytest.mark.parametrize("mode", MODES)
def test_gradients_from_delta_equal_gradients_from_dy(mode: naive.Mode) -> None:
    params, x, _, h0, C0 = example(20, 8)
    trace = naive.forward(params, x, h0, C0)
    loss = naive.loss_and_dy("bce", trace.y, 0.3, trace.z_y)
    by_dy = flat(naive.gradients(params, x, loss.dy, h0, C0, mode))
    by_delta = flat(naive.gradients(params, x, None, h0, C0, mode, delta=loss.delta))
    by_exact = flat(exact.gradients(params[0], x[0], None, h0[0], C0[0], mode, delta=loss.delta[0]))
    assert worst_error(by_dy, by_delta) < 1e-14
    assert worst_error(by_delta, by_exact) < 1e-14
