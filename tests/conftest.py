"""What holds for all tests."""

import importlib.util
import signal
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from random import Random
from typing import TypeVar

import pandas as pd
import pytest
import specs
from browser import CHROMIUM
from small_store import do_all
from twins import Twin

import fastlstm
from fastlstm.store import content_hash

Case = TypeVar("Case")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make chaos` asks for."""
    group = parser.getgroup("faults")
    group.addoption("--all-faults", action="store_true", help="try all faults of tests/chaos, not a few of each")
    group.addoption(
        "--mutated-runs", metavar="N", type=int, default=2000, help="how many of all mutated runs are tried"
    )
    group.addoption("--fault-page", metavar="PAGE", help="write the counted faults into this page")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Say it when the tests had to do without the oracle or a browser: outermost, so below all other summaries."""
    yield
    if importlib.util.find_spec("jax") is None:
        terminalreporter.section("JAX is not installed", yellow=True, bold=True)
        terminalreporter.line("No gradient was compared with JAX's automatic differentiation in this run.")
    if CHROMIUM is None:
        terminalreporter.section("Chromium is not installed", yellow=True, bold=True)
        terminalreporter.line("No report was opened in a browser in this run.")


@pytest.fixture(scope="session", autouse=True)
def heeded() -> None:
    """What tests start heeds signals, though the tests be a background job or one of nohup, which ignores some.

    That a signal is ignored, a process hands on; that there is a handler, it does not.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session")
def some(pytestconfig: pytest.Config) -> Callable[[Sequence[Case], int], list[Case]]:
    """All cases, or a few of them where not all faults are asked for: always the same few."""

    def some(cases: Sequence[Case], few: int) -> list[Case]:
        if pytestconfig.getoption("--all-faults") or len(cases) <= few:
            return list(cases)
        chosen = Random(1).sample(range(len(cases)), few)
        return [cases[number] for number in sorted(chosen)]

    return some


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The content hash of the store's small run."""
    path = tmp_path_factory.mktemp("undisturbed")
    do_all(path)
    return content_hash(path)


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """The store's small run, finished."""
    path = tmp_path / "run"
    do_all(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name needs care, with a short spec in it: each file of tests has its own."""
    folder = tmp_path_factory.mktemp("tests") / "Tür und Tor ∂h"
    folder.mkdir()
    (folder / "short spec.toml").write_text(specs.SHORT_TOML, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> fastlstm.Run:
    """A finished run of that spec, in that folder."""
    return fastlstm.run(folder / "short spec.toml", folder / "a run")


@pytest.fixture(scope="module")
def short(folder: Path) -> fastlstm.Run:
    """A finished run of specs.SHORT, `short` in that folder, for tests that write reports beside it."""
    return fastlstm.run(specs.SHORT, folder / "short")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> fastlstm.Run:
    """A finished run of specs.WHOLE, to be read only."""
    return fastlstm.run(specs.WHOLE, tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture(scope="session")
def whole_rows(whole: fastlstm.Run) -> pd.DataFrame:
    return whole.draws()


@pytest.fixture(scope="session")
def twins(whole_rows: pd.DataFrame) -> list[Twin]:
    """Some draws of each point of that run, made again by the twin."""
    return [Twin(specs.WHOLE, whole_rows, point) for point in range(4)]
