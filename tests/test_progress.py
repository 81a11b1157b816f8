"""Progress: speed and time to go are those of the last slices, in draw-steps, whatever was done or compiled before."""

import io
import sys
import types

import pytest
from rich.console import Console

import fastlstm
from fastlstm.sweep import progress
from fastlstm.sweep.progress import COMPILING, Bar, Log, Notebook, Silent, Told, show_progress


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


def test_a_kernel_that_is_compiled_on_the_way_is_no_part_of_the_speed(clock, capsys):
    log = Log()
    advance(log, clock, (0, 0), (1, 1000), (2, 2000))
    log.compiling()
    log.compiled(20.0)
    advance(log, clock, (23, 3000), (24, 4000))
    assert log.rate == pytest.approx(1000)
    log.close()
    assert capsys.readouterr().err == f"{COMPILING}\ncompiling took 20 s, once on this machine\n"


def test_time_to_go_counts_draw_steps(clock):
    log = Log()
    log.work(0, 1_010_000)  # 1,000 draws of 10 steps, then 1,000 draws of 1,000
    for seconds, draws, steps in ((0, 0, 0), (1, 500, 5_000), (2, 1000, 10_000)):
        clock.now = 1000.0 + seconds
        log.work(steps, 1_010_000)
        log(draws, 2000)
    assert log.pace(2000) == "500 draws a second, 0:03:20 to go"


def test_speed_is_that_of_the_last_minute(clock):
    log = Log()
    advance(log, clock, (0, 0), *((second, second) for second in range(1, 61)))  # slow: one a second
    advance(log, clock, *((60 + second, 60 + 1000 * second) for second in range(1, 121)))
    assert log.rate == pytest.approx(1000)


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


def use_terminal(monkeypatch):
    """A stderr that is a terminal; what was written there, at the end the last frame of a bar."""
    file = io.StringIO()
    file.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", file)
    monkeypatch.setattr("rich.console.Console", lambda **_: Console(file=file, force_terminal=True, width=200))
    return file


def test_bar_starts_where_the_run_was(clock, monkeypatch):
    terminal = use_terminal(monkeypatch)
    with show_progress() as bar:
        assert isinstance(bar, Bar)
        advance(bar, clock, (0, 600_000))
    assert "600000/1000000" in terminal.getvalue()


def test_bar_says_how_far_and_how_fast_a_run_is(clock, monkeypatch):
    terminal = use_terminal(monkeypatch)
    with show_progress() as bar:
        advance(bar, clock, (0, 600_000), (10, 700_000), (11, 700_500))
    assert "700500/1000000" in terminal.getvalue()
    assert "500 draws a second, 0:09:59 to go" in terminal.getvalue()


def test_bar_says_that_a_kernel_is_being_compiled(monkeypatch):
    terminal = use_terminal(monkeypatch)
    with show_progress() as bar:
        bar.compiling()
    assert COMPILING in terminal.getvalue()


def test_progress_is_shown_on_a_terminal_and_in_a_notebook_and_when_it_is_asked_for(monkeypatch, capsys):
    with show_progress() as display:
        assert type(display) is Silent  # pytest's stderr is no terminal
    with show_progress(True) as display:
        assert type(display) is Log
    shell = types.SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    with show_progress() as display:
        assert type(display) is Notebook
    with show_progress(False) as display:
        assert type(display) is Silent
    assert capsys.readouterr().err == "\n"


def test_a_function_is_told_the_draws():
    told = []
    with show_progress(lambda done, total: told.append((done, total))) as display:
        assert type(display) is Told
        display(3, 10)
    assert told == [(3, 10)]


def test_a_run_says_nothing_where_nobody_reads_along(tmp_path, capsys):
    spec = {"draws": 64, "steps": 3, "params": {"default": 1.0}}
    fastlstm.run(spec, tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")
