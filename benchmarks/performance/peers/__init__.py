"""Those that fastlstm is compared with, one file each.

A peer has a `name`, a `note` on what it is, `one_thread` (whether it is compared thread against thread), `settings`
to choose the best of, and `load`, which readies it to solve a problem with one of them.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from benchmarks.performance.problem import Problem

Setting = dict[str, Any]


class Missing(Exception):
    """A peer cannot take part, and why."""


class Ready(NamedTuple):
    """A peer before its start: a call does so many draws; `solution` are their gradients, (draws, 14)."""

    call: Callable[[], Any]
    draws: int
    solution: Callable[[], NDArray[Any]]
    at_once: int = 1


class Peer(Protocol):
    name: str
    note: str
    one_thread: bool

    def settings(self, problem: Problem, best: Setting | None) -> Iterable[Setting]:
        """What to try; `best` is what was best at 100 steps, if that is known."""

    def load(self, problem: Problem, setting: Setting) -> Ready:
        """Put the problem where this peer likes it best."""


def fitting(batches: Iterable[int], problem: Problem) -> list[int]:
    """The batch sizes, none larger than the problem."""
    return sorted({min(batch, problem.draws) for batch in batches})
