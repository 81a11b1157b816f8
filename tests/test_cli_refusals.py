"""What the command line refuses: one message on stderr that names the cause, an exit code, and nothing written."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import specs
from commands import call, call_here, files

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
