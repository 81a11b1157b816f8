"""What holds for all tests."""

import importlib.util
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Say it when the tests had to do without the oracle: outermost, so below all other summaries."""
    yield
    if importlib.util.find_spec("jax") is None:
        terminalreporter.section("JAX is not installed", yellow=True, bold=True)
        terminalreporter.line("No gradient was compared with JAX's automatic differentiation in this run.")
