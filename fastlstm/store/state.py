"""Where a run stands: read from its record and journals alone, without a table."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastlstm.store.disk import Disk
from fastlstm.store.errors import Damaged, NotARun, disk_errors, locked
from fastlstm.store.folder import DISK, LOCK, RUN, read_journal
from fastlstm.store.journal import PartEntry, PartId
from fastlstm.store.record import read_record, run_id


@dataclass(frozen=True, slots=True)
class Status:
    """Where a run stands: totals of what is committed; times in UTC, ISO 8601, None if not yet.

    `sessions` has, for each process that wrote into the directory, its provenance, shard, start, end and
    draws; a session that was killed has no end. `damaged_lines` counts journal lines that cannot be trusted,
    without a torn last one, which the next run cuts off.
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

    @property
    def total(self) -> int:
        """The draws of all points, done or not."""
        return int(self.layout["points"] * self.layout["draws"])


def status(path: str | os.PathLike[str], *, disk: Disk = DISK) -> Status:
    """Where the run stands, from its record and journals alone.

    Raises NotARun, MixedRuns, OtherFormat, Damaged, DiskError.
    """
    path = Path(path)
    with disk_errors():
        record = record_of(disk, path)
        journal = read_journal(disk, path, run_id(record))
    totals = journal.totals()
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
        parts=totals["parts"],
        draws=totals["draws"],
        rows=totals["rows"],
        bytes=sum(each.size for each in [*stored, *journal.tables.values()]),
        draws_by_point=dict(sorted(by_point.items())),
        tables=tuple(sorted(journal.tables)),
        damaged_lines=journal.damaged_lines,
    )


def committed(path: str | os.PathLike[str], *, disk: Disk = DISK) -> dict[PartId, PartEntry]:
    """The committed parts, as the journals have them. Raises as `status` does."""
    path = Path(path)
    with disk_errors():
        return dict(read_journal(disk, path, run_id(record_of(disk, path))).parts)


@contextmanager
def unlocked(path: str | os.PathLike[str], *, disk: Disk = DISK) -> Iterator[None]:
    """Raises DirectoryLocked if a process is at work in a run directory; nothing is made there."""
    file = Path(path) / LOCK
    if not file.exists():
        yield
        return
    with disk_errors():
        try:
            lock = disk.lock(file)
        except BlockingIOError:
            raise locked(Path(path)) from None
    try:
        yield
    finally:
        disk.close(lock)


def record_of(disk: Disk, path: Path) -> dict[str, Any]:
    """The record of a run that is there. Raises NotARun, OtherFormat, Damaged."""
    record = read_record(disk, path)
    if record is None:
        if (path / RUN).exists():
            raise Damaged(f"{path / RUN} is damaged; run the same spec in it again")
        raise NotARun(f"{path} is not a run directory: it has no {RUN}")
    return record
