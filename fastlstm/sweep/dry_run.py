"""What a run would be: its points, draws, rows, bytes and time, from a small piece of it."""

import os
import time
from dataclasses import asdict, dataclass
from typing import Any

from fastlstm.spec import Spec
from fastlstm.store.parquet import encode
from fastlstm.sweep.making import kernel
from fastlstm.sweep.plan import Plan, Shard
from fastlstm.sweep.recorder import Recorder
from fastlstm.sweep.simulation import slice_size

_SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Estimate:
    """The size of a run; bytes and seconds are extrapolated from a sample of its first and last point."""

    path: str
    points: int
    draws: int
    rows: int
    columns: int
    bytes: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.points:,} points, {self.draws:,} draws, {self.rows:,} rows of {self.columns} columns\n"
            f"about {self.bytes / 1e6:,.1f} MB and {self.seconds:,.0f} s, into {self.path}"
        )


def estimate(spec: Spec, out: str | os.PathLike[str], *, threads: int, shard: Shard | None = None) -> Estimate:
    """Compute a small sample of a run or a shard, write nothing, and extrapolate."""
    points = spec.points()
    plan = Plan.of_new_run(spec, shards=1 if shard is None else shard.total)
    if spec.store.rows == "all":
        rows = spec.draws
    else:
        rows = 0 if spec.store.rows == "none" else min(spec.store.rows, spec.draws)
    ends = [points[0]] if len(points) == 1 else [points[0], points[-1]]
    seconds, row_bytes, sampled_steps = 0.0, 0.0, 0
    for point in ends:
        compute, recorder = kernel(spec, point), Recorder(plan)
        draws = min(spec.draws, slice_size(spec, point.steps), 8192)
        compute(0, 1)
        start, computed = time.perf_counter(), 0
        while time.perf_counter() - start < _SAMPLE_SECONDS:
            columns = compute(0, draws)
            computed += draws
        seconds += (time.perf_counter() - start) / computed
        sampled_steps += point.steps
        table = recorder.record(point, 0, draws, columns, recorder.new_counts())
        if table is not None and len(table):
            row_bytes += len(encode(table)) / len(table)
    steps_a_draw = sum(point.steps for point in points) / len(points)
    draws = plan.draws(shard)
    rows = round(rows * len(points) * draws / plan.total)
    return Estimate(
        path=os.fspath(out),
        points=len(points),
        draws=draws,
        rows=rows,
        columns=len(spec.row_layout.names),
        bytes=round(row_bytes / len(ends) * rows),
        seconds=seconds / sampled_steps * steps_a_draw * draws / threads,
    )
