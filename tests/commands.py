"""Commands of fastlstm as a user gives them, in a new process or in this one, and what they leave behind."""

import json
import os
import subprocess
import sys
import time
from contextlib import chdir
from pathlib import Path

from typer.testing import CliRunner

from fastlstm.cli import app

FASTLSTM = Path(sys.executable).with_name("fastlstm")
TITLE = "log10 of gradient norms"  # how a table begins
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def start(*arguments, folder, **options):
    """The process of the installed command, with pipes for its stdout and stderr."""
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    command = [str(FASTLSTM), *(each if isinstance(each, bytes) else str(each) for each in arguments)]
    return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, **piped | options)


def call(*arguments, folder):
    """The ended process, with its stdout and stderr as text; it has said nothing that a user cannot read."""
    process = start(*arguments, folder=folder)
    stdout, stderr = process.communicate(timeout=300)
    assert "Traceback" not in stderr
    assert "Warning" not in stderr
    assert "\x1b" not in stdout + stderr  # no colours where there is no terminal
    return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)


def call_here(*arguments, folder):
    """The same without a new process: for what differs in options only, since imports take a second each time."""
    with chdir(folder):
        result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def succeed(*arguments, folder, ask=call):
    """Its stdout."""
    done = ask(*arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def strict_json(text):
    """JSON as the standard has it: no NaN, no Infinity."""

    def refuse(word):
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


def files(folder):
    """The bytes of every file in it, at any depth."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wait_for_first_part(process, path):
    """Until the run in `path`, which the process makes, has a part on the disk."""
    journal, deadline = path / "_journal.jsonl", time.monotonic() + 200
    while not (journal.exists() and journal.stat().st_size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
