"""Signs that a file holds several series under each other, in the order of its other columns."""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_DATE = r"\d{4}-\d{2}-\d{2}"
_RISING, _JUMPS = 0.9, 0.05  # shares of the rows


def order_notes(columns: Mapping[str, pa.ChunkedArray]) -> tuple[str, ...]:
    """A note for each column of dates or counts that jumps back, and of labels that stand in one run each."""
    notes = []
    for name, column in columns.items():
        if len(column) > 1 and (row := _border(column)) is not None:
            notes.append(
                f"the column {name} suggests that another series begins at row {row + 1}; windows run across. "
                f'If several stand in the file, write by = "COLUMN" with the column that tells them apart'
            )
    return tuple(notes)


def _border(column: pa.ChunkedArray) -> int | None:
    """The row where another series seems to begin."""
    if column.null_count:
        return None
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_integer(kind):
        steps = np.diff(column.cast(pa.int64(), safe=False).to_numpy())
        counts = len(set(steps[steps > 0].tolist())) == 1  # as years and row numbers do
        return _jump(steps) if counts else None
    if pa.types.is_temporal(kind) or pa.types.is_string(kind):
        ranks = pc.rank(column.combine_chunks(), tiebreaker="dense").to_numpy().astype(np.int64)
        steps = np.diff(ranks)
        is_date = pa.types.is_temporal(kind) or re.match(_DATE, column[0].as_py())
        return _jump(steps) if is_date else _label_border(ranks, steps)
    return None


def _jump(steps: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int | None:
    back = np.flatnonzero(steps < 0)
    rises = (steps > 0).mean() >= _RISING and len(back) <= max(1, _JUMPS * len(steps))
    return int(back[0]) + 1 if rises and len(back) else None


def _label_border(
    ranks: np.ndarray[tuple[int], np.dtype[np.int64]], steps: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> int | None:
    changes = np.flatnonzero(steps)
    labels = len(np.unique(ranks))
    one_run_each = 1 < labels == len(changes) + 1 and 2 * labels <= len(ranks)
    return int(changes[0]) + 1 if one_run_each else None
