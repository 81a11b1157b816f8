"""Where faults are tried: command lines to run, the undisturbed run to compare with, and the verdict."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from small_run import DRAWS, POINTS, TABLES, begin, stored_ids, write_spec

import fastlstm
from fastlstm import store
from fastlstm.audit import verify as recount

FASTLSTM = Path(sys.executable).with_name("fastlstm")
REFUSALS = (store.StoreError, fastlstm.SpecError)
EVERY_DRAW = [(point, draw) for point in range(POINTS) for draw in range(DRAWS)]
PATIENCE = 600  # seconds in which every command ends that does not hang


@dataclass(frozen=True)
class Ended:
    """A command line that has ended, one way or another."""

    code: int
    stdout: str
    stderr: str
    operations: int = 0


@dataclass(frozen=True)
class Verdict:
    """What a fault has done to a run."""

    survived: bool
    lost: int = 0  # draws
    doubled: int = 0  # draws
    wrong: int = 0  # numbers read without a word that are not the true ones

    @property
    def clean(self) -> bool:
        return self == Verdict(survived=True)


class Bench:
    """One folder for everything; `spec` is the small spec, `whole` its undisturbed run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = write_spec(folder)
        self.environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        self.environment |= {"OPENBLAS_NUM_THREADS": "1"}
        self._forking = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("forking.py"), self.spec],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=self.environment,
        )  # fmt: skip
        assert self._forking.stdout is not None
        assert self._forking.stdout.readline() == "ready\n"
        os.chmod(folder, 0o755)  # for a run as another user
        self.truth = fastlstm.simulate(self.spec, threads=1).set_index(["point", "draw"])
        self.whole = self.run_with_parts_of(120)
        assert self.go_on(self.whole).code == 0
        self.content = store.content_hash(self.whole)
        self.tables = {name: store.read_table(self.whole, name) for name in TABLES}
        self.overall = fastlstm.read(self.whole).overall()
        self._copies = 0

    def close(self) -> None:
        assert self._forking.stdin is not None
        self._forking.communicate()  # closes its pipes; it ends at the end of its orders

    def run_with_parts_of(self, draws: int, *, name: str = "whole") -> Path:
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        begin(path, self.spec, part_draws=draws)
        return path

    def copy(self, name: str = "run") -> Path:
        """A copy of the undisturbed run, to be damaged."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        return Path(shutil.copytree(self.whole, path))

    # ------------------------------------------------------------------ command lines

    def fork(self, *arguments: str | Path, timeout: int = PATIENCE, **faults: Any) -> Ended:
        """A command line in a fork of a process that has done the imports; `faults` as in forking.py.

        Who sets a timeout of his own, in seconds, says what it means when the command does not end before.
        """
        stdout, stderr = self.folder / "stdout", self.folder / "stderr"
        order = {"arguments": list(map(str, arguments)), "folder": str(self.folder), "timeout": timeout}
        order |= {"stdout": str(stdout), "stderr": str(stderr)} | faults
        assert self._forking.stdin is not None
        assert self._forking.stdout is not None
        self._forking.stdin.write(json.dumps(order) + "\n")
        self._forking.stdin.flush()
        answer = json.loads(self._forking.stdout.readline())
        texts = (path.read_text(encoding="utf-8", errors="replace") for path in (stdout, stderr))
        ended = Ended(answer["code"], *texts, answer["operations"])
        assert timeout != PATIENCE or ended.code != -signal.SIGALRM, f"{arguments} hung:\n{ended.stderr}"
        return ended

    def go_on(self, run: Path, **faults: Any) -> Ended:
        """The command that makes the run, or goes on with it."""
        return self.fork("run", self.spec, "--out", run, "--threads", "1", **faults)

    def start(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
        """The real command."""
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
        options = piped | {"cwd": self.folder, "env": self.environment} | options
        return subprocess.Popen([str(FASTLSTM), *map(str, arguments)], **options)

    def call(self, *arguments: str | Path, **options: Any) -> Ended:
        """The real command, to its end."""
        process = self.start(*arguments, **options)
        stdout, stderr = process.communicate(timeout=PATIENCE)
        return Ended(process.returncode, stdout or "", stderr or "")

    # ------------------------------------------------------------------ verdicts

    def wrong_numbers(self, run: Path) -> int:
        """How many numbers `fastlstm.read` gives, without complaint, that are not those of the draw."""
        wrong = 0
        with suppress(*REFUSALS):
            rows = fastlstm.read(run).draws()
            wrong += _differences(rows.set_index(["point", "draw"]), self.truth)
        for name, table in self.tables.items():
            with suppress(*REFUSALS):
                wrong += _differences(store.read_table(run, name), table)
        with suppress(*REFUSALS):
            actual = store.status(run)
            if actual.finished and actual.draws == POINTS * DRAWS:
                wrong += _differences(fastlstm.read(run).overall(), self.overall)
        return wrong

    def is_whole(self, run: Path) -> bool:
        """Whether a run has just the content of the undisturbed one."""
        try:
            return recount.verify(run) == [] and store.content_hash(run) == self.content
        except store.StoreError:
            return False

    def judge(self, run: Path, *, survived: bool = True) -> Verdict:
        """What became of a run that should be whole by now."""
        ids = stored_ids(run)
        return Verdict(
            survived=survived and self.is_whole(run),
            lost=len(set(EVERY_DRAW) - set(ids)),
            doubled=len(ids) - len(set(ids)),
            wrong=self.wrong_numbers(run),
        )

    def judge_of_a_copy(self, run: Path) -> Verdict:
        """What would become of a run if it went on now; the run itself stays as it is."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        return self.judge_after_going_on(Path(shutil.copytree(run, copy)))

    def judge_after_going_on(self, run: Path, *, wrong: int = 0) -> Verdict:
        """The same, once the command was given again; `wrong` numbers were read before."""
        ended = self.go_on(run)
        verdict = self.judge(run, survived=ended.code == 0)
        return Verdict(verdict.survived, verdict.lost, verdict.doubled, verdict.wrong + wrong)


def _differences(frame: pd.DataFrame, truth: pd.DataFrame) -> int:
    """How many values of a frame are not, to the bit, those of the truth under the same column and index."""
    if frame.equals(truth):  # the usual case, fast
        return 0
    if not frame.index.isin(truth.index).all() or set(frame.columns) != set(truth.columns):
        return frame.size
    expected = truth.loc[frame.index]
    return sum(int(np.sum(_bits(frame[name]) != _bits(expected[name]))) for name in frame.columns)


def _bits(column: pd.Series) -> np.ndarray:
    values = column.to_numpy()
    if values.dtype.kind == "f":
        return values.view(f"u{values.dtype.itemsize}")
    return values.astype(str)
