"""From the columns of a slice of draws to its rows and counts."""

import json

import numpy as np
import pyarrow as pa

from fastlstm import measures
from fastlstm.kernel.random import STREAM_VERSION
from fastlstm.spec import Point
from fastlstm.sweep.plan import Part, Plan, run_key
from fastlstm.sweep.simulation import Columns
from fastlstm.tables.counts import Counts
from fastlstm.tables.regimes import classify, flags, regime_number
from fastlstm.tables.rows import Rows


class NotANumber(ArithmeticError):
    """A measure of a draw is NaN, which no draw has: a defect of the kernel."""


class Recorder:
    """Turns the columns of a slice into rows and counts."""

    def __init__(self, plan: Plan) -> None:
        self.spec = plan.spec
        self.rows = Rows(plan.spec, STREAM_VERSION)
        self._rows_of = plan.rows_of
        self._run_key = run_key(plan.spec)

    def new_counts(self) -> Counts:
        return Counts(self.spec.row_layout.measures)

    def counts_table(self, part: Part, counts: Counts) -> pa.Table:
        """The counts of a part as they are stored: the file says of which run and draws it is."""
        return counts.to_table().replace_schema_metadata(counts_metadata(self._run_key, part))

    def record(self, point: Point, first: int, draws: int, columns: Columns, counts: Counts) -> pa.Table | None:
        """Count the draws of a slice; the rows that are kept of them, or None if the run keeps none.

        Raises NotANumber, which names point, draw and measure.
        """
        _refuse_nan(point, first, columns)
        settings = self.spec.measure
        classes = {
            f"regime_{gate}": classify(columns[f"{gate}_left"], columns[f"{gate}_right"], settings.majority)
            for gate in measures.GATES
        }
        marks = flags(columns, exploded=settings.exploded, vanished=settings.vanished)
        counts.add(regime_number(list(classes.values())), columns, marks)
        if self.spec.store.rows == "none":
            return None
        kept = self._rows_of(first, draws)
        if len(kept) < draws:
            chosen = kept - first
            columns = {name: column[chosen] for name, column in columns.items()}
            classes = {name: column[chosen] for name, column in classes.items()}
            marks = {name: column[chosen] for name, column in marks.items()}
        return self.rows.table(point, kept, columns, classes, marks)


def counts_metadata(run_key: str, part: Part) -> dict[bytes, bytes]:
    """What the counts of a part say of themselves."""
    about = {"run": run_key, "point": part.id.point, "first_draw": part.first, "draws": part.draws}
    return {b"fastlstm": json.dumps(about).encode()}


def _refuse_nan(point: Point, first: int, columns: Columns) -> None:
    """A lag beyond the steps of a point has no column here, so no NaN is legitimate."""
    for name, column in columns.items():
        # the smallest value is NaN if any is
        if column.size and np.isnan(np.min(column)):
            draw = first + int(np.flatnonzero(np.isnan(column))[0])
            raise NotANumber(
                f"{name} of point {point.index}, draw {draw} is NaN, which is a defect of fastlstm. Please report it "
                f"with the spec and the output of: fastlstm replay SPEC --point {point.index} --draw {draw}"
            )
