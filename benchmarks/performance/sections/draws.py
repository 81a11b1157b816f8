"""How time and memory grow with the number of draws, up to 10^8."""

from collections.abc import Callable

from benchmarks.performance.results import Findings, Table
from benchmarks.performance.sections import Effort
from benchmarks.performance.sections.startup import Child

TITLE = "Draws up to 10^8"
TEXT = """\
`fastlstm run` of 10 steps, float32, rows "none", each in a process of its own: seconds of the run without imports,
and the most memory that the process ever held."""


def measure(effort: Effort, tell: Callable[[str], None]) -> Findings:
    findings = Findings()
    tell("draws: filling the cache")
    Child.run(dtype="float32", draws=1000, steps=10, rows="none")
    table = Table("Draws", ["draws", "seconds", "ns a draw", "peak, MB"])
    for draws in (10**5, 10**6, 10**7, 10**8) if effort.thorough else (10**5, 10**6):
        tell(f"draws: {draws:,}")
        child = Child.run(dtype="float32", draws=draws, steps=10, rows="none")
        table.rows.append([draws, child.run_seconds, 1e9 * child.run_seconds / draws, child.peak / 1e6])
        findings.series.setdefault("draws", []).append((draws, child.run_seconds))
        if draws == 10**8:
            findings.figures["peak_memory"] = child.peak / 1e6
    findings.tables.append(table)
    return findings
