"""The tables of a run, made from the counts of its parts: points, regimes and histograms."""

import json
import os
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa

from fastlstm import measures
from fastlstm.spec import Spec
from fastlstm.store import RunDirectory, read_counts, read_table
from fastlstm.tables.counts import COUNTS_SCHEMA, Counts, regime_table
from fastlstm.tables.rows import points_table

_MOST_STEPS = 10**6  # that a spec may have, so that no lag is missing


class Totals:
    """The counts of points, summed up over their parts, which come in any order.

    A point's are dense only until all its draws are in, or until it is closed without them.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._measures = spec.row_layout.measures
        self._open: dict[int, Counts] = {}
        self._regimes: dict[int, list[dict[str, object]]] = {}
        self._histograms: dict[int, pa.Table] = {}
        self._draws: Counter[int] = Counter()

    def add(self, point: int, draws: int, counts: Counts) -> None:
        """Add a part. With the last draw of a point its counts are closed. Raises ValueError if they were before."""
        if point in self._regimes:
            raise ValueError(f"point {point} has all its draws already")
        self._draws[point] += draws
        if point in self._open:
            self._open[point].merge(counts)
        else:
            self._open[point] = counts
        if self._draws[point] == self._spec.draws:
            self._close(point)

    def close_others(self, point: int | None = None) -> None:
        """No more parts will come but those of one point, if any."""
        for other in [other for other in self._open if other != point]:
            self._close(other)

    def _close(self, point: int) -> None:
        counts = self._open.pop(point)
        self._regimes[point] = [{"point": point} | row for row in counts.regime_rows()]
        table = counts.to_table()
        number = pa.array(np.full(len(table), point, np.int32))
        self._histograms[point] = table.add_column(0, "point", number)

    def closed(self) -> set[int]:
        """The points whose parts are all in."""
        return set(self._regimes)

    def add_committed(self, directory: RunDirectory) -> None:
        """Add what is committed of all other points, and close them."""
        if len(self.closed()) == len(self._spec.points()):
            return
        for entry, table in read_counts(directory.path, without=self.closed(), needs=COUNTS_SCHEMA.names):
            self.close_others(entry.part.point)
            counts = Counts(self._measures)
            counts.merge_table(table)
            self.add(entry.part.point, entry.draws, counts)
        self.close_others()

    def tables(self) -> dict[str, pa.Table]:
        """The tables by name. If draws are missing, each says so in the attributes of its data frame."""
        points = sorted(self._regimes)
        draws = [self._draws[point] for point in range(len(self._spec.points()))]
        regimes = regime_table(row for point in points for row in self._regimes[point])
        made = {
            "points": points_table(self._spec, draws),
            "regimes": pa.Table.from_pandas(regimes, preserve_index=False),
            "histograms": pa.concat_tables(self._histograms[point] for point in points),
        }
        total = self._spec.draws * len(draws)
        if sum(draws) < total:
            incomplete = {"incomplete": {"draws": sum(draws), "of": total}}
            for name, table in made.items():
                metadata = (table.schema.metadata or {}) | {b"PANDAS_ATTRS": json.dumps(incomplete).encode()}
                made[name] = table.replace_schema_metadata(metadata)
        return made


def write_tables(directory: RunDirectory, totals: Totals) -> None:
    """Complete the totals with what is committed, and write the tables."""
    totals.add_committed(directory)
    for name, table in totals.tables().items():
        directory.write_table(name, table)


def read_histograms(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The counts of all parts: point, regime, measure, bin, count, low, high. Raises NotThere before they are made."""
    return read_table(path, "histograms", needs=["point", *COUNTS_SCHEMA.names])


def overall(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The regime table of all points together, from the histograms alone. Raises NotThere before they are made."""
    frame = read_histograms(path)
    made = regime_table(_counts(frame).regime_rows())
    made.attrs = frame.attrs
    return made


def of_each_point(path: str | os.PathLike[str], points: Iterable[int]) -> pd.DataFrame:
    """A row for each of these points, of all its regimes together, from the histograms alone. Raises NotThere."""
    frame = read_histograms(path)
    frame["regime"] = np.int8(0)  # one for all
    rows = []
    for point in points:
        (row,) = _counts(frame[frame["point"] == point]).regime_rows()
        rows.append({"point": int(point)} | {name: value for name, value in row.items() if name not in _REGIME})
    return pd.DataFrame(rows)


_REGIME = {f"regime_{gate}" for gate in measures.GATES}


def _counts(histograms: pd.DataFrame) -> Counts:
    table = pa.Table.from_pandas(histograms, preserve_index=False)
    names = table["measure"].combine_chunks().dictionary.to_pylist()
    every = measures.selected(measures.GROUPS, _MOST_STEPS)
    counts = Counts(measure for measure in every if measure.name in names)
    counts.merge_table(table)
    return counts
