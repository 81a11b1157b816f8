"""The whole job: a million draws of 100 steps to Parquet."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fastlstm
from benchmarks.performance.results import Findings, Table
from benchmarks.performance.sections import Effort
from benchmarks.performance.timing import Contestant, interleave, ratio
from benchmarks.performance.work import STEPS, job, simulation, spec_text
from fastlstm.runs import as_spec
from fastlstm.store.disk import put
from fastlstm.store.folder import DISK
from fastlstm.store.journal import Stored
from fastlstm.store.parquet import encode
from fastlstm.sweep.plan import Plan
from fastlstm.sweep.recorder import Recorder
from fastlstm.sweep.simulation import Simulation

TITLE = "The whole job"
TEXT = """\
1,000,000 draws of 100 steps, all parameters and inputs N(0, 1), default groups, all rows to Parquet. "command" is a
command from its start to its end, imports included, fastlstm's kernels from their cache: `fastlstm run`, and
[a plain script](../benchmarks/performance/peers/jax_script.py) of JAX and pyarrow that writes the same columns in
batches of 10,000, without regime table, checksums, fsync and resume. The other lines are timed inside a process that
is warm: `fastlstm.run` with all rows and with none (the counts of the regime table included in both), and the kernel
alone, whose columns are thrown away. What all rows take of the processors beyond the kernel is counting, encoding,
hashing and writing; what each of these takes by itself, for a part of the run in one thread, is in the last table. The
bytes are pyarrow's to encode, the hash is OpenSSL's, and writing is the system's: together they bound the rest."""

SCRIPT = Path(__file__).parents[1] / "peers" / "jax_script.py"
COMMAND, PLAIN = "fastlstm, command", "JAX and pyarrow, command"
ALL, NONE, KERNEL = "fastlstm, all rows", "fastlstm, no rows", "fastlstm, kernel alone"


def measure(effort: Effort, tell: Callable[[str], None]) -> Findings:
    findings = Findings()
    draws = 1_000_000 if effort.thorough else 100_000
    for dtype in ("float32", "float64"):
        with tempfile.TemporaryDirectory(prefix="fastlstm-bench-") as name:
            folder = Path(name)
            tell(f"job, {dtype}: in a warm process")
            contest = [
                Contestant(ALL, partial(run_in, folder, job(dtype, draws=draws)), draws),
                Contestant(NONE, partial(run_in, folder, job(dtype, draws=draws, rows="none")), draws),
                Contestant(KERNEL, simulation(dtype, draws=draws), draws),
            ]
            times = interleave(contest, seconds=effort.seconds, least=3)
            tell(f"job, {dtype}: commands")
            (folder / "job.toml").write_text(spec_text(dtype, draws=draws))
            commands = [Contestant(COMMAND, partial(fastlstm_command, folder), draws)]
            if find_spec("jax") is None:
                findings.left_out.append("JAX is not installed: pip install --group peers")
            else:
                script = [SCRIPT, folder / "out.parquet", "--draws", draws, "--steps", STEPS, "--dtype", dtype]
                commands.append(Contestant(PLAIN, partial(command, script), draws))
            # the script takes half a minute and more
            least = 2 if effort.thorough and dtype == "float32" else 1
            times |= interleave(commands, seconds=0.0, least=least, warm_up=False)
        table = Table(
            f"{dtype}, {draws:,} draws", ["", "seconds", "median", "million draws a second"],
            [[name, *(spent[key] * draws / 1e9 for key in ("min", "median")), 1e3 / spent["min"]]
             for name, spent in ((name, times[name].summary()) for name in (COMMAND, PLAIN, ALL, NONE, KERNEL)
                                 if name in times)],
        )  # fmt: skip
        findings.figures[f"parquet_{dtype}"] = ratio(times[ALL], times[NONE])["min"]
        beyond = min(times[ALL].processor) - min(times[KERNEL].processor)
        findings.figures[f"beyond_{dtype}"] = 1e6 * beyond
        ratios = [
            ["all rows over no rows, time", *both(times, ALL, NONE)],
            ["all rows over the kernel alone, time", *both(times, ALL, KERNEL)],
        ]
        if PLAIN in times:
            findings.figures[f"script_{dtype}"] = ratio(times[PLAIN], times[COMMAND])["min"]
            ratios.insert(0, ["the script over the command", *both(times, PLAIN, COMMAND)])
        findings.tables += [table, Table(f"{dtype}, ratios", ["", "fastest", "median"], ratios)]
    tell("job: beyond the kernel, one by one")
    findings.tables.append(beyond_the_kernel(effort))
    return findings


def beyond_the_kernel(effort: Effort) -> Table:
    """Processor time of each thing that all rows of a part take once their columns are there."""
    spec = as_spec(job("float32", draws=1_000_000))
    plan, (point,) = Plan.of_new_run(spec), spec.points()
    recorder, part = Recorder(plan), next(plan.parts())
    columns = Simulation(spec, point).columns(part.first, part.draws)
    counts = recorder.new_counts()
    rows = recorder.record(point, part.first, part.draws, columns, counts)
    assert rows is not None
    data = encode(rows)
    with tempfile.TemporaryDirectory(prefix="fastlstm-bench-") as folder:

        def write() -> None:
            put(DISK, {Path(folder) / "part.parquet": data})

        contest = [
            Contestant("label and count", partial(recorder.record, point, 0, part.draws, columns, counts), 1),
            Contestant("encode", partial(encode, rows), 1),
            Contestant("hash", partial(Stored.of, data), 1),
            Contestant("write and sync", write, 1),
        ]
        times = interleave(contest, seconds=effort.seconds)
    spent = {name: min(each.processor) * 1e9 / part.draws for name, each in times.items()}
    spent["together"] = sum(spent.values())
    rows_of_table = [[name, each, each / 1e3] for name, each in spent.items()]
    return Table(
        "One by one, float32", ["", "ns a draw", "seconds a million draws"], rows_of_table,
        note=f"{part.draws:,} draws, {len(data) / part.draws:.0f} bytes a row.",
    )  # fmt: skip


def both(times: Any, slower: str, faster: str) -> list[float]:
    slowdown = ratio(times[slower], times[faster])
    return [slowdown["min"], slowdown["median"]]


def run_in(folder: Path, spec: dict[str, Any]) -> None:
    """A run into a new directory, which is then removed."""
    out = folder / "run"
    fastlstm.run(spec, out)
    shutil.rmtree(out)


def command(arguments: list[Any]) -> None:
    subprocess.run([sys.executable, *map(str, arguments)], check=True, capture_output=True)


def fastlstm_command(folder: Path) -> None:
    command(["-c", "from fastlstm.cli import entry; entry()", "run", folder / "job.toml", "--out", folder / "run"])
    shutil.rmtree(folder / "run")
