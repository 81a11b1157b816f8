"""The plan of a run: which draws make which part, which of them keep their rows, and which shard computes which part.

All of it is a function of the spec, the size of the parts and the number of shards alone, so that a part can be made
by anybody, at any time, and again.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fastlstm.kernel.random import STREAM_VERSION
from fastlstm.spec import Spec
from fastlstm.spec.grids import Grid
from fastlstm.store import PartId

_PART_ROWS = 262_144  # rows in a file: enough for good encoding, and two in memory are no burden
_PART_DRAWS = 2**24  # draws behind a file of counts where few rows are kept
_PART_STEPS = 2**28  # so that the part in hand, which a signal waits for, is a matter of seconds
_MOST_PARTS = 2**16  # of a run: beyond it parts grow with the run, and are a matter of 1/65,536 of its time
_PARTS_OF_A_SHARD = 16  # at least, so that no shard has much more than its share
_SENT_ROWS = 2**16  # at least, or draws where no rows are kept: a part on its way costs the driver some ms


class Part(NamedTuple):
    """A contiguous range of the draws of a point: the unit that is committed."""

    id: PartId
    first: int
    draws: int


class Shard(NamedTuple):
    """One of `total` shares of a run; `number` counts from 1, as the tasks of a job array do."""

    number: int
    total: int

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    @classmethod
    def of(cls, number: int, total: int) -> Self:
        """Raises ValueError if there is no such shard."""
        if not 1 <= number <= total:
            there_are = f"they are 1/{total} .. {total}/{total}" if total >= 1 else "the second number is 1 or more"
            raise ValueError(f"{number}/{total}: there is no such shard; {there_are}")
        return cls(number, total)

    @classmethod
    def parse(cls, text: str) -> Self:
        """A shard as the command line has it, such as 3/16. Raises ValueError."""
        number, slash, total = text.partition("/")
        if not (slash and _is_number(number) and _is_number(total)):
            raise ValueError(f"{text!r} is no shard; it must be like 3/16, the third of 16")
        return cls.of(int(number), int(total))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def part_size(spec: Spec, shards: int = 1, *, workers: int = 0) -> int:
    """How many draws make a part: chosen once for a run directory, without influence on the results.

    workers: the threads of a cluster that take parts one by one, if it makes them.
    """
    total = spec.draws * len(spec.points())
    longest = max(spec.steps.grid) if isinstance(spec.steps, Grid) else spec.steps
    if spec.store.rows == "none":
        most = _PART_DRAWS
    elif spec.store.rows == "all":
        most = _PART_ROWS
    else:
        most = min(_PART_DRAWS, _PART_ROWS * max(1, spec.draws // spec.store.rows))
    size = min(most, max(_PART_STEPS // longest, total // _MOST_PARTS))
    if shards > 1:
        size = min(size, total // (_PARTS_OF_A_SHARD * shards))
    if workers:
        kept = spec.store.rows if isinstance(spec.store.rows, int) else spec.draws
        smallest = _SENT_ROWS * max(1, spec.draws // kept)
        size = min(size, max(smallest, total // (_PARTS_OF_A_SHARD * workers)))
    size = max(1024, size // 1024 * 1024)
    number = -(-spec.draws // size)
    return -(-spec.draws // (1024 * number)) * 1024  # all parts alike, so that no shard gets the short ones


class Plan:
    """The parts of a spec: `part_draws` draws each, the last one of a point perhaps fewer.

    points: their number. total: the draws of all points.
    """

    def __init__(self, spec: Spec, part_draws: int) -> None:
        self.spec = spec
        self.part_draws = part_draws
        self.points = len(spec.points())
        self.total = self.points * spec.draws

    @classmethod
    def of_new_run(cls, spec: Spec, *, shards: int = 1, workers: int = 0) -> Self:
        """The plan that a directory is begun with; whoever goes on with it keeps to that one."""
        return cls(spec, part_size(spec, shards, workers=workers))

    @property
    def layout(self) -> dict[str, int]:
        """The plan as the record of a run has it."""
        return {"points": self.points, "draws": self.spec.draws, "part_draws": self.part_draws}

    def part(self, name: PartId) -> Part | None:
        """The part of that name, if the spec has it."""
        point, number = name
        first = number * self.part_draws
        if not (0 <= point < self.points and 0 <= first < self.spec.draws):
            return None
        return Part(name, first, min(self.part_draws, self.spec.draws - first))

    def parts_of(self, point: int) -> Iterator[Part]:
        """The parts of one point, by draw."""
        for number, first in enumerate(range(0, self.spec.draws, self.part_draws)):
            yield Part(PartId(point, number), first, min(self.part_draws, self.spec.draws - first))

    def parts(self, shard: Shard | None = None) -> Iterator[Part]:
        """All parts, point by point; or those that a shard computes."""
        if shard is None:
            for point in range(self.points):
                yield from self.parts_of(point)
            return
        for number, part in self.shares(shard.total):
            if number == shard.number:
                yield part

    def shares(self, shards: int) -> Iterator[tuple[int, Part]]:
        """All parts, each with the number of its shard, 1 .. shards.

        They are dealt out one by one, those of the points with the most steps first, so that every shard gets long
        and short ones alike: no shard has more than one part more than another, neither in all nor of any number of
        steps.
        """
        order = list(range(self.points))
        if isinstance(self.spec.steps, Grid):
            order.sort(key=lambda point: -int(self.steps_of_points[point]))
        place = 0
        for point in order:
            for part in self.parts_of(point):
                yield place % shards + 1, part
                place += 1

    @cached_property
    def steps_of_points(self) -> NDArray[np.int64]:
        """The number of steps T of every point, without making the points."""
        if not isinstance(self.spec.steps, Grid):
            return np.full(self.points, self.spec.steps, np.int64)
        axes = self.spec.axes()
        sizes = [len(values) for values in axes.values()]
        shape = [size if name == "steps" else 1 for name, size in zip(axes, sizes, strict=True)]
        return np.broadcast_to(np.reshape(np.array(self.spec.steps.grid, np.int64), shape), sizes).ravel()

    def draw_steps(self, parts: Iterable[Part]) -> int:
        """The steps of all draws of some parts: what they take to compute."""
        return sum(part.draws * int(self.steps_of_points[part.id.point]) for part in parts)

    def unfinished_shards(
        self, committed: Container[PartId], sessions: Iterable[Mapping[str, Any]]
    ) -> dict[int, list[int]]:
        """For each number of shards that a session was one of: those shards that lack parts."""
        divisions = {name.partition("-of-")[2] for name in (each["shard"] for each in sessions) if name}
        return {
            shards: sorted({shard for shard, part in self.shares(shards) if part.id not in committed})
            for shards in sorted(map(int, divisions))
        }

    def draws(self, shard: Shard | None = None, *, within: Container[PartId] | None = None) -> int:
        """How many draws a shard computes, or all of them do; `within` counts only those of some parts."""
        if within is None and shard is None:
            return self.total
        return sum(part.draws for part in self.parts(shard) if within is None or part.id in within)

    def rows_of(self, first: int, draws: int) -> NDArray[np.int64]:
        """Which of the draws first .. first + draws - 1 of a point have rows: all, none, or every k-th, k a fraction.

        Draws are independent and alike, so evenly spaced ones are a fair sample of them.
        """
        rows = self.spec.store.rows
        if rows == "none":
            return np.empty(0, np.int64)
        if rows == "all" or rows >= self.spec.draws:
            return np.arange(first, first + draws)
        begin, end = (-(-edge * rows // self.spec.draws) for edge in (first, first + draws))
        return np.array([number * self.spec.draws // rows for number in range(begin, end)], np.int64)


def run_key(spec: Spec) -> str:
    """What a run directory is known by: the spec's hash, and the version of the random streams."""
    return f"{spec.hash}-stream{STREAM_VERSION}"
