"""How time grows with steps, threads, and what is measured."""

from collections.abc import Callable

from benchmarks.performance.results import Findings, Table
from benchmarks.performance.sections import Effort
from benchmarks.performance.sections.gradients import problem
from benchmarks.performance.timing import Contestant, interleave, ratio
from benchmarks.performance.work import DRAWS, STEPS, simulation
from fastlstm.measures import CHOICES, DEFAULT_GROUPS
from fastlstm.threads import available_threads

TITLE = "How it grows"
TEXT = """\
With steps: `fastlstm.gradients` of 8.4 million draw-steps, on all processors. With threads and with measures:
simulation without rows as above, 100 steps. The shares of the steps that regimes need, and the norms of the state
adjoints, are computed whatever the groups; "none" is that alone."""

LENGTHS = (10, 30, 100, 300, 1000, 3000, 10000)


def measure(effort: Effort, tell: Callable[[str], None]) -> Findings:
    findings = Findings()
    for dtype in ("float32", "float64"):
        tell(f"growth, {dtype}: steps")
        by_steps(findings, dtype, effort)
        tell(f"growth, {dtype}: threads")
        by_threads(findings, dtype, effort)
    tell("growth: measures")
    by_groups(findings, "float64", effort)
    return findings


def by_steps(findings: Findings, dtype: str, effort: Effort) -> None:
    lengths = LENGTHS if effort.thorough else (100, 1000)
    contest = []
    for steps in lengths:
        inputs = problem(dtype, steps)
        contest.append(Contestant(str(steps), inputs.solve, inputs.draws * steps))
    times = interleave(contest, seconds=effort.seconds)
    table = Table(f"Steps, {dtype}", ["T", "ns a step", "median", "over T = 100", "median"])
    for steps in lengths:
        spent, against = times[str(steps)].summary(), ratio(times[str(steps)], times["100"])
        table.rows.append([steps, spent["min"], spent["median"], against["min"], against["median"]])
        findings.series.setdefault(f"steps, {dtype}", []).append((steps, spent["min"]))
    findings.figures[f"long_{dtype}"] = ratio(times["1000"], times["100"])["min"]
    findings.tables.append(table)


def by_threads(findings: Findings, dtype: str, effort: Effort) -> None:
    every = available_threads()
    numbers = sorted({threads for threads in (1, 2, 4, 8, every) if threads <= every})
    contest = [
        Contestant(str(threads), simulation(dtype, draws=DRAWS, threads=threads), DRAWS * STEPS) for threads in numbers
    ]
    times = interleave(contest, seconds=effort.seconds)
    table = Table(f"Threads, {dtype}", ["threads", "ns a step", "median", "times one thread", "median"])
    for threads in numbers:
        spent, gain = times[str(threads)].summary(), ratio(times["1"], times[str(threads)])
        table.rows.append([threads, spent["min"], spent["median"], gain["min"], gain["median"]])
        if threads == 2:
            findings.figures[f"threads_{dtype}"] = gain["min"]
    findings.tables.append(table)


def by_groups(findings: Findings, dtype: str, effort: Effort) -> None:
    choices: dict[str, tuple[str, ...]] = {"none": ()}
    choices |= {name: (name,) for name in CHOICES if name not in ("gates", "norms")}
    choices |= {", ".join(DEFAULT_GROUPS) + " (default)": DEFAULT_GROUPS, "all": CHOICES}
    if not effort.thorough:
        choices = {name: choices[name] for name in ("none", "carousel")}
    draws = DRAWS // 4
    contest = [
        Contestant(name, simulation(dtype, draws=draws, groups=groups), draws * STEPS)
        for name, groups in choices.items()
    ]
    times = interleave(contest, seconds=effort.seconds)
    table = Table(f"Measures, {dtype}", ["groups", "ns a step", "median", "% over none", "median"])
    for name in choices:
        spent, over = times[name].summary(), ratio(times[name], times["none"])
        table.rows.append([name, spent["min"], spent["median"], *(100 * (over[key] - 1) for key in ("min", "median"))])
    findings.tables.append(table)
