"""How parts are made: a maker turns the parts that are wanted into counts and encoded files, in any order.

The sweep knows no more of it than the types below. The maker here computes slices of draws by threads of this process
and takes them in order; nothing that is added up is a floating point number, so neither the size of slices and parts
nor the number of threads has any influence on the results.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol

import pyarrow as pa

from fastlstm.spec import Point, Spec
from fastlstm.store import EncodedPart, encode_part
from fastlstm.sweep.plan import Part, Plan
from fastlstm.sweep.recorder import Recorder
from fastlstm.sweep.simulation import Columns, Simulation, slice_size
from fastlstm.tables.counts import Counts
from fastlstm.threads import in_order

Compute = Callable[[int, int], Columns]
"""The columns of consecutive draws of one point: the first draw, and how many."""

Simulator = Callable[[Spec, Point], Compute]
"""What computes the draws of a point. Threads may share it."""


def kernel(spec: Spec, point: Point) -> Compute:
    """The simulator of every run: the compiled kernel."""
    return Simulation(spec, point).columns


class MadePart(NamedTuple):
    """A part that is ready to be committed: its counts, the number of its rows, and what encodes its files."""

    part: Part
    counts: Counts
    rows: int
    encode: Callable[[], EncodedPart]


class FailedPart(NamedTuple):
    """A part that could not be made."""

    part: Part
    error: Exception


Advance = Callable[[int, int], None]


class Maker(Protocol):
    """Makes the parts that are wanted, taken one by one as there is room for them; `advance` is told draws as they
    come, and how many steps each of them has."""

    def __call__(self, wanted: Iterable[Part], advance: Advance) -> Iterator[MadePart | FailedPart]: ...


class Slice(NamedTuple):
    """What a thread computes at once: some draws of a part."""

    part: Part
    point: Point
    first: int
    draws: int
    compute: Compute

    @property
    def ends_part(self) -> bool:
        return self.first + self.draws == self.part.first + self.part.draws


class ComputedSlice(NamedTuple):
    """A slice with its columns."""

    slice: Slice
    columns: Columns


class SliceComputer:
    """Computes the slices of parts by threads, in order; a part that fails ends with a FailedPart."""

    def __init__(self, plan: Plan, *, threads: int, simulator: Simulator = kernel) -> None:
        self._spec = plan.spec
        self._threads = threads
        self._simulator = simulator
        self._points = plan.spec.points()
        self._failed: Part | None = None

    def __call__(self, wanted: Iterable[Part]) -> Iterator[ComputedSlice | FailedPart]:
        for outcome in in_order(_compute, self._slices(wanted), threads=self._threads):
            part = outcome.part if isinstance(outcome, FailedPart) else outcome.slice.part
            if part == self._failed:
                continue
            if isinstance(outcome, FailedPart):
                self._failed = part
            yield outcome

    def give_up(self, part: Part) -> None:
        """Compute no more of a part."""
        self._failed = part

    def _slices(self, wanted: Iterable[Part]) -> Iterator[Slice | FailedPart]:
        # one kernel for all points: their specs differ in numbers, except for a grid over the process
        point, compute = None, None
        for part in wanted:
            try:
                if point is None or compute is None or point.index != part.id.point:
                    point = self._points[part.id.point]
                    compute = self._simulator(self._spec, point)
            except Exception as error:  # noqa: BLE001 - the sweep decides whether to go on
                point = None
                yield FailedPart(part, error)
                continue
            size = slice_size(self._spec, point.steps)
            for first in range(part.first, part.first + part.draws, size):
                if part == self._failed:
                    break
                yield Slice(part, point, first, min(size, part.first + part.draws - first), compute)


def _compute(task: Slice | FailedPart) -> ComputedSlice | FailedPart:
    if isinstance(task, FailedPart):
        return task
    try:
        return ComputedSlice(task, task.compute(task.first, task.draws))
    except Exception as error:  # noqa: BLE001 - the sweep decides whether to go on
        return FailedPart(task.part, error)


@dataclass
class _Gathered:
    """What has come in of the part in hand."""

    counts: Counts
    tables: list[pa.Table] = field(default_factory=list)


class LocalMaker:
    """Makes parts with threads of this process.

    Slices are computed by the threads; labelling and counting them, which holds the interpreter's lock, is done by
    who asks for the parts.
    """

    def __init__(self, plan: Plan, *, threads: int, simulator: Simulator = kernel) -> None:
        self._recorder = Recorder(plan)
        self._compute = SliceComputer(plan, threads=threads, simulator=simulator)

    def __call__(self, wanted: Iterable[Part], advance: Advance) -> Iterator[MadePart | FailedPart]:
        gathered, in_hand = _Gathered(self._recorder.new_counts()), None
        for outcome in self._compute(wanted):
            if isinstance(outcome, FailedPart):
                yield outcome
                continue
            piece = outcome.slice
            if piece.part != in_hand:  # also after a part that failed halfway
                gathered, in_hand = _Gathered(self._recorder.new_counts()), piece.part
            try:
                table = self._recorder.record(piece.point, piece.first, piece.draws, outcome.columns, gathered.counts)
            except Exception as error:  # noqa: BLE001 - the sweep decides whether to go on
                self._compute.give_up(piece.part)
                yield FailedPart(piece.part, error)
                continue
            if table is not None:
                gathered.tables.append(table)
            advance(piece.draws, piece.point.steps)
            if piece.ends_part:
                yield self._made(piece.part, gathered)

    def _made(self, part: Part, gathered: _Gathered) -> MadePart:
        counts = self._recorder.counts_table(part, gathered.counts)
        encode = partial(_encode, part, gathered.tables, counts)
        return MadePart(part, gathered.counts, sum(map(len, gathered.tables)), encode)


def _encode(part: Part, tables: list[pa.Table], counts: pa.Table) -> EncodedPart:
    rows = pa.concat_tables(tables) if tables else None
    return encode_part(part.id, first_draw=part.first, draws=part.draws, rows=rows, counts=counts)
