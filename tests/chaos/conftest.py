"""What the fault tests share: a bench, a ledger, and how many of the possible faults are tried."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bench import Bench
from ledger import Fault, Ledger

LEDGER = pytest.StashKey[Ledger]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEDGER] = Ledger()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes seconds each, unless all faults are asked for."""
    if not config.getoption("--all-faults"):
        left_out = [item for item in items if any(m.kwargs.get("only_all") for m in item.iter_markers("chaos"))]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def ledger(pytestconfig: pytest.Config) -> Ledger:
    return pytestconfig.stash[LEDGER]


@pytest.fixture(scope="session")
def all_faults(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--all-faults"))


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    with TemporaryDirectory(prefix="fastlstm-chaos-") as folder:  # pytest's own is closed to other users
        bench = Bench(Path(folder))
        yield bench
        bench.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ledger = config.stash[LEDGER]
    if config.getoption("--all-faults") and ledger.counts:
        terminalreporter.section("faults")
        terminalreporter.line(ledger.table())


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the counts down, if they are of all faults and nothing failed."""
    page = session.config.getoption("--fault-page")
    ledger = session.config.stash[LEDGER]
    if page and exitstatus == 0 and ledger.counts.keys() == set(Fault):
        day = datetime.now(UTC).date().isoformat()
        ledger.write_into(Path(page), title=f"Counted on {day}:")
