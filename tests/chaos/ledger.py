"""What the fault tests count, and the table that says it. A number stands here only if a test counted it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench import Verdict

BEGIN, END = "<!-- counted by `make chaos`; do not edit -->", "<!-- end of what was counted -->"


class Fault(StrEnum):
    """What is made to fail, in the order of the table."""

    KILLED = "SIGKILL at a random time"
    INPUT_OUTPUT = "file operation N fails with EIO, every N"
    NO_SPACE = "no space from file operation N on (ENOSPC), every N"
    DIES = "process dies in file operation N, every N"
    POWER_CUT = "power cut after file operation N: what was not synced is gone"
    DISK_FULL = "file system full (a small tmpfs)"
    NO_INODES = "file system out of inodes (a small tmpfs)"
    FILE_SIZE = "file size limit (RLIMIT_FSIZE)"
    MEMORY = "address space limit (RLIMIT_AS)"
    READ_ONLY = "directory that may not be written"
    TRUNCATED = "part cut off at every KiB"
    FLIP_ROWS = "bit flipped in a rows file"
    FLIP_FOOTER = "bit flipped in a rows file's footer"
    FLIP_COUNTS = "bit flipped in a counts file"
    FLIP_TABLE = "bit flipped in a table"
    FLIP_JOURNAL = "bit flipped in the journal"
    FLIP_RECORD = "bit flipped in _run.json"
    FLIP_SPEC = "bit flipped in _spec.toml"
    DELETED = "file deleted"
    EMPTY = "file of zero bytes"
    STRAY = "stray file"
    TORN = "journal cut off in a line"
    DOUBLED = "journal lines doubled"
    REORDERED = "journal lines in another order"
    ORPHAN = "journal line without its part"
    MIXED = "files of two runs in one directory"
    NO_FILE = "link, pipe, device or folder in place of a file"
    MUTATED_RUN = "mutated journal, record or file name"
    TWO_AT_ONCE = "two runs of a directory at once"
    CLOCKS = "clocks and file times that go back"
    OTHER_SPEC = "resume with a changed spec or dtype"
    OTHER_VERSION = "resume with another version of fastlstm"
    CACHE_DAMAGED = "kernel cache damaged"
    CACHE_READ_ONLY = "kernel cache that may not be written"
    CACHE_SHARED = "kernel cache written by two processes at once"
    STOPPED_WORKER = "Dask worker stopped beyond its time to live, then woken"
    SCHEDULER_KILLED = "Dask scheduler killed, for good"
    SCHEDULER_BACK = "Dask scheduler killed, another comes in its place"
    DRIVER_KILLED = "driver of Dask workers killed (SIGKILL)"
    DRIVER_STOPPED = "driver of Dask workers stopped (SIGINT)"
    JOINING = "Dask worker joins, and another is killed"
    OTHER_WORKER = "Dask worker with other sources joins"
    TWICE = "result of a Dask worker delivered twice"
    LATE = "result of a Dask worker delivered late"
    DAMAGED_RESULT = "result of a Dask worker damaged on its way"
    UNASKED = "result of a Dask worker that nobody asked for"
    RESULT_LOST = "result of a Dask worker lost before it is fetched"
    PIPE = "reader of stdout goes away (head -1)"
    LOCALE = "locale that is not UTF-8"
    PATH = "path with spaces and unicode"
    MUTATED = "mutated spec, loaded"
    MUTATED_COMMAND = "mutated spec, on the command line"


@dataclass
class Count:
    """Of one fault."""

    tried: int = 0
    survived: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0


class Ledger:
    """Counts verdicts by fault."""

    def __init__(self) -> None:
        self.counts: dict[Fault, Count] = {}

    def enter(self, fault: Fault, verdict: Verdict, *, told: object = "") -> None:
        """Count a verdict, then insist that it is a clean one; `told` goes into the failure."""
        count = self.counts.setdefault(fault, Count())
        count.tried += 1
        count.survived += verdict.survived
        count.lost += verdict.lost
        count.doubled += verdict.doubled
        count.wrong += verdict.wrong
        assert verdict.clean, f"{fault}: {verdict}\n{told}"

    def table(self) -> str:
        """The counts in Markdown."""
        lines = [
            "| fault | times tried | times survived | draws lost | draws doubled | wrong numbers read silently |",
            "|---|--:|--:|--:|--:|--:|",
        ]
        for fault in Fault:
            if count := self.counts.get(fault):
                numbers = (count.tried, count.survived, count.lost, count.doubled, count.wrong)
                lines.append(f"| {fault} | {' | '.join(f'{number:,}' for number in numbers)} |")
        return "\n".join(lines)

    def write_into(self, page: Path, *, title: str) -> None:
        """Replace the counted section of a page."""
        text = page.read_text(encoding="utf-8")
        section = f"{BEGIN}\n{title}\n\n{self.table()}\n{END}"
        made, times = re.subn(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: section, text, flags=re.DOTALL)
        assert times == 1, f"{page} has no place for the counts"
        page.write_text(made, encoding="utf-8")
