"""Unlimited range: gradients, their logarithms and the product of the Jacobians where floats saturate, underflow and
overflow, against 50 and more digits and against closed forms.

A file of inputs with as many rows as there are steps has one window, so all draws of a spec here see the same inputs,
known to the bit. All specs share the loss `last`, dL/dy_T = 1, and groups, so that few kernels are compiled.
"""

import numpy as np
import pandas as pd
import pytest
import specs
from mpmath import mp
from scipy import stats

import fastlstm
from fastlstm.kernel import arrays
from fastlstm.kernel.lstm import SIGMOID
from fastlstm.kernel.passes import allocate_scratch
from fastlstm.measures import lags
from fastlstm.oracles import exact

DTYPES = ("float64", "float32")
EPS = {dtype: float(np.finfo(dtype).eps) for dtype in DTYPES}
LN_10 = np.log(10.0)
H_0, C_0 = 0.375, -0.6875  # floats of any width


@pytest.fixture
def simulate(tmp_path):
    """The rows of a spec for given inputs (steps,), stored as computed."""

    def rows(params, x, *, draws=8, dtype="float64", h=H_0, C=C_0):
        path = tmp_path / "inputs.parquet"
        pd.DataFrame({"x": x}).to_parquet(path)
        return fastlstm.simulate(
            {
                "seed": 1,
                "draws": draws,
                "steps": len(x),
                "dtype": dtype,
                "params": params,
                "state": {"h": h, "C": C},
                "input": {"process": "file", "file": str(path), "column": "x"},
                "loss": {"kind": "last"},
                "measure": specs.EVERYTHING,
                "store": {"dtype": dtype},
            }
        )

    return rows


def normal(steps):
    """Inputs that float32 holds exactly."""
    return np.random.default_rng(steps).standard_normal(steps).astype(np.float32).astype(np.float64)


def parameters(rows):
    """(draws, 14), as exact float64 values."""
    return rows[list(fastlstm.PARAMETERS)].to_numpy(np.float64)


def uniform(low, high):
    return {"uniform": {"low": low, "high": high}}


# --- the truth of one draw -----------------------------------------------------------------------


def gradients(params, x, h0=H_0, C0=C_0, *, digits=50):
    """Backpropagation of y_T."""
    return exact.gradients(params, x, [0] * (len(x) - 1) + [1], h0, C0, digits=digits)


def log10_columns(grads):
    """The columns of the groups norms and lags, each by its definition."""
    log10, steps = exact.log10_abs, len(grads.x)
    columns = {
        "log10_dh0": log10(grads.h0),
        "log10_dC0": log10(grads.C0),
        "log10_dh_max": log10(max(map(abs, grads.dh))),
        "log10_dC_max": log10(max(map(abs, grads.dC))),
        "log10_grad": exact.log10_norm(grads.params),
    }
    for place, part in enumerate("fiocy"):
        columns[f"log10_grad_{part}"] = exact.log10_norm(grads.params[3 * place : 3 * place + 3])
    for lag in lags(steps):
        columns[f"log10_dh_lag_{lag}"] = log10(grads.dh[steps - lag])
        columns[f"log10_dC_lag_{lag}"] = log10(grads.dC[steps - lag])
    return columns


def jacobian_product(params, x, h0=H_0, C0=C_0, *, digits=50):
    """(P_T, sum of ln f_t, sum of ln |b_t|, largest |b_t|) by J1 to J7 of docs/derivation.md."""
    trace = exact.forward(params, x, h0, C0, digits=digits)
    with mp.workdps(digits):
        W_hf, W_hi, W_ho, W_hc = (exact.number(float(params[place])) for place in (0, 3, 6, 9))
        P, log_f, log_b, b_max = mp.eye(2), mp.zero, mp.zero, mp.zero
        C_before = exact.number(C0)
        for t in range(len(x)):
            a = (
                C_before * trace.slope_f[t] * W_hf
                + trace.g[t] * trace.slope_i[t] * W_hi
                + trace.i[t] * trace.slope_c[t] * W_hc
            )
            b = trace.tanh_C[t] * trace.slope_o[t] * W_ho
            f, kappa = trace.f[t], trace.kappa[t]
            P = mp.matrix([[f, a], [kappa * f, kappa * a + b]]) * P
            log_f += mp.log(f)
            log_b += mp.log(abs(b)) if b else mp.ninf
            b_max = max(b_max, abs(b))
            C_before = trace.C[t]
        return P, log_f, log_b, b_max


ENTRIES = {"log10_J_CC": (0, 0), "log10_J_Ch": (0, 1), "log10_J_hC": (1, 0), "log10_J_hh": (1, 1)}


def assert_close(actual, true, tolerance, what=""):
    """Logarithms, equal to `tolerance`, absolute below 1 and relative above it; or both those of 0."""
    assert not np.isnan(actual), what
    if true == -np.inf or actual == -np.inf:
        assert actual == true, what
    else:
        assert abs(actual - true) <= tolerance * max(1.0, abs(true)), (what, actual, true)


def assert_jacobian(row, params, x, tolerance, *, h0=H_0, C0=C_0):
    """The four entries, b_max, and the sum of the exponents; returns the entries' logarithms."""
    P, log_f, log_b, b_max = jacobian_product(params, x, h0, C0)
    true = {name: exact.log10_abs(P[place]) for name, place in ENTRIES.items()}
    for name, value in true.items():
        assert_close(row[name], value, tolerance, name)
    assert_close(row["lyapunov_1"] + row["lyapunov_2"], float((log_f + log_b) / len(x)), tolerance, "sum")
    assert_close(row["b_max"], float(b_max), tolerance, "b_max")
    return true


# --- every gate saturated ------------------------------------------------------------------------

SHUT, OPEN = uniform(-690.0, -25.0), uniform(25.0, 690.0)
SATURATED = {
    "default": uniform(-1.0, 1.0),
    "b_y": {"normal": {}},
    **{f"b_{gate}": {"grid": [SHUT, OPEN]} for gate in "fio"},
    "b_c": {"grid": [SHUT, {"normal": {}}, OPEN]},
}
# z of 700 is rounded to half an ulp of 700, which changes exp(z) by 350 eps, in any arithmetic; some terms cancel
SATURATED_EPS = 4000


@pytest.fixture
def saturated(simulate):
    """x, and (row, params) of 48 draws whose gates all have 20 < |z| < 700 at every step."""

    def of(dtype):
        x = normal(6)
        rows = simulate(SATURATED, x, draws=2, dtype=dtype)
        p = parameters(rows)
        for bias in (2, 5, 8):
            reach = np.abs(p[:, bias - 1]) * np.abs(x).max() + np.abs(p[:, bias - 2])
            assert (np.abs(p[:, bias]) - reach).min() > 20
            assert (np.abs(p[:, bias]) + reach).max() < 700
        return x, list(zip(rows.to_dict("records"), p, strict=True))

    return of


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_of_saturated_gates_are_right_in_every_component(saturated, dtype):
    smallest = float(np.finfo(dtype).smallest_normal)
    tolerance = SATURATED_EPS * EPS[dtype]
    represented = out_of_range = 0
    x, rows = saturated(dtype)
    for row, params in rows:
        truth = gradients(params, x)
        for name, true in zip(fastlstm.PARAMETERS, truth.params, strict=True):
            if abs(true) >= smallest:
                assert abs(exact.number(float(row[f"d{name}"])) / true - 1) < tolerance, name
                represented += 1
            else:
                assert abs(exact.number(float(row[f"d{name}"])) - true) < smallest, name
                out_of_range += 1
        for name, true in log10_columns(truth).items():
            assert_close(row[name], true, tolerance, name)
    assert min(represented, out_of_range) > 100


def test_gradients_of_saturated_gates_from_arrays_are_right_too(saturated):
    x, rows = saturated("float64")
    params = np.stack([params for _, params in rows])
    actual = fastlstm.gradients(params, x, np.eye(len(x))[-1], h0=H_0, C0=C_0)
    smallest = float(np.finfo(np.float64).smallest_normal)
    for draw, p in enumerate(params):
        truth = gradients(p, x)
        values = [*actual.params[draw], *actual.x[draw], actual.h0[draw], actual.C0[draw]]
        for value, true in zip(values, (*truth.params, *truth.x, truth.h0, truth.C0), strict=True):
            error = abs(exact.number(float(value)) - true)
            assert error < max(smallest, SATURATED_EPS * EPS["float64"] * abs(true))


@pytest.mark.parametrize("dtype", DTYPES)
def test_product_of_the_jacobians_of_saturated_gates_is_right_in_every_entry(saturated, dtype):
    x, rows = saturated(dtype)
    logs = [assert_jacobian(row, params, x, SATURATED_EPS * EPS[dtype]) for row, params in rows]
    assert min(min(entries.values()) for entries in logs) < -1000


@pytest.mark.parametrize(("size", "dtype"), [(1e6, "float64"), (4e5, "float32")])
def test_weights_of_a_million_have_right_gradients_and_jacobians(simulate, size, dtype):
    """Every gate is 0 or 1 to thousands of digits."""
    x = normal(5)
    rows = simulate({"default": uniform(-size, size)}, x, draws=40, dtype=dtype)
    smallest = 0.0
    for row, params in zip(rows.to_dict("records"), parameters(rows), strict=True):
        truth = log10_columns(gradients(params, x))
        for name, true in truth.items():
            assert_close(row[name], true, 100 * EPS[dtype], name)
        assert_jacobian(row, params, x, 100 * EPS[dtype])
        smallest = min(smallest, *truth.values())
    assert smallest < -5e5


# --- zero is the logarithm -inf, and nothing else is ---------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", [1, 2, 9])
@pytest.mark.parametrize(
    ("zeros", "h0", "C0"),
    [
        ([], 0.0, 0.0),
        ([], 0.0, C_0),
        ([], H_0, 0.0),
        (["W_y"], H_0, C_0),
        (["W_hf", "W_hi", "W_hc"], H_0, C_0),
        (["W_hf", "W_hi", "W_hc", "W_ho"], H_0, C_0),
        (["W_ho"], H_0, C_0),
        (["W_xc", "b_c"], 0.0, 0.0),
        (["W_hc", "W_xc", "b_c"], 0.0, 0.0),
        (["W_hf", "W_hi", "W_hc", "W_ho", "W_xc", "b_c"], 0.0, 0.0),
    ],
)
def test_a_logarithm_is_minus_infinity_exactly_where_the_value_is_zero(simulate, zeros, h0, C0, steps, dtype):
    x = normal(steps)
    tolerance = 300 * EPS[dtype]
    for std in (1.0, 100.0):
        params = {"default": {"normal": {"std": std}}} | dict.fromkeys(zeros, 0.0)
        rows = simulate(params, x, draws=2, dtype=dtype, h=h0, C=C0)
        for row, p in zip(rows.to_dict("records"), parameters(rows), strict=True):
            truth = gradients(p, x, h0, C0)
            for name, true in log10_columns(truth).items():
                assert_close(row[name], true, std * tolerance, name)
            for name, true in zip(fastlstm.PARAMETERS, truth.params, strict=True):
                if true == 0:
                    assert row[f"d{name}"] == 0, name
            assert_jacobian(row, p, x, std * tolerance, h0=h0, C0=C0)


# --- closed forms --------------------------------------------------------------------------------


@pytest.mark.parametrize("std", [1.0, 30.0, 1e6])
@pytest.mark.parametrize("steps", [1, 2, 25, 200])
def test_without_W_hf_W_hi_W_hc_the_product_has_its_closed_form(simulate, steps, std):
    """dC_T/dC_0 = prod f, dC_T/dh_0 = 0, dh_T/dh_0 = prod b,
    dh_T/dC_0 = sum_k (prod_{j>k} b_j) kappa_k prod_{j<=k} f_j."""
    x = normal(steps)
    weights = {"default": {"normal": {"std": std}}, "W_hf": 0.0, "W_hi": 0.0, "W_hc": 0.0}
    rows = simulate(weights, x, draws=4)
    assert (rows["log10_J_Ch"] == -np.inf).all()
    for row, p in zip(rows.to_dict("records"), parameters(rows), strict=True):
        trace = exact.forward(p, x, H_0, C_0)
        with mp.workdps(50):
            W_ho = exact.number(float(p[fastlstm.PARAMETERS.index("W_ho")]))
            prod_f, prod_b, h_by_C = mp.one, mp.one, mp.zero
            for f, tanh_C, slope_o, kappa in zip(trace.f, trace.tanh_C, trace.slope_o, trace.kappa, strict=True):
                b = tanh_C * slope_o * W_ho
                prod_f, prod_b = prod_f * f, prod_b * b
                h_by_C = h_by_C * b + kappa * prod_f
        for name, true in {
            "log10_J_CC": prod_f, "log10_forget": prod_f, "log10_J_hh": prod_b, "log10_J_hC": h_by_C
        }.items():  # fmt: skip
            assert_close(row[name], exact.log10_abs(true), 1e-12, name)


def test_forget_gates_of_a_uniform_gate_unit_survive_one_time_in_T_plus_one(simulate):
    """At zero weights prod f = u^T with u uniform, so E[prod f] = 1 / (T + 1), and its variance is known too."""
    steps, number = 20, 200_000
    rows = simulate({"preset": "uniform_gate", "default": 0.0}, np.zeros(steps), draws=number)
    product = 10.0 ** rows["log10_forget"]
    mean, square = 1 / (steps + 1), 1 / (2 * steps + 1)
    assert abs(product.mean() - mean) < 4 * np.sqrt((square - mean**2) / number)
    assert stats.kstest(product ** (1 / steps), "uniform").pvalue > 1e-3


def test_forget_and_input_gate_of_chrono_biases_add_up_to_one_at_zero_weights(simulate):
    rows = simulate({"preset": "chrono", "default": 0.0}, np.zeros(50), draws=2000)
    np.testing.assert_allclose(rows["f_mean"] + rows["i_mean"], 1, rtol=1e-14)
    assert rows["f_mean"].max() - rows["f_mean"].min() > 0.4


# --- growth and decay beyond every float ---------------------------------------------------------

# The state stays exactly 0 in any arithmetic: growth of any size, and no orbit to lose
STANDS_STILL = {"default": {"normal": {}}, "W_xc": 0.0, "b_c": 0.0}


@pytest.mark.parametrize(("W_hc", "dtype"), [(40.0, "float64"), (40.0, "float32"), (-1e6, "float64")])
def test_growth_beyond_every_float_over_2000_steps_is_right(simulate, W_hc, dtype):
    x = normal(2000)
    rows = simulate(STANDS_STILL | {"W_hc": W_hc}, x, draws=2, dtype=dtype, h=0.0, C=0.0)
    assert rows["log10_dh0"].min() > 308
    for row, params in zip(rows.to_dict("records"), parameters(rows), strict=True):
        truth = gradients(params, x, 0, 0)
        for name, true in log10_columns(truth).items():
            assert_close(row[name], true, 50 * EPS[dtype], name)
        for name, true in zip(fastlstm.PARAMETERS[:12], truth.params[:12], strict=True):
            expected = 0.0 if true == 0 else np.inf * float(mp.sign(true))
            assert row[f"d{name}"] == expected, name
        assert_jacobian(row, params, x, 50 * EPS[dtype], h0=0, C0=0)


def test_gradients_that_vanish_over_10_000_steps_are_right(simulate):
    x = normal(10_000)
    rows = simulate({"default": {"normal": {"std": 0.5}}}, x, draws=2)
    assert rows["log10_dC0"].max() < -1000
    for row, params in zip(rows.to_dict("records"), parameters(rows), strict=True):
        truth = gradients(params, x)
        for name, true in log10_columns(truth).items():
            assert_close(row[name], true, 1e-12, name)
        for name, true in zip(fastlstm.PARAMETERS, truth.params, strict=True):
            assert row[f"d{name}"] == pytest.approx(float(true), rel=1e-11, abs=0), name


# --- finite-time Lyapunov exponents --------------------------------------------------------------


@pytest.mark.parametrize("std", [0.5, 2.0, 8.0])
@pytest.mark.parametrize("steps", [1, 7, 300])
def test_the_exponents_of_every_draw_add_up_to_the_mean_log_determinant(simulate, steps, std):
    """lyapunov_1 + lyapunov_2 = mean of ln f_t + ln |b_t|, with f and b of the traces."""
    x = normal(steps)
    rows = simulate({"default": {"normal": {"std": std}}}, x, draws=2000)
    params = parameters(rows)
    trace = fastlstm.forward(params, x, h0=H_0, C0=C_0)
    W_ho, W_xo, b_o = params[:, 6:9].T[:, :, None]
    h_before = np.concatenate([np.full((len(params), 1), H_0), trace.h[:, :-1]], axis=1)
    z_o = np.abs(W_ho * h_before + W_xo * x + b_o)
    log_b = np.log(np.abs(np.tanh(trace.C) * W_ho)) - z_o - 2 * np.log1p(np.exp(-z_o))
    expected = (np.log(trace.f) + log_b).mean(axis=1)
    error = np.abs(rows["lyapunov_1"] + rows["lyapunov_2"] - expected)
    # where f C and i g cancel, C is only known to a rounding of what cancelled
    C_before = np.concatenate([np.full((len(params), 1), C_0), trace.C[:, :-1]], axis=1)
    lost = ((np.abs(trace.f * C_before) + np.abs(trace.i * trace.g)) / np.abs(trace.C)).mean(axis=1)
    assert (error < 1e-12 * np.abs(expected) + 10 * EPS["float64"] * lost).all()
    assert (rows["lyapunov_1"] >= rows["lyapunov_2"]).all()


@pytest.mark.parametrize("std", [1.0, 6.0])
@pytest.mark.parametrize("steps", [1, 2, 25])
def test_the_exponents_are_the_logarithms_of_the_singular_values(simulate, steps, std):
    """P^T P has their squares as eigenvalues; digits enough that the smaller is not lost in the larger."""
    digits, x = 1500, normal(steps)
    rows = simulate({"default": {"normal": {"std": std}}}, x, draws=6)
    for row, p in zip(rows.to_dict("records"), parameters(rows), strict=True):
        P, *_ = jacobian_product(p, x, digits=digits)
        with mp.workdps(digits):
            trace, determinant = mp.fsum(v * v for v in P), mp.det(P)
            root = mp.sqrt(trace * trace - 4 * determinant**2)
            larger, smaller = (mp.log((trace + sign * root) / 2) / 2 for sign in (1, -1))
            assert 2 * (larger - smaller) / mp.log(10) < digits - 40
        assert_close(row["lyapunov_1"], float(larger / steps), 1e-12)
        assert_close(row["lyapunov_2"], float(smaller / steps), 1e-12)


# --- the counterexample of docs/derivation.md ----------------------------------------------------

COUNTEREXAMPLE = dict.fromkeys(fastlstm.PARAMETERS, 0.0) | {
    "W_hf": 0.5, "W_hi": 0.5, "W_hc": 0.5, "W_ho": 20.0, "W_xo": 1.0, "W_y": 1.0,
    "b_f": 7.0, "b_i": -7.0, "b_c": 1.4722, "b_o": -7.2,
}  # fmt: skip


def recorded(steps, named=COUNTEREXAMPLE, h=0.36, C=0.9):
    """x_t = sin(t) / 2 - W_ho h_{t-1} - b_o, one step at a time of the kernel behind `fastlstm.forward`."""
    fill, scratch = arrays.build_trace("float64"), allocate_scratch("float64", 1)
    params = np.array([list(named.values())])
    state, x, out = np.array([[h, C]]), np.empty((steps, 1, 1)), np.empty((7, 1, 1))
    suspect = np.empty((1, 1), np.uint8)
    for t in range(steps):
        x[t] = np.sin(t) / 2 - named["W_ho"] * state[0, 0] - named["b_o"]
        fill(params, state, x[t], SIGMOID, scratch, out, suspect)
        state[0] = out[5, 0, 0], out[4, 0, 0]  # h, C
    return x[:, 0, 0]


def test_counterexample_grows_in_proportion_to_time_for_100_000_steps(simulate):
    x = recorded(100_000)
    trace = fastlstm.forward(COUNTEREXAMPLE, x, h0=0.36, C0=0.9)
    assert trace.f.min() >= 0.9992
    assert trace.i.max() <= 0.00122
    growth = {}
    for steps in (60, 50_000, 100_000):
        (row,) = simulate(COUNTEREXAMPLE, x[:steps], draws=1, h=0.36, C=0.9).to_dict("records")
        growth[steps] = row["log10_J_hh"]
        y = trace.y[0, steps - 1]
        assert row["log10_dh0"] == pytest.approx(row["log10_J_hh"] + np.log10(y * (1 - y)), rel=1e-12)
        assert row["lyapunov_1"] * steps / LN_10 == pytest.approx(row["log10_J_hh"], abs=0.1)
    assert growth[60] == pytest.approx(np.log10(4.12514e32), abs=1e-5)
    assert 63_000 < growth[100_000] < 64_500
    assert growth[100_000] == pytest.approx(2 * growth[50_000], rel=0.01)


@pytest.mark.parametrize("W_ho", [500.0, 2000.0])
def test_a_row_is_of_the_orbit_that_forward_follows_however_fast_it_grows(simulate, W_ho):
    named = COUNTEREXAMPLE | {"W_ho": W_ho}
    x = recorded(40, named)
    trace = fastlstm.forward(named, x, h0=0.36, C0=0.9)
    (row,) = simulate(named, x, draws=1, h=0.36, C=0.9).to_dict("records")
    assert row["o_mean"] == pytest.approx(trace.o.mean(), rel=1e-12)
    b = np.tanh(trace.C) * trace.o * (1 - trace.o) * W_ho
    assert row["log10_J_hh"] == pytest.approx(np.log10(np.abs(b)).sum(), abs=0.01)  # the other paths are all but shut


# --- large weights and long sequences ------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "draws", "dtype"),
    [
        *((steps, draws, dtype) for steps, draws in [(50, 300), (1_000, 50), (100_000, 4)] for dtype in DTYPES),
        (1_000_000, 1, "float64"),
    ],
)
def test_large_weights_and_long_sequences_give_no_nan_and_no_false_zero(simulate, steps, draws, dtype):
    """Logarithms are finite: where no weight is zero no gradient is, however near to it."""
    for size in (10.0, 1e6):
        rows = simulate({"default": {"normal": {"std": size}}}, normal(steps), draws=draws, dtype=dtype)
        numbers = rows.select_dtypes("number")
        assert numbers.columns[numbers.isna().any()].empty
        logs = numbers.filter(like="log10_")
        # at a step where two saturated terms cancel C_t is 0, in 50 digits too: then the determinant is 0, and with it,
        # at that step and the next, the gradients of the gates that C_t is a factor of
        by_the_cell = logs.filter(regex="log10_d[fo]_lag")
        others = logs.drop(columns=by_the_cell.columns)
        assert others.columns[np.isinf(others).any()].empty
        assert np.isneginf(rows["lyapunov_2"])[np.isinf(by_the_cell).any(axis=1)].all()
        assert np.isfinite(rows[["lyapunov_1", "loss"]]).all(axis=None)


@pytest.mark.parametrize(("steps", "dtype"), [(100, "float32"), (100, "float64"), (100_000, "float64")])
def test_decay_by_weights_of_a_million_over_long_sequences_is_right(simulate, steps, dtype):
    """Where the state listens to no gate dC_T/dC_0 is the product of the forget gates, whose logarithm is a sum."""
    weights = {"default": uniform(-1e6, 1e6), "W_hf": 0.0, "W_hi": 0.0, "W_hc": 0.0}
    rows = simulate(weights, np.clip(normal(steps), -1, 1), draws=8, dtype=dtype)
    assert rows["log10_forget"].min() < -1000 * steps
    np.testing.assert_allclose(rows["log10_J_CC"], rows["log10_forget"], rtol=max(100, steps) * EPS[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gate_shut_by_ten_million_has_its_slope(simulate, dtype):
    (row,) = simulate({"default": 1.0, "b_o": -1e7}, normal(3), draws=1, dtype=dtype).to_dict("records")
    truth = gradients(parameters(pd.DataFrame([row]))[0], normal(3))
    assert_close(row["log10_grad_o"], log10_columns(truth)["log10_grad_o"], 100 * EPS[dtype])


def test_gradients_beyond_float32_stay_in_the_rows_of_a_float32_run():
    """The sums carry exponents, and the columns of grads are float64 whatever the compute type and the store."""
    spec = {
        "draws": 500, "steps": 100, "dtype": "float32", "loss": {"kind": "last"},
        "params": {"default": {"normal": {"std": 8.0}}, "W_y": 1.0}, "measure": {"groups": ["norms", "grads"]},
    }  # fmt: skip
    rows = fastlstm.simulate(spec)
    gates = rows[[f"d{name}" for name in fastlstm.PARAMETERS[:12]]]
    assert set(gates.dtypes) == {np.dtype("float64")}
    assert rows["log10_grad"].dtype == "float32"
    size = np.sqrt((gates[["dW_hf", "dW_xf", "db_f"]] ** 2).sum(axis=1))
    beyond = rows["log10_grad_f"].between(-140, -50)
    assert beyond.sum() >= 5
    np.testing.assert_allclose(np.log10(size[beyond]), rows.loc[beyond, "log10_grad_f"], rtol=1e-5)
