"""The columns of a file that a series is made of, and the words for what is wrong with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fastlstm.spec.toml import show

MAX_BYTES = 2**31 - 1  # of a file, or of all files of a folder; also of what a compressed one holds
MAX_ROWS = 50_000_000


class SeriesError(Exception):
    """A file that gives no series: the key of [input] that this belongs to, and what would be right."""

    def __init__(self, key: str, right: str) -> None:
        super().__init__(right)
        self.key, self.right = key, right


class Wanted(NamedTuple):
    """The names of the column of numbers and, if there is one, of the column that tells series apart."""

    column: str
    by: str | None

    def check(self, names: Sequence[str], advice: str = "") -> None:
        """Raises SeriesError if a column is not there exactly once."""
        for key in ("column", "by"):
            name = getattr(self, key)
            if name is not None and names.count(name) != 1:
                wrong = "several columns have this name" if name in names else "no such column"
                raise SeriesError(key, f"{wrong}; {advice or f'the file has {show(names, 200)}'}")


@dataclass(frozen=True)
class Numbers:
    """Numbers of a column: int64, uint64 or float64; `as_stored` if the file holds just these, and no other digits."""

    values: np.ndarray[Any, Any]
    as_stored: bool

    @classmethod
    def joined(cls, pieces: Sequence[Self]) -> Self:
        """The numbers of several files, one after another."""
        kinds = {piece.values.dtype for piece in pieces}
        exact = len(kinds) == 1 and all(piece.as_stored for piece in pieces)
        return cls(np.concatenate([piece.values for piece in pieces]), exact)

    @classmethod
    def of(cls, cells: pa.ChunkedArray) -> Self:
        """The numbers of an Arrow column; each must be there and finite. Raises SeriesError."""
        kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
        whole = pa.types.is_integer(kind)
        if not (whole or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            raise SeriesError("column", f"must hold numbers only; it was read as {show(str(kind)).strip(chr(34))}")
        missing = pc.is_null(cells)
        if pc.any(missing).as_py():
            raise _no_number(pc.index(missing, True).as_py(), "empty")
        target = (pa.uint64() if pa.types.is_unsigned_integer(kind) else pa.int64()) if whole else pa.float64()
        if pa.types.is_decimal(kind):
            cells = cells.cast(pa.string())  # Arrow rounds a number that it reads from text, and not a decimal
            kind = pa.string()
        values = cells.cast(kind).cast(target, safe=False).to_numpy()
        if not whole and not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise _no_number(row, "NaN" if np.isnan(values[row]) else "infinite")
        return cls(values, not pa.types.is_string(kind))


def _no_number(row: int, what: str) -> SeriesError:
    return SeriesError("column", f"row {row + 1} is {what}; every row must hold a finite number")


@dataclass(frozen=True)
class SeriesColumns:
    """The numbers, the labels of `by`, and other columns of dates, labels and counts for `order_notes`."""

    numbers: Numbers
    labels: pa.ChunkedArray
    others: Mapping[str, pa.ChunkedArray] = field(default_factory=dict)


NO_LABELS = pa.chunked_array([], pa.string())
