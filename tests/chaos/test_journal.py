"""A journal that is torn, doubled, out of order, or speaks of what is not there."""

import random

import pytest
from ledger import Fault

pytestmark = pytest.mark.chaos


def try_journal(bench, ledger, fault, change, told=""):
    """Change the journal of a whole run, read, go on."""
    run = bench.copy()
    journal = run / "_journal.jsonl"
    journal.write_bytes(change(journal.read_bytes()))
    wrong = bench.wrong_numbers(run)
    ledger.enter(fault, bench.judge_after_going_on(run, wrong=wrong), told=told)


def lines_of(bench):
    return (bench.whole / "_journal.jsonl").read_bytes().splitlines(keepends=True)


def test_journal_cut_off_anywhere(bench, ledger, some):
    size = (bench.whole / "_journal.jsonl").stat().st_size
    for length in some([*range(0, size, 101), size - 1], 1):
        try_journal(bench, ledger, Fault.TORN, lambda text, length=length: text[:length], told=length)


def test_torn_line_in_the_middle(bench, ledger, some):
    lines = lines_of(bench)
    for number in some(range(len(lines) - 1), 1):
        half = [*lines[:number], lines[number][: len(lines[number]) // 2], *lines[number + 1 :]]
        try_journal(bench, ledger, Fault.TORN, lambda text, half=half: b"".join(half), told=number)


def test_doubled_lines(bench, ledger, some):
    lines = lines_of(bench)
    for number in some(range(len(lines)), 1):
        doubled = [*lines, lines[number]]
        try_journal(bench, ledger, Fault.DOUBLED, lambda text, doubled=doubled: b"".join(doubled), told=number)
    try_journal(bench, ledger, Fault.DOUBLED, lambda text: text + text)


def test_lines_in_another_order(bench, ledger, some):
    for seed in some(range(10), 1):
        lines = lines_of(bench)
        random.Random(seed).shuffle(lines)
        try_journal(bench, ledger, Fault.REORDERED, lambda text, lines=lines: b"".join(lines), told=seed)


def test_line_without_its_part(bench, ledger, some):
    lines = lines_of(bench)
    files = sorted((bench.whole / "draws").rglob("*.parquet"))
    for file in some(files, 1):
        run = bench.copy()
        gone = file.relative_to(bench.whole)
        (run / gone).unlink()
        (run / "counts" / gone.relative_to("draws")).unlink()
        assert len((run / "_journal.jsonl").read_bytes().splitlines()) == len(lines)
        wrong = bench.wrong_numbers(run)
        ledger.enter(Fault.ORPHAN, bench.judge_after_going_on(run, wrong=wrong), told=gone)


def test_part_without_its_line(bench, ledger, some):
    lines = lines_of(bench)
    for number in some(range(len(lines)), 1):
        rest = lines[:number] + lines[number + 1 :]
        try_journal(bench, ledger, Fault.ORPHAN, lambda text, rest=rest: b"".join(rest), told=number)
