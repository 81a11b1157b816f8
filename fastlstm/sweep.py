"""The one orchestrator: points, parts and slices of draws in; committed parts and tables out.

Slices of draws are computed by threads and taken in order; labelling and counting them, and writing the part before,
goes on meanwhile. Nothing that is added up is a floating point number, so neither the size of slices and parts
nor the number of threads has any influence on the results.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fastlstm import frames, measures
from fastlstm.kernel.random import STREAM_VERSION
from fastlstm.regimes import Counts, classify, flags, regime_number, regime_table
from fastlstm.simulation import Columns, Simulation, slice_size
from fastlstm.spec import Point, Spec
from fastlstm.store import PartId, RunDirectory, read_counts
from fastlstm.threads import in_order

Progress = Callable[[int, int], None]
"""Called with the draws done so far and the draws of all points."""


def quiet(done: int, total: int) -> None:
    """No progress shown."""


@dataclass
class Stopper:
    """A request to stop: the number of a signal, or 0."""

    signal: int = 0


class Stopped(Exception):
    """The run was asked to stop; everything computed is committed."""

    def __init__(self, signal: int, done: int, total: int) -> None:
        super().__init__(f"Stopped after {done:,} of {total:,} draws, all of them committed")
        self.signal = signal


_PART_ROWS = 262_144  # rows in a file: enough for good encoding, and two in memory are no burden
_PART_DRAWS = 2**24  # draws behind a file of counts where no rows are kept
_PART_STEPS = 2**31  # so that long draws are committed every few seconds to minutes


class Part(NamedTuple):
    """A contiguous range of the draws of a point: the unit that is committed."""

    id: PartId
    first: int
    draws: int


class Slice(NamedTuple):
    """What a thread computes at once, and whether it ends its part."""

    part: Part
    first: int
    draws: int
    ends_part: bool


def part_size(spec: Spec) -> int:
    """How many draws make a part: chosen once for a run directory, without influence on the results."""
    longest = max(point.steps for point in spec.points())
    most = _PART_DRAWS if spec.store.rows == "none" else _PART_ROWS
    return max(1024, min(most, _PART_STEPS // longest // 1024 * 1024))


def parts(spec: Spec, size: int) -> Iterator[Part]:
    """All parts of a spec, point by point."""
    for point in range(len(spec.points())):
        for number, first in enumerate(range(0, spec.draws, size)):
            yield Part(PartId(point, number), first, min(size, spec.draws - first))


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


@dataclass
class _Gathered:
    """What has come in of the part at hand."""

    counts: Counts
    tables: list[pa.Table] = field(default_factory=list)


class Recorder:
    """Turns the columns of a slice into rows and counts."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.schema = frames.row_schema(spec, STREAM_VERSION)
        self.measures = [measure for measure in frames.chosen_measures(spec) if measure.resolution is not None]

    def new_counts(self) -> Counts:
        return Counts(self.measures)

    def record(self, point: Point, first: int, draws: int, columns: Columns, counts: Counts) -> pa.Table | None:
        """Count the draws of a slice; the rows that are kept of them, or None if the run keeps none."""
        settings = self.spec.measure
        classes = {
            f"regime_{gate}": classify(columns[f"{gate}_left"], columns[f"{gate}_right"], settings.majority)
            for gate in measures.GATES
        }
        marks = flags(columns, exploded=settings.exploded, vanished=settings.vanished)
        counts.add(regime_number(list(classes.values())), columns, marks)
        if self.spec.store.rows == "none":
            return None
        kept = kept_draws(self.spec, first, draws)
        if len(kept) < draws:
            chosen = kept - first
            columns = {name: column[chosen] for name, column in columns.items()}
            classes = {name: column[chosen] for name, column in classes.items()}
            marks = {name: column[chosen] for name, column in marks.items()}
        return frames.rows(self.spec, self.schema, point, kept, columns, classes, marks)


class _Work:
    """Slices of draws, and what computes them."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._points = spec.points()
        self._simulation: Simulation | None = None

    def slices(self, wanted: Iterator[Part]) -> Iterator[tuple[Simulation, Slice]]:
        for part in wanted:
            # one kernel for all points: their specs differ in numbers, except for a grid over the process
            if self._simulation is None or self._simulation.point.index != part.id.point:
                self._simulation = Simulation(self.spec, self._points[part.id.point])
            size = slice_size(self.spec, self._simulation.point.steps)
            for first in range(part.first, part.first + part.draws, size):
                draws = min(size, part.first + part.draws - first)
                yield self._simulation, Slice(part, first, draws, first + draws == part.first + part.draws)


def _compute(task: tuple[Simulation, Slice]) -> tuple[Simulation, Slice, Columns]:
    simulation, piece = task
    return simulation, piece, simulation.columns(piece.first, piece.draws)


def sweep(
    spec: Spec, directory: RunDirectory, *, threads: int, progress: Progress = quiet, stopper: Stopper
) -> None:
    """Compute and commit the parts of a spec that a run directory does not have yet, then its tables.

    Raises Stopped once the part in hand is committed, if the stopper asks for it.
    """
    recorder = Recorder(spec)
    committed = directory.committed
    done, total = sum(entry.draws for entry in committed.values()), spec.draws * len(spec.points())
    progress(done, total)

    def until_stopped() -> Iterator[Part]:
        for part in parts(spec, directory.layout["part_draws"]):
            if stopper.signal:
                return
            if part.id not in committed:
                yield part

    gathered = _Gathered(recorder.new_counts())
    with ThreadPoolExecutor(1, thread_name_prefix="fastlstm-writer") as writer:
        writing: Future[None] | None = None
        for simulation, piece, columns in in_order(_compute, _Work(spec).slices(until_stopped()), threads=threads):
            table = recorder.record(simulation.point, piece.first, piece.draws, columns, gathered.counts)
            if table is not None:
                gathered.tables.append(table)
            if piece.ends_part:
                if writing is not None:
                    writing.result()
                writing = writer.submit(_commit, directory, piece.part, gathered)
                gathered = _Gathered(recorder.new_counts())
            done += piece.draws
            progress(done, total)
        if writing is not None:
            writing.result()
    if done < total:
        raise Stopped(stopper.signal, done, total)
    if not directory.finished:
        write_tables(spec, directory)


def _commit(directory: RunDirectory, part: Part, gathered: _Gathered) -> None:
    rows = pa.concat_tables(gathered.tables) if gathered.tables else None
    directory.commit(
        part.id, first_draw=part.first, draws=part.draws, rows=rows, counts=gathered.counts.to_table()
    )


def write_tables(spec: Spec, directory: RunDirectory) -> None:
    """Make points, regimes and histograms from the counts of all parts."""
    recorder = Recorder(spec)
    by_point: dict[int, Counts] = {}
    for part, table in read_counts(directory.path):
        by_point.setdefault(part.point, recorder.new_counts()).merge_table(table)
    directory.write_table("points", frames.points_table(spec))
    directory.write_table("regimes", pa.Table.from_pandas(regime_table(by_point), preserve_index=False))
    directory.write_table("histograms", histograms(by_point))
    directory.finish()


def histograms(by_point: dict[int, Counts]) -> pa.Table:
    """The counts of all points in one table."""
    tables = []
    for point, counts in by_point.items():
        table = counts.to_table()
        tables.append(table.add_column(0, "point", pa.array(np.full(len(table), point, np.int32))))
    return pa.concat_tables(tables)


def overall(spec: Spec, path: str | os.PathLike[str]) -> pd.DataFrame:
    """The regime table of all points of a finished run together."""
    counts = Recorder(spec).new_counts()
    for _, table in read_counts(path):
        counts.merge_table(table)
    return regime_table({0: counts}).drop(columns="point")


def in_memory(spec: Spec, *, threads: int) -> pd.DataFrame:
    """The rows of a small run, without a directory; `point` is a column of its own."""
    recorder = Recorder(spec)
    everything = parts(spec, part_size(spec))
    tables = []
    for simulation, piece, columns in in_order(_compute, _Work(spec).slices(everything), threads=threads):
        table = recorder.record(simulation.point, piece.first, piece.draws, columns, recorder.new_counts())
        if table is not None and len(table):
            number = pa.array(np.full(len(table), simulation.point.index, np.int32))
            tables.append(table.add_column(0, "point", number))
    if not tables:
        empty = recorder.schema.empty_table()
        tables.append(empty.add_column(0, "point", pa.array([], pa.int32())))
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    frame.attrs.update(frames.attributes(spec, STREAM_VERSION))
    return frame
