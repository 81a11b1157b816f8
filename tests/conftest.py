"""What holds for all tests."""

import importlib.util
from collections.abc import Generator

import pytest
from browser import CHROMIUM


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make chaos` asks for."""
    group = parser.getgroup("faults")
    group.addoption("--all-faults", action="store_true", help="try all faults of tests/chaos, not a few of each")
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
