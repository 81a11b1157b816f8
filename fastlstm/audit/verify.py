"""What a run says, told against itself: its counts from its rows, and its tables from its counts."""

import os
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fastlstm import store
from fastlstm.measures import ADJOINTS, CLASSES, FLAGS, GATES, SHARES
from fastlstm.runs import Run
from fastlstm.spec import Spec, SpecError
from fastlstm.store import PartEntry, Problem
from fastlstm.sweep.plan import kept_draws
from fastlstm.tables import rows as frames
from fastlstm.tables.counts import Counts
from fastlstm.tables.regimes import classify, flags, regime_number
from fastlstm.tables.totals import Totals


def verify(path: str | os.PathLike[str], *, repair: bool = False) -> list[Problem]:
    """Read every file of a run again; name all that is not as it was written, or that disagrees with the others.

    Beyond what `store.verify` checks: every part has the draws and rows that the spec says; where all rows are kept,
    labels, flags and counts are made again from them; the tables are made again from the counts. With `repair`, what
    is bad goes, and the next run makes it again. Raises NotARun, DirectoryLocked, DiskError.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 1000, "steps": 10, "params": {"default": {"normal": {"std": 2.0}}}}
    >>> run = fastlstm.run(spec, "results/tiny")
    >>> fastlstm.verify(run.path)
    []
    >>> (run.path / "regimes.parquet").unlink()
    >>> [problem.file for problem in fastlstm.verify(run.path)]
    ['regimes.parquet']
    """
    try:
        spec = Run(path).spec()
        examiner = Recount(spec, store.status(path).layout["part_draws"])
    except (SpecError, store.Damaged) as error:
        unread = Problem("_spec.toml", f"cannot be used, so tables and rows were not compared: {error}")
        return [*store.verify(path, repair=repair), unread]
    return store.verify(path, repair=repair, examiner=examiner)


class Recount:
    """Counts parts and makes tables once more, while `store.verify` reads them."""

    def __init__(self, spec: Spec, part_draws: int) -> None:
        self._spec = spec
        self._part_draws = part_draws
        self._points = len(spec.points())
        self._measures = frames.chosen_measures(spec)
        self._totals = Totals(spec)
        self._point: int | None = None
        self._draws = 0

    def part(self, entry: PartEntry, rows: pa.Table | None, counts: pa.Table) -> str | None:
        """What is wrong with a part, if anything."""
        if wrong := self._wrong_range(entry):
            return wrong
        found = Counts(self._measures)
        found.merge_table(counts)
        if found.draws() != entry.draws:
            return f"counts {found.draws()} draws instead of {entry.draws}"
        if rows is not None:
            if wrong := self._wrong_rows(entry, rows):
                return wrong
            if entry.kept == entry.draws:
                again = Counts(self._measures)
                _count(again, rows)
                if differing := _differing(again.to_table(), counts):
                    return f"disagrees with the rows of the part in {', '.join(differing)}"
        point = entry.part.point
        if self._point not in (None, point):
            self._totals.close(self._point)
        self._point = point
        self._totals.add(point, entry.draws, found)
        self._draws += entry.draws
        return None

    def _wrong_range(self, entry: PartEntry) -> str | None:
        point, number = entry.part
        first = number * self._part_draws
        if point >= self._points or first >= self._spec.draws:
            return "is no part of the spec"
        draws = min(self._part_draws, self._spec.draws - first)
        if (entry.first_draw, entry.draws) != (first, draws):
            return f"has draws from {entry.first_draw}, {entry.draws} of them, instead of from {first}, {draws}"
        return None

    def _wrong_rows(self, entry: PartEntry, rows: pa.Table) -> str | None:
        wanted = kept_draws(self._spec, entry.first_draw, entry.draws)
        if not np.array_equal(rows["draw"].to_numpy(), wanted):
            return "other draws have rows than the spec says"
        settings = self._spec.measure
        if {share.name for share in SHARES} <= set(rows.column_names):
            for gate in GATES:
                left, right = (rows[f"{gate}_{side}"].to_numpy() for side in ("left", "right"))
                if not np.array_equal(classify(left, right, settings.majority), _codes(rows, gate)):
                    return f"regime_{gate} in the rows does not follow from {gate}_left and {gate}_right"
        if {measure.name for measure in ADJOINTS} <= set(rows.column_names):
            columns = {measure.name: rows[measure.name].to_numpy() for measure in ADJOINTS}
            marks = flags(columns, exploded=settings.exploded, vanished=settings.vanished)
            for name in FLAGS:
                if not np.array_equal(marks[name], rows[name].to_numpy()):
                    return f"{name} in the rows does not follow from {', '.join(columns)}"
        return None

    def tables(self, tables: Mapping[str, pa.Table], *, finished: bool) -> Mapping[str, str]:
        """What is wrong with each table that is wrong.

        Those of an unfinished run may be older than its last parts; then there is nothing to compare them with.
        """
        if self._point is None or not (finished or self._are_of_now(tables)):
            return {}
        self._totals.close(self._point)
        wrong = {}
        for name, made in self._totals.tables().items():
            if name not in tables:
                if finished:
                    wrong[name] = "is missing, though the run is finished"
            elif differing := _differing(made, tables[name]):
                wrong[name] = f"disagrees with the counts of the parts in {', '.join(differing)}"
        return wrong

    def _are_of_now(self, tables: Mapping[str, pa.Table]) -> bool:
        return "points" in tables and pc.sum(tables["points"]["draws"]).as_py() == self._draws


def _codes(rows: pa.Table, gate: str) -> NDArray[np.int8]:
    """The class of a gate in each row: its place in CLASSES."""
    labels = rows[f"regime_{gate}"].cast(pa.string())
    codes: NDArray[np.int8] = pc.index_in(labels, value_set=pa.array(CLASSES)).to_numpy().astype(np.int8)
    return codes


def _count(counts: Counts, rows: pa.Table) -> None:
    columns = {name: rows[name].to_numpy() for name in counts.resolutions}
    marks = {name: rows[name].to_numpy() for name in FLAGS}
    counts.add(regime_number([_codes(rows, gate) for gate in GATES]).astype(np.uint8), columns, marks)


def _differing(one: pa.Table, other: pa.Table) -> list[str]:
    """The columns in which two tables differ; a column that one of them lacks is one."""
    names = list(dict.fromkeys([*one.column_names, *other.column_names]))
    if len(one) != len(other):
        return ["the number of rows"]
    return [name for name in names if not _same(one, other, name)]


def _same(one: pa.Table, other: pa.Table, name: str) -> bool:
    if name not in one.column_names or name not in other.column_names:
        return False
    here, there = (_plain(table[name]) for table in (one, other))
    if here.type != there.type:
        return False
    if pa.types.is_floating(here.type):
        return np.array_equal(here.to_numpy(), there.to_numpy(), equal_nan=True)
    return bool(here.equals(there))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Labels as text; the offsets of text may be of 32 or 64 bits."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return column.cast(pa.string() if pa.types.is_large_string(kind) else kind)
