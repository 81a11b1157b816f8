"""How the command line behaves: at once, in order, in colour or not, on closed streams, on signals, in a shell."""

import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import specs
from commands import ENVIRONMENT, FASTLSTM, call, call_here, files, strict_json, succeed, wait_for_first_part

import fastlstm
from fastlstm.cli import exits, options
from fastlstm.cli.grid import grid
from fastlstm.store import content_hash

ROOT = Path(__file__).parents[1]
ESCAPES = ROOT / "tests" / "terminal_escape.toml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("manners")
    (folder / "spec.toml").write_text(specs.SHORT_TOML)
    return folder


@pytest.fixture(scope="module")
def run(folder):
    succeed("run", "spec.toml", "-o", "results/short", "-j", 1, "-q", folder=folder, ask=call_here)
    return fastlstm.read(folder / "results/short")


# Answers at once

# What `--help` may import beside the standard library: a new entry costs every user that long at every command.
# typer reads the values of options with pydantic.
LIGHT = {"fastlstm", "lazy_loader", "typer", "click", "typing_extensions", "shellingham", "annotated_doc"}
LIGHT |= {"pydantic", "pydantic_core", "annotated_types", "typing_inspection"}


@pytest.mark.parametrize("command", [["--help"], ["run", "-h"], ["--version"], ["sims"], ["rum"], ["run", "atals"]])
def test_what_needs_no_computing_imports_nothing_heavy(command):
    look = (
        "import sys; sys.argv[1:] = sys.argv[1:]\n"
        "from fastlstm.cli import entry\n"
        "try: entry()\n"
        "except SystemExit: pass\n"
        "names = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "print('\\n' + ' '.join(sorted(names)))"
    )
    done = subprocess.run([sys.executable, "-c", look, *command], capture_output=True, text=True, check=True)
    names = {name for name in done.stdout.splitlines()[-1].split() if not name.startswith(("_", "sitecustomize"))}
    assert names <= LIGHT


def test_status_imports_neither_tables_nor_compiler(folder, run):
    look = (
        "import sys; from fastlstm.cli import entry\n"
        "try: entry()\n"
        "finally: assert not {'pandas', 'pyarrow', 'numpy', 'numba', 'rich'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", look, "status", "results/short"], cwd=folder, text=True, check=False)
    assert done.returncode == 0


def test_import_of_the_package_imports_nothing_heavy_and_lists_the_public_names():
    look = "import sys, fastlstm; assert not {'pandas', 'numba', 'numpy'} & set(sys.modules); print(dir(fastlstm))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert eval(done.stdout) == sorted(fastlstm.__all__)
    assert {"run", "read", "simulate", "gradients", "forward", "show_versions"} <= set(fastlstm.__all__)
    assert all(getattr(fastlstm, name) is not None for name in fastlstm.__all__)


def test_every_kind_of_error_with_an_exit_code_exists():
    for name in exits.CODES:
        module, _, kind = name.rpartition(".")
        assert issubclass(getattr(sys.modules.get(module) or __import__(module, fromlist=[kind]), kind), Exception)


# Texts of others


def test_no_text_of_a_spec_forges_a_line_or_reaches_the_terminal_raw(tmp_path):
    shutil.copy(ESCAPES, tmp_path / "spec.toml")
    told = [
        call_here("run", "spec.toml", "--out", "run", folder=tmp_path),
        call_here("claims", "run", folder=tmp_path),
        call_here("status", "run", folder=tmp_path),
        call_here("run", "spec.toml", "--out", "run", "--set", "title=\x1b]0;x\x07", "--dry-run", folder=tmp_path),
    ]
    for done in told:
        text = done.stdout + done.stderr
        assert text.replace("\n", "").isprintable()
        assert not any(line.startswith("holds    a forged line") for line in text.splitlines())
    succeed("report", "run", folder=tmp_path, ask=call_here)
    assert (tmp_path / "run/report.html").read_text().replace("\n", "").isprintable()
    assert r"honest\x1b]0;pwned\x07\x1b[2J\u202eevil\nholds    a forged line" in told[1].stdout


def test_a_table_fits_the_terminal_and_names_what_is_left_out(monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    titles = ["verdict", "claim", "estimate", "interval"]
    rows = [["holds", "a sentence that goes on and on for longer than a line", "0.123", "[0.1, 0.2]"]]
    text = grid(titles, rows, stream=Terminal(), wrap="claim")
    assert max(map(len, text.splitlines()[:-1])) <= 40
    assert "left out, since the terminal is narrow: estimate, interval; --json has all" in text
    assert "a sentence that" in text
    wide = grid(titles, rows, stream=io.StringIO(), wrap="claim")  # no terminal: any width
    assert wide.splitlines()[1].endswith("longer than a line  0.123     [0.1, 0.2]")


def on_a_terminal(*command, folder, environment=None, answer=b""):
    """What a command says on a terminal that it has for stdin, stdout and stderr."""
    main, other = pty.openpty()
    process = subprocess.Popen(
        [str(FASTLSTM), *command], cwd=folder, stdin=other, stdout=other, stderr=other, close_fds=True,
        env=ENVIRONMENT | {"COLUMNS": "200", "TERM": "xterm"} | (environment or {}),
    )  # fmt: skip
    os.close(other)
    if answer:
        os.write(main, answer)
    output = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        output += piece
    os.close(main)
    return process.wait(timeout=60), output.decode()


@pytest.fixture(scope="module")
def judged(folder):
    claims = '[[claim]]\ntext = "It is so."\nstatistic = "share(exploded)"\npredicts = "<= 1"\n'
    claims += '[[claim]]\ntext = "It is not so."\nstatistic = "share(exploded)"\npredicts = "> 1"\n'
    (folder / "judged.toml").write_text(f"{specs.SHORT_TOML}\n{claims}")
    succeed("run", "judged.toml", folder=folder, ask=call_here)
    return "results/judged"


def test_verdicts_have_colours_on_a_terminal_unless_no_color_is_set(folder, judged):
    _, coloured = on_a_terminal("claims", judged, folder=folder)
    assert "\x1b[32mholds" in coloured
    assert "\x1b[1;31mfails" in coloured
    _, plain = on_a_terminal("claims", judged, folder=folder, environment={"NO_COLOR": "1"})
    assert "\x1b" not in plain
    assert "holds" in plain


def test_strict_claims_end_with_5_if_one_fails(folder, judged):
    assert call_here("claims", judged, folder=folder).returncode == 0
    assert call_here("claims", judged, "--strict", folder=folder).returncode == 5
    assert call_here("claims", judged, "--strict", "--json", folder=folder).returncode == 5


# Streams and signals


def test_a_run_whose_stdout_is_closed_is_computed_and_ends_as_when_results_cannot_be_written(folder, run):
    command = f"exec '{FASTLSTM}' run spec.toml --out closed >&-"
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 74
    assert done.stderr.endswith("The results could not be written: Bad file descriptor\n")
    assert "Traceback" not in done.stderr
    assert content_hash(folder / "closed") == content_hash(run.path)


def test_messages_never_go_to_stdout(folder, run):
    command = f"exec '{FASTLSTM}' run spec.toml --out results/short --json 2>&-"
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert strict_json(done.stdout)["draws"] == 12_000


def test_a_warning_is_one_printable_sentence_said_once(tmp_path):
    rows = "".join(f"{series},{value}\n" for series in "AB" for value in range(30))
    (tmp_path / "a.csv").write_text("sym\x1b[2Jbol,price\n" + rows)
    (tmp_path / "a.toml").write_text(specs.SHORT_TOML + '[input]\nprocess = "file"\nfile = "a.csv"\ncolumn = "price"\n')
    done = subprocess.run(
        [FASTLSTM, "run", "a.toml", "-q", "--set", "draws=24"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    warnings = [line for line in done.stderr.splitlines() if "warning" in line.lower()]
    assert len(warnings) == 1
    assert warnings[0].startswith(r"warning: a.toml: input.file: the column sym\x1b[2Jbol suggests that another series")
    assert "\x1b" not in done.stderr


def test_a_signal_that_was_ignored_stays_ignored(tmp_path):
    (tmp_path / "spec.toml").write_text(specs.SHORT_TOML)
    command = (
        f"trap '' INT HUP; exec '{FASTLSTM}' run spec.toml --out run -q --set draws=200_000 --set 'store.rows=\"none\"'"
    )
    process = subprocess.Popen(["sh", "-c", command], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    wait_for_first_part(process, tmp_path / "run")
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGINT):
        process.send_signal(number)
        time.sleep(0.05)
    _, stderr = process.communicate(timeout=200)
    assert (process.returncode, stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["run", "spec.toml", "--out", "x" * 300], 2, "File name too long"),
        (["run", "x" * 300], 2, "File name too long"),
        (["status", "x" * 300], 74, "File name too long"),
        (["run", "spec.toml", "--out", "/proc/nowhere/run"], 74, "No such file or directory: /proc/nowhere"),
        (["report", "\udcff"], 1, r"\udcff is not a run directory"),
    ],
)
def test_a_place_that_cannot_be_is_one_sentence(folder, arguments, code, told):
    done = call(*map(os.fsencode, arguments), folder=folder)
    assert done.returncode == code
    assert told in done.stderr
    assert len([line for line in done.stderr.splitlines() if not line.startswith(("Usage", "Try")) and line]) == 1


def test_a_compiler_that_is_switched_off_is_one_sentence(folder, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "NUMBA_DISABLE_JIT", "1")
    done = call("run", "spec.toml", "--out", "nothing", folder=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"NUMBA_DISABLE_JIT is set.*unset it\n", done.stderr)
    assert not (folder / "nothing").exists()


# The edit loop


def test_fresh_starts_over_and_touches_nothing_that_the_run_did_not_make(tmp_path):
    (tmp_path / "spec.toml").write_text(specs.SHORT_TOML)
    command = ["run", "spec.toml", "--out", "run", "-q"]
    succeed(*command, "--set", "seed=5", folder=tmp_path, ask=call_here)
    (tmp_path / "run/notes.txt").write_text("mine")
    (tmp_path / "run/draws/point=0000/mine.txt").write_text("mine")
    refused = call_here(*command, folder=tmp_path)
    assert refused.returncode == 3
    assert "seed: 11 here, 5 there" in refused.stderr
    assert "--fresh" in refused.stderr
    succeed(*command, "--fresh", folder=tmp_path, ask=call_here)
    assert fastlstm.read(tmp_path / "run").spec().seed == 11
    assert (tmp_path / "run/notes.txt").read_text() == "mine"
    assert (tmp_path / "run/draws/point=0000/mine.txt").read_text() == "mine"
    assert [problem.file for problem in fastlstm.verify(tmp_path / "run")] == ["draws/point=0000/mine.txt"]


def test_fresh_asks_on_a_terminal(folder, run):
    before = files(run.path)
    code, question = on_a_terminal("run", "spec.toml", "-o", "results/short", "--fresh", folder=folder, answer=b"n\n")
    assert code == 1
    assert "Remove the run in results/short, with its 12,000 draws?" in question
    assert files(run.path) == before


def test_out_auto_is_a_folder_for_each_content_of_a_spec(folder):
    hashes = [fastlstm.load(folder / "spec.toml", overrides).hash[:8] for overrides in ([], ["seed=3"])]
    for number, changes in zip(hashes, ([], ["--set", "seed=3"]), strict=True):
        plan = succeed("run", "spec.toml", "-o", "auto", *changes, "--dry-run", "--json", folder=folder, ask=call_here)
        assert json.loads(plan)["path"] == f"results/spec-{number}"


def test_dry_run_knows_what_is_committed_and_refuses_what_the_run_would(folder, run):
    command = ["run", "spec.toml", "--out", "results/short", "--dry-run"]
    output = succeed(*command, folder=folder, ask=call_here)
    assert output.splitlines()[1] == "nothing to do: all draws are in results/short"
    assert strict_json(succeed(*command, "--json", folder=folder, ask=call_here))["seconds"] == 0
    refused = call_here(*command, "--set", "seed=4", folder=folder)
    assert refused.returncode == 3
    assert "seed: 4 here, 11 there" in refused.stderr
    succeed("run", "spec.toml", "--out", "half", "--shard", "1/2", folder=folder, ask=call_here)
    before = files(folder / "half")
    assert "\nabout" in succeed("run", "spec.toml", "--out", "half", "--dry-run", folder=folder, ask=call_here)
    plan = strict_json(
        succeed("run", "spec.toml", "--out", "half", "--dry-run", "--json", folder=folder, ask=call_here)
    )
    assert (plan["committed"], plan["draws"]) == (6144, 12_000)
    assert files(folder / "half") == before


def test_dry_run_of_a_hundred_thousand_points_makes_few_of_them(folder, monkeypatch):
    from fastlstm.spec.document import Points

    made = []
    point = Points._point
    monkeypatch.setattr(Points, "_point", lambda self, index: made.append(index) or point(self, index))
    grids = {"b_f": range(50), "b_i": range(50), "b_o": range(40)}
    sets = [f"params.{name}={{grid=[{','.join(f'{value}.5' for value in values)}]}}" for name, values in grids.items()]
    options_ = [part for text in sets for part in ("--set", text)]
    plan = succeed("run", "spec.toml", "--dry-run", "--json", *options_, folder=folder, ask=call_here)
    assert strict_json(plan)["points"] == 100_000
    assert len(made) < 20


def test_status_names_missing_shards_the_next_command_and_says_unfinished_by_its_exit_code(folder, run):
    succeed("run", "spec.toml", "--out", "thirds", "--shard", "2/3", folder=folder, ask=call_here)
    done = call_here("status", "thirds", "--check", folder=folder)
    assert done.returncode == 1
    assert "shards that are not done: 1/3, 3/3" in done.stdout
    assert "next: fastlstm run thirds/_spec.toml --out thirds --shard 1/3" in done.stdout
    facts = strict_json(succeed("status", "thirds", "--json", folder=folder, ask=call_here))
    assert facts["missing_shards"] == ["1/3", "3/3"]
    done = call_here("status", "results/short", "--check", folder=folder)
    assert done.returncode == 0
    assert "next: fastlstm report results/short" in done.stdout


# Shells, clusters, machines


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        ({"ID": "0", "MIN": "0", "COUNT": "16"}, "1/16"),
        ({"ID": "16", "MIN": "1", "COUNT": "16"}, "16/16"),
        ({"ID": "9", "MIN": "5", "COUNT": "3", "STEP": "2"}, "3/3"),
    ],
)
def test_shard_auto_is_that_of_the_task_of_a_job_array(environment, shard):
    slurm = {f"SLURM_ARRAY_TASK_{name}": value for name, value in environment.items()}
    assert options.shard_text("auto", slurm) == shard
    assert options.shard_text("2/5", slurm) == "2/5"


def test_shard_auto_without_a_job_array_is_bad_usage(folder):
    done = call_here("run", "spec.toml", "--shard", "auto", folder=folder)
    assert done.returncode == 2
    assert "SLURM_ARRAY_TASK_ID" in done.stderr


def test_threads_come_from_the_environment(monkeypatch):
    from fastlstm.threads import available_threads

    monkeypatch.setenv("FASTLSTM_THREADS", "3")
    assert available_threads() == 3
    monkeypatch.setenv("FASTLSTM_THREADS", "none")
    with pytest.raises(ValueError, match="FASTLSTM_THREADS is 'none'; it must be 1 or more"):
        available_threads()


def completions(line, folder):
    """What a real bash offers at the end of a line, with the completion that the command prints for it."""
    script = subprocess.run(
        [FASTLSTM, "--show-completion", "bash"], capture_output=True, text=True, check=True,
        env=ENVIRONMENT | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    ).stdout  # fmt: skip
    words = line.split(" ")
    ask = (
        f"{script}\nCOMP_WORDS=({' '.join(word or repr('') for word in words)}); COMP_CWORD={len(words) - 1}\n"
        '_fastlstm_completion fastlstm; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environment = ENVIRONMENT | {"PATH": f"{FASTLSTM.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", ask], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_bash_completes_simulations_run_directories_and_commands(folder, run):
    assert completions("fastlstm run at", folder) == ["atlas", "attractor"]
    assert "results/short" in completions("fastlstm status results/", folder)
    assert completions("fastlstm regimes results/sho", folder) == ["results/short"]
    assert completions("fastlstm war", folder) == ["warmup"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_completion_for_each_shell(shell):
    done = subprocess.run(
        [FASTLSTM, "--show-completion", shell], capture_output=True, text=True, check=True,
        env=ENVIRONMENT | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )  # fmt: skip
    assert f"complete_{shell}" in done.stdout


def test_make_names_the_simulations_that_there_are(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/fastlstm").symlink_to(FASTLSTM)
    for stamp in (".pip-ready", ".run-ready"):
        (tmp_path / ".venv" / stamp).touch()
    done = subprocess.run(["make", "sim", "SIM=nope"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no sims/nope.toml" in done.stderr
    assert "carousel" in done.stderr
