"""Progress on stderr: a bar on a terminal, a line every 30 seconds in a log."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LOG_EVERY_SECONDS = 30.0


class Log:
    """A line now and then. Speed and time to go are of this session alone, whatever was done before it."""

    def __init__(self) -> None:
        self._start: float | None = None
        self._before = self._done = 0
        self._next_line = 0.0

    @property
    def worked(self) -> bool:
        """Whether this session finished any draws."""
        return self._done > self._before

    @property
    def rate(self) -> float:
        """Draws a second in this session."""
        return (self._done - self._before) / max(time.monotonic() - (self._start or 0.0), 1e-9)

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._start is None:
            self._start, self._before, self._next_line = now, done, now + LOG_EVERY_SECONDS
        self._done = done
        if now >= self._next_line:
            self._next_line = now + LOG_EVERY_SECONDS
            self.show(done, total)

    def show(self, done: int, total: int) -> None:
        """Say how far the run is."""
        to_go = (total - done) / self.rate if self.rate else float("inf")
        text = f"{done:,} of {total:,} draws, {self.rate:,.0f} a second, {to_go:,.0f} s to go"
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


class Bar(Log):
    """The same as a bar."""

    def __init__(self, bar: Progress) -> None:
        super().__init__()
        self._bar = bar
        self._task = bar.add_task("", total=None, rate="")

    def __call__(self, done: int, total: int) -> None:
        super().__call__(done, total)
        self._bar.update(self._task, completed=done, total=total, rate=f"{self.rate:,.0f} draws a second")

    def show(self, done: int, total: int) -> None:
        """The bar shows itself."""


@contextmanager
def show_progress() -> Iterator[Log]:
    """What to call with the draws done and their total."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Log()
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        yield Bar(bar)
