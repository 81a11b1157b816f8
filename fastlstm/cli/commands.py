"""The command line: a thin skin on the public functions. Results go to stdout, progress and errors to stderr."""

import io
import json
import os
import shlex
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from fastlstm import __version__, spec, store
from fastlstm.audit import check as audit
from fastlstm.audit import verify as recount
from fastlstm.audit.replay import replay as make_again
from fastlstm.cli import text as tables
from fastlstm.cli.exits import DISK, FAILED, NOT_OURS, NOT_VERIFIED, errors, fail, signals
from fastlstm.cli.progress import Log, show_progress
from fastlstm.cluster.connecting import connect
from fastlstm.runs import Run, read
from fastlstm.sweep.dry_run import estimate
from fastlstm.sweep.merge import merge as merge_run
from fastlstm.sweep.plan import Shard
from fastlstm.sweep.provenance import kernels
from fastlstm.sweep.session import run as run_spec
from fastlstm.sweep.stopping import PointsFailed, Stopped
from fastlstm.threads import available_threads

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Batch gradient simulator of the univariate LSTM.",
)  # fmt: skip

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A run directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _folder_to_make(text: str | None) -> Path | None:
    """A run directory that may not be there yet."""
    if text is None:
        return None
    if not text.strip():
        raise typer.BadParameter("is empty; give a folder", param_hint="--out")
    if Path(text).exists() and not Path(text).is_dir():
        raise typer.BadParameter(f"{text} is a file; give a run directory, or a new folder", param_hint="--out")
    return Path(text)


def _shard(text: str | None) -> Shard | None:
    if text is None:
        return None
    try:
        return Shard.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--shard") from None


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fastlstm {__version__}")
        raise typer.Exit


def entry() -> None:
    """The command `fastlstm`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path or a title that the locale cannot say is no error
            stream.reconfigure(errors="backslashreplace")
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
    given_out: Annotated[
        str | None, typer.Option("--out", help="The run directory [default: results/ and SPEC's name]")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the spec.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="[default: all processors]")] = None,
    given_shard: Annotated[
        str | None, typer.Option("--shard", metavar="K/N", help="Compute one of N shares, 1/N to N/N; then merge.")
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="When a point fails, compute the others first.")
    ] = False,
    mix_kernels: Annotated[
        bool, typer.Option("--mix-kernels", help="Go on with draws of another version, whose numbers may differ.")
    ] = False,
    dask: Annotated[
        str | None,
        typer.Option(metavar="tcp://HOST:8786|FILE.json|local", help="Compute on the workers of a Dask cluster."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a spec, or go on with a run that was interrupted."""
    out = _folder_to_make(given_out) or Path("results") / source.stem
    share = _shard(given_shard)
    if dask is not None and (threads is not None or share is not None):
        raise typer.BadParameter("takes the place of --threads and --shard; leave them out", param_hint="--dask")
    with errors():
        ready = spec.load(source, overrides or ())
        if dry_run:
            plan = estimate(ready, out, threads=threads or available_threads(), shard=share)
            print(json.dumps(plan.as_dict()) if as_json else plan)
            return
        before = _status_of(out)
        with signals() as stopper:
            try:
                with show_progress() as progress, nullcontext() if dask is None else connect(dask) as client:
                    done = run_spec(
                        ready, out, threads=threads, shard=share, keep_going=keep_going, mix_kernels=mix_kernels,
                        progress=progress, stopper=stopper, client=client,
                    )  # fmt: skip
            except store.OtherSpec as error:
                fail(NOT_OURS, f"{error}\n{_differences(ready, out)}")
            except Stopped as stopped:
                fail(
                    128 + stopped.signal,
                    f"{stopped}. To go on, give the same command again.",
                )
            except PointsFailed as failed:
                fail(FAILED, f"{failed}. To compute what failed, give the same command again.")
        if share is not None:
            _show_shard(done, share, progress, as_json=as_json)
            return
        if before is not None and before.finished and len(before.sessions) == len(done.status().sessions):
            print(f"Nothing to do: all draws were there, the run was finished {before.finished}.", file=sys.stderr)
        elif not progress.worked:
            print("All draws were there; no more than tables or verdicts were made.", file=sys.stderr)
        _show_tables(done, as_json=as_json)


def _status_of(folder: Path) -> store.Status | None:
    """Where the run in a folder stands; None if there is none. A session is on record if it wrote anything."""
    try:
        return store.status(folder)
    except store.StoreError:
        return None


def _show_tables(run: Run, *, as_json: bool) -> None:
    found = run.status()
    total = _total(found)
    if mixture := _mixture(found):
        print(mixture, file=sys.stderr)
    if as_json:
        facts = {"path": str(run.path), "draws": found.draws, "of": total}
        made = {"regimes": run.overall(), "claims": run.claims()}
        print(json.dumps(facts | {name: tables.as_records(table) for name, table in made.items()}))
        return
    print(tables.text(run.overall()))
    if run.spec().claim:
        print(f"\n{tables.claims_text({str(run.path): (run.claims(), run.points())})}")
    of = "" if found.draws == total else f" of {total:,}"
    print(f"\n{run.path}: {found.draws:,}{of} draws, {found.rows:,} rows")
    if found.rows:
        print(f"import pandas as pd; df = pd.read_parquet({str(run.path / 'draws')!r})")


def _show_shard(run: Run, shard: Shard, progress: Log, *, as_json: bool) -> None:
    found = run.status()
    total = _total(found)
    if as_json:
        print(json.dumps({"path": str(run.path), "shard": list(shard), "draws": found.draws, "of": total}))
        return
    if not progress.worked:
        print("Nothing to do: all draws of this shard were there.", file=sys.stderr)
    print(f"{run.path}: shard {shard} is done; {found.draws:,} of {total:,} draws of all shards are there")
    print(f"When all are: fastlstm merge {shlex.quote(str(run.path))}")


def _total(found: store.Status) -> int:
    """The draws of all points, done or not."""
    return int(found.layout["points"] * found.layout["draws"])


@app.command()
def merge(
    folder: Folder,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Make tables although draws are missing; they say so.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the tables of a run from the draws that are there, as after shards."""
    with errors():
        before = _status_of(folder)
        done = merge_run(folder, incomplete=incomplete)
        if before is not None and before.finished:
            print(f"Nothing to do: the run was finished {before.finished}.", file=sys.stderr)
        _show_tables(done, as_json=as_json)


def _differences(ready: spec.Spec, folder: Path) -> str:
    try:
        other = read(folder).spec()
    except (spec.SpecError, store.StoreError):
        return "Its spec cannot be read."
    return "\n".join(ready.differences(other)) or "The specs are equal, but the version of the random streams is not."


@app.command()
def status(folder: Folder, as_json: AsJson = False) -> None:
    """How far a run has come."""
    with errors():
        found = store.status(folder)
    total, made_by = _total(found), kernels(found.sessions)
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
        "kernels": made_by,
    }
    if as_json:
        print(json.dumps(facts))
        return
    state = f"finished {found.finished}" if found.finished else "not finished"
    print(f"{folder}: {found.draws:,} of {total:,} draws, {state}")
    print(f"{found.rows:,} rows in {found.parts:,} parts, {found.bytes / 1e6:,.1f} MB; begun {found.started}")
    if found.damaged_lines:
        print(f"{found.damaged_lines} lines of the journal are damaged; the next run makes their parts again")
    if mixture := _mixture(found):
        print(mixture)


def _mixture(found: store.Status) -> str:
    """What is to be told of draws that several kernels computed; empty if one did."""
    made_by = kernels(found.sessions)
    if len(made_by) < 2:
        return ""
    names = ", ".join(f"fastlstm {version} ({digest[:12]})" for digest, version in made_by.items())
    return f"The draws were computed by {len(made_by)} kernels, whose numbers may differ: {names}"


@app.command()
def regimes(
    folder: Folder,
    by_point: Annotated[bool, typer.Option("--by-point", help="One table for each point.")] = False,
    as_json: AsJson = False,
) -> None:
    """The regime table of a run."""
    with errors():
        run = read(folder)
        table = run.regimes() if by_point else run.overall()
        counted = table.attrs.get("incomplete")
    if counted:
        print(f"Incomplete: {counted['draws']:,} of {counted['of']:,} draws were counted.", file=sys.stderr)
    print(json.dumps(tables.as_records(table)) if as_json else tables.text(table))


@app.command()
def claims(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Run directories.")],
    by_point: Annotated[bool, typer.Option("--by-point", help="A line for each point.")] = False,
    as_json: AsJson = False,
) -> None:
    """What the draws of runs say about the claims of their specs."""
    with errors():
        runs = {str(folder): read(folder) for folder in folders}
        found = {path: (run.claims(), run.points()) for path, run in runs.items()}
        for path, run in runs.items():
            judged_by, total = found[path][0].attrs.get("draws"), _total(run.status())
            if judged_by not in (None, total):
                print(f"{path}: judged by {judged_by:,} of {total:,} draws", file=sys.stderr)
    if as_json:
        print(json.dumps({path: tables.as_records(verdicts) for path, (verdicts, _) in found.items()}))
    else:
        print(tables.claims_text(found, by_point=by_point))


@app.command()
def verify(
    folder: Folder,
    repair: Annotated[
        bool, typer.Option("--repair", help="Drop what is bad, so that the next run makes it again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every file of a run again; compare it with what was written, tables with counts, counts with rows."""
    with errors():
        problems = recount.verify(folder, repair=repair)
        if mixture := "" if problems else _mixture(store.status(folder)):
            print(mixture, file=sys.stderr)
    if as_json:
        print(json.dumps([{"file": problem.file, "what": problem.what} for problem in problems]))
    else:
        for problem in problems:
            print(problem)
        number = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        print(f"{folder}: {number}" if problems else f"{folder}: everything is as it was written, and agrees")
        if problems and repair:
            print("What was bad of the run's own files is dropped; to make it again, run the spec again.")
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
    with errors():
        again = make_again(folder, point=point, draw=draw)
    print(json.dumps(tables.replay_record(again)) if as_json else tables.replay_text(again))


@app.command("report")
def report_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Run directories.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The page [default: report.html in DIR, or of several in the folder that holds them]"),
    ] = None,
) -> None:
    """Draw a finished run, or several side by side: one HTML page, and the figures of one run as PNG files."""
    try:
        from fastlstm.report import report  # here, since only this command needs matplotlib
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        fail(FAILED, "The report is drawn with matplotlib, which is missing. Install it: pip install 'fastlstm[plot]'")
    with errors():
        print(report(folders, out=out))


@app.command()
def check(
    source: Annotated[
        Path | None, typer.Argument(metavar="[SPEC|DIR]", help="A spec or a run [default: a built-in spec]")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="How many draws or rows.")] = audit.DRAWS,
    as_json: AsJson = False,
) -> None:
    """Audit gradients on this machine against 50-digit arithmetic, or the rows of a run against their replay."""
    with errors():
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
