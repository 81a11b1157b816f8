"""Progress on stderr: a bar on a terminal, one changing line in a notebook, a line every 30 seconds in a log."""

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fastlstm.sweep.stopping import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichBar

LOG_EVERY_SECONDS = 30.0
NOTEBOOK_EVERY_SECONDS = 0.5
COMPILING = "compiling the kernel for this processor, once: about 10 s"
COMPILING_ANOTHER = "compiling another kernel for this processor, once: about 20 s"  # for draws of a wide range
_LAST_SECONDS = 60.0  # the speed is that of the slices in the last minute
_LEAST_SLICES = 8  # but of at least so many, where a slice takes longer


class Log:
    """A line now and then. Speed and time to go are those of the last slices of this session.

    Time to go counts draw-steps, since a draw of 1,000 steps takes a hundred times as long as one of 10. The clock
    starts when the first slice of draws is there, and stops while a kernel is compiled.
    """

    every_seconds = LOG_EVERY_SECONDS

    def __init__(self) -> None:
        self.compiled_seconds = 0.0
        self._before: int | None = None  # the draws of earlier sessions
        self._done = 0
        self._work: tuple[int, int] | None = None  # draw-steps done, and of all draws
        self._slices: deque[tuple[float, int, int]] = deque()  # when, with the draws and the draw-steps done then
        self._next_line = 0.0

    @property
    def worked(self) -> bool:
        """Whether this session finished any draws."""
        return self._done > (self._before or 0)

    @property
    def rate(self) -> float | None:
        """Draws a second of the last slices; None until two slices of draws are done."""
        return self._per_second(1)

    def pace(self, total: int) -> str:
        """Speed and time to go, in words."""
        rate, work_rate = self._per_second(1), self._per_second(2)
        if rate is None or work_rate is None:
            return ""
        done, of = self._work or (self._done, total)
        return f"{rate:,.0f} draws a second, {_duration((of - done) / work_rate)} to go"

    def work(self, done: int, of: int) -> None:
        """Called with the draw-steps done, and those of all draws, before the call with the draws."""
        self._work = done, of

    def __call__(self, done: int, total: int) -> None:
        now, self._done = time.monotonic(), done
        if self._before is None:
            self._before, self._next_line = done, now + self.every_seconds
        else:
            self._slices.append((now, done, self._work[0] if self._work else done))
            while len(self._slices) > _LEAST_SLICES and self._slices[0][0] < now - _LAST_SECONDS:
                self._slices.popleft()
        if now >= self._next_line:
            self._next_line = now + self.every_seconds
            self.show(done, total)

    def show(self, done: int, total: int) -> None:
        """Say how far the run is."""
        self._say(", ".join(filter(None, (f"{done:,} of {total:,} draws", self.pace(total)))))

    def compiling(self) -> None:
        """Say that a kernel is being compiled."""
        self._say(COMPILING_ANOTHER if self.compiled_seconds else COMPILING)

    def compiled(self, seconds: float) -> None:
        """The kernel is there; what was timed before says nothing of the speed."""
        self.compiled_seconds += seconds
        self._slices.clear()

    def close(self) -> None:
        """Say what is known at the end alone."""
        if self.compiled_seconds:
            self._say(f"compiling took {self.compiled_seconds:.0f} s, once on this machine")

    def _say(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def _per_second(self, column: int) -> float | None:
        if len(self._slices) < 2:
            return None
        first, last = self._slices[0], self._slices[-1]
        return float((last[column] - first[column]) / (last[0] - first[0])) if last[0] > first[0] else None


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class Silent(Log):
    """Nothing is said; what was compiled and whether anything was done is known all the same."""

    def _say(self, text: str) -> None:
        pass


class Told(Silent):
    """Progress that a caller's function is told."""

    def __init__(self, function: Progress) -> None:
        super().__init__()
        self._function = function

    def __call__(self, done: int, total: int) -> None:
        super().__call__(done, total)
        self._function(done, total)


class Notebook(Log):
    """One line of output that changes."""

    every_seconds = NOTEBOOK_EVERY_SECONDS

    def _say(self, text: str) -> None:
        sys.stderr.write(f"\r{text:<100}")
        sys.stderr.flush()

    def close(self) -> None:
        """End the line."""
        super().close()
        sys.stderr.write("\n")


class Bar(Log):
    """A bar, which starts where the run was, and a spinner while a kernel is compiled."""

    def __init__(self, bar: "RichBar") -> None:
        super().__init__()
        self._bar = bar
        self._task = bar.add_task("", total=None, pace="")

    def __call__(self, done: int, total: int) -> None:
        super().__call__(done, total)
        self._bar.update(self._task, completed=done, total=total, pace=self.pace(total))

    def show(self, done: int, total: int) -> None:
        """The bar shows itself."""

    def compiling(self) -> None:
        self._bar.update(self._task, pace=COMPILING_ANOTHER if self.compiled_seconds else COMPILING)

    def compiled(self, seconds: float) -> None:
        super().compiled(seconds)
        self._bar.update(self._task, pace="")


@contextmanager
def show_progress(progress: Progress | bool | None = None) -> Iterator[Log]:
    """What to call with the draws done and their total, and when a kernel is compiled.

    True shows it; None does on a terminal and in a notebook, and is silent elsewhere; a function is told.
    """
    if callable(progress):
        yield Told(progress)
        return
    where = _where()
    if progress is False or (progress is None and where == "log"):
        yield Silent()
        return
    if where == "terminal":
        with _bar() as bar:
            shown: Log = Bar(bar)
            yield shown
    else:
        shown = Notebook() if where == "notebook" else Log()
        yield shown
    shown.close()


def _where() -> str:
    """Whether stderr is a terminal, the output of a notebook's cell, or a log."""
    if sys.stderr.isatty():
        return "terminal"
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "notebook" if hasattr(shell, "kernel") else "log"


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    # The time to go is not rich's own, which takes the draws of earlier sessions for work of the first moment.
    columns = SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}")
    return Progress(*columns, console=Console(stderr=True))
