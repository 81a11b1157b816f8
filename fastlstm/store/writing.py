"""The run directory opened for writing: locks, recovery, and the commit of parts and tables."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from fastlstm.store.disk import Disk, append, make_folders, put, remove_if_possible
from fastlstm.store.encoding import EncodedPart
from fastlstm.store.errors import StoreError, disk_errors, locked
from fastlstm.store.folder import DISK, JOURNAL, LOCK, SPEC, Finding, look, refuse_strangers, temporaries, tidy
from fastlstm.store.journal import (
    COUNTS,
    ROWS,
    TABLES,
    Journal,
    PartEntry,
    PartId,
    RunId,
    Stored,
    part_file,
    part_line,
    table_file,
    table_line,
)
from fastlstm.store.parquet import encode
from fastlstm.store.record import change_record, now, record_locked, recover_record, run_id, unfinish

_SHARD_LOCK = re.compile(r"_lock-\d+-of-(\d+)")


class RunDirectory:
    """A run directory opened for writing; its lock is held until `close`. Use it as a context manager.

    `layout` is the one chosen when the directory was made. `dropped` names what was missing or not whole on
    opening, and is to be made again. One thread at a time may call the methods that write.
    """

    def __init__(self, path: Path, disk: Disk, provenance: Mapping[str, Any], shard: tuple[int, int] | None) -> None:
        self.path = path
        self.layout: dict[str, Any] = {}
        self.dropped: tuple[Finding, ...] = ()
        self._disk = disk
        self._shard = None if shard is None else f"{shard[0]}-of-{shard[1]}"
        self._tag = "" if shard is None else f".{self._shard}"
        self._journal = Journal()
        self._id = RunId("", 1)
        self._journal_path = path / (JOURNAL if shard is None else f"_journal-{self._shard}.jsonl")
        self._journal_size = 0
        self._secured = {path}  # folders whose names this session has synced
        self._earlier: list[dict[str, Any]] = []
        self._finished = False
        self._session: dict[str, Any] = {
            "provenance": dict(provenance),
            "shard": self._shard,
            "started": now(),
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
        disk: Disk = DISK,
    ) -> Self:
        """Make the run directory, or go on with it.

        Parts whose files are there in full stay; torn journal lines, files of unfinished parts and
        temporaries go. A shard (k, n), k of 1 .. n, leaves alone what may be another shard's. `provenance`
        and `layout` are JSON mappings; a directory that exists keeps its own layout. A run with nothing to do
        writes nothing.

        Raises DirectoryLocked, OtherSpec, MixedRuns, OtherFormat, DiskError, and Damaged where draws stand without a
        record of their spec.
        """
        if shard is not None and not 1 <= shard[0] <= shard[1]:
            raise ValueError(f"shard {shard[0]}/{shard[1]}: the first number counts from 1 to the second")
        run = cls(Path(path), disk, provenance, shard)
        with disk_errors():
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

    @property
    def earlier_sessions(self) -> list[dict[str, Any]]:
        """The sessions, as in `Status`, that had written into the directory when it was opened."""
        return self._earlier

    def put_on_record(self, **provenance: Any) -> None:
        """Add to the provenance of this session, which is written with its end."""
        self._session["provenance"] |= provenance

    def commit(self, *parts: EncodedPart) -> None:
        """Make parts durable together: they are synced side by side, and their journal lines written at once.

        Raises ValueError if one of them does not belong here, before anything is written; DiskError, and then nothing
        of them remains.
        """
        files: dict[Path, bytes | memoryview] = {}
        for entry, counts, rows in parts:
            # one that comes twice may come in the same batch
            if entry.part in self._journal.parts or self.path / part_file(COUNTS, entry.part) in files:
                raise ValueError(f"{entry.part} is committed already")
            if entry.misfits(self._id.part_draws):
                raise ValueError(f"{entry.part} does not begin at draw {entry.first_draw} in this run, or is no part")
            files[self.path / part_file(COUNTS, entry.part)] = counts
            if rows is not None:
                files[self.path / part_file(ROWS, entry.part)] = rows
        lines = b"".join(part_line(encoded.entry, self._id) for encoded in parts)
        with disk_errors():
            self._begin_to_write()
            self._secure(path.parent for path in files)
            try:
                put(self._disk, files, tag=self._tag)
                self._append(lines)
            except BaseException:
                remove_if_possible(self._disk, files)
                raise
        for encoded in parts:
            self._journal.parts[encoded.entry.part] = encoded.entry
            self._session["draws"] += encoded.entry.draws

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write `name`.parquet, or replace it in one step. One with the same bytes is left alone."""
        if self._shard is not None:
            raise ValueError("a shard sees only its share of the draws: it makes no tables")
        if name not in TABLES:
            raise ValueError(f"{name} is no table of a run; they are {', '.join(TABLES)}")
        data = encode(table)
        stored = Stored.of(data)
        if self._journal.tables.get(name) == stored:
            return
        with disk_errors():
            self._begin_to_write()
            if name in self._journal.tables:
                # So that at no time the journal vouches for another table than the one that is there.
                self._append(table_line(name, None, self._id))
                del self._journal.tables[name]
            put(self._disk, {self.path / table_file(name): data})
            self._append(table_line(name, stored, self._id))
        self._journal.tables[name] = stored

    def write_spec(self, text: str) -> None:
        """Replace the spec as run by another with the same hash. The same text is left alone."""
        data = text.encode()
        with disk_errors():
            if self._disk.read(self.path / SPEC) == data:
                return
            self._begin_to_write()
            # Between the two changes the directory says that its spec is damaged; to open it again mends that.
            self._change_record(lambda record: record.update(spec=Stored.of(data)))
            put(self._disk, {self.path / SPEC: data}, tag=self._tag)

    def finish(self) -> None:
        """Stamp the run as finished, with its totals. Does nothing if it is."""
        if self._shard is not None:
            raise ValueError("a shard sees only its share of the draws: it does not finish the run")
        if self._finished:
            return
        stamp = {"finished": now(), "totals": self._journal.totals()}
        with disk_errors():
            self._begin_to_write()
            self._change_record(lambda record: record.update(stamp))
        self._finished = True

    def close(self) -> None:
        """Stamp the end of the session, if it wrote anything, and give the lock back. May be called again."""
        if not self._locks:
            return
        try:
            if self._session_number is not None:
                self._session["ended"] = now()
                with disk_errors():
                    self._change_record(self._end_session)
        finally:
            self._give_locks_back()

    def _secure(self, folders: Iterable[Path]) -> None:
        """Make folders, and bring their names to the device whoever made them: all are made before any is synced.

        Another shard may not have synced them yet, and a process that died may never have.
        """
        new = [folder for each in dict.fromkeys(folders) for folder in self._unsecured(each)]
        for folder in dict.fromkeys(new):
            self._disk.make_folder(folder)
        for parent in dict.fromkeys(folder.parent for folder in new):
            self._disk.sync_folder(parent)
        self._secured.update(new)

    def _unsecured(self, folder: Path) -> list[Path]:
        """A folder within the directory and those that it lies in, the outermost first, if not secured yet."""
        return [] if folder in self._secured else [*self._unsecured(folder.parent), folder]

    def _begin_to_write(self) -> None:
        """Enter this session into the record before it changes anything else."""
        if self._session_number is None or self._finished:
            self._session_number = len(self._change_record(self._enter_session)["sessions"]) - 1
            self._finished = False

    def _enter_session(self, record: dict[str, Any]) -> None:
        unfinish(record)
        if self._session_number is None:
            record["sessions"].append(self._session)

    def _end_session(self, record: dict[str, Any]) -> None:
        record["sessions"][self._session_number] = self._session

    def _change_record(self, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        return change_record(self._disk, self.path, change, tag=self._tag)

    def _append(self, line: bytes) -> None:
        append(self._disk, self._journal_path, self._journal_size, line)
        self._journal_size += len(line)

    def _take_locks(self, shard: tuple[int, int] | None) -> None:
        try:
            self._locks.append(self._disk.lock(self.path / LOCK, shared=shard is not None))
            if shard is not None:
                with record_locked(self._disk, self.path):
                    self._locks.append(self._disk.lock(self.path / f"{LOCK}-{self._shard}"))
                    # Shards of another division would do the same parts once more.
                    for name, _, _ in self._disk.names(self.path):
                        if (match := _SHARD_LOCK.fullmatch(name)) and int(match[1]) != shard[1]:
                            self._disk.close(self._disk.lock(self.path / name))
        except BlockingIOError:
            raise locked(self.path) from None

    def _give_locks_back(self) -> None:
        locks, self._locks = self._locks, []
        for lock in reversed(locks):
            with suppress(OSError):  # it is free all the same
                self._disk.close(lock)

    def _recover(self, spec_text: str, spec_hash: str, layout: Mapping[str, Any]) -> None:
        """Bring the directory to what its journals and its files agree on."""
        with record_locked(self._disk, self.path):
            record, self.dropped = recover_record(
                self._disk, self.path, spec_text.encode(), spec_hash, layout, tag=self._tag
            )
        self.layout = record["layout"]
        self._id = run_id(record)
        self._earlier = record["sessions"]
        self._finished = record["finished"] is not None
        content = look(self._disk, self.path)

        def usable(entry: PartEntry) -> bool:
            return all(content.files.get(file) == stored.size for file, stored in entry.files().items())

        journals = {name: Journal(text, self._id, usable) for name, text in content.journals.items()}
        refuse_strangers(self.path, journals)
        self._journal = Journal.merged(journals.values())
        for file in temporaries(content):
            if file.endswith(f"{self._tag}.partial"):
                self._disk.remove(self.path / file)
        for part in sorted(self._journal.refused):
            self.dropped += (Finding(part_file(COUNTS, part), "the part is missing or not whole", part),)
        for name, stored in sorted(self._journal.tables.items()):
            if content.top.get(table_file(name)) != stored.size:
                self.dropped += (Finding(table_file(name), "missing or not whole"),)
                del self._journal.tables[name]
        if self._finished and (self.dropped or self._journal.totals() != record["totals"]):
            # First of all, so that at no time a run looks finished while parts are missing.
            self._change_record(unfinish)
            self._finished = False
        if self._shard is None:
            tidy(self._disk, self.path, content, self._journal, self._id)
        else:
            own = journals.get(self._journal_path.name)
            if own is None or not own.says_the_same(own):
                put(self._disk, {self._journal_path: b"" if own is None else own.text(self._id)}, tag=self._tag)
        self._journal_size = len(self._disk.read(self._journal_path))
