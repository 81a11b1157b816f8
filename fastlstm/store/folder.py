"""What stands in a run directory, and the changes to it that writing and repairing share."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fastlstm.store.disk import TEMPORARY, Disk, NotAFile, put, walk
from fastlstm.store.errors import Damaged, MixedRuns
from fastlstm.store.journal import COUNTS, ROWS, Journal, PartId, RunId, Stored

SPEC = "_spec.toml"
RUN = "_run.json"
JOURNAL = "_journal.jsonl"
LOCK = "_lock"
_SHARD_JOURNAL = re.compile(r"_journal-\d+-of-\d+\.jsonl")
PART_FILE = re.compile(r"(?:draws|counts)/point=\d{4,}/part-\d{8,}\.parquet")
DISK = Disk()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: a file, as a path within the run directory; what; and its part, if it is a part's."""

    file: str
    what: str
    part: PartId | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


class Content(NamedTuple):
    """What stands in a run directory."""

    journals: dict[str, bytes]  # the text of each, the unsharded one first
    files: dict[str, int]  # sizes of all files under draws and counts
    top: dict[str, int]  # sizes of the files that stand beside them


def look(disk: Disk, path: Path) -> Content:
    # The journals first: what they name is then in place when the folders are read, shards at work or not.
    journals = _journal_texts(disk, path)
    for folder in (ROWS, COUNTS):
        if (path / folder).is_symlink():
            raise Damaged(f"{path / folder} is a link, through which nothing is written; put the folder in its place")
    files = walk(disk, path, ROWS) | walk(disk, path, COUNTS)
    return Content(journals, files, {name: size for name, is_folder, size in disk.names(path) if not is_folder})


def _journal_texts(disk: Disk, path: Path) -> dict[str, bytes]:
    """The text of every journal, the unsharded one first.

    It is read last: an unsharded run takes the shards' journals into its own, then removes them, so who reads
    in this order misses nothing.
    """
    texts: dict[str, bytes] = {}
    for name in [*(name for name, _, _ in disk.names(path) if _SHARD_JOURNAL.fullmatch(name)), JOURNAL]:
        with suppress(FileNotFoundError):
            try:
                texts[name] = disk.read(path / name)
            except NotAFile as error:
                raise Damaged(f"{path / name} is not a regular file; remove it") from error
    return dict(sorted(texts.items(), key=lambda item: item[0] != JOURNAL))


def read_journal(disk: Disk, path: Path, of: RunId) -> Journal:
    """What is committed. Raises MixedRuns, Damaged if a journal is no file."""
    journals = {name: Journal(text, of) for name, text in _journal_texts(disk, path).items()}
    refuse_strangers(path, journals)
    return Journal.merged(journals.values())


def refuse_strangers(path: Path, journals: dict[str, Journal]) -> None:
    """Raises MixedRuns if a journal has lines of another run."""
    if lines := [f"{path / problem.file}: {problem.what}" for problem in strangers(journals)]:
        raise MixedRuns("\n".join(lines))


def strangers(journals: dict[str, Journal]) -> Iterator[Finding]:
    """The journals that have lines of another run, and how to go on."""
    for name, journal in journals.items():
        if journal.strangers:
            of = " and of ".join(journal.strangers)
            how = (
                f"put back the {RUN} and {SPEC} that belong to it, or remove it; the next run makes its parts again"
                if name == JOURNAL
                else "remove it, or give that run a directory of its own; the next run makes what is missing"
            )
            number = sum(journal.strangers.values())
            yield Finding(name, f"has {'1 line' if number == 1 else f'{number:,} lines'} of {of}: {how}")


def read_whole(disk: Disk, path: Path, file: str, stored: Stored) -> bytes:
    """The bytes of a file that is just what was written. Raises Damaged."""
    try:
        data = disk.read(path / file, first=stored.size + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise Damaged(f"{path / file} is missing") from None
    except NotAFile:
        raise Damaged(f"{path / file} is not a regular file") from None
    except PermissionError:
        raise Damaged(f"{path / file} may not be read") from None
    if len(data) > stored.size:
        raise Damaged(f"{path / file} has more than the {stored.size} bytes that were written")
    if len(data) < stored.size:
        raise Damaged(f"{path / file} has {len(data)} bytes, {stored.size} were written")
    if Stored.of(data) != stored:
        raise Damaged(f"{path / file} has other bytes than were written")
    return data


def tidy(disk: Disk, path: Path, content: Content, journal: Journal, of: RunId) -> None:
    """Make the one journal say what `journal` says, and remove parts of which it knows nothing.

    Nobody else is at work in the directory.
    """
    text = content.journals.get(JOURNAL)
    if text is None or not Journal(text, of).says_the_same(journal):
        put(disk, {path / JOURNAL: journal.text(of)})
    committed = {file for entry in journal.parts.values() for file in entry.files()}
    orphans = [file for file in content.files if file not in committed and PART_FILE.fullmatch(file)]
    for file in [*(name for name in content.journals if name != JOURNAL), *orphans]:
        disk.remove(path / file)


def temporaries(content: Content) -> list[str]:
    return [file for file in [*content.files, *content.top] if TEMPORARY.fullmatch(file.rpartition("/")[2])]
