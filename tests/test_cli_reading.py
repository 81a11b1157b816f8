"""The commands that read a run and those that tell of the package: tables on stdout, in text, CSV and strict JSON."""

import csv
import io
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from commands import TITLE, call, call_here, files, start, strict_json, succeed

import fastlstm
from fastlstm.measures import CLASSES
from fastlstm.oracles.naive import NAMES
from fastlstm.store import content_hash


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
