"""How a sweep reports its progress, is asked to stop, and ends when points fail."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastlstm.store import StoreError

Progress = Callable[[int, int], None]
"""Called with the draws done so far and the draws of all points, or of the shard."""


def quiet(done: int, total: int) -> None:
    """No progress shown."""


@dataclass
class Stopper:
    """A request to stop: the number of a signal, or 0."""

    signal: int = 0


class Stopped(Exception):
    """The run was asked to stop; everything computed is committed."""

    def __init__(self, signal: int, done: int, total: int, errors: Mapping[int, Exception]) -> None:
        stopped = f"Stopped after {done:,} of {total:,} draws, all of them committed"
        super().__init__("\n".join([*_told(errors), stopped]))
        self.signal = signal


class PointsFailed(Exception):
    """Some points could not be computed; what else was asked for is committed. `errors` has each point's error."""

    def __init__(self, errors: dict[int, Exception], done: int, total: int) -> None:
        failed = "1 point" if len(errors) == 1 else f"{len(errors)} points"
        super().__init__("\n".join([*_told(errors), f"{failed} failed; {done:,} of {total:,} draws are committed"]))
        self.errors = errors


def _told(errors: Mapping[int, Exception]) -> list[str]:
    return [f"point {point}: {type(error).__name__}: {error}" for point, error in sorted(errors.items())]


class Failures:
    """The first error of each point that failed; without `keep_going` the first one is raised."""

    def __init__(self, *, keep_going: bool) -> None:
        self._keep_going = keep_going
        self.errors: dict[int, Exception] = {}

    def add(self, point: int, error: Exception) -> None:
        """Keep an error, or raise it. What the store cannot do is no point's failure."""
        if not self._keep_going or isinstance(error, StoreError):
            raise error
        self.errors.setdefault(point, error)

    def __contains__(self, point: int) -> bool:
        return point in self.errors
