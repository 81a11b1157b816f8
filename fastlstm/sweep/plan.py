"""Which draws make which part, which of them keep their rows, and which shard computes which part.

All of it is a function of the spec, the size of the parts and the number of shards alone, so that a part can be made
by anybody, at any time, and again.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

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


def part_size(spec: Spec, shards: int = 1) -> int:
    """How many draws make a part: chosen once for a run directory, without influence on the results."""
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
    size = max(1024, size // 1024 * 1024)
    number = -(-spec.draws // size)
    return -(-spec.draws // (1024 * number)) * 1024  # all parts alike, so that no shard gets the short ones


def parts(spec: Spec, size: int) -> Iterator[Part]:
    """All parts of a spec, point by point."""
    for point in range(len(spec.points())):
        yield from parts_of_point(spec, size, point)


def parts_of_point(spec: Spec, size: int, point: int) -> Iterator[Part]:
    """The parts of one point."""
    for number, first in enumerate(range(0, spec.draws, size)):
        yield Part(PartId(point, number), first, min(size, spec.draws - first))


def steps_of_points(spec: Spec) -> NDArray[np.int64]:
    """The number of steps T of every point, without making the points."""
    sizes = [len(values) for values in spec.axes().values()]
    if not isinstance(spec.steps, Grid):
        return np.full(int(np.prod(sizes, dtype=np.int64)), spec.steps, np.int64)
    shape = [size if name == "steps" else 1 for name, size in zip(spec.axes(), sizes, strict=True)]
    return np.broadcast_to(np.reshape(np.array(spec.steps.grid, np.int64), shape), sizes).ravel()


def dealt_out(spec: Spec, size: int, shards: int) -> Iterator[tuple[int, Part]]:
    """All parts, each with the number of its shard, 1 .. shards.

    They are dealt out one by one, those of the points with the most steps first, so that every shard gets long and
    short ones alike: no shard has more than one part more than another, neither in all nor of any number of steps.
    """
    order = list(range(len(spec.points())))
    if isinstance(spec.steps, Grid):
        steps = steps_of_points(spec)
        order.sort(key=lambda point: -int(steps[point]))
    place = 0
    for point in order:
        for part in parts_of_point(spec, size, point):
            yield place % shards + 1, part
            place += 1


def parts_of_shard(spec: Spec, size: int, shard: Shard | None) -> Iterator[Part]:
    """The parts that a shard computes; all of them if there are no shards."""
    if shard is None:
        yield from parts(spec, size)
        return
    for number, part in dealt_out(spec, size, shard.total):
        if number == shard.number:
            yield part


def kept_draws(spec: Spec, first: int, draws: int) -> NDArray[np.int64]:
    """Which of the draws first .. first + draws - 1 have rows: all, none, or every k-th, k a fraction perhaps.

    Draws are independent and alike, so evenly spaced ones are a fair sample of them.
    """
    if spec.store.rows == "none":
        return np.empty(0, np.int64)
    if spec.store.rows == "all" or spec.store.rows >= spec.draws:
        return np.arange(first, first + draws)
    rows = spec.store.rows
    begin, end = (-(-edge * rows // spec.draws) for edge in (first, first + draws))
    return np.array([number * spec.draws // rows for number in range(begin, end)], np.int64)


def layout(spec: Spec, *, shards: int = 1) -> dict[str, int]:
    """How a run is cut up: points, draws of a point, draws of a part. It stays as the directory was begun."""
    return {"points": len(spec.points()), "draws": spec.draws, "part_draws": part_size(spec, shards)}


def run_key(spec: Spec) -> str:
    """What a run directory is known by: the spec's hash, and the version of the random streams."""
    return f"{spec.hash}-stream{STREAM_VERSION}"
