"""The command `fastlstm`: its commands, and what holds for all of them."""

import atexit
import gc
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from fastlstm.cli import checking, diagnose, figures, reading, running, starting
from fastlstm.cli.exits import DISK
from fastlstm.cli.output import answer, tell

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Batch gradient simulator of the univariate LSTM.",
)
_COMMANDS: dict[str, Callable[..., None]] = {
    "sims": starting.sims,
    "new": starting.new,
    "run": running.run,
    "merge": running.merge,
    "status": reading.status,
    "regimes": reading.regimes,
    "claims": reading.claims,
    "report": figures.report,
    "compare": figures.compare,
    "replay": reading.replay,
    "verify": checking.verify,
    "check": checking.check,
    "diagnose": diagnose.diagnose,
    "schema": starting.schema,
    "warmup": starting.warmup,
}
for name, command in _COMMANDS.items():
    app.command(name)(command)


def _version(wanted: bool) -> None:
    if wanted:
        from fastlstm import __version__

        answer(f"fastlstm {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Batch gradient simulator of the univariate LSTM."""


# Objects that are made before Python looks for garbage. A command's objects are its imports', which stay.
_OBJECTS = 50_000


def entry() -> None:
    """The command `fastlstm`."""
    # To look for garbage among what was imported, time and again and once more at the end, took half a second of a run
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path or a title that the locale cannot say is no error
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _tell_warning
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OSError as error:
        # Leave without the interpreter's own attempt to flush, which would fail and complain once more.
        if isinstance(error, BrokenPipeError):  # the reader has seen enough
            os._exit(128 + signal.SIGPIPE)
        tell(f"The results could not be written: {error.strerror}")
        os._exit(DISK)


def _tell_warning(message: Warning | str, *_place: Any, **_rest: Any) -> None:
    tell(f"warning: {message}")


def _open_closed_streams() -> None:
    """Put something where the shell closed a stream: no file of a run may come to lie there, and be written into.

    Messages go nowhere then, and not among the results; results that cannot be written are an error, as ever.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w")
