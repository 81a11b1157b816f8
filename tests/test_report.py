"""The figures of a report fit the run, and show the numbers of its rows."""

import numpy as np
import pytest
import specs
from claimed import claimed_run

import fastlstm
from fastlstm.report import choose, fates, landscape, run_data, survival, trace
from fastlstm.report.run_data import RunData
from fastlstm.report.tally import Tally
from fastlstm.tables.counts import bin_edges


@pytest.fixture(scope="module")
def whole(folder):
    return claimed_run(folder)


@pytest.fixture(scope="module")
def rowless(folder):
    return fastlstm.run(specs.WHOLE | {"store": {"rows": "none", "dtype": "float64"}}, folder / "rowless")


def kinds(run):
    return [kind.name for kind in choose.chosen(RunData(run, "run"))]


def test_figures_fit_what_was_measured_and_kept(whole, short, rowless):
    before = ["claim", "fates", "landscape", "lags", "survival", "phase", "truncation", "saturation"]
    assert kinds(whole) == [*before, "gate_gradients", "cell", "trace"]
    assert kinds(rowless) == ["regime_map", "lags", "survival", "phase", "truncation", "trace"]
    assert kinds(short) == ["fates", "landscape", "survival", "saturation", "trace"]


def test_fates_have_the_shares_of_the_rows(short):
    rows = short.draws()
    cell = rows[(rows["f_mean"].between(0.7, 0.9)) & (rows["i_mean"].between(0.1, 0.3)) & (rows["regime_o"] == "mid")]
    shown = fates.shares(RunData(short, "short"), 1)
    assert len(cell) >= fates.FEW
    column, row = landscape.EDGES.index(0.7), landscape.EDGES.index(0.1)
    true = {
        "vanishes": cell["vanished"] & ~cell["exploded"],
        "lives": ~cell["vanished"] & ~cell["exploded"],
        "explodes": cell["exploded"],
    }
    for fate, marks in true.items():
        assert shown[fate][row, column] == pytest.approx(marks.mean())


def test_landscape_has_the_median_and_the_count_of_each_cell_and_none_where_it_is_empty():
    random = np.random.default_rng(0)
    f, i = random.beta(0.3, 0.3, (2, 999))
    values = random.normal(size=999)
    values[::7] = -np.inf
    i[i > 0.999] = 0.5  # an empty row
    actual, draws = landscape.medians(f, i, values)
    assert draws.sum() == 999
    assert not draws[-1].any()
    for row, column in np.ndindex(actual.shape):
        low_f, high_f = landscape.EDGES[column : column + 2]
        low_i, high_i = landscape.EDGES[row : row + 2]
        cell = np.sort(values[(f >= low_f) & (f < high_f) & (i >= low_i) & (i < high_i)])
        assert draws[row, column] == len(cell)
        np.testing.assert_equal(actual[row, column], cell[(len(cell) - 1) // 2] if len(cell) else np.nan)


def test_landscape_of_a_loss_at_the_end_shows_what_can_vanish(whole, folder):
    last = fastlstm.run(specs.case("choice, last output, float32"), folder / "last")
    rows = last.draws()
    values, name = landscape.gradient(RunData(last, "last"))
    np.testing.assert_array_equal(values, np.maximum(rows["log10_dh0"], rows["log10_dC0"]))
    assert "dC" in name
    values, _ = landscape.gradient(RunData(whole, "whole"))
    np.testing.assert_array_equal(values, whole.draws()["log10_grad"])


def test_tallies_have_the_quantiles_and_shares_of_the_rows(whole):
    seen, rows = RunData(whole, "whole"), whole.draws()
    for measure, width in (("log10_J_hh", 1 / 32), ("lyapunov_1", 1 / 128), ("cec_rel_error", 1 / 128)):
        for points in (None, np.array([1, 3])):
            values = rows[measure][slice(None) if points is None else rows["point"].isin(points)]
            tally = seen.tally(measure, points)
            assert tally.draws == len(values)
            for q, value in tally.quantiles().items():
                assert value == pytest.approx(np.quantile(values, q), abs=2 * width * max(1, abs(value)))
            assert tally.share_above(0.0) == (values >= 0).mean()
            at, above = tally.survival()
            assert above[0] == 1.0
            assert at[0] == values.min()
            for place in (3, len(at) // 2, -1):
                assert above[place] == (values >= np.float32(at[place]) * (1 - 1e-7 * np.sign(at[place]))).mean()
    of_regime = seen.tally("log10_grad", regimes=np.arange(9))
    assert of_regime.draws == (rows["regime_f"] == "left").sum()


def test_the_draws_from_within_are_typical_largest_and_smallest(whole, short, rowless):
    rows = whole.draws()
    chosen = {each.which: each for each in trace.chosen(RunData(whole, "whole"))}
    for which, place in (("largest", rows["lyapunov_1"].idxmax()), ("smallest", rows["lyapunov_1"].idxmin())):
        assert (chosen[which].point, chosen[which].draw) == tuple(rows.loc[place, ["point", "draw"]])
    typical = rows[(rows["point"] == chosen["typical"].point) & (rows["draw"] == chosen["typical"].draw)]
    assert typical["lyapunov_1"].item() == rows["lyapunov_1"].quantile(0.5, interpolation="lower")
    adjoint = short.draws()[["log10_dh_max", "log10_dC_max"]].max(axis=1)
    largest = short.draws().loc[adjoint.idxmax()]
    (shown,) = [each for each in trace.chosen(RunData(short, "short")) if each.which == "largest"]
    assert (shown.point, shown.draw) == (largest["point"], largest["draw"])
    assert trace.chosen(RunData(rowless, "rowless"))[0][:2] == (3, 0)
    assert trace.chosen(RunData(whole, "whole", (2, 7)))[0][:2] == (2, 7)


def test_survival_has_curves_along_the_axis_that_changes_the_tail_most(whole, short):
    rows = short.draws()
    large = rows["log10_dh_max"] >= 0
    above = {axis: np.log10(large.groupby(rows[axis], observed=True).mean()) for axis in ("b_f", "b_i_law")}
    assert np.ptp(above["b_f"]) > 1.2 * np.ptp(above["b_i_law"])
    assert survival.telling_axis(RunData(short, "short"), "log10_dh_max") == "b_f"
    seen = RunData(whole, "whole")
    assert survival.telling_axis(seen, "log10_J_hh", np.array([0, 1])) == "default_normal_std"  # T is the same there


def test_a_curve_of_survival_counts_only_the_draws_above():
    bins, counts = np.array([-64, 8, 64]), np.array([997, 2, 1])
    lower, upper = bin_edges(bins, 1 / 32)
    tally = Tally(bins, counts, lower[0], upper[2], 1 / 32)
    values, above = survival.curve(tally, -1.0)
    assert lower[0] < -1 < lower[1]
    assert values.tolist() == [-1.0, lower[1], lower[2], upper[2]]
    assert above.tolist() == [0.003, 0.003, 0.001, 0.001]  # of each value and of all since the one before
    assert [len(part) for part in survival.curve(tally, upper[2] + 1)] == [0, 0]
    assert [tally.share_above(log) for log in (-0.5, 1.0)] == [0.003, 0.001]


def test_of_many_rows_the_first_draws_of_each_point_are_read(short, monkeypatch):
    monkeypatch.setattr(run_data, "MOST_ROWS", 120)
    seen = RunData(short, "short")
    rows = seen.rows("point", "draw", "f_mean")
    assert np.bincount(rows["point"]).tolist() == [20] * 6
    assert rows["draw"].max() == 19
    assert seen.is_sampled
