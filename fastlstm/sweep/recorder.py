"""From the columns of a slice of draws to its rows and counts."""

import pyarrow as pa

from fastlstm import measures
from fastlstm.kernel.random import STREAM_VERSION
from fastlstm.spec import Point
from fastlstm.sweep.plan import Plan
from fastlstm.sweep.simulation import Columns
from fastlstm.tables import rows as frames
from fastlstm.tables.counts import Counts
from fastlstm.tables.regimes import classify, flags, regime_number


class Recorder:
    """Turns the columns of a slice into rows and counts."""

    def __init__(self, plan: Plan) -> None:
        self.spec = plan.spec
        self.schema = frames.row_schema(plan.spec, STREAM_VERSION)
        self.measures = frames.chosen_measures(plan.spec)
        self._rows_of = plan.rows_of

    def new_counts(self) -> Counts:
        return Counts(self.measures)

    def record(self, point: Point, first: int, draws: int, columns: Columns, counts: Counts) -> pa.Table | None:
        """Count the draws of a slice; the rows that are kept of them, or None if the run keeps none."""
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
        return frames.rows(self.spec, self.schema, point, kept, columns, classes, marks)
