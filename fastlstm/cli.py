"""The command line: a thin skin on the public functions. Results go to stdout, progress and errors to stderr."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from fastlstm import __version__, audit, spec, store, tables
from fastlstm.estimate import estimate
from fastlstm.progress import show_progress
from fastlstm.replays import replay as make_again
from fastlstm.runs import read
from fastlstm.runs import run as run_spec
from fastlstm.sweep import Stopped, Stopper
from fastlstm.threads import available_threads

FAILED, BAD_SPEC, NOT_OURS, NOT_VERIFIED, DISK = 1, 2, 3, 4, 74

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Batch gradient simulator of the univariate LSTM.",
)  # fmt: skip

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A run directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _fail(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(code)


@contextmanager
def _errors() -> Iterator[None]:
    """The exit code of each kind of error, and its message without a traceback."""
    try:
        yield
    except spec.SpecError as error:
        _fail(BAD_SPEC, str(error))
    except (store.DirectoryLocked, store.OtherSpec) as error:
        _fail(NOT_OURS, str(error))
    except store.DiskError as error:
        _fail(DISK, str(error))
    except (store.StoreError, ValueError) as error:
        _fail(FAILED, str(error))


@contextmanager
def _signals() -> Iterator[Stopper]:
    """The first SIGINT or SIGTERM asks the run to finish the part in hand; the second ends the process."""
    stopper = Stopper()

    def stop(number: int, frame: FrameType | None) -> None:
        if stopper.signal:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stopper.signal = number
        print("Stopping: the part in hand is being finished. Once more stops at once.", file=sys.stderr)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fastlstm {__version__}")
        raise typer.Exit


def entry() -> None:
    """The command `fastlstm`."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OSError as error:
        # Leave without the interpreter's own attempt to flush, which would fail and complain once more.
        if isinstance(error, BrokenPipeError):  # the reader has seen enough
            os._exit(128 + signal.SIGPIPE)
        print(f"The results could not be written: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(DISK)


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Batch gradient simulator of the univariate LSTM."""


@app.command("run")
def run_command(
    source: Annotated[Path, typer.Argument(metavar="SPEC", help="A spec in TOML.")],
    out: Annotated[Path | None, typer.Option(help="The run directory [default: results/ and SPEC's name]")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the spec.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="[default: all processors]")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a spec, or go on with a run that was interrupted."""
    out = out or Path("results") / source.stem
    if out.exists() and not out.is_dir():
        _fail(BAD_SPEC, f"--out {out}: is a file; it must be a run directory, or not be there yet")
    with _errors():
        ready = spec.load(source, overrides or ())
        if dry_run:
            plan = estimate(ready, out, threads=threads or available_threads())
            print(json.dumps(plan.as_dict()) if as_json else plan)
            return
        with _signals() as stopper:
            try:
                with show_progress() as progress:
                    done = run_spec(ready, out, threads=threads, progress=progress, stopper=stopper)
            except store.OtherSpec as error:
                _fail(NOT_OURS, f"{error}\n{_differences(ready, out)}")
            except Stopped as stopped:
                _fail(
                    128 + stopped.signal,
                    f"{stopped}. To go on, give the same command again.",
                )
        if as_json:
            found = {"regimes": done.overall(), "claims": done.claims()}
            print(json.dumps({"path": str(out)} | {name: tables.as_records(each) for name, each in found.items()}))
            return
        if not progress.worked:
            print("Nothing to do: all draws were there.", file=sys.stderr)
        status = done.status()
        print(tables.text(done.overall()))
        if ready.claim:
            print(f"\n{tables.claims_text({str(out): (done.claims(), done.points())})}")
        print(f"\n{out}: {status.draws:,} draws, {status.rows:,} rows")
        if status.rows:
            print(f"import pandas as pd; df = pd.read_parquet({str(out / 'draws')!r})")


def _differences(ready: spec.Spec, folder: Path) -> str:
    try:
        other = read(folder).spec()
    except (spec.SpecError, store.StoreError):
        return "Its spec cannot be read."
    return "\n".join(ready.differences(other)) or "The specs are equal, but the version of the random streams is not."


@app.command()
def status(folder: Folder, as_json: AsJson = False) -> None:
    """How far a run has come."""
    with _errors():
        found = store.status(folder)
        total = read(folder).total_draws()
    facts: dict[str, Any] = {
        "path": str(folder),
        "finished": found.finished is not None,
        "draws": found.draws,
        "of": total,
        "rows": found.rows,
        "parts": found.parts,
        "bytes": found.bytes,
        "started": found.started,
        "ended": found.finished,
    }
    if as_json:
        print(json.dumps(facts))
        return
    state = f"finished {found.finished}" if found.finished else "not finished"
    print(f"{folder}: {found.draws:,} of {total:,} draws, {state}")
    print(f"{found.rows:,} rows in {found.parts:,} parts, {found.bytes / 1e6:,.1f} MB; begun {found.started}")


@app.command()
def regimes(
    folder: Folder,
    by_point: Annotated[bool, typer.Option("--by-point", help="One table for each point.")] = False,
    as_json: AsJson = False,
) -> None:
    """The regime table of a run."""
    with _errors():
        run = read(folder)
        table = run.regimes() if by_point else run.overall()
    print(json.dumps(tables.as_records(table)) if as_json else tables.text(table))


@app.command()
def claims(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Run directories.")],
    by_point: Annotated[bool, typer.Option("--by-point", help="A line for each point.")] = False,
    as_json: AsJson = False,
) -> None:
    """What the draws of runs say about the claims of their specs."""
    with _errors():
        runs = {str(folder): read(folder) for folder in folders}
        found = {path: (run.claims(), run.points()) for path, run in runs.items()}
    if as_json:
        print(json.dumps({path: tables.as_records(verdicts) for path, (verdicts, _) in found.items()}))
    else:
        print(tables.claims_text(found, by_point=by_point))


@app.command()
def verify(folder: Folder, as_json: AsJson = False) -> None:
    """Read every file of a run again and compare it with what was written."""
    with _errors():
        problems = store.verify(folder)
    if as_json:
        print(json.dumps([{"file": problem.file, "what": problem.what} for problem in problems]))
    else:
        for problem in problems:
            print(problem)
        print(f"{folder}: {len(problems)} problems" if problems else f"{folder}: everything is as it was written")
    if problems:
        raise typer.Exit(NOT_VERIFIED)


@app.command()
def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR|SPEC", help="A run directory, or a spec.")],
    point: Annotated[int, typer.Option(min=0, help="The point.")] = 0,
    draw: Annotated[int, typer.Option(min=0, help="The draw.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Make one draw again: its parameters, its trace step by step, its gradients."""
    with _errors():
        again = make_again(folder, point=point, draw=draw)
    print(json.dumps(tables.replay_record(again)) if as_json else tables.replay_text(again))


@app.command()
def check(
    source: Annotated[
        Path | None, typer.Argument(metavar="[SPEC|DIR]", help="A spec or a run [default: a built-in spec]")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="How many draws or rows.")] = audit.DRAWS,
    as_json: AsJson = False,
) -> None:
    """Audit gradients on this machine against 50-digit arithmetic, or the rows of a run against their replay."""
    with _errors():
        if source is not None and source.is_dir():
            found = audit.check_rows(source, draws=draws)
        else:
            found = audit.check_gradients(spec.load(source) if source else audit.built_in(), draws=draws)
    if as_json:
        print(json.dumps({"passed": found.passed, "summary": found.summary, "table": found.table.to_dict()}))
    else:
        if len(found.table):
            print(found.table.to_string(float_format="{:.0e}".format))
        print(found.summary)
    if not found.passed:
        raise typer.Exit(FAILED)


@app.command()
def schema() -> None:
    """The JSON Schema of specs, for editors."""
    print(json.dumps(spec.json_schema(), indent=2))
