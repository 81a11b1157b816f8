"""The run directory: a run that cannot lose or repeat a draw.

A run is committed part by part. A part is a contiguous range of the draws of one point, and up to two files:
its rows and its counts. Their bytes are made in memory and hashed before they meet the disk; they are written
under temporary names that no reader's glob matches, synced, renamed, the folders synced; then one line is
added to the journal, and synced. So a part is either in the journal and whole, or it does not exist. pyarrow
is never given a path to write to, since it unlinks its target when a write fails.

    _spec.toml                               the normalised spec, as run
    _run.json                                spec hash, layout, and each session's provenance, start and end
    _journal.jsonl                           one line for each committed part and each table
    _journal-3-of-16.jsonl                   the same by shard 3 of 16; the next unsharded run takes it in
    _lock, _lock-3-of-16, _lock-run          flocks, given back by the kernel when a process ends
    points.parquet, regimes.parquet, ...     tables
    draws/point=0003/part-00000007.parquet   the rows of a part, where rows are kept
    counts/point=0003/part-00000007.parquet  the mergeable counts of the same part

Who holds what: an unsharded run, and `verify`, hold `_lock` alone; a shard shares `_lock` with other shards
and holds its own lock alone. `_lock-run` is held for moments, while `_run.json` is read and rewritten.

No decision is taken from a clock or a file time.
"""

import errno
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from fastlstm.disk import TEMPORARY, Disk, append, make_folders, put, remove_if_possible, walk

_SPEC, _RUN, _JOURNAL, _LOCK, _RUN_LOCK = "_spec.toml", "_run.json", "_journal.jsonl", "_lock", "_lock-run"
_ROWS, _COUNTS = "draws", "counts"
_SHARD_JOURNAL = re.compile(r"_journal-\d+-of-\d+\.jsonl")
_SHARD_LOCK = re.compile(r"_lock-\d+-of-(\d+)")
_PART_FILE = re.compile(r"(?:draws|counts)/point=\d{4,}/part-\d{8,}\.parquet")
_DISK = Disk()


class StoreError(Exception):
    """What can go wrong with a run directory."""


class DirectoryLocked(StoreError):  # noqa: N818
    """Another process is at work in the directory."""


class OtherSpec(StoreError):  # noqa: N818
    """The directory belongs to another spec; `stored_spec_text` is that spec ("" if it cannot be read)."""

    def __init__(self, path: Path, stored_spec_text: str) -> None:
        super().__init__(f"{path} belongs to another spec; give another directory, or remove this one")
        self.stored_spec_text = stored_spec_text


class DiskError(StoreError):
    """The disk is full, failing, or may not be written; `errno` says which. What is committed stays."""

    def __init__(self, error: OSError) -> None:
        where = f": {error.filename}" if error.filename else ""
        super().__init__(
            f"{error.strerror or error}{where}. What is committed stays; the same command goes on from there"
        )
        self.errno = error.errno


class Damaged(StoreError):  # noqa: N818
    """A file is missing or is not what was written."""


class NotARun(StoreError):  # noqa: N818
    """The folder is not a run directory."""


class NotThere(StoreError):  # noqa: N818
    """What is asked for is not in the run: rows that are not kept, or a table that is not made yet."""


class PartId(NamedTuple):
    """The name of a part: its point, and its number within the point; both count from 0."""

    point: int
    number: int


class Stored(NamedTuple):
    """What was written: a size in bytes and the SHA-256."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes | memoryview) -> Self:
        return cls(len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class PartEntry:
    """What the journal knows about a part: the draws first_draw .. first_draw + draws - 1 of its point.

    `kept` is the number of rows kept of them. `rows` is None where the run keeps no rows. `footer` is the end
    of the rows file, from the Parquet metadata on: pages carry checksums of their own, the footer does not.
    """

    part: PartId
    first_draw: int
    draws: int
    kept: int
    rows: Stored | None
    footer: Stored | None
    counts: Stored

    def files(self) -> dict[str, Stored]:
        """The part's files, as paths within the run directory."""
        found = {_part_file(_COUNTS, self.part): self.counts}
        if self.rows is not None:
            found[_part_file(_ROWS, self.part)] = self.rows
        return found


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong: the file, as a path within the run directory; what; and the part it belongs to, if to
    one.
    """

    file: str
    what: str
    part: PartId | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


@dataclass(frozen=True, slots=True)
class Status:
    """Where a run stands: totals of what is committed. Times are ISO 8601 in UTC; `finished` is None until
    then.

    `sessions` has, for each process that wrote into the directory, its provenance, shard, start, end and
    draws; a session that was killed has no end. `damaged_lines` are journal lines that cannot be trusted; a
    torn last line, as a killed process leaves it, is one of them.
    """

    path: Path
    spec_hash: str
    layout: dict[str, Any]
    started: str
    finished: str | None
    sessions: list[dict[str, Any]]
    parts: int
    draws: int
    rows: int
    bytes: int
    draws_by_point: dict[int, int]
    tables: tuple[str, ...]
    damaged_lines: int


# ---------------------------------------------------------------------------------------------- bytes of tabl


def encode(table: pa.Table) -> memoryview:
    """The bytes of a Parquet file with page checksums; the same table gives the same bytes.

    Random floats hardly compress, so the point is to lose no time on them. Measured on one core (2^20 rows:
    36 random float32 columns, 9 of few values such as shares of 100 steps, 3 regimes, 2 flags and the draw;
    best of 7, interleaved), in million rows a second written and read, and bytes a row:

        as here             2.6   8.5   138        lz4, floats plain     3.2   9.3   156
        zstd 1              1.7   3.8   133        all statistics        2.3   8.6   138
        snappy              2.7   6.8   140        fields may be null    2.1   4.8   138
        not compressed      3.6  10.1   151        no page checksums     2.9  12.1   138

    With all 45 columns random it is 2.4, 8.3 and 170, against 1.9, 3.0 and 167 for zstd 1. pyarrow's
    defaults, which try a dictionary on every column, wrote 0.9 with 210 bytes a row.
    """
    few = [name for name in table.column_names if _has_few_values(table[name])]
    floats = [
        field.name for field in table.schema if pa.types.is_floating(field.type) and field.name not in few
    ]
    integers = [
        field.name for field in table.schema if pa.types.is_integer(field.type) and field.name not in few
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="lz4",
        use_dictionary=few,
        column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT")
        | dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
        write_statistics=[name for name in table.column_names if name not in floats],
        write_page_checksum=True,
    )
    return memoryview(sink.getvalue())


def _has_few_values(column: pa.ChunkedArray) -> bool:
    """Whether a dictionary pays: grid values, shares of the steps, labels. Judged by the first rows."""
    if pa.types.is_dictionary(column.type):
        return True
    return not pa.types.is_boolean(column.type) and len(pc.unique(column.slice(0, 4096))) <= 1024


def _decode(data: bytes, columns: list[str] | None = None) -> pa.Table:
    return pq.read_table(pa.BufferReader(data), columns=columns, page_checksum_verification=True)


def _footer(data: memoryview) -> memoryview:
    """The end of a Parquet file: metadata, their length in 4 bytes, and the mark PAR1."""
    return data[-8 - int.from_bytes(data[-8:-4], "little") :]


# ---------------------------------------------------------------------------------------------- names and rec


def _part_file(kind: str, part: PartId) -> str:
    return f"{kind}/point={part.point:04d}/part-{part.number:08d}.parquet"


def _table_file(name: str) -> str:
    return f"{name}.parquet"


def _seal(record: Mapping[str, Any], *, indent: int | None = None) -> bytes:
    """One JSON object and a line end, with a check over its own text as the last key."""
    head = json.dumps(record, indent=indent).removesuffix("}").rstrip().encode()
    return head + _check(head) + b"\n"


def _unseal(text: bytes) -> dict[str, Any] | None:
    """The record that `_seal` was given; None if the text is not whole, bit for bit."""
    head, mark, rest = text.rstrip(b"\n").rpartition(b',"check":"')
    if mark + rest != _check(head):
        return None
    record: dict[str, Any] = json.loads(head + b"}")
    return record


def _check(head: bytes) -> bytes:
    return b',"check":"%s"}' % hashlib.sha256(head).hexdigest()[:16].encode()


def _part_line(entry: PartEntry) -> bytes:
    return _seal(
        {
            "part": entry.part,
            "first_draw": entry.first_draw,
            "draws": entry.draws,
            "kept": entry.kept,
            "rows": entry.rows,
            "footer": entry.footer,
            "counts": entry.counts,
        }
    )


def _part_entry(record: Mapping[str, Any]) -> PartEntry:
    rows, footer = record["rows"], record["footer"]
    return PartEntry(
        part=PartId(*record["part"]),
        first_draw=record["first_draw"],
        draws=record["draws"],
        kept=record["kept"],
        rows=None if rows is None else Stored(*rows),
        footer=None if footer is None else Stored(*footer),
        counts=Stored(*record["counts"]),
    )


def _table_line(name: str, stored: Stored | None) -> bytes:
    return _seal({"table": name, "stored": stored})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# ---------------------------------------------------------------------------------------------- what is there


class _Journal:
    """What one journal or several say. Later lines win; a table line that stores nothing takes the table
    back.

    A torn end is what a process leaves that dies while it writes, or has not written yet; a damaged line
    stands before the end.
    """

    def __init__(self) -> None:
        self.parts: dict[PartId, PartEntry] = {}
        self.tables: dict[str, Stored] = {}
        self.damaged_lines = 0
        self.torn = False

    def take(
        self, text: bytes, *, usable: Callable[[PartEntry], bool] = lambda entry: True
    ) -> list[PartEntry]:
        """Take in the lines of a journal; entries that are not `usable` are left out, and returned."""
        refused = []
        for line in text.splitlines(keepends=True):
            record = _unseal(line)
            if record is None:
                self.damaged_lines += line.endswith(b"\n")
                self.torn |= not line.endswith(b"\n")
            elif "table" in record:
                self.tables.pop(record["table"], None)
                if record["stored"] is not None:
                    self.tables[record["table"]] = Stored(*record["stored"])
            elif usable(entry := _part_entry(record)):
                self.parts[entry.part] = entry
            else:
                refused.append(entry)
        return refused

    def text(self) -> bytes:
        """The journal as it were had nothing ever gone wrong."""
        parts = [_part_line(self.parts[part]) for part in sorted(self.parts)]
        tables = [_table_line(name, self.tables[name]) for name in sorted(self.tables)]
        return b"".join(parts + tables)

    def in_order(self) -> list[PartEntry]:
        """The parts by point and first draw."""
        return sorted(self.parts.values(), key=lambda entry: (entry.part.point, entry.first_draw))


class _Found(NamedTuple):
    """What a look into the run directory finds."""

    journals: dict[str, bytes]  # the text of each, the unsharded one first
    files: dict[str, int]  # sizes of all files under draws and counts
    top: dict[str, int]  # sizes of the files that stand beside them


def _look(disk: Disk, path: Path) -> _Found:
    # The journals first: what they name is then in place when the folders are read, shards at work or not.
    journals = _journal_texts(disk, path)
    files = walk(disk, path, _ROWS) | walk(disk, path, _COUNTS)
    return _Found(
        journals, files, {name: size for name, is_folder, size in disk.names(path) if not is_folder}
    )


def _journal_texts(disk: Disk, path: Path) -> dict[str, bytes]:
    """The text of every journal, the unsharded one first.

    It is read last: an unsharded run takes the shards' journals into its own, then removes them, so who reads
    in this order misses nothing.
    """
    texts: dict[str, bytes] = {}
    for name in [*(name for name, _, _ in disk.names(path) if _SHARD_JOURNAL.fullmatch(name)), _JOURNAL]:
        with suppress(FileNotFoundError):
            texts[name] = disk.read(path / name)
    return dict(sorted(texts.items(), key=lambda item: item[0] != _JOURNAL))


def _read_journal(disk: Disk, path: Path) -> _Journal:
    journal = _Journal()
    for text in _journal_texts(disk, path).values():
        journal.take(text)
    return journal


def _read_record(disk: Disk, path: Path) -> dict[str, Any] | None:
    """The record in _run.json; None if it is missing or damaged."""
    try:
        return _unseal(disk.read(path / _RUN))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _read_whole(disk: Disk, path: Path, file: str, stored: Stored) -> bytes:
    """The bytes of a file that is just what was written."""
    try:
        data = disk.read(path / file)
    except FileNotFoundError:
        raise Damaged(f"{path / file} is missing") from None
    if len(data) != stored.size:
        raise Damaged(f"{path / file} has {len(data)} bytes, {stored.size} were written")
    if Stored.of(data) != stored:
        raise Damaged(f"{path / file} has other bytes than were written")
    return data


# ---------------------------------------------------------------------------------------------- changing it


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskError(error) from error


@contextmanager
def _record_locked(disk: Disk, path: Path) -> Iterator[None]:
    lock = disk.lock(path / _RUN_LOCK, wait=True)
    try:
        yield
    finally:
        disk.close(lock)


def _change_record(
    disk: Disk, path: Path, change: Callable[[dict[str, Any]], None], *, tag: str = ""
) -> dict[str, Any]:
    with _record_locked(disk, path):
        record = _read_record(disk, path)
        if record is None:
            raise Damaged(f"{path / _RUN} was removed or damaged while the run was at work")
        change(record)
        put(disk, {path / _RUN: _seal(record, indent=1)}, tag=tag)
    return record


def _unfinish(record: dict[str, Any]) -> None:
    record.update(finished=None, totals=None)


def _tidy(disk: Disk, path: Path, found: _Found, journal: _Journal) -> None:
    """Make the directory hold what `journal` says, and nothing unfinished. Nobody else is at work in it."""
    text = journal.text()
    if found.journals.get(_JOURNAL) != text:
        put(disk, {path / _JOURNAL: text})
    known = {file for entry in journal.parts.values() for file in entry.files()}
    for file in [
        *(name for name in found.journals if name != _JOURNAL),
        *(file for file in found.files if file not in known and _PART_FILE.fullmatch(file)),
        *_temporaries(found),
    ]:
        disk.remove(path / file)


def _temporaries(found: _Found) -> list[str]:
    return [file for file in [*found.files, *found.top] if TEMPORARY.fullmatch(file.rpartition("/")[2])]


class RunDirectory:
    """A run directory opened for writing; its lock is held until `close`. Use it as a context manager.

    `layout` is the one chosen when the directory was made. `dropped` names what was missing or not whole on
    opening, and is to be made again. One thread at a time may call the methods that write.
    """

    def __init__(
        self, path: Path, disk: Disk, provenance: Mapping[str, Any], shard: tuple[int, int] | None
    ) -> None:
        self.path = path
        self.layout: dict[str, Any] = {}
        self.dropped: tuple[Problem, ...] = ()
        self._disk = disk
        self._shard = None if shard is None else f"{shard[0]}-of-{shard[1]}"
        self._tag = "" if shard is None else f".{self._shard}"
        self._journal = _Journal()
        self._journal_path = path / (_JOURNAL if shard is None else f"_journal-{self._shard}.jsonl")
        self._journal_size = 0
        self._finished = False
        self._session: dict[str, Any] = {
            "provenance": dict(provenance),
            "shard": self._shard,
            "started": _now(),
            "ended": None,
            "draws": 0,
        }
        self._session_number: int | None = None
        self._locks: list[int] = []

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        spec_text: str,
        spec_hash: str,
        provenance: Mapping[str, Any],
        layout: Mapping[str, Any],
        shard: tuple[int, int] | None = None,
        disk: Disk = _DISK,
    ) -> Self:
        """Make the run directory, or go on with it.

        Parts whose files are there in full stay; torn journal lines, files of unfinished parts and
        temporaries go. A shard (k, n), k of 1 .. n, leaves alone what may be another shard's. `provenance`
        and `layout` are JSON mappings; a directory that exists keeps its own layout. A run with nothing to do
        writes nothing.

        Raises DirectoryLocked, OtherSpec, DiskError, and Damaged where draws stand without a record of their
        spec.
        """
        run = cls(Path(path), disk, provenance, shard)
        with _disk_errors():
            try:
                make_folders(disk, run.path)
                run._take_locks(shard)
                run._recover(spec_text, spec_hash, layout)
            except BaseException:
                run._give_locks_back()
                raise
        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except StoreError:
            if error is None:
                raise

    @property
    def committed(self) -> dict[PartId, PartEntry]:
        """A copy of the committed parts; those of other shards are as they were on opening."""
        return dict(self._journal.parts)

    @property
    def finished(self) -> bool:
        """Whether `finish` was called, and nothing was lost or written since."""
        return self._finished

    def commit(
        self, part: PartId, *, first_draw: int, draws: int, rows: pa.Table | None, counts: pa.Table
    ) -> PartEntry:
        """Make a part durable: the draws first_draw .. first_draw + draws - 1 of its point.

        `rows` is None where the run keeps no rows; else it has no nulls and a column `draw`, int64 and
        increasing, and the same schema and dictionaries in all parts. Raises DiskError; then nothing of the
        part remains.
        """
        if part in self._journal.parts:
            raise ValueError(f"{part} is committed already")
        encoded = encode(counts)
        entry = PartEntry(part, first_draw, draws, 0, None, None, Stored.of(encoded))
        data = {self.path / _part_file(_COUNTS, part): encoded}
        if rows is not None:
            encoded = encode(_without_nulls(rows))
            entry = replace(
                entry, kept=len(rows), rows=Stored.of(encoded), footer=Stored.of(_footer(encoded))
            )
            data[self.path / _part_file(_ROWS, part)] = encoded
            if wrong := _wrong_draws(rows["draw"], entry):
                raise ValueError(f"{part}: {wrong}")
        line = _part_line(entry)
        with _disk_errors():
            self._begin_to_write()
            for path in data:
                make_folders(self._disk, path.parent)
            try:
                put(self._disk, data, tag=self._tag)
                self._append(line)
            except BaseException:
                remove_if_possible(self._disk, data)
                raise
        self._journal.parts[part] = entry
        self._session["draws"] += draws
        return entry

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write `name`.parquet, or replace it in one step. One with the same bytes is left alone."""
        if self._shard is not None:
            raise ValueError("a shard sees only its share of the draws: it makes no tables")
        data = encode(table)
        stored = Stored.of(data)
        if self._journal.tables.get(name) == stored:
            return
        with _disk_errors():
            self._begin_to_write()
            if name in self._journal.tables:
                # So that at no time the journal vouches for another table than the one that is there.
                self._append(_table_line(name, None))
                del self._journal.tables[name]
            put(self._disk, {self.path / _table_file(name): data})
            self._append(_table_line(name, stored))
        self._journal.tables[name] = stored

    def finish(self) -> None:
        """Stamp the run as finished, with its totals. Does nothing if it is."""
        if self._shard is not None:
            raise ValueError("a shard sees only its share of the draws: it does not finish the run")
        if self._finished:
            return
        stamp = {"finished": _now(), "totals": _totals(self._journal)}
        with _disk_errors():
            self._begin_to_write()
            self._change_record(lambda record: record.update(stamp))
        self._finished = True

    def close(self) -> None:
        """Stamp the end of the session, if it wrote anything, and give the lock back. May be called again."""
        if not self._locks:
            return
        try:
            if self._session_number is not None:
                self._session["ended"] = _now()
                with _disk_errors():
                    self._change_record(self._end_session)
        finally:
            self._give_locks_back()

    def _begin_to_write(self) -> None:
        """Enter this session into the record before it changes anything else."""
        if self._session_number is None or self._finished:
            record = self._change_record(self._enter_session)
            if self._session_number is None:
                self._session_number = len(record["sessions"]) - 1
            self._finished = False

    def _enter_session(self, record: dict[str, Any]) -> None:
        _unfinish(record)
        if self._session_number is None:
            record["sessions"].append(self._session)

    def _end_session(self, record: dict[str, Any]) -> None:
        record["sessions"][self._session_number] = self._session

    def _change_record(self, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        return _change_record(self._disk, self.path, change, tag=self._tag)

    def _append(self, line: bytes) -> None:
        append(self._disk, self._journal_path, self._journal_size, line)
        self._journal_size += len(line)

    def _take_locks(self, shard: tuple[int, int] | None) -> None:
        try:
            self._locks.append(self._disk.lock(self.path / _LOCK, shared=shard is not None))
            if shard is not None:
                with _record_locked(self._disk, self.path):
                    self._locks.append(self._disk.lock(self.path / f"{_LOCK}-{self._shard}"))
                    # Shards of another division would do the same parts once more.
                    for name, _, _ in self._disk.names(self.path):
                        if (match := _SHARD_LOCK.fullmatch(name)) and int(match[1]) != shard[1]:
                            self._disk.close(self._disk.lock(self.path / name))
        except BlockingIOError:
            raise _locked(self.path) from None

    def _give_locks_back(self) -> None:
        locks, self._locks = self._locks, []
        for lock in reversed(locks):
            self._disk.close(lock)

    def _recover(self, spec_text: str, spec_hash: str, layout: Mapping[str, Any]) -> None:
        """Bring the directory to what its journals and its files agree on."""
        with _record_locked(self._disk, self.path):
            record = self._recover_record(spec_text.encode(), spec_hash, layout)
        self.layout = record["layout"]
        self._finished = record["finished"] is not None
        found = _look(self._disk, self.path)

        def usable(entry: PartEntry) -> bool:
            return all(found.files.get(file) == stored.size for file, stored in entry.files().items())

        lost = [
            entry.part
            for text in found.journals.values()
            for entry in self._journal.take(text, usable=usable)
        ]
        for part in sorted({part for part in lost if part not in self._journal.parts}):
            self.dropped += (Problem(_part_file(_COUNTS, part), "the part is missing or not whole", part),)
        for name, stored in sorted(self._journal.tables.items()):
            if found.top.get(_table_file(name)) != stored.size:
                self.dropped += (Problem(_table_file(name), "missing or not whole"),)
                del self._journal.tables[name]
        if self._finished and (self.dropped or _totals(self._journal) != record["totals"]):
            # First of all, so that at no time a run looks finished while parts are missing.
            self._change_record(_unfinish)
            self._finished = False

        if self._shard is None:
            _tidy(self._disk, self.path, found, self._journal)
            self._journal_size = len(self._journal.text())
        else:
            own = _Journal()
            before = found.journals.get(self._journal_path.name)
            own.take(before or b"", usable=usable)
            if before != own.text():
                put(self._disk, {self._journal_path: own.text()}, tag=self._tag)
            for file in _temporaries(found):
                if file.endswith(f"{self._tag}.partial"):
                    self._disk.remove(self.path / file)
            self._journal_size = len(own.text())

    def _recover_record(self, spec: bytes, spec_hash: str, layout: Mapping[str, Any]) -> dict[str, Any]:
        """The record in _run.json, made if the directory is new, and the spec beside it."""
        record = _read_record(self._disk, self.path)
        try:
            stored_spec = self._disk.read(self.path / _SPEC)
        except FileNotFoundError:
            stored_spec = b""
        if record is not None and record["spec_hash"] != spec_hash:
            raise OtherSpec(self.path, stored_spec.decode(errors="replace"))
        if record is not None and Stored.of(stored_spec) == Stored(*record["spec"]):
            return record
        if record is None:
            self._start_again(spec, stored_spec)
            record = {"spec_hash": spec_hash, "layout": dict(layout), "created": _now(), "sessions": []}
            _unfinish(record)
        record["spec"] = Stored.of(spec)
        for name, data in {_SPEC: spec, _RUN: _seal(record, indent=1)}.items():
            put(self._disk, {self.path / name: data}, tag=self._tag)
        return record

    def _start_again(self, spec: bytes, stored_spec: bytes) -> None:
        """Clear the way for a new record: nothing, unless the old one was lost.

        With it the layout is lost, and so what the parts are parts of: they are made again.
        """
        found = _look(self._disk, self.path)
        if not (any(found.journals.values()) or found.files):
            return
        if self._shard is not None or stored_spec != spec:
            raise Damaged(
                f"{self.path} holds draws, but its {_RUN} is missing or damaged: give another directory, remove "
                "this one, or run the same spec in it without shards, which makes all of its draws again"
            )
        self.dropped += (Problem(_RUN, "missing or damaged; all parts are made again"),)
        for name in found.journals:
            self._disk.remove(self.path / name)


def _locked(path: Path) -> DirectoryLocked:
    return DirectoryLocked(
        f"another fastlstm process is at work in {path}; its lock ends with it, there is nothing to remove"
    )


def _without_nulls(rows: pa.Table) -> pa.Table:
    """The same rows, declared to have no nulls, which saves a fifth of the encoding."""
    for name in rows.column_names:
        if rows[name].null_count:
            raise ValueError(f"column {name} has {rows[name].null_count} nulls")
    fields = [field.with_nullable(False) for field in rows.schema]
    return pa.Table.from_arrays(rows.columns, schema=pa.schema(fields, rows.schema.metadata))


def _wrong_draws(column: pa.ChunkedArray, entry: PartEntry) -> str | None:
    """What is wrong with the draw ids of a part, if anything."""
    draws = column.to_numpy()
    if len(draws) != entry.kept:
        return f"has {len(draws)} rows instead of {entry.kept}"
    if np.any(np.diff(draws) <= 0):
        return "draw ids are not in increasing order"
    last = entry.first_draw + entry.draws - 1
    if len(draws) and not entry.first_draw <= draws[0] <= draws[-1] <= last:
        return f"draw ids {draws[0]} .. {draws[-1]} are not within {entry.first_draw} .. {last}"
    return None


def _totals(journal: _Journal) -> dict[str, int]:
    entries = journal.parts.values()
    return {
        "parts": len(entries),
        "draws": sum(entry.draws for entry in entries),
        "rows": sum(entry.kept for entry in entries),
    }


# ---------------------------------------------------------------------------------------------- reading


def status(path: str | os.PathLike[str], *, disk: Disk = _DISK) -> Status:
    """Where the run stands, from its record and journals alone. Raises NotARun, Damaged, DiskError."""
    path = Path(path)
    with _disk_errors():
        record = _record_of(disk, path)
        journal = _read_journal(disk, path)
    by_point: Counter[int] = Counter()
    for entry in journal.parts.values():
        by_point[entry.part.point] += entry.draws
    stored = [stored for entry in journal.parts.values() for stored in entry.files().values()]
    return Status(
        path=path,
        spec_hash=record["spec_hash"],
        layout=record["layout"],
        started=record["created"],
        finished=record["finished"],
        sessions=record["sessions"],
        **_totals(journal),
        bytes=sum(each.size for each in [*stored, *journal.tables.values()]),
        draws_by_point=dict(sorted(by_point.items())),
        tables=tuple(sorted(journal.tables)),
        damaged_lines=journal.damaged_lines,
    )


def read_spec(path: str | os.PathLike[str], *, disk: Disk = _DISK) -> str:
    """The normalised spec, as run. Raises NotARun, Damaged, DiskError."""
    with _disk_errors():
        record = _record_of(disk, Path(path))
        return _read_whole(disk, Path(path), _SPEC, Stored(*record["spec"])).decode()


def read_rows(
    path: str | os.PathLike[str],
    *,
    columns: list[str] | None = None,
    filters: list[Any] | None = None,
    disk: Disk = _DISK,
) -> pd.DataFrame:
    """The committed rows by point and draw, with the provenance in `attrs`; every byte that counts is
    checked.

    `columns` and `filters` are those of pandas.read_parquet. `point` is an integer column here, so that it
    can be compared; pandas.read_parquet makes it a categorical. Raises NotARun, NotThere, Damaged, DiskError,
    KeyError.
    """
    path = Path(path)
    with _disk_errors():
        entries = [entry for entry in _journal_of(disk, path).in_order() if entry.rows is not None]
        if not entries:
            raise NotThere(f"{path} has no rows: none are committed yet, or its spec keeps none")
        files = [_part_file(_ROWS, entry.part) for entry in entries]
        for file, entry in zip(files, entries, strict=True):
            _check_end(disk, path / file, entry)
        schema = pq.read_schema(path / files[0])
        if unknown := set(columns or ()) - {"point", *schema.names}:
            raise KeyError(
                f"no column {', '.join(sorted(unknown))}; there are point, {', '.join(schema.names)}"
            )
        options = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
        dataset = ds.FileSystemDataset.from_paths(
            [str((path / file).absolute()) for file in files],
            schema=schema.insert(0, pa.field("point", pa.int32(), nullable=False)),
            format=ds.ParquetFileFormat(default_fragment_scan_options=options),
            filesystem=LocalFileSystem(),
            partitions=[ds.field("point") == pa.scalar(entry.part.point, pa.int32()) for entry in entries],
        )
        # Made before anything is read, so that a filter that makes no sense is not taken for damage.
        scanner = dataset.scanner(
            columns=columns, filter=None if filters is None else pq.filters_to_expression(filters)
        )
        try:
            table = scanner.to_table()
        except (OSError, pa.ArrowInvalid) as error:
            if getattr(error, "errno", None) is not None:
                raise
            raise Damaged(
                f"rows in {path / _ROWS} are not what was written ({error}); verify names the file"
            ) from error
    return _to_pandas(table, schema.metadata)


def read_table(path: str | os.PathLike[str], name: str, *, disk: Disk = _DISK) -> pd.DataFrame:
    """A table such as `regimes`. Raises NotARun, NotThere, Damaged, DiskError."""
    path = Path(path)
    with _disk_errors():
        stored = _journal_of(disk, path).tables.get(name)
        if stored is None:
            raise NotThere(f"{path} has no table {name}: it is made when the run ends")
        table = _decode(_read_whole(disk, path, _table_file(name), stored))
    return _to_pandas(table, table.schema.metadata)


def read_counts(path: str | os.PathLike[str], *, disk: Disk = _DISK) -> Iterator[tuple[PartId, pa.Table]]:
    """The counts of every committed part, by point and draw, one at a time. Raises NotARun, Damaged,
    DiskError.
    """
    path = Path(path)
    with _disk_errors():
        entries = _journal_of(disk, path).in_order()
    for entry in entries:
        with _disk_errors():
            data = _read_whole(disk, path, _part_file(_COUNTS, entry.part), entry.counts)
        yield entry.part, _decode(data)


def _record_of(disk: Disk, path: Path) -> dict[str, Any]:
    record = _read_record(disk, path)
    if record is None:
        if (path / _RUN).exists():
            raise Damaged(f"{path / _RUN} is damaged")
        raise NotARun(f"{path} is not a run directory: it has no {_RUN}")
    return record


def _journal_of(disk: Disk, path: Path) -> _Journal:
    _record_of(disk, path)
    journal = _read_journal(disk, path)
    if journal.damaged_lines:
        raise Damaged(f"{path} has damaged journal lines; run the spec again, which makes those parts anew")
    return journal


def _check_end(disk: Disk, path: Path, entry: PartEntry) -> None:
    assert entry.footer is not None
    try:
        end = disk.read(path, last=entry.footer.size)
    except FileNotFoundError:
        raise Damaged(f"{path} is missing") from None
    if Stored.of(end) != entry.footer:
        raise Damaged(f"{path} is not what was written")


def _to_pandas(table: pa.Table, metadata: Mapping[bytes, bytes] | None) -> pd.DataFrame:
    try:
        # A dictionary page has its checksum, but its header may have lost values: then there are stray
        # indices.
        table.validate(full=True)
    except (pa.ArrowInvalid, pa.lib.ArrowIndexError) as error:
        raise Damaged(f"what was read is not what was written ({error}); verify names the file") from error
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    frame.attrs = json.loads((metadata or {}).get(b"PANDAS_ATTRS", b"{}"))
    return frame


# ---------------------------------------------------------------------------------------------- proving


def verify(path: str | os.PathLike[str], *, repair: bool = False, disk: Disk = _DISK) -> list[Problem]:
    """Read every file again and name all that is not as it was written.

    Checked are sizes and hashes, the number and the ids of the rows, that all parts have one schema, that
    draws are neither doubled nor, in a finished run, missing, the tables' hashes, and files that do not
    belong.

    With `repair`, parts and tables with a problem go, and what fastlstm left behind; the next run makes them
    again. Files that fastlstm did not make are named, and stay. Raises NotARun, DirectoryLocked, DiskError.
    """
    path = Path(path)
    with _disk_errors(), _alone(disk, path, writing=repair):
        found = _look(disk, path)
        record = _read_record(disk, path)
        journal = _Journal()
        for text in found.journals.values():
            journal.take(text)
        problems = [
            *_check_record(disk, path, record, journal),
            *_check_parts(disk, path, journal),
            *_check_ranges(journal, finished=record is not None and record["finished"] is not None),
            *_check_strays(found, journal),
        ]
        bad_tables = dict(_check_tables(disk, path, journal))
        problems += bad_tables.values()
        if repair and problems:
            for problem in problems:
                if problem.part is not None:
                    journal.parts.pop(problem.part, None)
            for name in bad_tables:
                del journal.tables[name]
            if record is not None:
                _change_record(disk, path, _unfinish)
            _tidy(disk, path, found, journal)
            remove_if_possible(disk, [path / problem.file for problem in bad_tables.values()])
    return problems


@contextmanager
def _alone(disk: Disk, path: Path, *, writing: bool) -> Iterator[None]:
    """Hold the lock of a directory that is a run's; who only reads where nobody may write needs none."""
    if not any((path / name).exists() for name in (_RUN, _JOURNAL)):
        raise NotARun(f"{path} is not a run directory: it has no {_RUN}")
    lock = None
    try:
        lock = disk.lock(path / _LOCK)
    except BlockingIOError:
        raise _locked(path) from None
    except OSError as error:
        if writing or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
    try:
        yield
    finally:
        if lock is not None:
            disk.close(lock)


def _check_record(
    disk: Disk, path: Path, record: Mapping[str, Any] | None, journal: _Journal
) -> Iterator[Problem]:
    if journal.damaged_lines or journal.torn:
        torn = " and a torn end" if journal.torn else ""
        yield Problem(_JOURNAL, f"the journals have {journal.damaged_lines} damaged lines{torn}")
    if record is None:
        yield Problem(_RUN, "missing or damaged")
        return
    if record["finished"] is not None and _totals(journal) != record["totals"]:
        yield Problem(
            _JOURNAL, f"the journals have {_totals(journal)}, the run was finished with {record['totals']}"
        )
    try:
        _read_whole(disk, path, _SPEC, Stored(*record["spec"]))
    except Damaged as error:
        yield Problem(_SPEC, str(error))


def _check_parts(disk: Disk, path: Path, journal: _Journal) -> Iterator[Problem]:
    schemas: dict[PartId, pa.Schema] = {}
    for entry in journal.in_order():
        for file, stored in entry.files().items():
            try:
                data = _read_whole(disk, path, file, stored)
            except Damaged as error:
                yield Problem(file, str(error), entry.part)
                continue
            if stored is entry.rows:
                if wrong := _wrong_draws(_decode(data, columns=["draw"])["draw"], entry):
                    yield Problem(file, wrong, entry.part)
                schemas[entry.part] = pq.read_schema(pa.BufferReader(data)).remove_metadata()
    usual = Counter(schemas.values()).most_common(1)
    for part, schema in schemas.items():
        if schema != usual[0][0]:
            yield Problem(_part_file(_ROWS, part), "has other columns than the other parts", part)


def _check_ranges(journal: _Journal, *, finished: bool) -> Iterator[Problem]:
    point, following = -1, 0
    for entry in journal.in_order():
        if entry.part.point != point:
            point, following = entry.part.point, 0
        file = _part_file(_ROWS if entry.rows is not None else _COUNTS, entry.part)
        if entry.first_draw < following:
            yield Problem(
                file, f"draws {entry.first_draw} .. {following - 1} are in another part too", entry.part
            )
        elif entry.first_draw > following and finished:
            yield Problem(file, f"draws {following} .. {entry.first_draw - 1} before it are missing")
        following = max(following, entry.first_draw + entry.draws)


def _check_strays(found: _Found, journal: _Journal) -> Iterator[Problem]:
    known = {file for entry in journal.parts.values() for file in entry.files()}
    for file in found.files.keys() - known - set(_temporaries(found)):
        if not file.rpartition("/")[2].startswith((".", "_")):  # those no reader sees
            yield Problem(
                file,
                "does not belong to the run" if _PART_FILE.fullmatch(file) is None else "is not committed",
            )
    for file in _temporaries(found):
        yield Problem(file, "was left by a process that died")


def _check_tables(disk: Disk, path: Path, journal: _Journal) -> Iterator[tuple[str, Problem]]:
    for name, stored in sorted(journal.tables.items()):
        try:
            _read_whole(disk, path, _table_file(name), stored)
        except Damaged as error:
            yield name, Problem(_table_file(name), str(error))


def content_hash(path: str | os.PathLike[str], *, disk: Disk = _DISK) -> str:
    """The SHA-256 of what the run says: its rows in the order of the draws, and its tables.

    The size of the parts, the encoding and the metadata do not enter. Raises NotARun, Damaged, DiskError.
    """
    path = Path(path)
    columns: dict[tuple[str, str], _ColumnHash] = {}

    def take(owner: str, table: pa.Table) -> None:
        for name in table.column_names:
            columns.setdefault((owner, name), _ColumnHash()).take(table[name])

    with _disk_errors():
        journal = _journal_of(disk, path)
        for entry in journal.in_order():
            if entry.rows is not None:
                file = _part_file(_ROWS, entry.part)
                take(f"point {entry.part.point}", _decode(_read_whole(disk, path, file, entry.rows)))
        for name, stored in journal.tables.items():
            take(f"table {name}", _decode(_read_whole(disk, path, _table_file(name), stored)))
    lines = [json.dumps([owner, name, columns[owner, name].digest()]) for owner, name in sorted(columns)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class _ColumnHash:
    """A hash of a column's values, however they are cut into chunks: numbers, booleans, or text."""

    def __init__(self) -> None:
        self.length = 0
        self.type = ""
        self.values, self.lengths, self.nulls = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()

    def take(self, column: pa.ChunkedArray) -> None:
        for chunk in column.chunks:
            values = chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk
            self.type = str(values.type)
            if values.null_count:
                where = np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False)) + self.length
                self.nulls.update(where.astype(np.int64).tobytes())
            if pa.types.is_string(values.type):
                values = values.cast(pa.large_binary()).fill_null(b"")
                self.lengths.update(pc.binary_length(values).to_numpy())
                _, offsets, text = values.buffers()
                start, end = np.frombuffer(offsets, np.int64)[[values.offset, values.offset + len(values)]]
                self.values.update(memoryview(text)[start:end])
            else:
                number = values.cast(pa.uint8()) if pa.types.is_boolean(values.type) else values
                self.values.update(number.fill_null(0).to_numpy())
            self.length += len(chunk)

    def digest(self) -> list[Any]:
        return [
            self.type,
            self.length,
            *(each.hexdigest() for each in (self.values, self.lengths, self.nulls)),
        ]
