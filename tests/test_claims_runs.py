"""A run and its claims: verdicts from rows and counts, judged anew when only claims changed, and the command line."""

import json
import re
import shutil
from contextlib import chdir

import numpy as np
import pandas as pd
import pytest
import specs
from typer.testing import CliRunner

import fastlstm
from fastlstm.claims.values import Bounds
from fastlstm.cli import app
from fastlstm.intervals import Moments, bounded_mean, exact_share, quantile_ranks, wilson
from fastlstm.report.run_data import RunData
from fastlstm.store import Damaged, NotThere, content_hash, verify
from fastlstm.verdicts.judge import judge

DRAWS = specs.WHOLE["draws"]


def claim(statistic, predicts, text="something", **more):
    return {"text": text, "statistic": statistic, "predicts": predicts} | more


CLAIMS = [
    claim("share(exploded)", "<= 0.5", "explosions are rare", source="here"),
    claim("median(log10_dh0)", "== -2.6", tolerance=0.3, where="steps == 2"),
    claim("mean(10 ** log10_forget)", ">= 1 / (steps + 1)"),
    claim("quantile(log10_J_hh, 0.9, given=regime_f == 'right') - log10(steps)", "<= 9"),
    claim("tail_index(10 ** log10_J_hh, 0.1)", "> 0"),
    claim("share(log10_dh0 > -3)", "falls along steps"),
    claim("median(log10_dC0)", "rises along default_normal_std", tolerance=9),
    claim("share(W_hf > b_f and default_normal_std > 1)", "<= 0"),
    claim("share(regime_f == 'mid' and not exploded) / share(regime_f == 'mid')", "> 0.9"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fastlstm.run(specs.WHOLE | {"claim": CLAIMS}, tmp_path_factory.mktemp("claims") / "run")


@pytest.fixture(scope="module")
def table(run):
    return run.claims()


@pytest.fixture(scope="module")
def rows(run):
    actual = run.draws().merge(run.points()[["point", "steps", "default_normal_std"]], on="point", suffixes=("", "_"))
    return dict(list(actual.groupby("point")))


@pytest.fixture
def again(run, tmp_path):
    """A copy of the run, to be changed."""
    return fastlstm.read(shutil.copytree(run.path, tmp_path / "run"))


def of(table, number):
    return table[table["claim"] == number].set_index("point")


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# what is found


def test_the_table_has_a_row_for_each_claim_and_point_that_it_is_about(table):
    assert table["claim"].tolist() == sorted(table["claim"])
    points = {number: of(table, number).index.tolist() for number in range(len(CLAIMS))}
    assert points == {number: [0, 1] if number == 1 else [0, 1, 2, 3] for number in range(len(CLAIMS))}
    for number, given in enumerate(CLAIMS):
        for key in ("text", "statistic", "predicts"):
            assert set(of(table, number)[key]) == {given[key]}
        assert set(of(table, number)["source"]) == {given.get("source", "")}
        assert set(of(table, number)["tolerance"]) == {given.get("tolerance", 0.0)}
        assert of(table, number)["decides"].sum() == 1
    assert set(table["verdict"]) | set(table["claim_verdict"]) <= {"holds", "fails", "undecided"}
    assert isinstance(table["verdict"].dtype, pd.CategoricalDtype)
    assert table[["estimate", "low", "high", "predicted", "tolerance"]].dtypes.eq(float).all()


def test_estimates_are_those_of_the_rows(table, rows):
    expected = {
        0: lambda df: df["exploded"].mean(),
        1: lambda df: np.quantile(df["log10_dh0"], 0.5, method="inverted_cdf"),
        2: lambda df: (10 ** df["log10_forget"]).mean(),
        3: lambda df: (
            np.quantile(df.loc[df["regime_f"] == "right", "log10_J_hh"], 0.9, method="inverted_cdf")
            - np.log10(df["steps"].iloc[0])
        ),
        4: lambda df: 1 / (np.sort(df["log10_J_hh"])[-150:] - np.sort(df["log10_J_hh"])[-151]).mean() / np.log(10),
        5: lambda df: (df["log10_dh0"] > -3).mean(),
        6: lambda df: np.quantile(df["log10_dC0"], 0.5, method="inverted_cdf"),
        7: lambda df: ((df["W_hf"] > 0.5) & (df["default_normal_std"] > 1)).mean(),
        8: lambda df: ((df["regime_f"] == "mid") & ~df["exploded"]).sum() / (df["regime_f"] == "mid").sum(),
    }
    for number, make in expected.items():
        for point, row in of(table, number).iterrows():
            assert row["estimate"] == pytest.approx(make(rows[point]), rel=1e-12, abs=1e-12), (number, point)
            assert row["low"] <= row["estimate"] <= row["high"]


def test_intervals_are_those_of_their_kind(table, rows):
    for point, df in rows.items():
        assert tuple(of(table, 0).loc[point, ["low", "high"]]) == wilson(df["exploded"].sum(), DRAWS)
        corrected = tuple(of(table, 0).loc[point, ["corrected_low", "corrected_high"]])
        assert corrected == exact_share(df["exploded"].sum(), DRAWS, 0.05 / 4)
        forget = (10 ** df["log10_forget"]).to_numpy()
        ends = bounded_mean(Moments.of(forget), 0.0, 1.0)
        assert tuple(of(table, 2).loc[point, ["low", "high"]]) == pytest.approx(ends)
        values = np.sort(df["log10_dC0"])
        low, high = quantile_ranks(DRAWS, 0.5)
        assert tuple(of(table, 6).loc[point, ["low", "high"]]) == (values[low - 1], values[high - 1])


def test_draws_are_those_that_an_estimate_is_made_of(table, rows):
    for point, df in rows.items():
        assert of(table, 0).loc[point, "draws"] == DRAWS
        assert of(table, 3).loc[point, "draws"] == (df["regime_f"] == "right").sum()
        assert of(table, 4).loc[point, "draws"] == 150


def test_predictions_are_worked_out_at_each_point(table):
    assert of(table, 2)["predicted"].tolist() == [1 / 3, 1 / 3, 1 / 34, 1 / 34]
    assert of(table, 5)["predicted"].isna().all()


def test_verdicts_follow_from_intervals(table):
    claims = fastlstm.load(specs.WHOLE | {"claim": CLAIMS}).claim
    for row in table[table["claim"].isin([0, 1, 2, 3, 4, 7, 8])].to_dict("records"):
        prediction = claims[row["claim"]].prediction
        plain, corrected = Bounds(row["low"], row["high"]), Bounds(row["corrected_low"], row["corrected_high"])
        assert row["verdict"] == prediction.verdict(row["predicted"], row["tolerance"], plain, corrected)
    verdicts = [of(table, number)["claim_verdict"].iloc[0] for number in range(len(CLAIMS))]
    assert verdicts[0] == "holds"
    assert verdicts[5] == "fails"
    assert verdicts[7] == "fails"
    assert of(table, 7)["verdict"].tolist() == ["undecided", "fails", "undecided", "fails"]
    assert of(table, 7).query("decides").index[0] == of(table, 7)["low"].idxmax()  # where it is missed by most


def test_an_ordering_is_judged_by_the_steps_along_its_axis(table, rows):
    """Points 0, 2 and 1, 3 differ in steps alone: the share rises there, which the same draws show pair by pair."""
    actual = of(table, 5)
    for a, b in ((0, 2), (1, 3)):
        rise = ((rows[b]["log10_dh0"] > -3).to_numpy() * 1.0) - (rows[a]["log10_dh0"] > -3).to_numpy()
        low, high = bounded_mean(Moments.of(rise), -1.0, 1.0, 0.05 / 2)
        for point in (a, b):
            assert tuple(actual.loc[point, ["corrected_low", "corrected_high"]]) == pytest.approx((low, high))
            assert actual.loc[point, "verdict"] == ("fails" if low > 0 else "undecided")
    assert of(table, 6)["claim_verdict"].iloc[0] == "holds"  # a tolerance of 9 decades


def test_verdicts_are_the_same_each_time(run, table):
    judged = judge(run.spec(), run.path).to_pandas()
    pd.testing.assert_frame_equal(judged, table)


# which draws


def test_without_rows_bins_widen_the_interval_and_every_draw_counts(again, tmp_path):
    counted = [
        CLAIMS[0],
        claim("median(log10_dh0)", ">= -99", where="steps == 33"),
        claim("share(log10_dh0 > -3)", "falls along steps"),
        claim("quantile(cec_rel_error, 0.9, given=regime_f == 'mid')", "< 5"),
    ]
    kept = fastlstm.run(specs.WHOLE | {"claim": counted}, again.path).claims()
    no_rows = {"rows": "none", "dtype": "float64"}
    made = fastlstm.run(specs.WHOLE | {"claim": counted, "store": no_rows}, tmp_path / "none").claims()
    assert made["draws"].tolist() == kept["draws"].tolist()
    assert (made["low"] <= kept["low"]).all()
    assert (made["high"] >= kept["high"]).all()
    assert (made["high"] - made["low"] < kept["high"] - kept["low"] + 1 / 8).all()
    np.testing.assert_allclose(made["estimate"], kept["estimate"], atol=1 / 16)
    exact = made["claim"] == 0
    pd.testing.assert_frame_equal(made[exact], kept[exact])


def test_a_sample_of_the_rows_is_used_where_only_that_is_kept_and_all_draws_for_shares_of_flags(run, tmp_path):
    some = [CLAIMS[0], claim("median(log10_dh0)", ">= -99"), claim("share(log10_dh0 > -3)", "falls along steps")]
    sample = fastlstm.run(specs.WHOLE | {"claim": some, "store": {"rows": 100, "dtype": "float64"}}, tmp_path / "run")
    actual = sample.claims()
    assert of(actual, 0)["draws"].tolist() == [DRAWS] * 4
    assert of(actual, 0)["estimate"].tolist() == of(run.claims(), 0)["estimate"].tolist()
    assert of(actual, 1)["draws"].tolist() == [100] * 4
    for point, df in sample.draws().groupby("point"):
        middle = np.quantile(df["log10_dh0"], 0.5, method="inverted_cdf")
        assert of(actual, 1).loc[point, "estimate"] == middle


def test_pairs_are_compared_only_where_no_draw_is_lost_by_it(run, tmp_path):
    """A share of a flag is counted over all draws; a few rows of them would say less about a step."""
    rare = claim("share(exploded)", "rises along default_normal_std")
    few = fastlstm.run(specs.WHOLE | {"claim": [rare], "store": {"rows": 9, "dtype": "float64"}}, tmp_path / "few")
    actual = few.claims().set_index("point")
    low, high = actual.loc[1, ["corrected_low", "corrected_high"]]
    ends = [exact_share(round(actual.loc[point, "estimate"] * DRAWS), DRAWS, 0.05 / 2 / 2) for point in (0, 1)]
    assert (low, high) == pytest.approx((ends[1][0] - ends[0][1], ends[1][1] - ends[0][0]))


def test_nothing_is_known_of_draws_that_are_not_there(again):
    never = [claim("median(loss, given=f_mean > 2)", "<= 0"), claim("share(exploded, given=f_mean > 2)", "<= 2")]
    actual = fastlstm.run(specs.WHOLE | {"claim": never}, again.path).claims()
    assert actual["estimate"].isna().all()
    assert (actual["draws"] == 0).all()
    assert (actual["verdict"] == "undecided").all()
    assert (actual["low"] == -np.inf).all()
    assert (actual["high"] == np.inf).all()


def test_points_whose_draws_are_missing_leave_claims_undecided_there(again):
    """A share of rows, a share of counts, a mean, a quantile and two orderings."""
    journal = again.path / "_journal.jsonl"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    actual = judge(fastlstm.load(specs.WHOLE | {"claim": CLAIMS}), again.path).to_pandas()
    first = actual["point"] == 0
    assert (actual.loc[first & (actual["claim"] != 3), "draws"] > 0).all()
    assert (actual.loc[~first, "draws"] == 0).all()
    assert actual.loc[~first, "estimate"].isna().all()
    assert set(actual.loc[~first, "verdict"]) == {"undecided"}


# claims are cosmetic


def test_to_edit_claims_judges_them_anew_and_touches_no_draw(again):
    before, hash_before, spec_before = files(again.path), content_hash(again.path), again.spec()
    edited = [CLAIMS[0] | {"predicts": "<= 0.001"}, CLAIMS[6]]
    fastlstm.run(specs.WHOLE | {"claim": edited}, again.path)
    after = files(again.path)
    changed = {path.name for path in before if before[path] != after[path]}
    assert changed == {"_spec.toml", "_run.json", "_journal.jsonl", "claims.parquet"}
    assert before.keys() == after.keys()
    assert content_hash(again.path) == hash_before
    assert again.spec().hash == spec_before.hash
    assert [c.predicts for c in again.spec().claim] == ["<= 0.001", CLAIMS[6]["predicts"]]
    assert again.claims()["claim_verdict"].tolist() == ["fails"] * 4 + ["holds"] * 4
    status = again.status()
    assert status.finished
    assert [session["draws"] for session in status.sessions] == [4 * DRAWS, 0]
    assert verify(again.path) == []


def test_to_run_again_with_the_same_claims_writes_nothing(again):
    before = files(again.path)
    fastlstm.run(specs.WHOLE | {"claim": CLAIMS}, again.path)
    assert files(again.path) == before


def test_claims_may_come_later_and_go(run, again, tmp_path):
    fastlstm.run(specs.WHOLE, again.path)
    assert again.claims().empty
    assert list(again.claims()) == list(run.claims())
    fastlstm.run(specs.WHOLE | {"claim": CLAIMS}, again.path)
    pd.testing.assert_frame_equal(again.claims(), run.claims())


def test_a_run_without_claims_has_no_table_of_them(tmp_path):
    plain = fastlstm.run(specs.WHOLE | {"draws": 10}, tmp_path / "run")
    assert plain.claims().empty
    assert not (plain.path / "claims.parquet").exists()
    assert plain.status().tables == ("histograms", "points", "regimes")


def test_a_part_that_was_lost_is_made_again_and_then_the_claims_are_there(again, run):
    next((again.path / "counts").rglob("*.parquet")).unlink()
    (again.path / "claims.parquet").unlink()
    fastlstm.run(specs.WHOLE | {"claim": CLAIMS}, again.path)
    pd.testing.assert_frame_equal(again.claims(), run.claims())
    assert verify(again.path) == []


@pytest.mark.parametrize("folder", ["draws", "counts"])
def test_claims_are_not_judged_by_damaged_files(again, folder):
    file = again.path / folder / "point=0002" / "part-00000000.parquet"
    data = bytearray(file.read_bytes())
    for place in range(4, len(data) * 3 // 4, 64):
        data[place] ^= 255
    file.write_bytes(data)
    with pytest.raises(Damaged, match=re.escape(str(file))):
        fastlstm.run(specs.WHOLE | {"claim": [CLAIMS[0], *CLAIMS[2:]]}, again.path)


def crash(spec, path):
    raise KeyboardInterrupt


def test_verdicts_on_claims_that_were_edited_since_say_so(again, monkeypatch):
    monkeypatch.setattr("fastlstm.verdicts.judge.judge", crash)
    note = "The claims were edited since they were judged; run the spec again to judge them."
    assert note not in call("claims", again.path, folder=again.path).stderr
    with pytest.raises(KeyboardInterrupt):
        fastlstm.run(specs.WHOLE | {"claim": CLAIMS[1:]}, again.path)
    shown = call("claims", again.path, folder=again.path)
    assert shown.exit_code == 0
    assert f"{again.path}: {note}" in shown.stderr.replace("\n", " ")
    assert json.loads(call("claims", again.path, "--json", folder=again.path).stdout)[str(again.path)]
    assert note in again._repr_html_()
    assert RunData(again, "again").warnings[-1] == note


def test_a_crash_between_spec_and_verdicts_is_mended_by_the_next_run(again, monkeypatch):
    edited = specs.WHOLE | {"claim": CLAIMS[:1]}
    with monkeypatch.context() as patch:
        patch.setattr("fastlstm.verdicts.judge.judge", crash)
        with pytest.raises(KeyboardInterrupt):
            fastlstm.run(edited, again.path)
    assert len(again.spec().claim) == 1
    fastlstm.run(edited, again.path)
    assert set(again.claims()["claim"]) == {0}
    assert again.status().finished
    assert verify(again.path) == []


# the command line

TOML = (
    specs.SHORT_TOML
    + """
[[claim]]
text = "Gradients hardly ever explode."
statistic = "share(exploded)"
predicts = "<= 0.1"

[[claim]]
text = "A larger forget bias keeps more of the gradient."
source = "somebody"
statistic = "median(log10_dC0)"
predicts = "falls along b_f"

[[claim]]
text = "Half of all gates are open."
where = "b_f == 1"
statistic = "mean(f_mean)"
predicts = "== 1 / 2"
tolerance = 0.25
"""
)


def call(*arguments, folder):
    with chdir(folder):
        result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims cli")
    (folder / "spec.toml").write_text(TOML)
    return folder


@pytest.fixture(scope="module")
def first(folder):
    return call("run", "spec.toml", "--out", "a", folder=folder)


def test_run_prints_a_line_for_each_claim(first):
    assert first.exit_code == 0, first.stderr
    lines = first.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("verdict"))
    shown = lines[start + 1 : start + 4]
    assert [line.split()[0] for line in shown] == ["holds", "fails", "holds"]
    expected = {"explode.": "<= 0.1", "A larger forget bias keeps": "falls along b_f", "Half": "== 0.5 +- 0.25"}
    for line, (text, predicted) in zip(shown, expected.items(), strict=True):
        assert text in line
        assert predicted in line
        assert re.search(r"[-\d.]+ +\[[-\d.e]+, [-\d.e]+\]", line)
    assert "6 of 6" in shown[0]
    assert lines[start + 5].startswith("a: 12,000 draws")


def test_claims_of_one_run_and_of_several_are_one_table(folder, first):
    one = call("claims", "a", folder=folder).stdout
    assert one.strip() in first.stdout
    call("run", "spec.toml", "--out", "b", "--set", "seed=12", folder=folder)
    both = call("claims", "a", "b", folder=folder).stdout.splitlines()
    assert len(both) == 1 + 2 * 3
    assert [line.split()[0] for line in both] == ["run", *"aaabbb"]
    by_point = call("claims", "a", "--by-point", folder=folder).stdout.splitlines()
    assert len(by_point) == 1 + 6 + 6 + 2


def test_claims_are_told_as_json(folder, first):
    told = json.loads(call("claims", "a", "--json", folder=folder).stdout)
    table = fastlstm.read(folder / "a").claims()
    assert list(told) == ["a"]
    assert [row["verdict"] for row in told["a"]] == table["verdict"].tolist()
    assert list(told["a"][0]) == list(table)
    of_run = json.loads(call("run", "spec.toml", "--out", "a", "--json", folder=folder).stdout)
    assert of_run["claims"] == told["a"]


def test_a_run_without_claims_says_so(folder):
    (folder / "plain.toml").write_text(specs.SHORT_TOML)
    printed = call("run", "plain.toml", "--out", "plain", "--set", "draws=10", folder=folder)
    assert "verdict" not in printed.stdout
    assert call("claims", "plain", folder=folder).stdout == "no claims\n"
    assert json.loads(call("claims", "plain", "--json", folder=folder).stdout) == {"plain": []}


def test_claims_of_no_run_or_of_an_unfinished_one_are_not_there(folder, tmp_path, first):
    done = call("claims", "nowhere", folder=folder)
    assert done.exit_code == 1
    assert "not a run directory" in done.stderr
    half = shutil.copytree(folder / "a", tmp_path / "half")
    journal = half / "_journal.jsonl"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    done = call("claims", half, folder=folder)
    assert done.exit_code == 1
    assert "it is made when the run ends" in done.stderr
    with pytest.raises(NotThere):
        fastlstm.read(half).claims()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("share(exploded)", "share(explodd)", 'claim[0].statistic = "share(explodd)": explodd is no column'),
        ("share(exploded)", "sharee(exploded)", "claim[0].statistic"),
        ("falls along b_f", "falls along b_ff", 'claim[1].predicts = "falls along b_ff": b_ff is no axis'),
        ('"b_f == 1"', '"__import__(1)"', "claim[2].where"),
        ('"b_f == 1"', '"b_f == 1.5"', "claim[2].where"),
        ("[[claim]]", "[claims]", "claims"),
    ],
)
def test_a_wrong_claim_is_refused_before_anything_is_written(tmp_path, before, after, told):
    (tmp_path / "spec.toml").write_text(TOML.replace(before, after, 1))
    for arguments in ([], ["--dry-run"]):
        done = call("run", "spec.toml", "--out", "run", *arguments, folder=tmp_path)
        assert done.exit_code == 2
        assert done.stdout == ""
        assert told in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["spec.toml"]


def test_an_edited_claim_is_judged_by_run_and_no_draw_is_computed(folder, first):
    edited = (folder / "spec.toml").read_text().replace("<= 0.1", "<= 1e-9")
    (folder / "edited.toml").write_text(edited)
    done = call("run", "edited.toml", "--out", "a", folder=folder)
    assert done.exit_code == 0
    assert "Nothing to do" not in done.stderr
    assert "verdicts were made" in done.stderr
    assert "<= 1e-09" in done.stdout
    assert "Nothing to do" in call("run", "edited.toml", "--out", "a", folder=folder).stderr
    call("run", "spec.toml", "--out", "a", folder=folder)
    assert call("claims", "a", folder=folder).stdout.strip() in first.stdout
