"""Commands that read a run: how far it is, its tables and verdicts, its report, and one draw of it."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from fastlstm import store
from fastlstm.cli.compiling import compile_notice
from fastlstm.cli.exits import CLAIM_FAILS, FAILED, errors
from fastlstm.cli.figures import plot_replay
from fastlstm.cli.options import AsJson, Folder, Folders, complete_folders
from fastlstm.cli.output import answer, answer_json, tell
from fastlstm.sweep.provenance import kernels, mixture


def status(
    folder: Folder,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if the run is not finished.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the progress of a run, and what to do next."""
    with errors():
        current = store.status(folder)
        missing = [] if current.finished else _missing_shards(folder, current)
    if as_json:
        facts: dict[str, Any] = {
            "path": str(folder),
            "finished": current.finished is not None,
            "draws": current.draws,
            "of": current.total,
            "rows": current.rows,
            "parts": current.parts,
            "bytes": current.bytes,
            "started": current.started,
            "ended": current.finished,
            "missing_shards": missing,
            "kernels": kernels(current.sessions),
        }
        answer_json(facts)
    else:
        state = f"finished {current.finished}" if current.finished else "not finished"
        answer(f"{folder}: {current.draws:,} of {current.total:,} draws, {state}")
        answer(
            f"{current.rows:,} rows in {current.parts:,} parts, {current.bytes / 1e6:,.1f} MB; begun {current.started}"
        )
        if current.damaged_lines:
            answer(f"{current.damaged_lines} lines of the journal are damaged; the next run makes their parts again")
        if mixed := mixture(current.sessions):
            answer(mixed)
        if missing:
            answer(f"shards that are not done: {', '.join(missing)}")
        answer(f"next: {_next(folder, current, missing)}")
    if check and not current.finished:
        raise typer.Exit(FAILED)


def _missing_shards(folder: Path, current: store.Status) -> list[str]:
    """The shards of a run that lack draws, such as 3/16; none if it is no run in shards."""
    if not any(session["shard"] for session in current.sessions):
        return []
    from fastlstm.runs import read
    from fastlstm.sweep.plan import Plan

    plan = Plan(read(folder).spec(), current.layout["part_draws"])
    missing = plan.unfinished_shards(store.committed(folder), current.sessions)
    return [f"{number}/{total}" for total, numbers in missing.items() for number in numbers]


def _next(folder: Path, current: store.Status, missing: list[str]) -> str:
    """The command to give."""
    at = shlex.quote(str(folder))
    spec = shlex.quote(str(folder / "_spec.toml"))
    if current.finished:
        return f"fastlstm report {at}"
    if missing:
        return f"fastlstm run {spec} --out {at} --shard {missing[0]}"
    return f"fastlstm merge {at}" if current.draws == current.total else f"fastlstm run {spec} --out {at}"


def regimes(
    folder: Folder,
    by_point: Annotated[bool, typer.Option("--by-point", help="One table for each point.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the regime table of a run."""
    with errors():
        from fastlstm.cli import text
        from fastlstm.runs import read

        run = read(folder)
        table = run.regimes() if by_point else run.overall()
    if counted := table.attrs.get("incomplete"):
        tell(f"Incomplete: {counted['draws']:,} of {counted['of']:,} draws were counted.")
    if as_json:
        answer_json(text.as_records(table))
    else:
        answer(text.regimes(table))


def claims(
    folders: Folders,
    by_point: Annotated[bool, typer.Option("--by-point", help="A line for each point.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 5 if a claim fails.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what draws say about claims."""
    with errors():
        from fastlstm.cli import text
        from fastlstm.runs import read
        from fastlstm.verdicts.judge import edited_since

        runs = {str(folder): read(folder) for folder in folders}
        tables = {path: (run.claims(), run.points()) for path, run in runs.items()}
        for path, run in runs.items():
            verdicts, _ = tables[path]
            if edited := edited_since(run.spec(), verdicts):
                tell(f"{path}: {edited}")
            judged_by, total = verdicts.attrs.get("draws"), run.status().total
            if judged_by not in (None, total):
                tell(f"{path}: judged by {judged_by:,} of {total:,} draws")
    if as_json:
        answer_json({path: text.as_records(verdicts) for path, (verdicts, _) in tables.items()})
    else:
        answer(text.claims(tables, by_point=by_point))
    if strict and any((verdicts["claim_verdict"] == "fails").any() for verdicts, _ in tables.values()):
        raise typer.Exit(CLAIM_FAILS)


def replay(
    source: Annotated[
        Path,
        typer.Argument(metavar="DIR|SPEC", help="A run directory, or a spec.", autocompletion=complete_folders),
    ],
    point: Annotated[int, typer.Option(min=0, help="The point.")] = 0,
    draw: Annotated[int, typer.Option(min=0, help="The draw.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it instead, into an .svg, .pdf or .png file.")
    ] = None,
    some_steps: Annotated[
        str | None, typer.Option("--steps", metavar="A:B", help="Show the steps A to B only [default: all]")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a line of CSV for each step.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make one draw again, step by step.

    Its parameters, its trace, the gradients of every step, and its measures.
    """
    if as_csv and as_json:
        raise typer.BadParameter("excludes --json; choose one of them", param_hint="--csv")
    if plot is not None:
        plot_replay(source, plot, point=point, draw=draw)
        answer(str(plot))
        return
    with errors():
        from fastlstm.audit.replay import StepRange, replay
        from fastlstm.cli import replays

        with compile_notice():
            replayed = replay(source, point=point, draw=draw)
    try:
        steps = StepRange.parse(some_steps, len(replayed.drawn.x))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--steps") from None
    if as_csv:
        answer(replays.csv(replayed, steps).removesuffix("\n"))
    elif as_json:
        answer_json(replays.record(replayed, steps))
    else:
        answer(replays.text(replayed, steps))
