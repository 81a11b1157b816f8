"""The measures of a row are what the twin makes of the same draw, beyond the range of floats too."""

import math

import numpy as np
import pandas as pd
import pytest
import specs
from specs import changed
from twins import MODES, TWIN_DRAWS, log10, log10_norm

import fastlstm
from fastlstm.measures import FLAGS, group, selected
from fastlstm.oracles import naive
from fastlstm.oracles.naive import NAMES

# Those of benchmarks/bit_identity.py, so that their kernels serve here too
SEVEN_GROUPS = ["norms", "gates", "grads", "carousel", "truncation", "jacobian", "lags"]


def test_gate_columns_are_shares_and_means_over_the_steps(twins):
    for twin in twins:
        columns = {}
        for gate in "fio":
            value, z = getattr(twin.trace, gate), getattr(twin.trace, f"z_{gate}")
            columns |= {
                f"{gate}_left": (value < 0.1).mean(axis=1),
                f"{gate}_right": (value > 0.9).mean(axis=1),
                f"{gate}_mean": value.mean(axis=1),
                f"{gate}_slope": naive.sigmoid_slope(z).mean(axis=1),
            }
        columns["g_sat"] = (np.abs(twin.trace.g) > 0.9).mean(axis=1)
        columns["g_slope"] = naive.tanh_slope(twin.trace.z_c).mean(axis=1)
        assert set(columns) == {measure.name for measure in group("gates")}
        twin.assert_columns(columns, rtol=1e-10, atol=1e-14)


def test_norm_columns_are_logarithms_of_the_full_gradient(twins):
    for twin in twins:
        full = twin.full
        columns = {
            "loss": twin.loss.value,
            "log10_grad": log10_norm(full.params),
            **{f"log10_grad_{gate}": log10_norm(full.params[:, 3 * k : 3 * k + 3]) for k, gate in enumerate("fioc")},
            "log10_grad_y": log10_norm(full.params[:, 12:]),
            "log10_dh0": log10(full.h0),
            "log10_dC0": log10(full.C0),
            "log10_dh_max": log10(full.dh).max(axis=1),
            "log10_dC_max": log10(full.dC).max(axis=1),
        }
        assert set(columns) == {measure.name for measure in group("norms")}
        twin.assert_columns(columns)


def test_gradient_columns_are_the_fourteen_gradients(twins):
    for twin in twins:
        size = np.abs(twin.full.params).max(axis=1, keepdims=True)
        gradients = twin.rows[[f"d{name}" for name in NAMES]].to_numpy()
        assert (np.abs(gradients - twin.full.params) / size).max() < 1e-10


def test_carousel_columns_are_the_sum_and_mean_of_log_f(twins):
    for twin in twins:
        log_f = np.log(twin.trace.f)
        columns = {
            "log10_forget": log_f.sum(axis=1) / np.log(np.longdouble(10)),
            "memory_time": -1 / log_f.mean(axis=1),
        }
        assert set(columns) == {measure.name for measure in group("carousel")}
        twin.assert_columns(columns, rtol=1e-11)


def test_truncation_columns_compare_the_modes_of_the_twin(twins):
    for twin in twins:
        full, columns = twin.full.params, {}
        size = np.sqrt((full**2).sum(axis=1))
        for mode in MODES[1:]:
            other = getattr(twin, mode).params
            columns |= {
                f"{mode}_rel_error": np.sqrt(((other - full) ** 2).sum(axis=1)) / size,
                f"{mode}_cosine": (other * full).sum(axis=1) / size / np.sqrt((other**2).sum(axis=1)),
                f"{mode}_W_hi_sign": np.sign(other[:, 3] * full[:, 3]),
            }
        assert set(columns) == {measure.name for measure in (*group("truncation"), *group("window"))}
        twin.assert_columns(columns)


def test_jacobian_columns_are_of_the_product_of_the_twins_jacobians(twins):
    for twin in twins:
        product = np.eye(2, dtype=np.longdouble)
        for t in range(twin.steps):
            product = np.einsum("nij,njk->nik", twin.jacobians[:, t], np.broadcast_to(product, (TWIN_DRAWS, 2, 2)))
        b = np.tanh(twin.trace.C) * naive.sigmoid_slope(twin.trace.z_o) * twin.W_ho
        determinant = np.abs(twin.trace.f * b).prod(axis=1)
        squares = (product**2).sum(axis=(1, 2))  # of both singular values, whose product is the determinant
        larger = np.sqrt((squares + np.sqrt(squares**2 - 4 * determinant**2)) / 2)
        columns = {
            "lyapunov_1": np.log(larger) / twin.steps,
            "lyapunov_2": np.log(determinant / larger) / twin.steps,
            "log10_J_CC": log10(product[:, 0, 0]),
            "log10_J_Ch": log10(product[:, 0, 1]),
            "log10_J_hC": log10(product[:, 1, 0]),
            "log10_J_hh": log10(product[:, 1, 1]),
            "b_max": np.abs(b).max(axis=1),
        }
        assert set(columns) == {measure.name for measure in group("jacobian")}
        twin.assert_columns(columns)


def at_lags(twin, names, end):
    """log10 of gradients some steps before the place `end`; NaN where there are not as many steps."""
    columns = {}
    for lag in (1, 2, 5, 10, 20):
        for name in names:
            true = log10(getattr(twin.full, name)[:, end - lag]) if lag < twin.steps else np.nan
            columns[f"log10_{name}_lag_{lag}"] = np.broadcast_to(true, TWIN_DRAWS)
    return columns


def test_lag_columns_are_the_adjoints_some_steps_before_the_end(twins):
    for twin in twins:
        columns = at_lags(twin, ("dh", "dC"), twin.steps)  # that of h_t is at place t
        assert set(columns) == {measure.name for measure in group("lags", 33)}
        twin.assert_columns(columns)


def test_gate_gradient_columns_are_norms_and_largest_over_the_steps(twins):
    for twin in twins:
        columns = {}
        for name in ("df", "di", "do", "dg"):
            values = getattr(twin.full, name)
            columns |= {f"log10_{name}": log10_norm(values), f"log10_{name}_max": log10(values).max(axis=1)}
        assert set(columns) == {measure.name for measure in group("gate_grads")}
        twin.assert_columns(columns)


def test_gate_lag_columns_are_the_gradients_of_the_gates_some_steps_before_the_end(twins):
    for twin in twins:
        columns = at_lags(twin, ("df", "di", "do", "dg"), twin.steps - 1)  # that of f_t is at place t - 1
        assert set(columns) == {measure.name for measure in group("gate_lags", 33)}
        twin.assert_columns(columns)


def test_cell_columns_are_of_the_cell_and_of_the_slope_of_tanh_there(twins):
    for twin in twins:
        C = twin.trace.C
        columns = {
            "C_max": np.abs(C).max(axis=1),
            "C_mean": np.abs(C).mean(axis=1),
            "tau_slope": naive.tanh_slope(C).mean(axis=1),
        }
        assert set(columns) == {measure.name for measure in group("cell")}
        twin.assert_columns(columns, rtol=1e-10)


def test_only_a_lag_that_a_point_does_not_have_is_nan(whole_rows):
    short = whole_rows["steps"] == 2
    lags = (*group("lags", 33), *group("gate_lags", 33))
    beyond = [measure.name for measure in lags if not measure.name.endswith("lag_1")]
    assert whole_rows.loc[short, beyond].isna().all().all()
    missing = whole_rows.isna()
    missing.loc[short, beyond] = False
    assert not missing.any().any()


def test_regimes_and_flags_follow_from_the_columns_of_their_row(whole_rows):
    rows = whole_rows
    for gate in "fio":
        left, right = rows[f"{gate}_left"] > 0.5, rows[f"{gate}_right"] > 0.5
        expected = np.select([left, right], ["left", "right"], "mid")
        assert (rows[f"regime_{gate}"] == expected).all()
        assert set(expected) == {"left", "mid", "right"}
    assert (rows["exploded"] == (rows[["log10_dh_max", "log10_dC_max"]].max(axis=1) > 0)).all()
    assert (rows["vanished"] == (rows[["log10_dh0", "log10_dC0"]].max(axis=1) < -3)).all()
    assert 0 < rows["exploded"].sum() < len(rows)
    assert 0 < rows["vanished"].sum() < len(rows)


def test_the_regime_table_is_what_pandas_finds_in_the_rows(whole, whole_rows):
    table = whole.regimes().set_index(["point", "regime_f", "regime_i", "regime_o"])
    groups = whole_rows.groupby(["point", "regime_f", "regime_i", "regime_o"], observed=True)
    assert len(table) == len(groups)
    for name, rows in groups:
        row = table.loc[name]
        assert row["draws"] == len(rows)
        assert row["share"] == pytest.approx(len(rows) / 1500)
        for flag in FLAGS:
            assert row[flag] == rows[flag].sum()
            assert row[f"{flag}_low"] - 1e-12 <= rows[flag].mean() <= row[f"{flag}_high"] + 1e-12
        for measure in selected([*specs.GROUPS, "window"], 33):
            if measure.resolution is None or rows[measure.name].isna().any():
                continue
            values = rows[measure.name].to_numpy()
            assert row[f"{measure.name}_min"] == values.min()
            assert row[f"{measure.name}_max"] == values.max()
            median = row[f"{measure.name}_q50"]
            rank = 1 / len(values)
            low, high = np.quantile(values, [max(0, 0.5 - rank), min(1, 0.5 + rank)], method="inverted_cdf")
            width = measure.resolution + abs(median) / 128
            assert low - width <= median <= high + width


# Beyond the range of a float


STEPS = 100_000


def at_fixed_point(W_hc):
    """Parameters that leave C = h = 0 for ever, all gates one half: dC_{t-1} = lambda dC_t; and lambda.

    lambda = f + o i W_hc, since g has the slope 1 there and tanh C = 0 closes every other path.
    """
    return dict.fromkeys(NAMES, 0.0) | {"W_hc": W_hc, "W_y": 1.0}, 0.5 + 0.25 * W_hc


@pytest.mark.parametrize("W_hc", [12.0, -1.75])
def test_norms_of_a_hundred_thousand_steps_in_float32_are_right_whatever_the_growth(W_hc):
    params, ratio = at_fixed_point(W_hc)
    spec = specs.case("choice, last output, float32") | {"draws": 1, "steps": STEPS, "params": params, "state": {}}
    row = fastlstm.simulate(spec).iloc[0]
    dC_1 = (STEPS - 1) * math.log10(abs(ratio)) + math.log10(0.5 * 0.25)  # o W_y y (1 - y), carried back
    assert row["log10_dC0"] == pytest.approx(dC_1 + math.log10(0.5), rel=1e-6)
    assert row["log10_dh0"] == pytest.approx(dC_1 + math.log10(0.5 * abs(W_hc)), rel=1e-6)
    assert np.isfinite(row["log10_grad"])


def test_norms_of_a_hundred_thousand_steps_in_float64_are_right_whatever_the_growth():
    params, ratio = at_fixed_point(12.0)
    loss = {"kind": "mse", "target": 0.0}  # dy = 1/2 at every step; the last one outgrows all others
    one = {"draws": 1, "steps": STEPS, "params": params, "state": {}, "loss": loss}
    row = fastlstm.simulate(specs.WHOLE | one).iloc[0]
    dC_1 = STEPS * math.log10(ratio) - math.log10(ratio - 1) + math.log10(0.5 * 0.5 * 0.25)
    assert row["log10_dC0"] == pytest.approx(dC_1 + math.log10(0.5), rel=1e-11)
    assert row["log10_dC_lag_50000"] == pytest.approx(50_001 * math.log10(ratio) + math.log10(0.0625 / 2.5), rel=1e-9)
    assert np.isfinite(row["log10_grad"])


def test_a_true_zero_is_minus_infinity_and_nothing_is_nan():
    rows = fastlstm.simulate(changed(specs.WHOLE, params={"W_y": 0.0}, draws=64, steps=33))
    zero = [measure.name for measure in selected(["norms", "lags"], 33)]
    zero = [name for name in zero if name not in ("loss", "log10_grad", "log10_grad_y")]
    assert (rows[zero] == -np.inf).all().all()
    assert (rows[[f"d{name}" for name in NAMES[:12]]] == 0).all().all()
    assert np.isfinite(rows[["log10_grad", "log10_grad_y", "loss"]]).all().all()
    assert not rows.isna().any().any()
    assert rows["vanished"].all()
    assert not rows["exploded"].any()


def test_a_run_with_true_zeros_has_its_tables(tmp_path):
    run = fastlstm.run(changed(specs.WHOLE, params={"W_y": 0.0}, draws=64, steps=33), tmp_path / "run")
    table = run.regimes()
    assert (table[["log10_dh0_min", "log10_dh0_q50", "log10_dh0_max"]] == -np.inf).all().all()
    assert table["vanished"].sum() == table["draws"].sum() == 128


@pytest.mark.parametrize(
    ("limit", "steps", "draws"), [(30.0, 33, 500), (1e3, 33, 500), (1e6, 33, 500), (1e6, 1_000, 50), (1e6, 100_000, 4)]
)
def test_weights_of_any_size_give_no_nan(limit, steps, draws):
    params = {"default": {"uniform": {"low": -limit, "high": limit}}}
    rows = fastlstm.simulate(specs.WHOLE | {"draws": draws, "steps": steps, "params": params})
    names = [name for name in rows if rows[name].dtype == float]
    assert not rows[names].isna().any().any()
    assert (rows["log10_forget"] <= 0).all()
    assert (rows["memory_time"] > 0).all()
    assert (rows[["cec_rel_error", "local_rel_error"]] >= 0).all().all()
    assert (rows[["cec_cosine", "local_cosine"]].abs() <= 1 + 1e-12).all().all()


@pytest.mark.parametrize(("steps", "draws"), [(50, 300), (1_000, 50), (100_000, 4)])
def test_weights_of_a_million_give_no_nan_in_float32(steps, draws):
    spec = specs.WHOLE | {"draws": draws, "steps": steps, "params": {"default": {"normal": {"std": 1e6}}}}
    small = {"dtype": "float32", "store": {"dtype": "float32"}, "measure": {"groups": SEVEN_GROUPS}}
    numbers = fastlstm.simulate(spec | small).select_dtypes("number")
    assert {"cec_rel_error", "local_cosine"} < set(numbers)
    assert numbers.columns[numbers.isna().any()].empty


# The figures of the design


def test_truncated_gradients_err_as_much_as_the_design_says():
    groups = [f"measure.groups={specs.GROUPS}", f"measure.window={specs.WINDOW}"]  # of a kernel that is there
    changes = ["draws=20000", "steps=20", *groups, 'store.dtype="float64"', "claim=[]"]
    rows = fastlstm.simulate(specs.SIMS / "truncation.toml", overrides=changes)
    assert len(rows) == 20_000
    median, most = rows["cec_rel_error"].quantile([0.5, 0.95])
    assert median == pytest.approx(0.0176, rel=0.06)
    assert most == pytest.approx(0.22, rel=0.09)
    median, most = rows["local_rel_error"].quantile([0.5, 0.95])
    assert median == pytest.approx(0.050, rel=0.06)
    assert most == pytest.approx(0.38, rel=0.07)
    assert (rows["cec_W_hi_sign"] < 0).mean() == pytest.approx(0.0245, abs=0.004)
    assert (rows["local_W_hi_sign"] < 0).mean() == pytest.approx(0.092, abs=0.007)


@pytest.mark.parametrize(
    ("dtype", "few", "more"),
    [
        ("float64", {"groups": SEVEN_GROUPS}, {"groups": specs.GROUPS, "window": specs.WINDOW}),
        ("float32", {"groups": ["norms", "grads"]}, {"groups": SEVEN_GROUPS}),
    ],
)
def test_a_row_does_not_depend_on_the_groups_beside_it(dtype, few, more):
    strained = {"draws": 500, "steps": 12, "params": {"default": {"normal": {"std": 8.0}}}}
    spec = specs.WHOLE | strained | {"dtype": dtype, "store": {"dtype": dtype}}
    alone, beside = (fastlstm.simulate(spec | {"measure": measure}) for measure in (few, more))
    assert set(alone) < set(beside)
    pd.testing.assert_frame_equal(alone, beside[list(alone)], check_exact=True)
