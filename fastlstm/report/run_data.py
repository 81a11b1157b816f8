"""What figures and tables ask of a run: each table is read once, and never more rows than memory is meant for."""

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fastlstm.measures import Measure
from fastlstm.report.tally import Tally
from fastlstm.runs import Run
from fastlstm.store import Damaged
from fastlstm.verdicts.judge import edited_since

MOST_ROWS = 4_000_000  # six float32 columns of them are 100 MB


class RunData:
    """A finished run, as the report reads it."""

    def __init__(self, run: Run, name: str, wanted: tuple[int, int] | None = None) -> None:
        """wanted: point and draw to be shown from within, instead of those that the report chooses."""
        self.wanted = wanted
        self.run = run
        self.path = run.path
        self.spec = run.spec()
        self.name = name
        self.title = self.spec.title or name
        self.status = run.status()
        self.measures: dict[str, Measure] = {measure.name: measure for measure in self.spec.row_layout.measures}
        self._rows: dict[str, NDArray[Any]] = {}

    @cached_property
    def points(self) -> pd.DataFrame:
        """One row for each point, indexed by its number."""
        return self.run.points().set_index("point")

    @cached_property
    def regimes(self) -> pd.DataFrame:
        """One row for each point and regime, of all draws."""
        return self.run.regimes()

    @cached_property
    def overall(self) -> pd.DataFrame:
        """The regime table of all points together."""
        return self.run.overall()

    @cached_property
    def claims(self) -> pd.DataFrame:
        """The verdicts on the spec's claims, one row for each claim and point; empty if it makes none."""
        return self.run.claims()

    @property
    def warnings(self) -> list[str]:
        """What a reader of the run's numbers must know first."""
        warnings = []
        if self.status.finished is None:
            total = self.spec.draws * len(self.points)
            warnings.append(f"This run is not finished: {self.status.draws:,} of {total:,} draws are here.")
        elif counted := self.overall.attrs.get("incomplete"):
            warnings.append(f"Draws are missing: {counted['draws']:,} of {counted['of']:,} were counted.")
        if edited := edited_since(self.spec, self.claims):
            warnings.append(edited)
        return warnings

    @cached_property
    def _counts(self) -> pd.DataFrame:
        return self.run.histograms()

    @cached_property
    def _rows_of_measure(self) -> dict[str, NDArray[np.int64]]:
        return {
            str(name): np.asarray(rows) for name, rows in self._counts.groupby("measure", observed=True).indices.items()
        }

    def drop_cached_tables(self) -> None:
        """Drop the large tables; what is asked for again is read again."""
        self._rows.clear()
        for name in ("_counts", "_rows_of_measure"):
            self.__dict__.pop(name, None)

    @property
    def is_sampled(self) -> bool:
        """Whether there are more rows than are read."""
        return self.status.rows > MOST_ROWS

    @property
    def longest(self) -> int:
        """The largest T of a point."""
        return max(int(steps) for steps in self.points["steps"])

    def axes(self) -> dict[str, list[Any]]:
        """The axes with more than one value, and those values, in the order of the spec."""
        return {name: values for name, values in self.spec.axes().items() if len(values) > 1}

    def has(self, *names: str) -> bool:
        """Whether the run counted or kept all these measures."""
        return all(name in self.measures for name in names)

    def has_rows(self, *names: str) -> bool:
        """Whether the run kept rows, and all these measures in them."""
        return self.status.rows > 0 and self.has(*names)

    def rows(self, *names: str) -> dict[str, NDArray[Any]]:
        """Columns of the rows. Of a run with more than MOST_ROWS only the first draws of each point.

        Draws are independent and alike, so the first ones are a fair sample.
        """
        if missing := [name for name in names if name not in self._rows]:
            most = max(1, self.spec.draws * MOST_ROWS // self.status.rows)
            filters = [("draw", "<", most)] if self.is_sampled else None
            try:
                frame = self.run.draws(columns=missing, filters=filters)
            except KeyError as error:  # of columns that the spec has
                raise Damaged(f"{self.path / 'draws'}: {error.args[0]}; they were written by something else") from None
            for name in missing:
                column = frame[name]
                self._rows[name] = np.asarray(column.cat.codes if column.dtype == "category" else column)
        return {name: self._rows[name] for name in names}

    def tally(self, measure: str, points: NDArray[Any] | None = None, regimes: NDArray[Any] | None = None) -> Tally:
        """The histogram of a measure over all draws of the run, or of some points or regimes (0 .. 26)."""
        counts = self._counts.iloc[self._rows_of_measure.get(measure, np.empty(0, np.int64))]
        for name, wanted in (("point", points), ("regime", regimes)):
            if wanted is not None:
                counts = counts[counts[name].isin(wanted)]
        return Tally.of(self.measures[measure], counts)

    def levels(self, axis: str) -> dict[Any, NDArray[Any]]:
        """For each value of an axis the points that have it."""
        column = self.points[axis]
        return {value: self.points.index[column == value].to_numpy() for value in self.spec.axes()[axis]}
