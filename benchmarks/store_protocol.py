"""What the run directory costs: the commit protocol in a whole job, and status and resume of ten thousand parts.

    python benchmarks/store_protocol.py [--rounds N] [--parts N] [--set KEY=VALUE]... [--folder FOLDER] [--write PAGE]

The job is sims/atlas.toml without its claims, with all rows and with none, with and without the protocol in turn.
Without it the same bytes of Parquet are written straight to their names: no sync, no hash, no rename, no journal, no
lock, no record. FOLDER should lie on the disk that is asked about. PAGE is docs/protocol-cost.md. Exit code 1 if the
protocol costs 3% or more of the whole job, if status takes 0.5 s or more, or if resuming the finished run takes 3 s or
more.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa

import fastlstm
from fastlstm import store
from fastlstm.store import EncodedPart, PartEntry, PartId, RunDirectory, encode_part
from fastlstm.store.disk import Disk
from fastlstm.store.journal import Stored, part_file
from fastlstm.store.parquet import encode
from fastlstm.sweep.engine import sweep
from fastlstm.sweep.making import LocalMaker
from fastlstm.sweep.plan import Plan, run_key
from fastlstm.sweep.recorder import Recorder
from fastlstm.sweep.simulation import Simulation
from fastlstm.sweep.stopping import Stopper
from fastlstm.tables.totals import Totals, write_tables
from fastlstm.threads import available_threads

ROOT = Path(__file__).parents[1]
PAGE = """\
# What the protocol of the run directory costs

[Documentation](README.md) · Trust

The same job with the protocol of the [run directory](run-directory.md) and without it: without, the same bytes of
Parquet are written straight to their names, with no sync, hash, rename, journal, lock or record. What the threads that
encode and write do is hidden behind the computation as long as a core is free for it; the processor time is what cannot
be hidden. Of parts that wait for the disk together, files and folders are made first and synced then, side by side, so
that the device does it once; a part's bytes are hashed in the thread that encodes.

Made by `python benchmarks/store_protocol.py --write docs/protocol-cost.md`, on {day}, on {cores} cores on which {load}
tasks ran on average before.

```text
{lines}
```
"""
MOST_COST, MOST_STATUS, MOST_RESUME = 0.03, 0.5, 3.0


_lines: list[str] = []


def say(line: str) -> None:
    _lines.append(line)
    print(line, flush=True)


class Bare:
    """Stands in for RunDirectory: writes the same bytes of Parquet, and no more."""

    finished = False

    def __init__(self, path: Path, layout: dict[str, int]) -> None:
        self.path = path
        self.layout = layout
        self.committed: dict[PartId, PartEntry] = {}

    def commit(self, *parts: EncodedPart) -> None:
        for entry, counts, rows in parts:
            files = {part_file("counts", entry.part): counts, part_file("draws", entry.part): rows}
            for file, data in files.items():
                if data is not None:
                    (self.path / file).parent.mkdir(parents=True, exist_ok=True)
                    (self.path / file).write_bytes(data)
            self.committed[entry.part] = entry

    def write_table(self, name: str, table: pa.Table) -> None:
        (self.path / f"{name}.parquet").write_bytes(encode(table))

    def finish(self) -> None:
        """Nothing is stamped."""


class Lazy(Disk):
    """A disk that syncs nothing, to make a large directory quickly."""

    def sync(self, descriptor: int) -> None:
        """Left to the kernel."""

    def sync_folder(self, folder: Path) -> None:
        """Left to the kernel."""


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def with_protocol(spec: fastlstm.spec.Spec, path: Path) -> None:
    fastlstm.run(spec, path)


def without_protocol(spec: fastlstm.spec.Spec, path: Path) -> None:
    path.mkdir()
    plan = Plan.of_new_run(spec)
    directory: Any = Bare(path, plan.layout)
    with patch.object(Stored, "of", classmethod(lambda cls, data: cls(len(data), "0" * 64))):
        sweep(plan, directory, LocalMaker(plan, threads=available_threads()), stopper=Stopper())
    directory.finish()


def cost(spec: fastlstm.spec.Spec, folder: Path, rounds: int) -> float:
    """The median over pairs of runs, as a share of the time without the protocol."""
    plan = Plan.of_new_run(spec)
    number = len(list(plan.parts()))
    say(f"{plan.total:,} draws in {number} parts, {available_threads()} threads, {rounds} rounds")
    fastlstm.run(spec, folder / "warm")  # compiles the kernel
    times: dict[str, list[float]] = {"with": [], "without": []}
    busy: dict[str, list[float]] = {"with": [], "without": []}
    for place in range(2 * rounds):
        # the order changes from round to round: with, without, without, with, ...
        name = "with" if (place + 1) // 2 % 2 == 0 else "without"
        work = with_protocol if name == "with" else without_protocol
        before = time.process_time()
        times[name].append(timed(lambda path=folder / f"{name}{place}", work=work: work(spec, path)))
        busy[name].append(time.process_time() - before)
    ratios = [one / other - 1 for one, other in zip(times["with"], times["without"], strict=True)]
    for name, elapsed in times.items():
        of_cores = f"processor time {statistics.median(busy[name]):7.2f} s"
        say(
            f"{name:8} the protocol: median {statistics.median(elapsed):7.2f} s, best {min(elapsed):7.2f} s, {of_cores}"
        )
    cores, best = (min(elapsed["with"]) / min(elapsed["without"]) - 1 for elapsed in (busy, times))
    median = statistics.median(ratios)
    say(f"its cost: median of the pairs {median:+.1%}, of the best {best:+.1%}, of the processor time {cores:+.1%}")
    return median


def steps_alone(spec: fastlstm.spec.Spec, folder: Path) -> None:
    """What one part costs beside its encoding: hash, sync, rename and journal, in seconds of one thread."""
    plan = Plan.of_new_run(spec)
    size = min(spec.draws, plan.part_draws)
    recorder, simulation = Recorder(plan), Simulation(spec, spec.points()[0])
    counts = recorder.new_counts()
    rows = recorder.record(simulation.point, 0, size, simulation.columns(0, size), counts)
    table = counts.to_table()
    times, hashing = [], []
    with opened(Plan(spec, size), folder / "steps", Disk()) as directory:
        bare = Bare(folder / "bare", {})
        for number in range(9):
            part = PartId(0, number)
            shifted = None if rows is None else from_draw(rows, number * size)
            encoded = encode_part(part, first_draw=number * size, draws=size, rows=shifted, counts=table)
            hashing.append(timed(encoded.check))
            times.append(timed(lambda: directory.commit(encoded)) - timed(lambda: bare.commit(encoded)))  # noqa: B023
    hashed, waited = (statistics.median(each) * 1000 for each in (hashing, times))
    say(f"a part of {size:,} draws: {hashed:.1f} ms for its hashes, {waited:.1f} ms more than writing its bytes")


def from_draw(rows: pa.Table, first: int) -> pa.Table:
    return rows.set_column(0, rows.schema.field(0), pa.array(np.arange(first, first + len(rows))))


def opened(plan: Plan, path: Path, disk: Disk) -> RunDirectory:
    return RunDirectory.open(
        path,
        spec_text=plan.spec.normalised(folder=path),
        spec_hash=run_key(plan.spec),
        provenance={},
        layout=plan.layout,
        disk=disk,
    )


def many_parts(path: Path, number: int) -> fastlstm.spec.Spec:
    """A finished run of small parts at ten points, with rows."""
    size = 16
    tables = {"draws": size * number // 10, "steps": 2, "params": {"default": {"grid": [k / 10 for k in range(10)]}}}
    spec = fastlstm.load(tables)
    plan = Plan(spec, size)
    recorder, points = Recorder(plan), spec.points()
    with opened(plan, path, Lazy()) as directory:
        made: dict[int, tuple[pa.Table, pa.Table]] = {}
        for part in plan.parts():
            if part.id.point not in made:  # the draws of a part are those of the point's first, once more
                counts = recorder.new_counts()
                columns = Simulation(spec, points[part.id.point]).columns(0, size)
                rows = recorder.record(points[part.id.point], 0, size, columns, counts)
                made[part.id.point] = rows, counts.to_table()
            rows, table = made[part.id.point]
            rows = from_draw(rows, part.first)
            directory.commit(encode_part(part.id, first_draw=part.first, draws=size, rows=rows, counts=table))
        seconds = timed(lambda: write_tables(directory, Totals(spec)))
        directory.finish()
    say(f"{number:,} parts: tables from all counts in {seconds:.1f} s")
    return spec


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", type=int, default=10_000)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write what was measured into this page")
    options = parser.parse_args()
    load = os.getloadavg()[1]
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        # without claims, which are judged after the parts are committed, and here in one of the two jobs alone
        overrides = ["claim=[]", *options.overrides]
        shares = []
        for rows in ("all", "none"):
            spec = fastlstm.load(ROOT / "sims" / "atlas.toml", [*overrides, f"store.rows={rows}"])
            say(f"rows kept: {rows}; columns of a row: {len(spec.row_layout.names)}")
            (folder / rows).mkdir()
            shares.append(cost(spec, folder / rows, options.rounds))
            steps_alone(spec, folder / rows)
            say("")
        large = many_parts(folder / "large", options.parts)
        measured = [timed(lambda: store.status(folder / "large")) for _ in range(5)]
        say(f"status: first {measured[0]:.2f} s, best of 5 {min(measured):.2f} s after import")
        resumed = [timed(lambda: fastlstm.run(large, folder / "large")) for _ in range(3)]
        say(f"run of the finished run: first {resumed[0]:.2f} s, best of 3 {min(resumed):.2f} s after import")
        (folder / "large.toml").write_text(large.normalised())
        for command in (["status", "large"], ["run", "large.toml", "--out", "large"]):
            script = [sys.executable, "-c", "from fastlstm.cli import entry; entry()", *command]
            seconds = timed(lambda script=script: subprocess.run(script, cwd=folder, check=True, capture_output=True))
            say(f"fastlstm {command[0]}: {seconds:.1f} s, imports and all")
    if options.write:
        day, cores = datetime.now(UTC).date().isoformat(), available_threads()
        text = PAGE.format(day=day, load=f"{load:.1f}", cores=cores, lines="\n".join(_lines))
        options.write.write_text(text, encoding="utf-8")
    return int(max(shares) >= MOST_COST or measured[0] >= MOST_STATUS or resumed[0] >= MOST_RESUME)


if __name__ == "__main__":
    sys.exit(main())
