"""Measure fastlstm beside its peers and its limits.

    python -m benchmarks.performance [SECTION ...] [--quick] [--write]

All sections take about ten minutes; the machine should have nothing else to do. With --write the sections that
were measured go into benchmarks/performance.json, and docs/performance.md and .png are made from it again.
"""

import argparse
import importlib
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.performance import machine
from benchmarks.performance.page import SECTIONS, write_page
from benchmarks.performance.results import Table, shown
from benchmarks.performance.sections import QUICK, THOROUGH
from benchmarks.performance.targets import judged

STORE = Path(__file__).parents[1] / "performance.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance", description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="shorter, less thorough, for work in progress")
    parser.add_argument("--write", action="store_true", help=f"into {STORE.name}, page and picture")
    parser.add_argument("--page", action="store_true", help="measure nothing: page and picture from the JSON")
    options = parser.parse_args()
    for name in options.sections:
        if name not in SECTIONS:
            parser.error(f"there is no section {name!r}; there are {', '.join(SECTIONS)}")
    if options.quick and options.write:
        parser.error("--quick is for work in progress: its figures are not written")
    stored: dict[str, Any] = json.loads(STORE.read_text()) if STORE.exists() else {}
    screen = Console()
    if (load := machine.load()) > machine.BUSY and not options.page:
        screen.print(f"[yellow]This machine is busy: its load average is {load}. The figures will suffer.[/]")
    measured: dict[str, Any] = {}
    for name in () if options.page else options.sections or SECTIONS:
        measured[name] = run_section(name, quick=options.quick, screen=screen)
        if options.write:
            STORE.write_text(json.dumps(stored | measured, indent=1) + "\n")
    show_targets({key: value for part in measured.values() for key, value in part["figures"].items()}, screen)
    if options.write or options.page:
        write_page(stored | measured)
        screen.print("written: docs/performance.md and docs/performance.png")
    return 0


def run_section(name: str, *, quick: bool, screen: Console) -> dict[str, Any]:
    """Measure a section, show it, and return it for the JSON."""
    section = importlib.import_module(f"benchmarks.performance.sections.{name}")
    load, start = machine.load(), time.perf_counter()
    findings = section.measure(QUICK if quick else THOROUGH, tell)
    screen.rule(section.TITLE)
    for table in findings.tables:
        show(table, screen)
    for reason in findings.left_out:
        screen.print(f"[yellow]left out: {reason}[/]")
    return findings.as_dict() | {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - start),
        "load_before": load,
        "machine": machine.describe(),
    }


def tell(doing: str) -> None:
    """What goes on, with the time."""
    print(f"{datetime.now(UTC):%H:%M:%S} {doing}", file=sys.stderr, flush=True)


def show(table: Table, screen: Console) -> None:
    """A table as text."""
    rows = [table.columns, *([shown(cell) for cell in row] for row in table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.columns))]
    if table.title:
        screen.print(f"\n{table.title}", style="bold")
    for row in rows:
        first, *rest = (
            cell.ljust(width) if place in (0, len(row) - 1) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        screen.print("  ".join([first, *rest]).rstrip(), highlight=False, soft_wrap=True, markup=False)
    if table.note:
        screen.print(table.note, style="dim", highlight=False, soft_wrap=True)


def show_targets(figures: dict[str, float], screen: Console) -> None:
    rows = [
        [target.text, value, target.at_least, target.aim, target.unit, verdict]
        for target, value, verdict in judged(figures)
    ]
    if rows:
        screen.rule("Targets")
        show(Table("", ["", "figure", "at least", "aim", "unit", "reached"], rows), screen)


if __name__ == "__main__":
    sys.exit(main())
