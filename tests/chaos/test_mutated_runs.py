"""Journals, records and names that somebody changed: every command ends with a message, and touches nothing else."""

import gc
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fakes
import pytest
from bench import Verdict
from click.testing import CliRunner
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from ledger import Fault
from mutations import changes, mutate
from typer.main import get_command

import fastlstm
from fastlstm.cli import app
from fastlstm.store.disk import Disk
from fastlstm.store.journal import unseal
from fastlstm.sweep.opening import open_directory
from fastlstm.sweep.plan import Plan, Shard

pytestmark = pytest.mark.chaos

BATCH, FEW = 1000, 12  # mutations of a batch; and of the only one, where not all faults are asked for
CODES = {0, 1, 2, 3, 4, 74}
COMMAND = get_command(app)  # made once: it takes as long as a command
COMMANDS = [["status"], ["verify"], ["claims"], ["merge"], ["verify", "--repair"], ["merge", "--incomplete"]]
REPORT_EVERY = 100  # a page takes a second where there is something to draw

# As small as can be: two points of two parts, few columns, and all draws in one regime.
SPEC = {
    "draws": 12,
    "steps": 1,
    "params": {"default": {"normal": {"std": 2.0}}, "b_f": {"grid": [-2.0, 1.0]}},
    "measure": {"groups": ["norms", "gates"], "majority": 0.999999},
    "claim": [{"text": "most vanish", "statistic": "share(vanished)", "predicts": "> 0.5"}],
}
PART_DRAWS = 8


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where mutated runs are made: in memory where there is such a place, since they are made ten thousand times."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="fastlstm-", dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def whole(folder: Path) -> Path:
    """A finished run with one of the journals that it was begun with, so that both kinds are there."""
    path = folder / "whole"
    open_directory(Plan(fastlstm.load(SPEC), PART_DRAWS), path, made_by={}).close()
    fakes.run(SPEC, path, shard=Shard.of(1, 2))
    journal = path / "_journal-1-of-2.jsonl"
    text = journal.read_bytes()
    fakes.run(SPEC, path)
    journal.write_bytes(text)
    assert fastlstm.verify(path) == []
    return path


@pytest.fixture
def nothing_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No mutation asks whether a device was reached, and nothing that was imported is searched for garbage again."""
    for step in ("sync", "sync_folder"):
        monkeypatch.setattr(Disk, step, lambda *arguments: None)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def state_of(folder: Path) -> dict[str, Any]:
    """Every name under a folder with what it holds, whatever may hold it."""
    return {
        str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() and not path.is_symlink() else b"")
        for path in sorted(folder.rglob("*"))
    }


def commands(number: int) -> Iterator[list[str]]:
    """What is tried on the run of that number, in this order."""
    yield from COMMANDS[:3]
    if number % REPORT_EVERY == 0:
        yield ["report"]
    yield from COMMANDS[3:]


def insist(command: list[str], run: Path, several: list[tuple[Any, ...]]) -> None:
    """Give a command, and insist that it ends with a code, and a message if the code is not 0."""
    ended = CliRunner().invoke(COMMAND, [*command, str(run)])
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise AssertionError(f"{command} after {several}") from ended.exception
    assert ended.exit_code in CODES, (command, several, ended.output)
    assert ended.exit_code == 0 or ended.output.strip(), (command, several)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As many batches as `--mutated-runs` asks for; each is seeded by its number, and may have its own process."""
    if "batch" in metafunc.fixturenames:
        of_all = math.ceil(metafunc.config.getoption("--mutated-runs") / BATCH)
        metafunc.parametrize("batch", range(of_all if metafunc.config.getoption("--all-faults") else 1))


def test_no_mutation_ends_in_a_traceback_or_reaches_beyond_the_run(
    batch, folder, whole, ledger, all_faults, nothing_waits
):
    here = folder / "here"
    shutil.rmtree(here, ignore_errors=True)
    run, beside, victim = here / "run", here / "beside", here / "victim.parquet"
    (beside / "draws/point=0000").mkdir(parents=True)
    for file in (beside / "victim.parquet", beside / "draws/point=0000/part-00000007.parquet", victim):
        file.write_text("precious")
    before, tried, wanted = state_of(beside), 0, BATCH if all_faults else FEW

    @seed(batch)
    @settings(max_examples=wanted, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(changes, min_size=1, max_size=3))
    def try_one(several: list[tuple[Any, ...]]) -> None:
        nonlocal tried
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(whole, run)
        for change in several:
            mutate(run, change)
        tried += 1
        for command in commands(tried):
            insist(command, run, several)
        assert state_of(beside) == before
        assert victim.read_text() == "precious"
        assert {path.name for path in here.iterdir()} == {"beside", "run", "victim.parquet"}
        ledger.enter(Fault.MUTATED_RUN, Verdict(survived=True))

    try_one()
    assert tried >= wanted


def test_mutations_reach_what_they_are_meant_to_change(tmp_path, whole):
    """The test of the test: sealed changes keep their check, so that it is their content that is refused."""
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    mutate(run, ("seal", "_journal.jsonl", 0, 3, "../victim"))
    first = (run / "_journal.jsonl").read_bytes().splitlines()[0]
    record = unseal(first)
    assert record is not None
    assert "../victim" in json.dumps(record)


def test_a_table_of_other_columns_that_a_journal_vouches_for_is_found_and_dropped(tmp_path, whole):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    mutate(run, ("adopt", "points.parquet", "draws/point=0000/part-00000000.parquet"))
    mutate(run, ("pipe", "counts/point=0000/part-00000000.parquet"))
    for command in COMMANDS:
        insist(command, run, [])
    shutil.rmtree(run)
    shutil.copytree(whole, run)
    mutate(run, ("adopt", "points.parquet", "draws/point=0000/part-00000000.parquet"))
    assert [(each.file, each.what) for each in fastlstm.verify(run, repair=True)] == [
        ("points.parquet", "has no column draws")
    ]
    assert not (run / "points.parquet").exists()
