"""The table of faults counts what the tests counted, and the page shows all of it."""

from pathlib import Path

import pytest
from bench import Verdict
from ledger import BEGIN, END, Fault, Ledger

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_verdicts_add_up_and_a_bad_one_fails_its_test():
    ledger = Ledger()
    ledger.enter(Fault.KILLED, Verdict(survived=True))
    with pytest.raises(AssertionError, match="3 draws lost"):
        ledger.enter(Fault.KILLED, Verdict(survived=False, lost=3, doubled=2, wrong=1), told="3 draws lost")
    assert ledger.table().splitlines()[2:] == [f"| {Fault.KILLED} | 2 | 1 | 3 | 2 | 1 |"]


def test_counts_replace_those_on_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    ledger = Ledger()
    ledger.enter(Fault.KILLED, Verdict(survived=True))
    ledger.write_into(page, title="Counted today:")
    assert page.read_text() == f"before\n{BEGIN}\nCounted today:\n\n{ledger.table()}\n{END}\nafter\n"


def test_page_shows_every_fault_and_nothing_lost():
    section = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    assert [row[0] for row in rows] == list(Fault)
    for _, tried, survived, *spoilt in rows:
        assert tried == survived != "0"
        assert spoilt == ["0", "0", "0"]
