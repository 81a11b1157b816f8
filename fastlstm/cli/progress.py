"""Progress on stderr: a bar on a terminal, a line every 30 seconds in a log."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

LOG_EVERY_SECONDS = 30.0


class Log:
    """A line now and then. Speed and time to go are of this session alone, whatever was done before it.

    The clock starts when the first slice of draws is there, so that compiling the kernel does not count.
    """

    def __init__(self) -> None:
        self._before: int | None = None
        self._done = 0
        self._clock: tuple[float, int] | None = None  # when it started, and the draws done then
        self._now = 0.0
        self._next_line = 0.0

    @property
    def worked(self) -> bool:
        """Whether this session finished any draws."""
        return self._done > (self._before or 0)

    @property
    def rate(self) -> float | None:
        """Draws a second in this session; None until two slices of draws are done."""
        if self._clock is None:
            return None
        start, done = self._clock
        return (self._done - done) / (self._now - start) if self._done > done and self._now > start else None

    def pace(self, total: int) -> str:
        """Speed and time to go, in words."""
        if self.rate is None:
            return ""
        return f"{self.rate:,.0f} draws a second, {_duration((total - self._done) / self.rate)} to go"

    def __call__(self, done: int, total: int) -> None:
        self._now, self._done = time.monotonic(), done
        if self._before is None:
            self._before, self._next_line = done, self._now + LOG_EVERY_SECONDS
        elif self._clock is None:
            self._clock = self._now, done
        if self._now >= self._next_line:
            self._next_line = self._now + LOG_EVERY_SECONDS
            self.show(done, total)

    def show(self, done: int, total: int) -> None:
        """Say how far the run is."""
        sys.stderr.write(", ".join(filter(None, (f"{done:,} of {total:,} draws", self.pace(total)))) + "\n")
        sys.stderr.flush()


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class Bar(Log):
    """The same as a bar, which starts where the run was."""

    def __init__(self, bar: Progress) -> None:
        super().__init__()
        self._bar = bar
        self._task = bar.add_task("", total=None, pace="")

    def __call__(self, done: int, total: int) -> None:
        super().__call__(done, total)
        self._bar.update(self._task, completed=done, total=total, pace=self.pace(total))

    def show(self, done: int, total: int) -> None:
        """The bar shows itself."""


@contextmanager
def show_progress() -> Iterator[Log]:
    """What to call with the draws done and their total."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Log()
        return
    # The time to go is not rich's own, which takes the draws of earlier sessions for work of the first moment.
    with Progress(BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"), console=console) as bar:
        yield Bar(bar)
