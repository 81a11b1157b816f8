"""From an installed package to an answer: simulations by name, a spec to begin with, kernels ahead of a run."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from commands import call, call_here, strict_json, succeed

import fastlstm
from fastlstm.cli import simulations
from fastlstm.spec import Spec

ROOT = Path(__file__).parents[1]
SIMS = sorted(path.stem for path in (ROOT / "sims").glob("*.toml"))


def test_sims_lists_every_simulation_with_its_question(tmp_path):
    lines = succeed("sims", folder=tmp_path).splitlines()
    assert [line.split()[0] for line in lines] == SIMS
    titles = [tomllib.loads((ROOT / "sims" / f"{name}.toml").read_text())["title"] for name in SIMS]
    assert [line.split(maxsplit=1)[1] for line in lines] == titles
    assert strict_json(succeed("sims", "--json", folder=tmp_path, ask=call_here)) == dict(
        zip(SIMS, titles, strict=True)
    )


def test_run_takes_a_simulation_by_its_name(tmp_path):
    plan = strict_json(succeed("run", "forget_bias", "--dry-run", "--json", folder=tmp_path, ask=call_here))
    spec = fastlstm.load(ROOT / "sims/forget_bias.toml")
    assert (plan["path"], plan["draws"]) == ("results/forget_bias", spec.draws * len(spec.points()))
    assert list(tmp_path.iterdir()) == []


def test_a_path_wins_over_a_name(tmp_path):
    shutil.copy(ROOT / "sims/forget_bias.toml", tmp_path / "atlas")
    plan = strict_json(succeed("run", "atlas", "--dry-run", "--json", folder=tmp_path, ask=call_here))
    assert plan["points"] == len(fastlstm.load(ROOT / "sims/forget_bias.toml").points())


@pytest.mark.parametrize(
    ("name", "hint"),
    [("atals", "did you mean atlas?"), ("caroussel.toml", "did you mean carousel?"), ("qqq", "fastlstm sims")],
)
def test_an_unknown_name_is_answered_with_the_nearest(tmp_path, name, hint):
    done = call_here("run", name, folder=tmp_path)
    assert done.returncode == 2
    assert f"{name}: no such file, and no simulation of that name" in done.stderr
    assert hint in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_new_writes_a_spec_that_runs_and_explains_every_table(tmp_path):
    assert succeed("new", "mine.toml", folder=tmp_path, ask=call_here) == "mine.toml\n"
    text = (tmp_path / "mine.toml").read_text()
    tables = tomllib.loads(text)
    assert tables.keys() == Spec.model_fields.keys() - {"common"}
    lines = text.splitlines()
    assert all("#" in line for line in lines if line.startswith("[") and not line.startswith("[["))
    run = fastlstm.run(tmp_path / "mine.toml", tmp_path / "run", overrides={"draws": 200})
    assert len(run.points()) == 4
    assert set(run.claims()["claim_verdict"]) <= {"holds", "fails", "undecided"}


@pytest.mark.parametrize("name", SIMS)
def test_new_from_a_simulation_is_that_simulation_and_reads_its_own_data(tmp_path, name):
    done = call_here("new", "specs/mine.toml", "--from", name, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    written = [tmp_path / line for line in done.stdout.splitlines()]
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(written)
    spec = fastlstm.load(tmp_path / "specs/mine.toml")
    assert spec.hash == fastlstm.load(ROOT / "sims" / f"{name}.toml").hash
    if spec.input.process == "file":
        assert tmp_path in Path(spec.input.file).parents


def test_new_replaces_no_file(tmp_path):
    (tmp_path / "mine.toml").write_text("draws = 1")
    done = call_here("new", "mine.toml", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "mine.toml is there already" in done.stderr
    assert (tmp_path / "mine.toml").read_text() == "draws = 1"
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sunspots.csv").write_text("other data")
    done = call_here("new", "other.toml", "--from", "sunspots", folder=tmp_path)
    assert done.returncode == 2
    assert "data/sunspots.csv is there already" in done.stderr
    assert not (tmp_path / "other.toml").exists()
    assert "did you mean atlas?" in call_here("new", "third.toml", "--from", "atlass", folder=tmp_path).stderr


def test_warmup_leaves_nothing_to_compile_for_a_run(tmp_path):
    (tmp_path / "one.toml").write_text("draws = 64\nsteps = 3\n[params]\ndefault = { normal = { std = 30.0 } }\n")
    assert call("warmup", "one.toml", "-q", folder=tmp_path).returncode == 0
    assert succeed("warmup", "one.toml", folder=tmp_path) == "everything was compiled\n"
    assert "compiling" not in call("run", "one.toml", folder=tmp_path).stderr
    assert "compiling" not in call("replay", "results/one", folder=tmp_path).stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the sdist, as an index has it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = (
        "from hatchling.build import build_sdist, build_wheel; import sys; print(globals()[sys.argv[1]](sys.argv[2]))"
    )
    sdist = subprocess.run(
        [sys.executable, "-c", build, "build_sdist", folder], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    shutil.unpack_archive(folder / sdist, folder)
    source = folder / sdist.removesuffix(".tar.gz")
    name = subprocess.run(
        [sys.executable, "-c", build, "build_wheel", folder], cwd=source, capture_output=True, text=True, check=True
    ).stdout.strip()
    return zipfile.ZipFile(folder / name)


def test_the_wheel_has_every_simulation_with_its_data_and_the_spec_to_begin_with(wheel):
    files = set(wheel.namelist())
    for path in [*(ROOT / "sims").glob("*.toml"), *(ROOT / "sims/data").glob("*.csv")]:
        assert wheel.read(f"fastlstm/sims/{path.relative_to(ROOT / 'sims')}") == path.read_bytes()
    sources = {f"fastlstm/{path.relative_to(ROOT / 'fastlstm')}" for path in (ROOT / "fastlstm").rglob("*.py*")}
    assert {file for file in sources if "__pycache__" not in file} <= files
    assert {"fastlstm/cli/template.toml", "fastlstm/py.typed"} <= files


def test_the_package_of_the_wheel_finds_its_own_simulations(wheel, tmp_path):
    wheel.extractall(tmp_path / "site")
    ask = "import sys; sys.path.insert(0, 'site'); from fastlstm.cli import simulations; print(simulations.folder())"
    done = subprocess.run([sys.executable, "-I", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == tmp_path / "site/fastlstm/sims"


def test_in_a_clone_the_simulations_are_those_of_the_repository():
    assert simulations.folder() == ROOT / "sims"
    assert simulations.names() == SIMS
