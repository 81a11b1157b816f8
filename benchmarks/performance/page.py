"""docs/performance.md, made from the JSON of the measurements."""

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.performance.picture import draw
from benchmarks.performance.results import Cell, Table, shown
from benchmarks.performance.targets import judged

SECTIONS = ("gradients", "saturated", "simulation", "job", "growth", "draws", "parts", "limit", "startup")
DOCS = Path(__file__).parents[2] / "docs"

HEAD = """\
# Performance

[Documentation](README.md) · Trust

fastlstm beside its peers and beside what the machine can do, measured by `make bench`, which makes this page from
`benchmarks/performance.json`. Contestants take turns in one process, each round beginning with another one, so that a
slow spell of the machine strikes all of them: what counts are ratios within a run. Two numbers are given for
everything: of the fastest run, and the median over all rounds. A step is one time step of one draw, forward and
backward.

![Time of a step against peers, with the number of steps, and time with the number of draws](performance.png)

## Targets

The figure is that of the fastest runs. "reached" is the better of two marks that it meets.
"""

MANUAL = """
## How to measure

    make bench                                                  # everything, about ten minutes
    .venv/bin/python -m benchmarks.performance gradients limit  # some sections; without --write they only print
    .venv/bin/python -m benchmarks.performance --quick          # less thorough, for work in progress

The machine should have nothing else to do; the load average before each section is in the JSON. `make bench` installs
the peers, JAX and PyTorch, as the dependency group `peers`; C takes gcc and a glibc with libmvec. What is missing is
left out, and said.
"""


def page(sections: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    return "\n".join(_lines(sections)) + "\n"


def write_page(sections: Mapping[str, Any]) -> None:
    (DOCS / "performance.md").write_text(page(sections))
    draw(sections, DOCS / "performance.png")


def _lines(sections: Mapping[str, Any]) -> Iterator[str]:
    yield HEAD
    figures = {key: value for part in sections.values() for key, value in part["figures"].items()}
    rows: list[list[Cell]] = [
        [
            target.text,
            *(_with(number, target.unit) for number in (value, target.at_least, target.aim)),
            "**no**" if verdict == "short" else verdict,
        ]
        for target, value, verdict in judged(figures)
    ]
    yield from _markdown(["", "figure", "at least", "aim", "reached"], rows)
    yield from _bounds(figures)
    for name in SECTIONS:
        if name in sections:
            yield from _section(name, sections[name])
    yield MANUAL
    yield from _machines(sections)


def _bounds(figures: Mapping[str, float]) -> Iterator[str]:
    """How far the ratios to peers could go at most."""
    peers = {"JAX at its best": "jax", "C": "c"}
    needed = [f"{name}_{dtype}" for name in ("passes", *peers.values()) for dtype in ("float32", "float64")]
    if not set(needed) <= figures.keys():
        return
    yield from (
        "",
        "What bounds the ratios to peers: if `fastlstm.gradients` were its two passes alone, without arrays to read,",
        "transpose and write and without dL/dx (see What the time of a step is made of),",
    )
    for peer, key in peers.items():
        single, double = (
            shown(figures[f"{key}_{dtype}"] / figures[f"passes_{dtype}"]) for dtype in ("float32", "float64")
        )
        yield f"{peer} would be slower by {single}x (float32) and {double}x (float64);"
    yield from (
        "and the passes take what their vector instructions take (see The limit). Beyond that a step would have to",
        "compute less: slopes that are exact in saturation, functions right to a few ulp, scales against overflow and",
        "underflow. The program in C has none of these. A command of a second or two is mostly start-up, which bounds",
        "the ratio to the script.",
    )


def _with(value: float, unit: str) -> str:
    return f"{shown(value)}{unit}" if unit in ("x", "%") else f"{shown(value)} {unit}"


def _section(name: str, measured: Mapping[str, Any]) -> Iterator[str]:
    module = importlib.import_module(f"benchmarks.performance.sections.{name}")
    yield from ("", f"## {module.TITLE}", "", module.TEXT)
    for table in gathered([Table(**stored) for stored in measured["tables"]]):
        yield from ("", f"### {table.title}", "")
        if table.note:
            yield from (table.note, "")
        yield from _markdown(table.columns, table.rows)
    for reason in measured["left_out"]:
        yield from ("", f"Left out: {reason}")


PROBLEM = re.compile(r"(float\d+), T = (\d+)")


def gathered(tables: list[Table]) -> list[Table]:
    """The tables of the problems of one section, which differ in type and T alone, as one; all others as they are."""
    problems = [table for table in tables if PROBLEM.fullmatch(table.title)]
    if not problems:
        return tables
    problems.sort(key=lambda table: (table.title.partition(",")[0], int(table.title.rpartition(" ")[2])))
    cells = {table.title: {row[0]: _cell(row) for row in table.rows} for table in problems}
    contestants = dict.fromkeys(row[0] for table in problems for row in table.rows)
    one = Table(
        "Time of a step",
        ["ns a step", *cells],
        [[name, *(cells[title].get(name, "") for title in cells)] for name in contestants],
        note="\n".join(f"{table.title}: {table.note}" for table in problems),
    )
    return [*(table for table in tables if table not in problems), one]


def _cell(row: list[Cell]) -> str:
    """Fastest / median time, and how much slower than fastlstm; column names may repeat, so they are taken in order."""
    fastest, median, slower, _, processor = row[1:6]
    times = f"{shown(fastest)} / {shown(median)}"
    if slower == "":
        return times
    return f"{times} ({shown(slower)}x)" if processor == "" else f"{times} ({shown(slower)}x, {shown(processor)}x)"


def _markdown(columns: list[str], rows: list[list[Cell]]) -> Iterator[str]:
    """A table; columns with numbers stand to the right."""
    words = [all(isinstance(row[place], str) for row in rows) for place in range(len(columns))]
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "".join("---|" if left else "---:|" for left in words)
    for row in rows:
        yield "| " + " | ".join(map(shown, row)) + " |"


def _machines(sections: Mapping[str, Any]) -> Iterator[str]:
    """Where and when: once if all sections say the same."""
    yield "## The machine"
    yield ""
    machines: dict[str, list[str]] = {}
    for name in SECTIONS:
        if name in sections:
            machines.setdefault(_machine(sections[name]["machine"]), []).append(name)
    for text, names in machines.items():
        if len(machines) > 1:
            yield from (f"For {', '.join(names)}:", "")
        yield text
    yield from ("", *_markdown(["section", "date", "seconds", "load average before"], _runs(sections)))


def _machine(machine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['processor']} (LLVM: {machine['target']}), {machine['threads']} threads, "
        f"{machine['memory_GiB']} GiB; {machine['system']}; Python {machine['python']}; {machine['gcc']}; {versions}."
    )


def _runs(sections: Mapping[str, Any]) -> list[list[Cell]]:
    measured = [(name, sections[name]) for name in SECTIONS if name in sections]
    return [[name, part["date"], part["seconds"], part["load_before"]] for name, part in measured]
