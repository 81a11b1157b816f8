"""Cross-checks of a run: parts against its spec, counts against rows, tables against counts."""

import json
import os
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fastlstm import store
from fastlstm.kernel.random import STREAM_VERSION
from fastlstm.measures import ADJOINTS, CLASSES, FLAGS, GATES, SHARES
from fastlstm.runs import Run
from fastlstm.spec import SpecError
from fastlstm.store import Finding, PartEntry
from fastlstm.sweep.plan import Part, Plan, run_key
from fastlstm.sweep.recorder import counts_metadata
from fastlstm.tables.counts import COUNTS_SCHEMA, Counts
from fastlstm.tables.regimes import classify, flags, regime_number
from fastlstm.tables.rows import Rows
from fastlstm.tables.totals import Totals

_ABOUT = b"PANDAS_ATTRS"  # of the rows


def verify(path: str | os.PathLike[str], *, repair: bool = False) -> list[Finding]:
    """Read every file of a run again; name all that is not as it was written, or that disagrees with the others.

    Beyond what `store.verify` checks: every part has the draws and rows that the spec says, and says itself that it is
    of this run; where all rows are kept,
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
        examiner = CrossCheck(Plan(spec, store.status(path).layout["part_draws"]))
    except store.MixedRuns:  # named below, file by file
        return store.verify(path, repair=repair)
    except (SpecError, store.Damaged) as error:
        unread = Finding("_spec.toml", f"cannot be used, so tables and rows were not compared: {error}")
        return [*store.verify(path, repair=repair), unread]
    return store.verify(path, repair=repair, examiner=examiner)


class CrossCheck:
    """Counts parts and makes tables once more, while `store.verify` reads them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._spec = plan.spec
        self._measures = plan.spec.row_layout.measures
        self._schema = Rows(plan.spec, STREAM_VERSION).schema
        self._run_key = run_key(plan.spec)
        self._totals = Totals(plan.spec)
        self._draws = 0

    def part(self, entry: PartEntry, rows: pa.Table | None, counts: pa.Table) -> str | None:
        """What is wrong with a part, if anything."""
        part = self._plan.part(entry.part)
        if part is None:
            return "is no part of the spec"
        if wrong := self._wrong_range(entry, part) or self._wrong_origin(part, rows, counts):
            return wrong
        counted = Counts(self._measures)
        if not counted.names_all_of(counts):
            return "counts other measures than the spec has"
        counted.merge_table(counts)
        if counted.draws() != entry.draws:
            return f"counts {counted.draws()} draws instead of {entry.draws}"
        if rows is not None:
            if wrong := self._wrong_rows(entry, rows):
                return wrong
            if entry.kept == entry.draws:
                recounted = Counts(self._measures)
                _count(recounted, rows)
                if differing := _differing(recounted.to_table(), counts):
                    return f"disagrees with the rows of the part in {', '.join(differing)}"
        self._totals.close_others(part.id.point)
        self._totals.add(part.id.point, entry.draws, counted)
        self._draws += entry.draws
        return None

    def _wrong_range(self, entry: PartEntry, part: Part) -> str | None:
        if (entry.first_draw, entry.draws) != (part.first, part.draws):
            return (
                f"has draws from {entry.first_draw}, {entry.draws} of them, instead of from {part.first}, {part.draws}"
            )
        return None

    def _wrong_origin(self, part: Part, rows: pa.Table | None, counts: pa.Table) -> str | None:
        """Whether the files of a part say themselves that they are of this run."""
        if not counts.schema.equals(COUNTS_SCHEMA):
            return "has other columns than counts have"
        if counts.schema.metadata != counts_metadata(self._run_key, part):
            return f"says that its counts are of another run or part: {_short(counts.schema)}"
        if rows is not None and (rows.schema.metadata or {}).get(_ABOUT) != self._schema.metadata[_ABOUT]:
            return f"says that its rows are of another run: {_short(rows.schema)}"
        return None

    def _wrong_rows(self, entry: PartEntry, rows: pa.Table) -> str | None:
        wanted = self._plan.rows_of(entry.first_draw, entry.draws)
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
        if "points" in tables and "draws" not in tables["points"].column_names:
            return {"points": "has no column draws"}
        if not self._draws or not (finished or self._are_of_now(tables)):
            return {}
        self._totals.close_others()
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


def _short(schema: pa.Schema) -> str:
    """What a file says of itself, for a message."""
    metadata = schema.metadata or {}
    try:
        about = json.loads(metadata.get(b"fastlstm") or json.dumps(json.loads(metadata[_ABOUT])["fastlstm"]))
    except (KeyError, TypeError, ValueError):
        return "nothing"
    return json.dumps(about)[:200]


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
    plain = pa.string() if pa.types.is_large_string(kind) else kind
    return column if column.type == plain else column.cast(plain)
