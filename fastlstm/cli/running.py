"""Commands that compute: run a spec, and end a run that was computed in shards."""

import shlex
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastlstm import store
from fastlstm.cli import options
from fastlstm.cli.exits import FAILED, errors, fail, signals
from fastlstm.cli.options import AsJson, Folder, Quiet, Source
from fastlstm.cli.output import answer, answer_json, tell
from fastlstm.printable import printable

if TYPE_CHECKING:
    from fastlstm.runs import Run
    from fastlstm.spec import Spec
    from fastlstm.sweep.plan import Shard
    from fastlstm.sweep.progress import Log


def run(
    source: Source,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="DIR|auto", autocompletion=options.complete_folders,
            help="The run directory, or auto: results/ and SPEC's name and hash [default: results/ and SPEC's name]",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the spec.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", "-j", min=1, help="[default: $FASTLSTM_THREADS, or all processors]")
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="K/N|auto",
            help="Compute one of N shares, 1/N to N/N, or that of this task of a Slurm job array; then merge.",
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove the run that is there, and start over.")] = False,
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
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Run a spec, or go on with an interrupted run.

    SPEC is a file in TOML, or the name of a simulation that `fastlstm sims` lists.
    """
    path = options.spec_path(source)
    folder = None if out in (None, "auto") else options.folder_to_make(str(out))
    share = _shard(shard)
    if dask is not None and (threads is not None or share is not None):
        raise typer.BadParameter("takes the place of --threads and --shard; leave them out", param_hint="--dask")
    with errors():
        from fastlstm import spec

        ready = spec.load(path, overrides or ())
        folder = folder or options.RESULTS / (f"{path.stem}-{ready.hash[:8]}" if out == "auto" else path.stem)
        if dry_run:
            _estimate(ready, folder, threads, share, mix_kernels=mix_kernels, quiet=quiet, as_json=as_json)
            return
        if fresh:
            _remove_run(folder)
        before = status_of(folder)
        done, display = _run(
            ready, folder, threads, share, dask, keep_going=keep_going, mix_kernels=mix_kernels, quiet=quiet
        )
        if share is not None:
            _show_shard(done, share, display, as_json=as_json)
            return
        if before is not None and before.finished and len(before.sessions) == len(done.status().sessions):
            tell(f"Nothing to do: all draws were there, the run was finished {before.finished}.")
        elif not display.worked:
            tell("All draws were there; no more than tables or verdicts were made.")
        show_run(done, as_json=as_json)


def _shard(text: str | None) -> "Shard | None":
    if text is None:
        return None
    text = options.shard_text(text)
    from fastlstm.sweep.plan import Shard

    try:
        return Shard.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--shard") from None


def _run(
    ready: "Spec", folder: Path, threads: int | None, share: "Shard | None", dask: str | None,
    *, keep_going: bool, mix_kernels: bool, quiet: bool,
) -> "tuple[Run, Log]":  # fmt: skip
    """Run the spec, with progress and signals; the run, and what was seen of it."""
    from fastlstm.cluster.connecting import connect
    from fastlstm.sweep.progress import show_progress
    from fastlstm.sweep.session import run_shown
    from fastlstm.sweep.stopping import PointsFailed, Stopped

    with signals() as stopper:
        try:
            with show_progress(not quiet) as display, nullcontext() if dask is None else connect(dask) as client:
                done = run_shown(
                    ready, folder, threads=threads, shard=share, keep_going=keep_going, mix_kernels=mix_kernels,
                    display=display, stopper=stopper, client=client,
                )  # fmt: skip
        except Stopped as stopped:
            fail(128 + stopped.signal, f"{stopped}. To go on, give the same command again.")
        except PointsFailed as failed:
            fail(FAILED, f"{failed}. To compute what failed, give the same command again.")
    return done, display


def _estimate(
    ready: "Spec", folder: Path, threads: int | None, share: "Shard | None",
    *, mix_kernels: bool, quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    from fastlstm.sweep.dry_run import estimate
    from fastlstm.sweep.progress import show_progress
    from fastlstm.threads import available_threads

    with show_progress(not quiet) as display:
        plan = estimate(
            ready, folder, threads=threads or available_threads(), shard=share, mix_kernels=mix_kernels,
            display=display, startup=time.process_time(),
        )  # fmt: skip
    if as_json:
        answer_json(plan.as_dict())
    else:
        answer(str(plan))


def _remove_run(folder: Path) -> None:
    """Remove a run, after a question on a terminal; what the run did not make stays."""
    before = status_of(folder)
    if before is not None and sys.stdin is not None and sys.stdin.isatty():
        question = f"Remove the run in {folder}, with its {before.draws:,} draws?"
        typer.confirm(printable(question), abort=True, err=True)
    store.clear(folder)


def status_of(folder: Path) -> store.Status | None:
    """Where the run in a folder stands; None if there is none. A session is on record if it wrote anything."""
    try:
        return store.status(folder)
    except store.StoreError:
        return None


def show_run(run: "Run", *, as_json: bool) -> None:
    """What a run that is done has to say: its verdicts, a line for each point, and how to read it."""
    from fastlstm.cli import text
    from fastlstm.sweep.provenance import mixture

    status = run.status()
    if mixed := mixture(status.sessions):
        tell(mixed)
    if as_json:
        facts = {"path": str(run.path), "draws": status.draws, "of": status.total}
        made = {"regimes": run.overall(), "claims": run.claims()}
        answer_json(facts | {name: text.as_records(table) for name, table in made.items()})
        return
    answer(text.regimes(run.overall()) if len(run.points()) == 1 else text.points(run))
    if run.spec().claim:
        answer("")
        answer(text.claims({str(run.path): (run.claims(), run.points())}))
    of = "" if status.draws == status.total else f" of {status.total:,}"
    answer(f"\n{run.path}: {status.draws:,}{of} draws, {status.rows:,} rows")
    if len(run.points()) > 1:
        answer(f"regimes of the gates: fastlstm regimes {shlex.quote(str(run.path))}")
    if status.rows:
        answer(f"import pandas as pd; df = pd.read_parquet({str(run.path / 'draws')!r})")


def _show_shard(run: "Run", shard: "Shard", display: "Log", *, as_json: bool) -> None:
    status = run.status()
    if as_json:
        answer_json({"path": str(run.path), "shard": list(shard), "draws": status.draws, "of": status.total})
        return
    if not display.worked:
        tell("Nothing to do: all draws of this shard were there.")
    answer(f"{run.path}: shard {shard} is done; {status.draws:,} of {status.total:,} draws of all shards are there")
    answer(f"When all are: fastlstm merge {shlex.quote(str(run.path))}")


def merge(
    folder: Folder,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Make tables although draws are missing; they say so.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the tables of a run from its shards."""
    with errors():
        before = store.status(folder)
        from fastlstm.sweep.merge import merge

        done = merge(folder, incomplete=incomplete)
        if before.finished:
            tell(f"Nothing to do: the run was finished {before.finished}.")
        show_run(done, as_json=as_json)
