"""A part as bytes: what is committed, wherever it was made."""

from typing import NamedTuple

import pyarrow as pa

from fastlstm.store.errors import Damaged
from fastlstm.store.journal import PartEntry, PartId, Stored
from fastlstm.store.parquet import decode, encode, footer, without_nulls, wrong_draws

Bytes = bytes | memoryview


class EncodedPart(NamedTuple):
    """The files of a part as bytes, and the entry that says what they are. `rows` is None where no rows are kept."""

    entry: PartEntry
    counts: Bytes
    rows: Bytes | None

    def counts_table(self) -> pa.Table:
        return decode(self.counts)

    def check(self) -> None:
        """Hash the bytes again, after a way on which something may have happened to them. Raises Damaged."""
        entry = self.entry
        for what, data, stored in (("counts", self.counts, entry.counts), ("rows", self.rows, entry.rows)):
            if (None if data is None else Stored.of(data)) != stored:
                raise Damaged(f"the {what} of {entry.part} are not the bytes that were made")


def encode_part(part: PartId, *, first_draw: int, draws: int, rows: pa.Table | None, counts: pa.Table) -> EncodedPart:
    """Encode and hash a part: the draws first_draw .. first_draw + draws - 1 of its point. No file is touched.

    `rows` is None where the run keeps no rows; else it has no nulls and a column `draw`, int64 and increasing, and the
    same schema and dictionaries in all parts. Raises ValueError if it has not.
    """
    encoded_counts = encode(counts)
    entry = PartEntry(part, first_draw, draws, 0, None, None, Stored.of(encoded_counts))
    if rows is None:
        return EncodedPart(entry, encoded_counts, None)
    encoded = encode(without_nulls(rows))
    ends = Stored.of(footer(encoded))
    entry = PartEntry(part, first_draw, draws, len(rows), Stored.of(encoded), ends, entry.counts)
    if wrong := wrong_draws(rows["draw"], entry):
        raise ValueError(f"{part}: {wrong}")
    return EncodedPart(entry, encoded_counts, encoded)
