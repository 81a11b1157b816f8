"""A reader that goes away, a locale that knows no accents, a path that needs care."""

import subprocess

import pytest
from bench import FASTLSTM
from ledger import Fault
from small_run import SPEC, begin, write_spec

pytestmark = pytest.mark.chaos

BROKEN_PIPE = 141
LOCALES = {
    "C without UTF-8 mode": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "POSIX without UTF-8 mode": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "output in Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "output in ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
}
QUOTES = "'quoted' \"twice\" $HOME *"
PATHS = ["with  spaces ", "Tür und Tor ∂h", "日本語", QUOTES, "-dash", "line\nend", "🧪=point=0001"]


@pytest.mark.chaos(only_all=True)
def test_head_takes_one_line_and_the_run_is_whole(bench, ledger):
    for lines in (0, 1, 5):
        run = bench.run_with_parts_of(120, name="run")
        pipe = f'"$0" run "$1" --out "$2" | head -{lines}; exit "${{PIPESTATUS[0]}}"'
        command = ["bash", "-c", pipe, FASTLSTM, bench.spec, run]
        ended = subprocess.run(command, capture_output=True, text=True, env=bench.environment, timeout=600)
        assert ended.returncode in (0, BROKEN_PIPE), ended  # 0 where all fitted into the pipe
        assert ended.stderr == ""
        assert len(ended.stdout.splitlines()) == lines
        ledger.enter(Fault.PIPE, bench.judge(run), told=ended)


@pytest.mark.chaos(only_all=True)
def test_locale_that_is_not_utf8(bench, ledger):
    for locale in LOCALES:
        folder = bench.folder / "Tür ∂h"
        folder.mkdir(exist_ok=True)
        spec = write_spec(folder, f'title = "∂h und Tür"\n{SPEC}')
        run = bench.run_with_parts_of(120, name="Tür ∂h/run")
        environment = bench.environment | LOCALES[locale]
        ended = bench.call("run", spec, "--out", run, env=environment, encoding="latin-1")
        assert "Traceback" not in ended.stderr, ended.stderr
        ledger.enter(Fault.LOCALE, bench.judge(run, survived=ended.code == 0), told=ended)
        verified = bench.call("verify", run, env=environment, encoding="latin-1")
        assert (verified.code, verified.stderr) == (0, "")


def test_path_that_needs_care(bench, ledger, some):
    for name in some(PATHS, 1):
        folder = bench.folder / name
        folder.mkdir()
        spec = write_spec(folder)
        run = folder / "run"
        begin(run, spec, part_draws=120)
        assert bench.fork("run", spec, "--out", run, operation=100, kind="die").code == 137
        wrong = bench.wrong_numbers(run)
        ended = bench.fork("run", spec, "--out", run)
        ledger.enter(Fault.PATH, bench.judge(run, survived=ended.code == 0 and not wrong), told=ended)
        assert bench.fork("verify", run).code == 0
