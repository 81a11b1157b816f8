"""What a run would be: its size, and the time it takes, from what is committed and a small sample of what is left."""

import os
import time
from collections.abc import Container
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from fastlstm import store
from fastlstm.kernel.lanes.compiling import compilation
from fastlstm.kernel.lanes.jit import source_digest
from fastlstm.spec import Spec
from fastlstm.store.parquet import encode
from fastlstm.sweep.opening import with_differences
from fastlstm.sweep.plan import Part, Plan, Shard, run_key
from fastlstm.sweep.progress import Log, Silent
from fastlstm.sweep.recorder import Recorder
from fastlstm.sweep.session import refuse_other_kernel
from fastlstm.sweep.simulation import Simulation, slice_size

_SAMPLE_SECONDS = 0.5
_SAMPLE_DRAWS = 8192


@dataclass(frozen=True)
class Forecast:
    """The size of a run or a shard, and the time that what is left of it takes.

    bytes and seconds are extrapolated from a sample of the first and the last point that are left; compiling, which a
    machine does once for all runs of such specs, is no part of the seconds.
    """

    path: str
    points: int
    draws: int
    committed: int
    rows: int
    columns: int
    bytes: int
    seconds: float
    compiling: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        size = f"{self.points:,} points, {self.draws:,} draws, {self.rows:,} rows of {self.columns} columns"
        if self.committed == self.draws:
            return f"{size}\nnothing to do: all draws are in {self.path}"
        there = f"{100 * self.committed / self.draws:.0f}% are there, " if self.committed else ""
        time_to_go = f"{there}about {_in_words(self.seconds)}, into {self.path}"
        lines = [size, f"about {self.bytes / 1e6:,.1f} MB; {time_to_go}"]
        if self.compiling:
            lines.append(f"compiling all it needs took {self.compiling:.0f} s, which this machine need not do again")
        return "\n".join(lines)


def _in_words(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 1 else "1 s"


def estimate(
    spec: Spec,
    out: str | os.PathLike[str],
    *,
    threads: int,
    shard: Shard | None = None,
    mix_kernels: bool = False,
    display: Log | None = None,
    startup: float = 0.0,
) -> Forecast:
    """Compute a small sample of what is left of a run or a shard, write nothing, and extrapolate.

    startup: the seconds that the run will take before its first draw, as this process did.
    Raises what the run would: DirectoryLocked; OtherSpec; OtherKernel.
    """
    plan = Plan.of_new_run(spec, shards=1 if shard is None else shard.total)
    committed: Container[store.PartId] = ()
    if (begun := _begun(spec, out)) is not None:
        plan, committed = Plan(spec, begun.part_draws), begun.committed
        if not mix_kernels:
            refuse_other_kernel(plan, out, shard, begun.committed, begun.sessions, source_digest())
    left = [part for part in plan.parts(shard) if part.id not in committed]
    draws = plan.draws(shard)
    rows = _kept(plan) * draws // plan.total
    display = display or Silent()
    computing, row_bytes = _sample(plan, left, threads, display) if left else (0.0, 0.0)
    return Forecast(
        path=os.fspath(out),
        points=plan.points,
        draws=draws,
        committed=draws - sum(part.draws for part in left),
        rows=rows,
        columns=len(spec.row_layout.names),
        bytes=round(row_bytes * rows),
        seconds=startup + computing if left else 0.0,
        compiling=display.compiled_seconds,
    )


def _kept(plan: Plan) -> int:
    """The rows that a whole run keeps."""
    rows, draws = plan.spec.store.rows, plan.spec.draws
    if rows == "all":
        return plan.total
    return 0 if rows == "none" else min(rows, draws) * plan.points


class _Begun(NamedTuple):
    """What is in the directory of a run."""

    part_draws: int
    committed: dict[store.PartId, store.PartEntry]
    sessions: list[dict[str, Any]]


def _begun(spec: Spec, out: str | os.PathLike[str]) -> _Begun | None:
    """What is in a directory; None if no run is. Raises DirectoryLocked, OtherSpec."""
    try:
        status = store.status(out)
    except store.NotARun:
        return None
    with store.unlocked(out):
        if status.spec_hash != run_key(spec):
            raise with_differences(store.OtherSpec(status.path, ""), spec)
        return _Begun(status.layout["part_draws"], store.committed(out), status.sessions)


def _sample(plan: Plan, left: list[Part], threads: int, display: Log) -> tuple[float, float]:
    """The seconds that these parts take, and the bytes of a row."""
    ends = list(dict.fromkeys(part.id.point for part in (left[0], left[-1])))
    with compilation(display.compiling, display.compiled):
        Simulation(plan.spec, plan.spec.points()[0]).compile()  # also what the draws of the sample may not ask for
        sampled = [_time(plan, point) for point in ends]
    step_seconds = sum(computing for computing, _, _ in sampled) / sum(int(plan.steps_of_points[end]) for end in ends)
    draw_seconds = sum(recording for _, recording, _ in sampled) / len(sampled)
    draws = sum(part.draws for part in left)
    seconds = (step_seconds * plan.draw_steps(left) + draw_seconds * draws) / threads
    return max(seconds, draw_seconds * draws), sum(row_bytes for *_, row_bytes in sampled) / len(sampled)


def _time(plan: Plan, number: int) -> tuple[float, float, float]:
    """Seconds of a draw of a point for computing, and for labelling, counting and encoding; the bytes of a row."""
    spec, point = plan.spec, plan.spec.points()[number]
    simulation, recorder = Simulation(spec, point), Recorder(plan)
    draws = min(spec.draws, slice_size(spec, point.steps), _SAMPLE_DRAWS)
    start, computed = time.perf_counter(), 0
    while computed == 0 or time.perf_counter() - start < _SAMPLE_SECONDS / 2:
        columns = simulation.columns(0, draws)
        computed += draws
    computing = (time.perf_counter() - start) / computed
    start, size = time.perf_counter(), 0.0
    table = recorder.record(point, 0, draws, columns, recorder.new_counts())
    if table is not None and len(table):
        size = len(encode(table)) / len(table)
    return computing, (time.perf_counter() - start) / draws, size
