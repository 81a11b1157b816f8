"""A small run in memory: its rows, without a directory."""

import numpy as np
import pandas as pd
import pyarrow as pa

from fastlstm.spec import Spec
from fastlstm.sweep.making import FailedPart, SliceComputer
from fastlstm.sweep.plan import Plan
from fastlstm.sweep.recorder import Recorder


def simulated_rows(spec: Spec, *, threads: int) -> pd.DataFrame:
    """The rows of all points; `point` is a column of its own."""
    plan = Plan.of_new_run(spec)
    recorder = Recorder(plan)
    tables = []
    for outcome in SliceComputer(plan, threads=threads)(plan.parts()):
        if isinstance(outcome, FailedPart):
            raise outcome.error
        piece, columns = outcome
        table = recorder.record(piece.point, piece.first, piece.draws, columns, recorder.new_counts())
        if table is not None and len(table):
            number = pa.array(np.full(len(table), piece.point.index, np.int32))
            tables.append(table.add_column(0, "point", number))
    if not tables:
        empty = recorder.rows.schema.empty_table()
        tables.append(empty.add_column(0, "point", pa.array([], pa.int32())))
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    frame.attrs.update(recorder.rows.attributes)
    return frame
