"""What it takes before the first draw."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple, Self

from benchmarks.performance.results import Findings, Table
from benchmarks.performance.sections import Effort
from benchmarks.performance.work import spec_text

TITLE = "Start-up"
TEXT = """\
"To the first block" is from the start of a process that runs a spec of the defaults (float64, 100 steps) to the first
65,536 draws done; with an empty cache, kernels are compiled meanwhile. All in seconds, each in a process of its own."""


class Child(NamedTuple):
    """What a run in a process of its own took."""

    to_first_block: float
    run_seconds: float
    peak: int

    @classmethod
    def run(cls, *, dtype: str, draws: int, steps: int, rows: str, cache: Path | None = None) -> Self:
        """`cache`: where compiled kernels are kept; by default where they always are."""
        with tempfile.TemporaryDirectory(prefix="fastlstm-bench-") as folder:
            spec = Path(folder) / "spec.toml"
            spec.write_text(spec_text(dtype, draws=draws, steps=steps, rows=rows))
            arguments = ["-m", "benchmarks.performance.child", str(spec), str(Path(folder) / "run")]
            start = time.time()
            output = _python(arguments, {} if cache is None else {"NUMBA_CACHE_DIR": str(cache)})
        told = json.loads(output)
        return cls(told["first"] - start, told["run"], told["peak"])


def _python(arguments: list[str], environment: Mapping[str, str]) -> str:
    run = subprocess.run(
        [sys.executable, *arguments], env=os.environ | environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return run.stdout


def seconds_of(code: str) -> float:
    start = time.perf_counter()
    _python(["-c", code], {})
    return time.perf_counter() - start


def measure(effort: Effort, tell: Callable[[str], None]) -> Findings:
    findings = Findings()
    times: dict[str, list[float]] = {}
    kinds = ("python", "import fastlstm", "to the first block, cached", "to the first block, empty cache")
    common = {"dtype": "float64", "draws": 65536, "steps": 100, "rows": "all"}
    tell("start-up: filling the cache")
    Child.run(**common)
    for number in range(2 if effort.thorough else 1):
        tell(f"start-up: round {number + 1}")
        times.setdefault("python", []).append(seconds_of("pass"))
        times.setdefault("import fastlstm", []).append(seconds_of("import fastlstm"))
        times.setdefault(kinds[2], []).append(Child.run(**common).to_first_block)
        with tempfile.TemporaryDirectory(prefix="fastlstm-bench-") as cache:
            times.setdefault(kinds[3], []).append(Child.run(**common, cache=Path(cache)).to_first_block)
    table = Table("Seconds", ["", "fastest", "median"])
    table.rows = [[kind, min(times[kind]), median(times[kind])] for kind in kinds]
    findings.figures["cached_start"], findings.figures["first_compile"] = min(times[kinds[2]]), min(times[kinds[3]])
    findings.tables.append(table)
    return findings
