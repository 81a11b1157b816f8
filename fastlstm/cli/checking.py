"""Commands that check: the files of a run, its rows, and the gradients on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from fastlstm import store
from fastlstm.cli.compiling import compile_notice
from fastlstm.cli.exits import FAILED, NOT_VERIFIED, errors
from fastlstm.cli.options import AsJson, Folder
from fastlstm.cli.output import answer, answer_json, tell
from fastlstm.sweep.provenance import mixture

_DRAWS = 32


def verify(
    folder: Folder,
    repair: Annotated[
        bool, typer.Option("--repair", help="Drop what is bad, so that the next run makes it again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read a run again, and compare all of it.

    Files with what was written, tables with counts, counts with rows.
    """
    with errors():
        from fastlstm.audit.verify import verify

        problems = verify(folder, repair=repair)
        if mixed := "" if problems else mixture(store.status(folder).sessions):
            tell(mixed)
    if as_json:
        answer_json([{"file": problem.file, "what": problem.what} for problem in problems])
    else:
        for problem in problems:
            answer(str(problem))
        number = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        answer(f"{folder}: {number}" if problems else f"{folder}: everything is as it was written, and agrees")
        if problems and repair:
            answer("What was bad of the run's own files is dropped; to make it again, run the spec again.")
    if problems:
        raise typer.Exit(NOT_VERIFIED)


def check(
    source: Annotated[
        Path | None, typer.Argument(metavar="[SPEC|DIR]", help="A spec or a run [default: a built-in spec]")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="How many draws or rows.")] = _DRAWS,
    as_json: AsJson = False,
) -> None:
    """Audit gradients on this machine, or rows.

    Gradients against 50-digit arithmetic; the rows of a run against their replay.
    """
    with errors():
        from fastlstm import spec
        from fastlstm.audit import check as audit

        with compile_notice():
            if source is not None and source.is_dir():
                result = audit.check_rows(source, draws=draws)
            else:
                result = audit.check_gradients(spec.load(source) if source else audit.built_in(), draws=draws)
    if as_json:
        answer_json({"passed": result.passed, "summary": result.summary, "table": result.table.to_dict()})
    else:
        if len(result.table):
            answer(result.table.to_string(float_format="{:.0e}".format))
        answer(result.summary)
    if not result.passed:
        raise typer.Exit(FAILED)
