"""What stands in a run directory, and the changes to it that writing and repairing share."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fastlstm.store.disk import TEMPORARY, Disk, put, walk
from fastlstm.store.errors import Damaged
from fastlstm.store.journal import COUNTS, ROWS, Journal, PartId, Stored, seal, unseal

SPEC = "_spec.toml"
RUN = "_run.json"
JOURNAL = "_journal.jsonl"
LOCK = "_lock"
_RUN_LOCK = "_lock-run"
_SHARD_JOURNAL = re.compile(r"_journal-\d+-of-\d+\.jsonl")
PART_FILE = re.compile(r"(?:draws|counts)/point=\d{4,}/part-\d{8,}\.parquet")
DISK = Disk()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong: a file, as a path within the run directory; what; and its part, if it is a part's."""

    file: str
    what: str
    part: PartId | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


class Found(NamedTuple):
    """What a look into the run directory finds."""

    journals: dict[str, bytes]  # the text of each, the unsharded one first
    files: dict[str, int]  # sizes of all files under draws and counts
    top: dict[str, int]  # sizes of the files that stand beside them


def look(disk: Disk, path: Path) -> Found:
    # The journals first: what they name is then in place when the folders are read, shards at work or not.
    journals = _journal_texts(disk, path)
    files = walk(disk, path, ROWS) | walk(disk, path, COUNTS)
    return Found(journals, files, {name: size for name, is_folder, size in disk.names(path) if not is_folder})


def _journal_texts(disk: Disk, path: Path) -> dict[str, bytes]:
    """The text of every journal, the unsharded one first.

    It is read last: an unsharded run takes the shards' journals into its own, then removes them, so who reads
    in this order misses nothing.
    """
    texts: dict[str, bytes] = {}
    for name in [*(name for name, _, _ in disk.names(path) if _SHARD_JOURNAL.fullmatch(name)), JOURNAL]:
        with suppress(FileNotFoundError):
            texts[name] = disk.read(path / name)
    return dict(sorted(texts.items(), key=lambda item: item[0] != JOURNAL))


def read_journal(disk: Disk, path: Path) -> Journal:
    return Journal.merged(map(Journal, _journal_texts(disk, path).values()))


def read_record(disk: Disk, path: Path) -> dict[str, Any] | None:
    """The record in _run.json; None if it is missing or damaged."""
    try:
        return unseal(disk.read(path / RUN))
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_whole(disk: Disk, path: Path, file: str, stored: Stored) -> bytes:
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


@contextmanager
def record_locked(disk: Disk, path: Path) -> Iterator[None]:
    lock = disk.lock(path / _RUN_LOCK, wait=True)
    try:
        yield
    finally:
        disk.close(lock)


def change_record(disk: Disk, path: Path, change: Callable[[dict[str, Any]], None], *, tag: str = "") -> dict[str, Any]:
    with record_locked(disk, path):
        record = read_record(disk, path)
        if record is None:
            raise Damaged(f"{path / RUN} was removed or damaged while the run was at work")
        change(record)
        put(disk, {path / RUN: seal(record, indent=1)}, tag=tag)
    return record


def unfinish(record: dict[str, Any]) -> None:
    record.update(finished=None, totals=None)


def tidy(disk: Disk, path: Path, found: Found, journal: Journal) -> None:
    """Make the one journal say what `journal` says, and remove parts of which it knows nothing.

    Nobody else is at work in the directory.
    """
    text = found.journals.get(JOURNAL)
    if text is None or not Journal(text).says_the_same(journal):
        put(disk, {path / JOURNAL: journal.text()})
    known = {file for entry in journal.parts.values() for file in entry.files()}
    orphans = [file for file in found.files if file not in known and PART_FILE.fullmatch(file)]
    for file in [*(name for name in found.journals if name != JOURNAL), *orphans]:
        disk.remove(path / file)


def temporaries(found: Found) -> list[str]:
    return [file for file in [*found.files, *found.top] if TEMPORARY.fullmatch(file.rpartition("/")[2])]
