"""Progress: the speed and the time to go are those of this session's computing, whatever was done before."""

import io

import pytest
from rich.console import Console

from fastlstm.cli import progress
from fastlstm.cli.progress import Bar, Log, show_progress


@pytest.fixture
def clock(monkeypatch):
    """A clock to set; progress reads nothing else of the time."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def advance(log, clock, *reports):
    for seconds, done in reports:
        clock.now = 1000.0 + seconds
        log(done, 1_000_000)


def test_draws_of_earlier_sessions_and_compiling_are_no_part_of_the_speed(clock):
    log = Log()
    advance(log, clock, (0, 600_000), (15, 610_000))  # the kernel was compiled in these 15 s
    assert log.rate is None
    assert log.pace(1_000_000) == ""
    advance(log, clock, (16, 611_000), (25, 620_000))
    assert log.rate == pytest.approx(1000)
    assert log.pace(1_000_000) == "1,000 draws a second, 0:06:20 to go"


def test_a_session_that_computes_nothing_has_not_worked(clock):
    log = Log()
    advance(log, clock, (0, 1_000_000))
    assert not log.worked
    advance(other := Log(), clock, (0, 999_000), (1, 1_000_000))
    assert other.worked


def test_log_has_a_line_every_30_seconds(clock, capsys):
    log = Log()
    advance(log, clock, (0, 0), (29, 1000), (31, 21_000), (32, 31_000), (60, 311_000), (62, 331_000))
    assert capsys.readouterr().err.splitlines() == [
        "21,000 of 1,000,000 draws, 10,000 draws a second, 0:01:38 to go",
        "331,000 of 1,000,000 draws, 10,000 draws a second, 0:01:07 to go",
    ]


def test_hours_are_hours(clock):
    log = Log()
    advance(log, clock, (0, 0), (10, 10), (20, 20))
    assert log.pace(1_000_000) == "1 draws a second, 277:46:20 to go"


def test_bar_starts_where_the_run_was(clock, monkeypatch):
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    monkeypatch.setattr(progress, "Console", lambda **options: console)
    with show_progress() as bar:
        assert isinstance(bar, Bar)
        advance(bar, clock, (0, 600_000))
        (task,) = bar._bar.tasks
        assert (task.completed, task.total) == (600_000, 1_000_000)
        advance(bar, clock, (10, 700_000), (11, 700_500))
    shown = console.file.getvalue()
    assert "700500/1000000" in shown
    assert "500 draws a second, 0:09:59 to go" in shown
