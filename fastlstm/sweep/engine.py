"""The one orchestrator: points, parts and slices of draws in; committed parts and tables out.

Slices of draws are computed by threads and taken in order; labelling and counting them, and writing the part before,
goes on meanwhile. Nothing that is added up is a floating point number, so neither the size of slices and parts
nor the number of threads has any influence on the results.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from fastlstm.kernel.random import STREAM_VERSION
from fastlstm.spec import Point, Spec
from fastlstm.store import RunDirectory
from fastlstm.sweep.plan import Part, Shard, part_size, parts, parts_of_shard, steps_of_points
from fastlstm.sweep.recorder import Recorder
from fastlstm.sweep.simulation import Columns, Simulation, slice_size
from fastlstm.sweep.stopping import Failures, PointsFailed, Progress, Stopped, Stopper, quiet
from fastlstm.tables import rows as frames
from fastlstm.tables.counts import Counts
from fastlstm.tables.totals import Totals, write_tables
from fastlstm.threads import in_order


class Slice(NamedTuple):
    """What a thread computes at once, and whether it ends its part."""

    part: Part
    first: int
    draws: int
    ends_part: bool


@dataclass
class _Gathered:
    """What has come in of the part at hand."""

    counts: Counts
    tables: list[pa.Table] = field(default_factory=list)


class _Work:
    """Slices of draws, and what computes them."""

    def __init__(self, spec: Spec, failures: Failures) -> None:
        self.spec = spec
        self._failures = failures
        self._points = spec.points()
        self._simulation: Simulation | None = None

    def slices(self, wanted: Iterable[Part]) -> Iterator[tuple[Simulation, Slice]]:
        """The slices of parts, but for those of points that failed."""
        for part in wanted:
            if part.id.point in self._failures:
                continue
            try:
                simulation = self._simulation_of(part.id.point)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this point's
                self._failures.add(part.id.point, error)
                continue
            size = slice_size(self.spec, simulation.point.steps)
            for first in range(part.first, part.first + part.draws, size):
                draws = min(size, part.first + part.draws - first)
                yield simulation, Slice(part, first, draws, first + draws == part.first + part.draws)

    def _simulation_of(self, point: int) -> Simulation:
        # one kernel for all points: their specs differ in numbers, except for a grid over the process
        if self._simulation is None or self._simulation.point.index != point:
            self._simulation = Simulation(self.spec, self._points[point])
        return self._simulation


def _compute(task: tuple[Simulation, Slice]) -> tuple[Simulation, Slice, Columns | Exception]:
    simulation, piece = task
    try:
        return simulation, piece, simulation.columns(piece.first, piece.draws)
    except Exception as error:  # noqa: BLE001 - the sweep decides whether to go on
        return simulation, piece, error


def _computed(
    spec: Spec, wanted: Iterable[Part], failures: Failures, *, threads: int
) -> Iterator[tuple[Point, Slice, Columns]]:
    """The columns of all slices, in order, but for points that fail."""
    for simulation, piece, columns in in_order(_compute, _Work(spec, failures).slices(wanted), threads=threads):
        if isinstance(columns, Exception):
            failures.add(simulation.point.index, columns)
        else:
            yield simulation.point, piece, columns


_WAITING_PARTS = 8  # while the disk is slow
_WAITING_ROWS = 262_144


class _Committer:
    """Commits parts, one behind the other in a thread of its own; sums up the points that this session makes whole.

    The thread encodes, hashes and waits for the disk. What holds the interpreter's lock is done by who submits.
    """

    def __init__(self, spec: Spec, directory: RunDirectory, failures: Failures, *, adds_up: bool) -> None:
        self.totals = Totals(spec)
        self._adds_up = adds_up
        self._spec = spec
        self._directory = directory
        self._failures = failures
        self._begun_before = {part.point for part in directory.committed}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="fastlstm-writer")
        self._waiting: deque[tuple[int, Future[None]]] = deque()  # rows, and what commits them

    def __enter__(self) -> "_Committer":
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.shutdown(cancel_futures=True)

    def submit(self, part: Part, gathered: _Gathered) -> None:
        """Have a part committed, once there is room for it: some small parts may wait, or one large one."""
        rows = sum(map(len, gathered.tables))
        while self._waiting and (
            len(self._waiting) >= _WAITING_PARTS or sum(others for others, _ in self._waiting) + rows > _WAITING_ROWS
        ):
            self._waiting.popleft()[1].result()
        table = gathered.counts.to_table()
        self._waiting.append((rows, self._writer.submit(self._commit, part, gathered.tables, table)))
        point = part.id.point
        if self._adds_up and point not in self._begun_before:
            self.totals.add(point, part.draws, gathered.counts)
            if part.first + part.draws == self._spec.draws:
                self.totals.close(point)

    def wait(self) -> None:
        """Come back when all that was submitted is committed. Raises DiskError."""
        while self._waiting:
            self._waiting.popleft()[1].result()

    def _commit(self, part: Part, tables: list[pa.Table], counts: pa.Table) -> None:
        if part.id.point in self._failures:
            return
        try:
            rows = pa.concat_tables(tables) if tables else None
            self._directory.commit(part.id, first_draw=part.first, draws=part.draws, rows=rows, counts=counts)
        except Exception as error:  # noqa: BLE001 - raised again if it is not the point's
            self._failures.add(part.id.point, error)


def sweep(
    spec: Spec,
    directory: RunDirectory,
    *,
    threads: int,
    shard: Shard | None = None,
    keep_going: bool = False,
    progress: Progress = quiet,
    work: Progress = quiet,
    stopper: Stopper,
) -> None:
    """Compute and commit the parts of a spec that a run directory does not have yet, then its tables.

    `progress` is called with the draws done and their total; `work`, just before, with the same in draw-steps.
    A shard computes its share of the parts and makes no tables. Raises Stopped once the part in hand is committed, if
    the stopper asks for it; with keep_going PointsFailed, once all other points are done.
    """
    recorder, failures = Recorder(spec), Failures(keep_going=keep_going)
    share = list(parts_of_shard(spec, directory.layout["part_draws"], shard))
    committed = directory.committed
    total = sum(part.draws for part in share)
    done = sum(part.draws for part in share if part.id in committed)
    steps = steps_of_points(spec)
    steps_done, steps_in_all = (
        sum(part.draws * int(steps[part.id.point]) for part in counted)
        for counted in ([part for part in share if part.id in committed], share)
    )
    work(steps_done, steps_in_all)
    progress(done, total)

    def until_stopped() -> Iterator[Part]:
        for part in share:
            if stopper.signal:
                return
            if part.id not in committed:
                yield part

    with _Committer(spec, directory, failures, adds_up=shard is None) as committer:
        gathered, at_hand = _Gathered(recorder.new_counts()), None
        for point, piece, columns in _computed(spec, until_stopped(), failures, threads=threads):
            if point.index in failures:
                continue
            if piece.part.id != at_hand:  # also after a point that failed within a part
                gathered, at_hand = _Gathered(recorder.new_counts()), piece.part.id
            try:
                table = recorder.record(point, piece.first, piece.draws, columns, gathered.counts)
                if table is not None:
                    gathered.tables.append(table)
                if piece.ends_part:
                    committer.submit(piece.part, gathered)
            except Exception as error:  # noqa: BLE001 - raised again if it is not the point's
                failures.add(point.index, error)
                continue
            done += piece.draws
            steps_done += piece.draws * point.steps
            work(steps_done, steps_in_all)
            progress(done, total)
        committer.wait()
    committed = directory.committed
    done = sum(part.draws for part in share if part.id in committed)
    if failures.errors and not stopper.signal:
        raise PointsFailed(failures.errors, done, total)
    if done < total:
        raise Stopped(stopper.signal, done, total, failures.errors)
    if shard is None and not directory.finished:
        write_tables(directory, committer.totals)


def in_memory(spec: Spec, *, threads: int) -> pd.DataFrame:
    """The rows of a small run, without a directory; `point` is a column of its own."""
    recorder, failures = Recorder(spec), Failures(keep_going=False)
    tables = []
    for point, piece, columns in _computed(spec, parts(spec, part_size(spec)), failures, threads=threads):
        table = recorder.record(point, piece.first, piece.draws, columns, recorder.new_counts())
        if table is not None and len(table):
            number = pa.array(np.full(len(table), point.index, np.int32))
            tables.append(table.add_column(0, "point", number))
    if not tables:
        empty = recorder.schema.empty_table()
        tables.append(empty.add_column(0, "point", pa.array([], pa.int32())))
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    frame.attrs.update(frames.attributes(spec, STREAM_VERSION))
    return frame
