"""A run removed from its directory, and nothing else with it."""

import os
from contextlib import suppress
from pathlib import Path

from fastlstm.store.disk import Disk, remove_if_possible
from fastlstm.store.errors import disk_errors, locked
from fastlstm.store.folder import DISK, LOCK, PART_FILE, RUN, SPEC, look, read_journal, temporaries
from fastlstm.store.journal import COUNTS, ROWS, table_file
from fastlstm.store.record import run_id
from fastlstm.store.state import record_of


def clear(path: str | os.PathLike[str], *, disk: Disk = DISK) -> None:
    """Remove what a run made in a directory: journals, tables, parts and spec, and its record last.

    So whatever stops it leaves a run that lacks parts. Whatever else lies there stays. Nothing happens where no run is.
    Raises DirectoryLocked, DiskError; and, before anything is removed, MixedRuns, OtherFormat or Damaged where it
    is open what is the run's.
    """
    path = Path(path)
    if not (path / RUN).exists():
        return
    with disk_errors():
        try:
            lock = disk.lock(path / LOCK)
        except BlockingIOError:
            raise locked(path) from None
        try:
            journal = read_journal(disk, path, run_id(record_of(disk, path)))
            contents = look(disk, path)
            tables = [table_file(name) for name in journal.tables if table_file(name) in contents.top]
            parts = [file for file in contents.files if PART_FILE.fullmatch(file)]
            for file in [*contents.journals, *temporaries(contents), *tables, *parts, SPEC, RUN]:
                with suppress(FileNotFoundError):
                    disk.remove(path / file)
            for folder in sorted({(path / file).parent for file in parts} | {path / ROWS, path / COUNTS}, reverse=True):
                with suppress(OSError):  # something of somebody else's lies in it
                    folder.rmdir()
        finally:
            disk.close(lock)
        remove_if_possible(disk, [path / name for name in contents.top if name.startswith(LOCK)])
