"""fastlstm run through its real entry point: what it says, writes, leaves alone and keeps when it is stopped."""

import fcntl
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import specs
from commands import TITLE, call, call_here, files, start, strict_json, succeed, wait_for_first_part

import fastlstm
from fastlstm.store import content_hash


@pytest.fixture(scope="module")
def first(folder):
    """What the first run of the spec said."""
    return call("run", "short spec.toml", "--out", "a run", folder=folder)


@pytest.fixture(scope="module")
def run(folder, first):
    assert first.returncode == 0, first.stderr
    return fastlstm.read(folder / "a run")


def test_run_ends_with_a_line_for_each_point_the_path_and_the_line_that_loads_it(first, folder, run, monkeypatch):
    lines = first.stdout.splitlines()
    assert lines[0] == f"{TITLE}, quantiles by point"
    assert lines[1].split()[:6] == ["point", "b_f", "b_i", "draws", "exploded", "vanished"]
    of_points, regimes = [line.split() for line in lines[2:8]], run.regimes()
    assert [int(line[0]) for line in of_points] == [0, 1, 2, 3, 4, 5]
    assert [float(line[1]) for line in of_points] == run.points()["b_f"].tolist()
    exploded = [int(line[-7].replace(",", "")) for line in of_points]
    assert exploded == regimes.groupby("point")["exploded"].sum().tolist()
    medians = [float(line[-4]) for line in of_points]
    exact = run.draws(["point", "log10_grad"]).groupby("point")["log10_grad"].median()
    np.testing.assert_allclose(medians, exact, atol=0.02)
    assert lines[-3:-1] == ["a run: 12,000 draws, 12,000 rows", "regimes of the gates: fastlstm regimes 'a run'"]
    monkeypatch.chdir(folder)
    loaded = {}
    exec(lines[-1], loaded)  # the line is for pasting
    pd.testing.assert_frame_equal(loaded["df"], pd.read_parquet(run.path / "draws"))


def test_a_run_of_one_point_ends_with_its_regime_table(folder):
    options = ["--set", "params.b_f=0.0", "--set", "params.b_i=0.0", "--out", "one point"]
    lines = succeed("run", "short spec.toml", *options, folder=folder, ask=call_here).splitlines()
    assert lines[0] == f"{TITLE}, quantiles by regime of the gates f, i, o"
    assert lines[-2] == "one point: 2,000 draws, 2,000 rows"


def test_run_gives_what_the_python_function_gives(run, tmp_path):
    assert content_hash(fastlstm.run(specs.SHORT, tmp_path / "run").path) == content_hash(run.path)


def test_run_again_does_nothing_and_says_so(run, folder, first):
    before = files(run.path)
    resumed = call("run", "short spec.toml", "--out", "a run", folder=folder)
    assert resumed.returncode == 0
    assert resumed.stdout == first.stdout
    assert resumed.stderr == f"Nothing to do: all draws were there, the run was finished {run.status().finished}.\n"
    assert files(run.path) == before


def test_run_takes_threads_settings_and_json_and_chooses_a_folder(folder, run):
    settings = ["--set", "store.rows=7", "--set", "measure.exploded=0.5", "--threads", 1, "--json"]
    actual = strict_json(succeed("run", "short spec.toml", *settings, folder=folder))
    path = Path("results") / "short spec"
    assert Path(actual["path"]) == path
    other = fastlstm.read(folder / path)
    assert len(other.draws()) == 6 * 7
    assert sum(record["draws"] for record in actual["regimes"]) == 12_000
    assert sum(record["exploded"] for record in actual["regimes"]) == other.regimes()["exploded"].sum()
    assert other.regimes()["exploded"].sum() > run.regimes()["exploded"].sum()
    pd.testing.assert_series_equal(other.regimes()["log10_grad_q50"], run.regimes()["log10_grad_q50"])


def test_dry_run_writes_nothing_and_tells_what_a_run_does(folder, run):
    before = sorted(folder.rglob("*"))
    plan = strict_json(succeed("run", "short spec.toml", "--out", "never", "--dry-run", "--json", folder=folder))
    status = run.status()
    assert (plan["points"], plan["draws"], plan["rows"]) == (6, status.draws, status.rows)
    assert plan["columns"] == len(run.draws().columns) - 1  # the point lies in the folder's name
    written = sum(path.stat().st_size for path in (run.path / "draws").rglob("*.parquet"))
    assert 0.5 * written < plan["bytes"] < 2 * written
    assert plan["seconds"] > 0
    told = succeed(
        "run", "short spec.toml", "--set", "store.rows=7", "--out", "never", "--dry-run", folder=folder, ask=call_here
    )
    assert "6 points, 12,000 draws, 42 rows" in told
    shard = ["--shard", "2/2", "--out", "never", "--dry-run", "--json"]
    plan = strict_json(succeed("run", "short spec.toml", *shard, folder=folder, ask=call_here))
    assert (plan["draws"], plan["rows"]) == (5_856, 5_856)
    assert sorted(folder.rglob("*")) == before


def test_run_refuses_the_folder_of_another_spec_and_names_the_difference(folder, run):
    before = files(run.path)
    done = call("run", "short spec.toml", "--out", "a run", "--set", "seed=12", folder=folder)
    assert done.returncode == 3
    assert done.stdout == ""
    assert "seed: 12 here, 11 there" in done.stderr
    assert files(run.path) == before


def test_run_refuses_a_folder_that_another_process_is_at_work_in(folder, run):
    with open(run.path / "_lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = call("run", "short spec.toml", "--out", "a run", folder=folder)
    assert done.returncode == 3
    assert done.stdout == ""
    assert "another fastlstm process" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run_that_is_asked_to_stop_keeps_its_draws_and_says_how_to_go_on(tmp_path, number):
    (tmp_path / "spec.toml").write_text(specs.SHORT_TOML)
    settings = ["--set", "draws=1_000_000", "--set", 'store.rows="none"']
    process = start("run", "spec.toml", "--out", "run", *settings, folder=tmp_path)
    wait_for_first_part(process, tmp_path / "run")
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert stdout == ""
    assert "same command" in stderr
    assert "Traceback" not in stderr
    status = fastlstm.read(tmp_path / "run").status()
    assert 0 < status.draws < 6_000_000
    assert f"{status.draws:,} of 6,000,000" in stderr
