"""What a run would be: its size, and the time it takes, from what is committed and a small sample of what is left."""

import os
import time
from collections.abc import Container
from dataclasses import asdict, dataclass
from typing import Any

from fastlstm import store
from fastlstm.kernel.lanes.compiling import compilation
from fastlstm.kernel.lanes.jit import source_digest
from fastlstm.kernel.random import STREAM_VERSION
from fastlstm.spec import Point, Spec
from fastlstm.store.parquet import encode
from fastlstm.sweep.plan import Part, Shard, kept_draws, layout, parts_of_shard, run_key, steps_of_points
from fastlstm.sweep.progress import Log, Silent
from fastlstm.sweep.recorder import Recorder
from fastlstm.sweep.session import other_spec, refuse_other_kernel
from fastlstm.sweep.simulation import Simulation, slice_size
from fastlstm.tables.rows import row_schema

_SAMPLE_SECONDS = 0.5
_SAMPLE_DRAWS = 8192


@dataclass(frozen=True)
class Estimate:
    """The size of a run or a shard, and the time that what is left of it takes.

    bytes and seconds are extrapolated from a sample of the first and the last point that are left; compiling, which a
    machine does once, is no part of the seconds.
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
            lines.append(f"compiling the kernel took {self.compiling:.0f} s, which this machine need not do again")
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
) -> Estimate:
    """Compute a small sample of what is left of a run or a shard, write nothing, and extrapolate.

    startup: the seconds that the run will take before its first draw, as this process did.
    Raises what the run would: DirectoryLocked; OtherSpec; OtherKernel.
    """
    cut = layout(spec, shards=1 if shard is None else shard.total)
    committed, sessions = _committed(spec, out, cut)
    share = list(parts_of_shard(spec, cut["part_draws"], shard))
    left = [part for part in share if part.id not in committed]
    if left and committed and not mix_kernels:
        refuse_other_kernel(out, sessions, source_digest())
    draws = sum(part.draws for part in share)
    rows = _kept(spec, cut["points"]) * draws // (spec.draws * cut["points"])
    display = display or Silent()
    computing, row_bytes = _sample(spec, left, threads, display) if left else (0.0, 0.0)
    return Estimate(
        path=os.fspath(out),
        points=cut["points"],
        draws=draws,
        committed=draws - sum(part.draws for part in left),
        rows=rows,
        columns=len(row_schema(spec, STREAM_VERSION)),
        bytes=round(row_bytes * rows),
        seconds=startup + computing if left else 0.0,
        compiling=display.compiled_seconds,
    )


def _kept(spec: Spec, points: int) -> int:
    """The rows that a whole run keeps."""
    if spec.store.rows == "all":
        return spec.draws * points
    return 0 if spec.store.rows == "none" else min(spec.store.rows, spec.draws) * points


def _committed(
    spec: Spec, out: str | os.PathLike[str], cut: dict[str, int]
) -> tuple[Container[store.PartId], list[dict[str, Any]]]:
    """The parts that are in a directory, and its sessions; `cut` becomes the directory's own."""
    try:
        status = store.status(out)
    except store.NotARun:
        return (), []
    with store.unlocked(out):
        if status.spec_hash != run_key(spec):
            raise other_spec(spec, out, store.OtherSpec(status.path, ""))
        cut.update(status.layout)
        return store.committed(out), status.sessions


def _sample(spec: Spec, left: list[Part], threads: int, display: Log) -> tuple[float, float]:
    """The seconds that these parts take, and the bytes of a row."""
    numbers = dict.fromkeys(part.id.point for part in (left[0], left[-1]))
    ends = [spec.points()[number] for number in numbers]
    steps = steps_of_points(spec)
    with compilation(display.compiling, display.compiled):
        sampled = [_time(spec, point, display) for point in ends]
    step_seconds = sum(computing for computing, _, _ in sampled) / sum(point.steps for point in ends)
    draw_seconds = sum(recording for _, recording, _ in sampled) / len(sampled)
    work = sum(part.draws * int(steps[part.id.point]) for part in left)
    draws = sum(part.draws for part in left)
    seconds = (step_seconds * work + draw_seconds * draws) / threads
    return max(seconds, draw_seconds * draws), sum(row_bytes for *_, row_bytes in sampled) / len(sampled)


def _time(spec: Spec, point: Point, display: Log) -> tuple[float, float, float]:
    """Seconds of a draw for computing, and for labelling, counting and encoding; the bytes of a row."""
    simulation, recorder = Simulation(spec, point), Recorder(spec)
    draws = min(spec.draws, slice_size(spec, point.steps), _SAMPLE_DRAWS)
    columns = simulation.columns(0, draws)  # compiles whatever these draws ask for
    start, computed = time.perf_counter(), 0
    while computed == 0 or time.perf_counter() - start < _SAMPLE_SECONDS / 2:
        columns = simulation.columns(0, draws)
        computed += draws
    computing = (time.perf_counter() - start) / computed
    start, size = time.perf_counter(), 0.0
    table = recorder.record(point, 0, draws, columns, recorder.new_counts())
    if table is not None and len(kept_draws(spec, 0, draws)):
        size = len(encode(table)) / len(table)
    return computing, (time.perf_counter() - start) / draws, size
