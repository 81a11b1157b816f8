"""The simulations of sims/: each makes claims that a run can judge, and what they read in is what was recorded."""

import csv
import runpy
import sys
from pathlib import Path

import pytest

import fastlstm

ROOT = Path(__file__).parents[1]
SIMS = sorted((ROOT / "sims").glob("*.toml"))
VERDICTS = {"holds", "fails", "undecided"}

# One simulation for each choice of groups, process, loss and target: a kernel is compiled for each. Of those that
# share one, the shortest, whose numbers stay in the range of a float: another kernel takes those that do not.
KINDS = [
    "atlas", "forget_bias", "truncation", "presets", "sunspots", "counterexample", "heavy_tail",
    "cell_path_cosine", "curse_of_memory", "gates", "brackets",
]  # fmt: skip


def kind(path: Path) -> tuple[object, ...]:
    spec = fastlstm.load(path)
    target = type(spec.loss.target).__name__ if spec.loss.target is not None else None
    return spec.dtype, tuple(spec.measure.groups), type(spec.input).__name__, spec.loss.kind, target


@pytest.mark.parametrize("path", SIMS, ids=lambda path: path.stem)
def test_a_simulation_makes_claims_and_each_is_a_sentence_of_its_own(path):
    claims = fastlstm.load(path).claim
    assert claims
    assert len({claim.text for claim in claims}) == len(claims)
    assert all(claim.text.endswith(".") for claim in claims)


def test_every_kind_of_simulation_is_run():
    assert {kind(path) for path in SIMS} == {kind(ROOT / "sims" / f"{name}.toml") for name in KINDS}


@pytest.mark.parametrize("name", KINDS)
def test_a_small_run_of_a_simulation_reaches_a_verdict_on_every_claim(name, tmp_path):
    run = fastlstm.run(ROOT / "sims" / f"{name}.toml", out=tmp_path / name, overrides=["draws=64"])
    judged = run.claims()
    assert set(judged.claim) == set(range(len(run.spec().claim)))
    assert set(judged.claim_verdict.astype(str)) <= VERDICTS
    assert (judged.groupby("claim").decides.sum() == 1).all()


def test_replayed_inputs_are_what_the_script_records():
    script = runpy.run_path(str(ROOT / "sims" / "data" / "record_counterexample.py"))
    with open(ROOT / "sims" / "data" / "counterexample.csv", newline="") as file:
        kept = list(csv.DictReader(file))
    for weight in script["WEIGHTS"]:
        assert [float(row[f"W_ho_{weight}"]) for row in kept] == script["recorded"](weight)


def test_the_replayed_counterexample_explodes_as_the_derivation_says(tmp_path):
    run = fastlstm.run(ROOT / "sims" / "counterexample.toml", out=tmp_path / "run", overrides=["draws=64"])
    actual = run.draws(columns=["point", "log10_J_hh"])
    recorded = actual.log10_J_hh[actual.point.astype(int) == 0]
    assert recorded.nunique() == 1
    assert recorded.iloc[0] == pytest.approx(32.6154, abs=1e-3)  # log10 of 4.125e32


def test_findings_name_every_simulation_and_their_figures_are_small():
    page = (ROOT / "docs" / "findings.in").read_text()
    assert [path.stem for path in SIMS if f"<{path.stem}.claims>" not in page] == []
    figures = list((ROOT / "docs" / "figures").glob("*.png"))
    assert figures
    assert all(f"figures/{figure.name}" in page for figure in figures)
    assert max(figure.stat().st_size for figure in figures) < 150_000


def test_each_row_of_a_table_of_claims_names_the_point_that_decides(tmp_path, monkeypatch):
    run = fastlstm.run(ROOT / "sims" / "forget_bias.toml", out=tmp_path / "forget_bias", overrides=["draws=64"])
    monkeypatch.setattr(sys, "argv", ["make_findings.py", str(tmp_path)])
    table = runpy.run_path(str(ROOT / "docs" / "make_findings.py"))["claims_table"]("forget_bias")
    head, _, *rows = ([cell.strip() for cell in line.split(" | ")] for line in table.splitlines())
    named = [row[head.index("point that decides")].replace("\\", "") for row in rows]
    judged, points = run.claims(), run.points().set_index("point")
    deciding = points.loc[judged[judged.decides].sort_values("claim").point]
    axes = ("default_normal_std", "b_f", "steps")
    expected = [{f"{axis} = {point[axis]:g}" for axis in axes} for point in deciding.to_dict("records")]
    assert [set(name.split(", ")) for name in named] == expected
