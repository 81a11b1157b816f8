"""What is written about a part or a table: one line of the journal, with a check over itself."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

ROWS = "draws"
COUNTS = "counts"


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
        found = {part_file(COUNTS, self.part): self.counts}
        if self.rows is not None:
            found[part_file(ROWS, self.part)] = self.rows
        return found


def part_file(kind: str, part: PartId) -> str:
    return f"{kind}/point={part.point:04d}/part-{part.number:08d}.parquet"


def table_file(name: str) -> str:
    return f"{name}.parquet"


def seal(record: Mapping[str, Any], *, indent: int | None = None) -> bytes:
    """One JSON object and a line end, with a check over its own text as the last key."""
    head = json.dumps(record, indent=indent).removesuffix("}").rstrip().encode()
    return head + _check(head) + b"\n"


def unseal(text: bytes) -> dict[str, Any] | None:
    """The record that `_seal` was given; None if the text is not whole, bit for bit."""
    head, mark, rest = text.rstrip(b"\n").rpartition(b',"check":"')
    if mark + rest != _check(head):
        return None
    record: dict[str, Any] = json.loads(head + b"}")
    return record


def _check(head: bytes) -> bytes:
    return b',"check":"%s"}' % hashlib.sha256(head).hexdigest()[:16].encode()


def part_line(entry: PartEntry) -> bytes:
    return seal(
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


def table_line(name: str, stored: Stored | None) -> bytes:
    return seal({"table": name, "stored": stored})


class Journal:
    """What a journal says. Later lines win; a table line that stores nothing takes the table back.

    Entries that are not `usable` are refused. A torn end is what a process leaves that dies while it writes,
    or has not written yet; a damaged line stands before the end.
    """

    def __init__(self, text: bytes = b"", usable: Callable[[PartEntry], bool] = lambda entry: True) -> None:
        self.parts: dict[PartId, PartEntry] = {}
        self.tables: dict[str, Stored] = {}
        self.refused: set[PartId] = set()
        self.damaged_lines = 0
        self.torn = bool(text) and not text.endswith(b"\n")
        for line in text.splitlines(keepends=True):
            record = unseal(line)
            if record is None:
                self.damaged_lines += line.endswith(b"\n")
            elif "table" in record:
                self.tables.pop(record["table"], None)
                if record["stored"] is not None:
                    self.tables[record["table"]] = Stored(*record["stored"])
            elif usable(entry := _part_entry(record)):
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
            merged.damaged_lines += journal.damaged_lines
            merged.torn |= journal.torn
        merged.refused -= merged.parts.keys()
        return merged

    def says_the_same(self, other: Self) -> bool:
        """Whether both name the same files, and this one is whole, so that lines can be added to it."""
        whole = not (self.refused or self.damaged_lines or self.torn)
        return whole and self.parts == other.parts and self.tables == other.tables

    def text(self) -> bytes:
        """The lines of a journal that says this and no more."""
        parts = [part_line(self.parts[part]) for part in sorted(self.parts)]
        tables = [table_line(name, self.tables[name]) for name in sorted(self.tables)]
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
