"""What is written about a part or a table: one line of the journal, with a check over itself.

Every line says in which format it is, of which run, and into how large parts the run is cut, so that lines of another
run are never taken for this one's, however they came into the folder. What a line holds is checked before it is
believed: a name in it is a table's that a run has, or a part's two numbers, and never becomes a path by itself.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

FORMAT = 1
"""Of the record and the journal; it grows when an older fastlstm could not read what a newer one writes."""

ROWS = "draws"
COUNTS = "counts"
TABLES = ("points", "regimes", "histograms", "claims")
CLAIMS_TABLE = "claims"
"""The table of what the draws say about claims, which are no part of the content."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORTH_KEEPING = 0.5  # share of lines that are still true, below which a journal is written anew
_FEW_LINES = 1000


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

    @classmethod
    def read(cls, value: Any) -> Self:
        """What JSON made of it. Raises ValueError, TypeError."""
        size, sha256 = value
        if not _SHA256.fullmatch(sha256):
            raise ValueError(sha256)
        return cls(natural(size), sha256)


class RunId(NamedTuple):
    """Whose a line is: a digest of the run's key, and the draws of a part."""

    run: str
    part_draws: int

    @classmethod
    def of(cls, spec_hash: str, part_draws: int) -> Self:
        return cls(hashlib.sha256(spec_hash.encode()).hexdigest()[:16], part_draws)


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
        files = {part_file(COUNTS, self.part): self.counts}
        if self.rows is not None:
            files[part_file(ROWS, self.part)] = self.rows
        return files

    def misfits(self, part_draws: int) -> bool:
        """Whether these are not the draws that a part of that name has, where parts are of that size."""
        return self.first_draw != self.part.number * part_draws or not 0 < self.draws <= part_draws


def part_file(kind: str, part: PartId) -> str:
    return f"{kind}/point={part.point:04d}/part-{part.number:08d}.parquet"


def table_file(name: str) -> str:
    return f"{name}.parquet"


def natural(value: Any) -> int:
    """A whole number from JSON, 0 or more, that 64 bits hold. Raises ValueError."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(value)
    return value


def seal(record: Mapping[str, Any], *, indent: int | None = None) -> bytes:
    """One JSON object and a line end, with a check over its own text as the last key."""
    head = json.dumps(record, indent=indent).removesuffix("}").rstrip().encode()
    return head + _check(head) + b"\n"


def unseal(text: bytes) -> dict[str, Any] | None:
    """The record that `seal` was given; None if the text is not whole, bit for bit."""
    head, mark, rest = text.rstrip(b"\n").rpartition(b',"check":"')
    if mark + rest != _check(head):
        return None
    try:
        record = json.loads(head + b"}")
    except (ValueError, RecursionError):  # sealed by something else
        return None
    return record if isinstance(record, dict) else None


def _check(head: bytes) -> bytes:
    return b',"check":"%s"}' % hashlib.sha256(head).hexdigest()[:16].encode()


def part_line(entry: PartEntry, of: RunId) -> bytes:
    return seal(
        {
            "format": FORMAT,
            "run": of.run,
            "part_draws": of.part_draws,
            "part": entry.part,
            "first_draw": entry.first_draw,
            "draws": entry.draws,
            "kept": entry.kept,
            "rows": entry.rows,
            "footer": entry.footer,
            "counts": entry.counts,
        }
    )


def table_line(name: str, stored: Stored | None, of: RunId) -> bytes:
    head = {"format": FORMAT, "run": of.run, "part_draws": of.part_draws}
    return seal(head | {"table": name, "stored": stored})


def _part_entry(record: Mapping[str, Any], part_draws: int) -> PartEntry:
    """Raises ValueError, TypeError or KeyError if it is none."""
    point, number = map(natural, record["part"])
    rows, footer = record["rows"], record["footer"]
    entry = PartEntry(
        part=PartId(point, number),
        first_draw=natural(record["first_draw"]),
        draws=natural(record["draws"]),
        kept=natural(record["kept"]),
        rows=None if rows is None else Stored.read(rows),
        footer=None if footer is None else Stored.read(footer),
        counts=Stored.read(record["counts"]),
    )
    if entry.misfits(part_draws) or entry.kept > entry.draws or (rows is None) != (footer is None):
        raise ValueError(record)
    if rows is None and entry.kept:
        raise ValueError(record)
    return entry


class Journal:
    """What a journal says. Later lines win; a table line that stores nothing takes the table back.

    Entries that are not `usable` are refused. Lines of another run than `of` are `strangers`: what is strange about
    them, and how many there are. A torn end is what a process leaves that dies while it writes, or has not written
    yet; a damaged line stands before the end, or is none that fastlstm writes.
    """

    def __init__(
        self,
        text: bytes = b"",
        of: RunId | None = None,
        usable: Callable[[PartEntry], bool] = lambda entry: True,
    ) -> None:
        self.parts: dict[PartId, PartEntry] = {}
        self.tables: dict[str, Stored] = {}
        self.refused: set[PartId] = set()
        self.strangers: dict[str, int] = {}
        self.damaged_lines = 0
        self.lines = 0
        self.torn = bool(text) and not text.endswith(b"\n")
        self._usable = usable
        for line in text.splitlines(keepends=True):
            record = unseal(line)
            if record is None:
                self.damaged_lines += line.endswith(b"\n")
                continue
            self.lines += 1
            if stranger := _stranger(record, of):
                self.strangers[stranger] = self.strangers.get(stranger, 0) + 1
                continue
            try:
                self._take(record)
            except (ValueError, TypeError, KeyError):
                self.damaged_lines += 1

    def _take(self, record: Mapping[str, Any]) -> None:
        if "table" in record:
            name, stored = record["table"], record["stored"]
            if name not in TABLES:
                raise ValueError(name)
            kept = None if stored is None else Stored.read(stored)
            self.tables.pop(name, None)
            if kept is not None:
                self.tables[name] = kept
        elif self._usable(entry := _part_entry(record, natural(record["part_draws"]))):
            self.parts[entry.part] = entry
        else:
            self.refused.add(entry.part)

    @classmethod
    def merged(cls, journals: Iterable[Self]) -> Self:
        """What several journals say together; a part that any of them has is not refused."""
        merged = cls()
        for journal in journals:
            merged.parts |= journal.parts
            merged.tables |= journal.tables
            merged.refused |= journal.refused
            merged.strangers |= journal.strangers
            merged.damaged_lines += journal.damaged_lines
            merged.lines += journal.lines
            merged.torn |= journal.torn
        merged.refused -= merged.parts.keys()
        return merged

    def says_the_same(self, other: Self) -> bool:
        """Whether both name the same files, and this one is whole and short, so that lines can be added to it."""
        whole = not (self.refused or self.damaged_lines or self.torn or self.is_mostly_doubled)
        return whole and self.parts == other.parts and self.tables == other.tables

    @property
    def is_mostly_doubled(self) -> bool:
        """Whether most of many lines say what a later one says again."""
        return self.lines > _FEW_LINES and len(self.parts) + len(self.tables) < _WORTH_KEEPING * self.lines

    def text(self, of: RunId) -> bytes:
        """The lines of a journal that says this and no more."""
        parts = [part_line(self.parts[part], of) for part in sorted(self.parts)]
        tables = [table_line(name, self.tables[name], of) for name in sorted(self.tables)]
        return b"".join(parts + tables)

    def in_order(self) -> list[PartEntry]:
        """The parts by point and first draw."""
        return sorted(self.parts.values(), key=lambda entry: (entry.part.point, entry.first_draw))

    def totals(self) -> dict[str, int]:
        entries = self.parts.values()
        return {
            "parts": len(entries),
            "draws": sum(entry.draws for entry in entries),
            "rows": sum(entry.kept for entry in entries),
            "tables": len(self.tables),
        }


def _stranger(record: Mapping[str, Any], of: RunId | None) -> str:
    """What makes a line one of another run; empty if it is of this one."""
    if record.get("format") != FORMAT:
        return "another format, which another version of fastlstm writes"
    if of is None or (record.get("run"), record.get("part_draws")) == of:
        return ""
    if record.get("run") != of.run:
        return "another spec, or of other random streams"
    return f"the same spec in parts of other than {of.part_draws:,} draws"
