"""Every file read again and compared with what was written."""

import errno
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from fastlstm.store.disk import Disk, remove_if_possible
from fastlstm.store.errors import Damaged, NotARun, disk_errors, locked
from fastlstm.store.folder import (
    DISK,
    JOURNAL,
    LOCK,
    PART_FILE,
    RUN,
    SPEC,
    Content,
    Finding,
    look,
    read_whole,
    strangers,
    temporaries,
    tidy,
)
from fastlstm.store.journal import COUNTS, ROWS, Journal, PartEntry, PartId, Stored, part_file, table_file
from fastlstm.store.parquet import decode, wrong_draws
from fastlstm.store.record import change_record, read_record, run_id, unfinish


class Examiner(Protocol):
    """Who knows what the files mean: asked about those that are as they were written, parts by point and draw."""

    def part(self, entry: PartEntry, rows: pa.Table | None, counts: pa.Table) -> str | None:
        """What is wrong with a part, if anything."""

    def tables(self, tables: Mapping[str, pa.Table], *, finished: bool) -> Mapping[str, str]:
        """What is wrong with each table that is wrong; asked last, and only if all parts are sound."""


def verify(
    path: str | os.PathLike[str],
    *,
    repair: bool = False,
    examiner: Examiner | None = None,
    disk: Disk = DISK,
) -> list[Finding]:
    """Read every file again and name all that is not as it was written.

    Checked are sizes and hashes, the number and the ids of the rows, that all parts have one schema, that no draw
    is missing from a finished run, the tables' hashes, and files that do not belong. An `examiner` may find more.

    With `repair`, parts and tables with a problem go, and what fastlstm left behind; the next run makes them
    again. Files that fastlstm did not make are named, and stay. Where the record is lost, or a journal has lines of
    another run, nobody can tell what belongs here, and nothing goes. Raises NotARun, OtherFormat, DirectoryLocked,
    DiskError.
    """
    path = Path(path)
    with disk_errors(), _alone(disk, path, writing=repair):
        content = look(disk, path)
        record = read_record(disk, path)
        of = None if record is None else run_id(record)
        journals = {name: Journal(text, of) for name, text in content.journals.items()}
        mixed = list(strangers(journals))
        journal = Journal.merged(journals.values())
        finished = record is not None and record["finished"] is not None
        of_parts = [*_check_parts(disk, path, journal, examiner), *_check_ranges(journal, finished=finished)]
        problems = [*mixed, *_check_record(disk, path, record, journal), *of_parts, *_check_strays(content, journal)]
        tables, bad_tables = _check_tables(disk, path, journal)
        if examiner is not None and not of_parts:
            for name, wrong in examiner.tables(tables, finished=finished).items():
                bad_tables[name] = Finding(table_file(name), wrong)
        problems += [problem for _, problem in sorted(bad_tables.items())]
        if repair and problems and of is not None and not mixed:
            for file in temporaries(content):
                disk.remove(path / file)
            for problem in problems:
                if problem.part is not None:
                    journal.parts.pop(problem.part, None)
            for name in bad_tables:
                journal.tables.pop(name, None)
            change_record(disk, path, unfinish)
            tidy(disk, path, content, journal, of)
            remove_if_possible(disk, [path / table_file(name) for name in bad_tables])
    return problems


@contextmanager
def _alone(disk: Disk, path: Path, *, writing: bool) -> Iterator[None]:
    """Hold the lock of a directory that is a run's; who only reads where nobody may write needs none."""
    if not any((path / name).exists() for name in (RUN, JOURNAL)):
        raise NotARun(f"{path} is not a run directory: it has no {RUN}")
    lock = None
    try:
        lock = disk.lock(path / LOCK)
    except BlockingIOError:
        raise locked(path) from None
    except OSError as error:
        if writing or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
    try:
        yield
    finally:
        if lock is not None:
            disk.close(lock)


def _check_record(disk: Disk, path: Path, record: Mapping[str, Any] | None, journal: Journal) -> Iterator[Finding]:
    if journal.damaged_lines or journal.torn:
        torn = " and a torn end" if journal.torn else ""
        yield Finding(JOURNAL, f"the journals have {journal.damaged_lines} damaged lines{torn}")
    if record is None:
        yield Finding(RUN, "missing or damaged")
        return
    if record["finished"] is not None and journal.totals() != record["totals"]:
        yield Finding(JOURNAL, f"the journals have {journal.totals()}, the run was finished with {record['totals']}")
    try:
        read_whole(disk, path, SPEC, Stored(*record["spec"]))
    except Damaged as error:
        yield Finding(SPEC, str(error))


def _check_parts(disk: Disk, path: Path, journal: Journal, examiner: Examiner | None) -> Iterator[Finding]:
    schemas: dict[PartId, pa.Schema] = {}
    for entry in journal.in_order():
        intact: dict[str, bytes] = {}
        for file, stored in entry.files().items():
            try:
                intact[file] = read_whole(disk, path, file, stored)
            except Damaged as error:
                yield Finding(file, str(error), entry.part)
        rows_file, counts_file = part_file(ROWS, entry.part), part_file(COUNTS, entry.part)
        sound = len(intact) == len(entry.files())
        if rows_file in intact:
            data = intact[rows_file]
            schema = schemas[entry.part] = pq.read_schema(pa.BufferReader(data)).remove_metadata()
            is_rows = "draw" in schema.names
            wrong = wrong_draws(decode(data, columns=["draw"])["draw"], entry) if is_rows else "has no column draw"
            if wrong:
                sound = False
                yield Finding(rows_file, wrong, entry.part)
        if sound and examiner is not None:
            rows = decode(intact[rows_file]) if rows_file in intact else None
            if wrong := examiner.part(entry, rows, decode(intact[counts_file])):
                yield Finding(counts_file, wrong, entry.part)
    usual = Counter(schemas.values()).most_common(1)
    for part, schema in schemas.items():
        if schema != usual[0][0]:
            yield Finding(part_file(ROWS, part), "has other columns than the other parts", part)


def _check_ranges(journal: Journal, *, finished: bool) -> Iterator[Finding]:
    point, following = -1, 0
    for entry in journal.in_order():
        if entry.part.point != point:
            point, following = entry.part.point, 0
        file = part_file(ROWS if entry.rows is not None else COUNTS, entry.part)
        if entry.first_draw > following and finished:
            yield Finding(file, f"draws {following} .. {entry.first_draw - 1} before it are missing")
        following = entry.first_draw + entry.draws


def _check_strays(content: Content, journal: Journal) -> Iterator[Finding]:
    committed = {file for entry in journal.parts.values() for file in entry.files()}
    for file in sorted(content.files.keys() - committed - set(temporaries(content))):
        if not file.rpartition("/")[2].startswith((".", "_")):  # those no reader sees
            yield Finding(
                file,
                "does not belong to the run" if PART_FILE.fullmatch(file) is None else "is not committed",
            )
    for file in temporaries(content):
        yield Finding(file, "was left by a process that died")


def _check_tables(disk: Disk, path: Path, journal: Journal) -> tuple[dict[str, pa.Table], dict[str, Finding]]:
    """The tables that are as they were written, and the others' problems."""
    tables, bad = {}, {}
    for name, stored in journal.tables.items():
        try:
            tables[name] = decode(read_whole(disk, path, table_file(name), stored))
        except Damaged as error:
            bad[name] = Finding(table_file(name), str(error))
    return tables, bad
