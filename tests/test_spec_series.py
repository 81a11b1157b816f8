"""[input] file: which files give a series, which are refused, and how that is said."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fastlstm.spec import SpecError, load


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with a spec and its series: sims/file.toml, sims/data/series.csv."""
    data = tmp_path / "repo" / "sims" / "data"
    data.mkdir(parents=True)
    frame = pd.DataFrame({"year": np.arange(1700, 1750), "n": np.arange(50.0) ** 2, "word": ["w"] * 50})
    frame.to_csv(data / "series.csv", index=False)
    frame.to_parquet(data / "series.parquet", index=False)
    (data.parent / "file.toml").write_text(
        'draws = 3\nsteps = 20\n[params]\ndefault = 0\n[input]\nfile = "data/series.csv"\ncolumn = "n"\n'
    )
    monkeypatch.chdir(tmp_path / "repo")
    return tmp_path / "repo"


def test_a_series_is_found_beside_the_spec_and_read_as_float64(folder):
    made = load("sims/file.toml")
    series = made.series()
    np.testing.assert_array_equal(series, np.arange(50.0) ** 2)
    assert series.dtype == np.float64
    assert not series.flags.writeable
    assert made.input.process == "file"
    assert made.input.file == str(folder / "sims/data/series.csv")
    np.testing.assert_array_equal(made.points()[0].input.series, series)


def test_a_series_of_a_mapping_is_found_from_the_working_folder(folder):
    mapping = tomllib.loads(Path("sims/file.toml").read_text())
    mapping["input"]["file"] = "sims/data/series.csv"
    assert load(mapping) == load("sims/file.toml")
    mapping["input"]["file"] = "data/series.csv"
    told = f'no such file: "{folder}/data/series.csv"; a relative path starts at the working folder'
    with pytest.raises(SpecError, match=re.escape(told)):
        load(mapping)


def test_a_series_of_a_file_is_never_taken_from_the_working_folder(folder):
    there = folder / "data" / "series.csv"
    there.parent.mkdir()
    there.write_text("n\n" + "7\n" * 50)
    assert load("sims/file.toml").input.file == str(folder / "sims/data/series.csv")
    (folder / "sims/data/series.csv").unlink()
    told = f'no such file: "{folder}/sims/data/series.csv"; a relative path starts at the spec\'s folder'
    for changes in ([], ["input.file=data/series.csv"]):
        with pytest.raises(SpecError, match=re.escape(told)):
            load("sims/file.toml", changes)
    assert load("sims/file.toml", ["input.file=../data/series.csv"]).input.file == str(there)
    assert load("sims/file.toml", [f"input.file={there}"]).input.file == str(there)


def test_parquet_and_integer_columns_are_series_too(folder):
    csv, parquet = load("sims/file.toml"), load("sims/file.toml", ["input.file=data/series.parquet"])
    np.testing.assert_array_equal(csv.series(), parquet.series())
    assert csv.hash != parquet.hash
    np.testing.assert_array_equal(load("sims/file.toml", ["input.column=year"]).series(), np.arange(1700.0, 1750))


def test_standardize_gives_mean_0_and_population_deviation_1(folder):
    plain, made = load("sims/file.toml"), load("sims/file.toml", ["input.standardize=true"])
    raw = plain.series()
    np.testing.assert_allclose(made.series(), (raw - raw.mean()) / raw.std(ddof=0), rtol=1e-15)
    assert made.series().mean() == pytest.approx(0, abs=1e-15)
    assert made.series().std() == pytest.approx(1)
    assert plain.hash != made.hash


def test_the_hash_holds_the_content_of_the_series_and_not_its_path(folder):
    before = load("sims/file.toml")
    (folder / "sims").rename(folder / "moved")
    moved = load("moved/file.toml")
    assert moved.hash == before.hash
    assert moved.differences(before) == []
    assert moved.input.file != before.input.file
    with (folder / "moved/data/series.csv").open("a") as file:
        file.write("1750,1,w\n")
    changed = load("moved/file.toml")
    assert changed.hash != before.hash
    assert [line.partition(":")[0] for line in changed.differences(before)] == ["input.sha256"]


def test_the_normalised_text_finds_the_series_from_its_own_folder(folder, tmp_path, monkeypatch):
    made = load("sims/file.toml")
    run = folder / "results" / "file"
    run.mkdir(parents=True)
    (run / "_spec.toml").write_text(made.normalised(folder=run))
    (run / "absolute.toml").write_text(made.normalised())
    assert 'file = "../../sims/data/series.csv"' in (run / "_spec.toml").read_text()
    monkeypatch.chdir(tmp_path)
    assert load(run / "_spec.toml") == load(run / "absolute.toml") == made
    folder.rename(tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere/results/file/_spec.toml").hash == made.hash


def test_a_series_that_has_changed_since_is_refused(folder):
    text = load("sims/file.toml").normalised()
    with (folder / "sims/data/series.csv").open("a") as file:
        file.write("1750,1,w\n")
    with pytest.raises(SpecError, match=r"input\.sha256 = .*the file has changed"):
        load(tomllib.loads(text))


@pytest.mark.parametrize(
    ("name", "content", "key", "message"),
    [
        ("none.csv", None, "file", "no such file: "),
        ("empty.csv", b"", "file", "is an empty file"),
        ("head.csv", b"n\n", "file", "has no rows"),
        ("short.csv", b"n\n1\n2\n", "file", "has 2 rows, but windows of 20 steps are asked for"),
        ("other.csv", b"m\n1\n", "column", 'no such column; the file has ["m"]'),
        ("twice.csv", b"n,n\n1,2\n", "column", "several columns have this name"),
        ("words.csv", b"n\na\n", "column", 'row 1 is "a"; every row must hold a finite number'),
        ("bools.csv", b"n\ntrue\n", "column", 'row 1 is "true"; every row'),
        ("gap.csv", b"a,n\n1,2\n2,\n", "column", "row 2 is empty; every row must hold"),
        ("nan.csv", b"n\n1\nNaN\n2\n", "column", 'row 2 is "NaN"; every row must hold'),
        ("inf.csv", b"n\n-inf\n1.5\n", "column", 'row 1 is "-inf"; every row must hold'),
        ("large.csv", b"n\n1e300\n", "column", "has values beyond 1e+09"),
        ("ragged.csv", b"a,n\n1,2\n2\n", "file", "cannot be read"),
        ("bytes.csv", bytes(range(256)), "file", "cannot be read"),
        ("bad.parquet", b"PAR1", "file", "cannot be read"),
        ("text.txt", b"n\n1\n", "file", "must be a .csv, .csv.gz or .parquet file, or a folder"),
        ("folder.csv", "folder", "file", "is a folder without .parquet files"),
    ],
)
def test_a_file_that_is_no_series_is_refused(folder, name, content, key, message):
    if content == "folder":
        (folder / "sims" / name).mkdir()
    elif content is not None:
        (folder / "sims" / name).write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load("sims/file.toml", [f"input.file={name}"])
    (problem,) = caught.value.problems
    assert problem.key == f"input.{key}"
    assert message in problem.message


@pytest.mark.parametrize("content", ["n\n" + "0.1\n" * 50, "n\n" + "-0.1\n" * 50])
def test_a_series_that_cannot_be_standardized_is_refused(folder, content):
    (folder / "sims/constant.csv").write_text(content)
    with pytest.raises(
        SpecError, match=r"input\.standardize = true: the column's standard deviation is 0 or too large"
    ):
        load("sims/file.toml", ["input.file=constant.csv", "input.standardize=true"])


def test_a_missing_file_is_told_together_with_other_problems(folder):
    with pytest.raises(SpecError) as caught:
        load("sims/file.toml", ["input.file=none.csv", "draws=0", "params.b_ff=1"])
    assert [problem.key for problem in caught.value.problems] == ["draws", "params.b_ff", "input.file"]
