"""The command line through its real entry point: results on stdout, everything else on stderr, and the exit codes."""

import csv
import fcntl
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import specs
from typer.testing import CliRunner

import fastlstm
from fastlstm.cli import app
from fastlstm.measures import CLASSES
from fastlstm.oracles.naive import NAMES
from fastlstm.store import content_hash
from fastlstm.sweep import session
from fastlstm.sweep.provenance import provenance
from fastlstm.sweep.simulation import Simulation

FASTLSTM = Path(sys.executable).with_name("fastlstm")
TITLE = "log10 of gradient norms"  # how a table begins
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def start(*arguments, folder, **options):
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    command = [str(FASTLSTM), *(each if isinstance(each, bytes) else str(each) for each in arguments)]
    return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, **piped | options)


def call(*arguments, folder):
    """The ended process, with its stdout and stderr as text; it has said nothing that a user cannot read."""
    process = start(*arguments, folder=folder)
    stdout, stderr = process.communicate(timeout=300)
    assert "Traceback" not in stderr
    assert "Warning" not in stderr
    assert "\x1b" not in stdout + stderr  # no colours where there is no terminal
    return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)


def call_here(*arguments, folder):
    """The same without a new process: for what differs in options only, since imports take a second each time."""
    with chdir(folder):
        result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def succeed(*arguments, folder, ask=call):
    """Its stdout."""
    done = ask(*arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def strict_json(text):
    """JSON as the standard has it: no NaN, no Infinity."""

    def refuse(word):
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder whose name needs care, with a spec in it."""
    folder = tmp_path_factory.mktemp("cli") / "Tür und Tor ∂h"
    folder.mkdir()
    (folder / "short spec.toml").write_text(specs.SHORT_TOML, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def first(folder):
    """What the first run of the spec said."""
    return call("run", "short spec.toml", "--out", "a run", folder=folder)


@pytest.fixture(scope="module")
def run(folder, first):
    assert first.returncode == 0, first.stderr
    return fastlstm.read(folder / "a run")


# run


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


def wait_for_first_part(process, path):
    journal, deadline = path / "_journal.jsonl", time.monotonic() + 200
    while not (journal.exists() and journal.stat().st_size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


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


# run: shards, points that fail, another kernel


@pytest.fixture(scope="module")
def shards(folder):
    """A directory that lacks the second of two shards, and what the first said."""
    done = call_here("run", "short spec.toml", "--out", "in shards", "--shard", "1/2", folder=folder)
    assert done.returncode == 0, done.stderr
    return done


def test_shards_say_what_is_next_and_merge_ends_the_run(folder, run, shards, first):
    lines = shards.stdout.splitlines()
    assert lines[0] == "in shards: shard 1/2 is done; 6,144 of 12,000 draws of all shards are there"
    assert lines[1] == "When all are: fastlstm merge 'in shards'"
    refused = call_here("merge", "in shards", folder=folder)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "5,856 of 12,000 draws are missing, in 6 parts" in refused.stderr
    assert "of 2 shards these are not done: 2" in refused.stderr
    partly = succeed("merge", "in shards", "--incomplete", folder=folder, ask=call_here)
    assert "in shards: 6,144 of 12,000 draws, 6,144 rows" in partly
    told = call_here("regimes", "in shards", folder=folder)
    assert told.stderr == "Incomplete: 6,144 of 12,000 draws were counted.\n"
    assert "not finished" in succeed("status", "in shards", folder=folder, ask=call_here)
    other = ["run", "short spec.toml", "--out", "in shards", "--shard", "2/2", "--json"]
    facts = strict_json(succeed(*other, folder=folder, ask=call_here))
    assert facts == {"path": "in shards", "shard": [2, 2], "draws": 12_000, "of": 12_000}
    repeated = call_here(*other[:-1], folder=folder)
    assert "Nothing to do: all draws of this shard were there." in repeated.stderr
    merged = call_here("run", "short spec.toml", "--out", "in shards", folder=folder)  # as merge does
    assert merged.stderr == "All draws were there; no more than tables or verdicts were made.\n"
    assert merged.stdout == first.stdout.replace("a run", "in shards")
    assert content_hash(folder / "in shards") == content_hash(run.path)
    repeated = call_here("merge", "in shards", "--json", folder=folder)
    assert repeated.stderr.startswith("Nothing to do: the run was finished")
    assert strict_json(repeated.stdout)["draws"] == 12_000


def test_points_that_fail_are_told_and_the_same_command_computes_them(folder, run, monkeypatch):
    columns = Simulation.columns

    def fail(self, *arguments):
        if self.point.index == 4:
            raise MemoryError("Unable to allocate 9 TiB")
        return columns(self, *arguments)

    command = ["run", "short spec.toml", "--out", "failing", "--keep-going"]
    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "columns", fail)
        done = call_here(*command, folder=folder)
        assert done.returncode == 1
        assert done.stdout == ""
        assert "point 4: MemoryError: Unable to allocate 9 TiB\n1 point failed; 10,000 of 12,000 draws" in done.stderr
        assert "same command" in done.stderr
        at_once = call_here(*command[:-1], folder=folder)
        assert at_once.returncode == 1
        assert "There is not enough memory (Unable to allocate 9 TiB)" in at_once.stderr
    succeed(*command, folder=folder, ask=call_here)
    assert content_hash(folder / "failing") == content_hash(run.path)


def test_another_kernel_is_refused_unless_mixed_and_then_told(folder, shards, monkeypatch):
    other = provenance("float64") | {"kernel": "f00d" * 16, "versions": {"fastlstm": "0.2.0"}}
    monkeypatch.setattr(session, "provenance", lambda dtype: dict(other))
    command = ["run", "short spec.toml", "--out", "mixed", "--set", "draws=2100"]
    succeed(*command, "--shard", "1/2", folder=folder, ask=call_here)
    monkeypatch.undo()
    refused = call_here(*command, folder=folder)
    assert refused.returncode == 3
    assert "fastlstm 0.2.0 (f00df00df00d)" in refused.stderr
    mixed = call_here(*command, "--mix-kernels", folder=folder)
    assert mixed.returncode == 0
    assert "computed by 2 kernels" in mixed.stderr
    assert "computed by 2 kernels" in succeed("status", "mixed", folder=folder, ask=call_here)
    facts = strict_json(succeed("status", "mixed", "--json", folder=folder, ask=call_here))
    assert list(facts["kernels"].values()) == ["0.2.0", fastlstm.__version__]
    verified = call_here("verify", "mixed", "--json", folder=folder)
    assert (verified.returncode, strict_json(verified.stdout)) == (0, [])
    assert "computed by 2 kernels" in verified.stderr


# What reads a run


def test_status_tells_how_far_a_run_has_come(folder, run):
    text = succeed("status", "a run", folder=folder)
    assert "12,000 of 12,000 draws" in text
    assert "finished" in text
    facts = strict_json(succeed("status", "a run", "--json", folder=folder, ask=call_here))
    assert facts["finished"] is True
    assert (facts["draws"], facts["of"], facts["rows"], facts["parts"]) == (12_000, 12_000, 12_000, 6)
    assert facts["started"] <= facts["ended"]


def test_regimes_prints_the_table_of_the_run(folder, run):
    lines = succeed("regimes", "a run", folder=folder).splitlines()
    assert lines[0] == f"{TITLE}, quantiles by regime of the gates f, i, o"
    labels = "|".join(CLASSES)
    assert all(re.match(rf" *({labels}) +({labels}) +({labels}) ", line) for line in lines[2:])
    assert [int(line.split()[3].replace(",", "")) for line in lines[2:]] == run.overall()["draws"].tolist()
    by_point = succeed("regimes", "a run", "--by-point", folder=folder, ask=call_here)
    assert len(by_point.splitlines()) == 2 + len(run.regimes())
    for options, table in ((["--json"], run.overall()), (["--json", "--by-point"], run.regimes())):
        records = strict_json(succeed("regimes", "a run", *options, folder=folder, ask=call_here))
        assert list(records[0]) == list(table.columns)
        for name in ("draws", "share", "exploded", "exploded_high", "log10_grad_q05", "regime_f"):
            actual = [record[name] for record in records]
            if name == "regime_f":
                assert actual == table[name].tolist()
            else:
                np.testing.assert_allclose(actual, table[name], rtol=1e-9)


def test_replay_shows_the_stored_row_and_its_trace(folder, run):
    row = run.draws(filters=[("point", "==", 3), ("draw", "==", 17)]).iloc[0]
    shown = strict_json(succeed("replay", "a run", "--point", 3, "--draw", 17, "--json", folder=folder))
    assert list(shown["params"]) == list(NAMES)
    for name, value in shown["params"].items():
        assert np.float32(value) == row[name]
    for name in ("log10_grad", "loss", "f_mean"):
        assert np.float32(shown["measures"][name]) == row[name]
    assert len(shown["x"]) == len(shown["trace"]["h"]) == len(shown["gradients"]["x"]) == 10
    assert np.mean(shown["trace"]["f"]) == pytest.approx(row["f_mean"], rel=1e-6)
    assert sum(shown["trace"]["y"]) == pytest.approx(row["loss"], rel=1e-6)
    text = succeed("replay", "a run", "--point", 3, "--draw", 17, folder=folder, ask=call_here)
    for name in (*NAMES, "log10_grad", "memory_time"):
        assert name in text
    of_spec = succeed("replay", "short spec.toml", "--point", 3, "--draw", 17, folder=folder, ask=call_here)
    assert of_spec == text


def test_replay_shows_the_gradients_of_every_step_and_of_a_part_of_the_steps(folder, run):
    draw = ("replay", "a run", "--point", 3, "--draw", 17)
    replayed = fastlstm.replay(run.path, point=3, draw=17)
    lines = list(csv.reader(io.StringIO(succeed(*draw, "--csv", folder=folder, ask=call_here))))
    table = pd.DataFrame([[float(cell) for cell in line] for line in lines[1:]], columns=lines[0])
    assert table["t"].tolist() == list(range(1, 11))
    for name in ("dh", "dC", "df", "di", "do", "dg", "dz_f", "dz_i", "dz_o", "dz_c", "dz_y", "dW_hi_t"):
        assert table[name].tolist() == replayed.grads[name][0].tolist()
        assert table[f"log10_{name}"].tolist() == replayed.grads.log10(name)[0].tolist()
    assert table["dx"].tolist() == replayed.grads.x[0].tolist()
    np.testing.assert_allclose(1 / (1 + np.exp(-table["z_f"])), table["f"], rtol=1e-12)
    np.testing.assert_allclose(table["dW_hi_t"].sum(), replayed.grads["W_hi"][0], rtol=1e-12)
    some = pd.read_csv(io.StringIO(succeed(*draw, "--csv", "--steps", "4:6", folder=folder, ask=call_here)))
    assert some["t"].tolist() == [4, 5, 6]
    record = strict_json(succeed(*draw, "--json", "--steps", "4:6", folder=folder, ask=call_here))
    assert record["t"] == [4, 5, 6]
    assert record["steps"]["df"] == table["df"][3:6].tolist()
    assert record["log10"]["df"] == table["log10_df"][3:6].tolist()
    assert record["sign"]["df"] == np.sign(table["df"][3:6]).tolist()
    text = succeed(*draw, "--steps", "4:", folder=folder, ask=call_here)
    assert {"h0", "C0", "df", "dz_c", "dW_hf_t"} <= set(text.split())
    assert "h_0" not in text


def test_replay_writes_a_gradient_that_no_float_holds_as_a_power_of_ten(tmp_path):
    params = "default = 0.0\nb_f = -4.0\nb_i = 1.0\nb_c = 1.0\nW_y = -1.0\n"
    (tmp_path / "spec.toml").write_text(f'draws = 1\nsteps = 1000\n[params]\n{params}[loss]\nkind = "last"\n')
    text = succeed("replay", "spec.toml", "--steps", "1:2", folder=tmp_path, ask=call_here)
    assert "-10^-1744.36" in text


def test_verify_finds_nothing_in_a_whole_run_and_the_file_in_a_damaged_one(folder, run, tmp_path):
    assert "as it was written" in succeed("verify", "a run", folder=folder, ask=call_here)
    assert strict_json(succeed("verify", "a run", "--json", folder=folder, ask=call_here)) == []
    for path, data in files(run.path).items():
        copy = tmp_path / "run" / path.relative_to(run.path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(data)
    damaged = tmp_path / "run/draws/point=0002/part-00000000.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    done = call("verify", "run", folder=tmp_path)
    assert done.returncode == 4
    assert "point=0002/part-00000000.parquet" in done.stdout
    done = call_here("verify", "run", "--repair", folder=tmp_path)
    assert done.returncode == 4
    assert "point=0002/part-00000000.parquet" in done.stdout
    assert "run the spec again" in done.stdout
    assert "10,000 of 12,000 draws, not finished" in succeed("status", "run", folder=tmp_path, ask=call_here)
    output = succeed("run", folder / "short spec.toml", "--out", "run", folder=tmp_path, ask=call_here)
    assert "12,000 draws" in output
    assert "and agrees" in succeed("verify", "run", folder=tmp_path, ask=call_here)
    assert content_hash(tmp_path / "run") == content_hash(run.path)


def test_schema_is_the_json_schema_of_a_spec(folder):
    schema = strict_json(succeed("schema", folder=folder))
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"draws", "steps", "params", "input", "loss", "measure", "store"} <= set(schema["properties"])
    assert {"draws", "steps", "params"} <= set(schema["required"])
    assert not any("null" in json.dumps(value) for value in schema["properties"].values())


def test_help_and_version_go_to_stdout(folder):
    assert succeed("--version", folder=folder) == f"fastlstm {fastlstm.__version__}\n"
    text = succeed("--help", folder=folder, ask=call_here)
    for command in ("run", "merge", "status", "regimes", "verify", "replay", "schema"):
        assert re.search(rf"^ +{command} ", text, re.MULTILINE)
    text = succeed("run", "--help", folder=folder, ask=call_here)
    for option in ("SPEC", "--out", "--set", "--threads", "--shard", "--keep-going", "--dry-run", "--json"):
        assert option in text


@pytest.mark.parametrize("command", [["regimes", "a run", "--by-point", "--json"], ["status", "a run"]])
def test_a_reader_that_has_seen_enough_may_close_the_pipe(folder, run, command):
    process = start(*command, folder=folder)
    if command[0] != "status":  # its output fits into a buffer, so it is written at the very end
        process.stdout.readline(10)
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert stderr == ""


@pytest.mark.parametrize("command", [["regimes", "a run", "--by-point", "--json"], ["status", "a run"]])
def test_results_that_cannot_be_written_are_a_disk_error(folder, run, command):
    no_room = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); import fastlstm.cli as c; c.entry()"
    with open(folder / "results.txt", "w") as results:
        process = subprocess.run(
            [sys.executable, "-c", no_room, *command], cwd=folder, stdout=results, stderr=subprocess.PIPE, text=True
        )
    assert "could not be written" in process.stderr
    assert "Traceback" not in process.stderr
    assert "Exception ignored" not in process.stderr
    assert process.returncode == 74


# What is refused: the spec's text, or None for no file; arguments; what the message names

GOOD = specs.SHORT_TOML


def in_file(file, column):
    return GOOD + f'\n[input]\nprocess = "file"\nfile = "{file}"\ncolumn = "{column}"\n'


BAD = {
    "misspelt key": (GOOD + "\n[measure]\nsaturaton = 0.1\n", [], "measure.saturaton", "saturation?"),
    "NaN": (GOOD.replace("mean = 0.0, std = 2.0", "mean = nan, std = 2.0"), [], "params.default.normal.mean", "NaN"),
    "negative std": (GOOD.replace("std = 2.0", "std = -2.0"), [], "params.default.normal.std", "greater than 0"),
    "unknown process": (GOOD + '\n[input]\nprocess = "gaussian"\n', [], "input.process", "normal"),
    "no such spec": (None, [], "spec.toml", "no such file"),
    "empty spec": ("", [], "spec.toml", "empty"),
    "no such column": (in_file("series.csv", "valeu"), [], "input.column", "value"),
    "no draws": (GOOD.replace("2_000", "0"), [], "draws", "at least 1"),
    "no steps": (GOOD.replace("steps = 10", "steps = 0"), [], "steps", "at least 1"),
    "too many draws": (GOOD.replace("2_000", "1" + 30 * "0"), [], "draws", "at most"),
}
ALSO_BAD = {
    "no such input file": (in_file("nowhere.csv", "value"), [], "input.file", "no such file"),
    "empty input file": (in_file("empty.csv", "value"), [], "input.file", "empty"),
    "text in the column": (in_file("series.csv", "name"), [], "input.column", "number"),
    "series shorter than the draws": (in_file("series.csv", "value"), [], "input.file", "10"),
    "number in quotes": (GOOD.replace("2_000", '"2000"'), [], "draws", "whole number"),
    "no TOML": ("draws = = 3", [], "spec.toml", "TOML"),
    "bad setting": (GOOD, ["--set", "steps=-3"], "steps", "at least 1"),
    "setting without a value": (GOOD, ["--set", "steps"], "--set", "key.path=value"),
    "no threads": (GOOD, ["--threads", "0"], "--threads", "1"),
    "shard 0": (GOOD, ["--shard", "0/16"], "--shard", "1/16 .. 16/16"),
    "shard beyond the last": (GOOD, ["--shard", "17/16"], "--shard", "1/16 .. 16/16"),
    "no shard": (GOOD, ["--shard", "third"], "--shard", "like 3/16"),
    "no folder": (GOOD, ["--out", ""], "--out", "empty"),
    "unknown option": (GOOD, ["--frobnicate"], "--frobnicate", "option"),
    "dry run of a bad spec": (GOOD.replace("2_000", "0"), ["--dry-run"], "draws", "at least 1"),
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """What the command line says to each bad spec, and whether the folder is as it was."""
    cases, folders = BAD | ALSO_BAD, {}
    for name, (text, *_) in cases.items():
        folders[name] = tmp_path_factory.mktemp("bad")
        (folders[name] / "series.csv").write_text("name,value\na,1\nb,2\n")
        (folders[name] / "empty.csv").touch()
        if text is not None:
            (folders[name] / "spec.toml").write_text(text)

    def answer(name, ask):
        before = files(folders[name])
        done = ask("run", "spec.toml", "--out", "run", *cases[name][1], folder=folders[name])
        return done, files(folders[name]) == before and not (folders[name] / "run").exists()

    answers = {name: answer(name, call_here) for name in ALSO_BAD}
    with ThreadPoolExecutor(3) as pool:
        return answers | dict(zip(BAD, pool.map(lambda name: answer(name, call), BAD), strict=True))


@pytest.mark.parametrize("name", BAD | ALSO_BAD)
def test_a_bad_spec_is_refused_before_anything_is_written(refusals, name):
    done, untouched = refusals[name]
    _, _, *told = (BAD | ALSO_BAD)[name]
    assert done.returncode == 2
    assert done.stdout == ""
    for part in told:
        assert part in done.stderr
    problems = [line for line in done.stderr.splitlines() if line and not line.startswith(("Usage:", "Try "))]
    assert len(problems) == 1
    assert untouched


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["replay", "a run", "--point", "6"], 2, "there are 6 points; the points are 0 .. 5"),
        (["replay", "a run", "--draw", "2000"], 2, "draws of a point are 0 .. 1999"),
        (["merge", "nowhere"], 1, "not a run directory"),
        (["replay", "a run", "--draw", "-1"], 2, "--draw"),
        (["replay", "a run", "--steps", "8:11"], 2, "8:11 is not within the steps, which are 1:10"),
        (["replay", "a run", "--steps", "last"], 2, "'last' is no range of steps; give A:B, for example 1:10"),
        (["replay", "a run", "--csv", "--json"], 2, "excludes --json"),
        (["status", "nowhere"], 1, "not a run directory"),
        (["regimes", "short spec.toml"], 1, "not a run directory"),
        (["verify", "a run/draws"], 1, "not a run directory"),
        (["rum", "short spec.toml"], 2, "rum"),
        ([], 2, "Usage"),
    ],
)
def test_what_is_not_there_is_named(folder, run, arguments, code, told):
    before = sorted(folder.rglob("*"))
    done = call_here(*arguments, folder=folder)
    assert done.returncode == code
    assert done.stdout == ""
    assert told in done.stderr
    assert sorted(folder.rglob("*")) == before
