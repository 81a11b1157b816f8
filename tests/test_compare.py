"""Two runs held against each other: the keys that differ, and differences whose intervals hold the truth."""

import numpy as np
import pytest
from commands import call_here

import fastlstm
from fastlstm.report.compare import compare, differences

CLAIM = {"text": "The forget gate.", "statistic": "mean(f_mean)", "predicts": "< 1"}
# At zero weights f_mean is s(b_f), so P(f_mean > 0.6) is known; b_f of the second run is one larger
UNIT = {
    "draws": 400,
    "steps": 2,
    "params": {"default": 0.0, "b_f": {"normal": {"mean": 0.0, "std": 1.0}}},
    "store": {"dtype": "float64"},
    "claim": [{"text": "Open.", "statistic": "share(f_mean > 0.6)", "predicts": "> 0"}, CLAIM],
}
SHIFTED = UNIT | {"params": {"default": 0.0, "b_f": {"normal": {"mean": 0.5, "std": 1.0}}}}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    return [fastlstm.run(spec | {"seed": 5}, folder / name) for name, spec in (("a", UNIT), ("b", SHIFTED))]


def test_the_number_in_which_two_specs_differ_is_named(pair):
    table = differences(*(run.spec() for run in pair))
    assert table.to_dict("records") == [{"key": "params.b_f.normal.mean", "a": 0.0, "b": 0.5}]
    assert differences(pair[0].spec(), pair[0].spec()).empty


def test_differences_are_those_of_the_rows_in_pairs(pair):
    table = compare(*pair).set_index("statistic")
    a, b = (run.draws() for run in pair)
    for text, values in (
        ("share(f_mean > 0.6)", lambda rows: rows["f_mean"] > 0.6),
        ("mean(f_mean)", lambda r: r["f_mean"]),
    ):
        row = table.loc[text]
        steps = values(b).astype(float) - values(a).astype(float)
        assert row["paired"]
        assert row["difference"] == pytest.approx(steps.mean(), abs=1e-12)
        assert row["low"] < steps.mean() < row["high"]
        # pairs are closer than two samples that have nothing in common
        assert row["high"] - row["low"] < np.hypot(row["high_a"] - row["low_a"], row["high_b"] - row["low_b"])
    assert not table.loc["median(log10_grad)", "paired"]


def test_runs_without_common_draws_are_not_paired(pair, tmp_path):
    other = fastlstm.run(SHIFTED | {"seed": 6}, tmp_path / "other")
    table = compare(pair[0], other)
    assert not table["paired"].any()
    assert "seed" in differences(pair[0].spec(), other.spec())["key"].tolist()


def test_intervals_of_differences_hold_the_true_difference(tmp_path):
    from statistics import NormalDist

    edge = np.log(0.6 / 0.4)
    true = NormalDist(0.5, 1).cdf(edge) * -1 + NormalDist(0, 1).cdf(edge)
    held = 0
    for seed in range(25):
        runs = [fastlstm.run(spec | {"seed": seed}, tmp_path / f"{seed}{n}") for n, spec in enumerate((UNIT, SHIFTED))]
        row = compare(*runs).set_index("statistic").loc["share(f_mean > 0.6)"]
        held += row["low"] <= true <= row["high"]
    assert held >= 21  # of 25; P(fewer) is 0.007 at 95%


def test_compare_prints_both_tables(pair):
    done = call_here("compare", "a", "b", folder=pair[0].path.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "params.b_f.normal.mean: 0.0 -> 0.5" in done.stdout
    assert "mean(f_mean)" in done.stdout
    records = call_here("compare", "a", "b", "--json", folder=pair[0].path.parent)
    assert '"difference"' in records.stdout
