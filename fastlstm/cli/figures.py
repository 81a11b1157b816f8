"""Commands that draw: the report of runs, their comparison, and one draw of a run."""

from pathlib import Path
from typing import Annotated

import typer

from fastlstm.cli.compiling import compile_notice
from fastlstm.cli.exits import FAILED, errors, fail
from fastlstm.cli.options import AsJson, Folders, complete_folders
from fastlstm.cli.output import answer, answer_json


def report(
    folders: Folders,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The page, or a PDF if it ends in .pdf [default: report.html in DIR, or of several in their folder]",
        ),
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", metavar="svg,pdf,png", help="The formats of the figures' files.")
    ] = "svg",
    point: Annotated[int | None, typer.Option(min=0, help="The point of the draw shown from within.")] = None,
    draw: Annotated[int | None, typer.Option(min=0, help="The draw shown from within.")] = None,
    explorer: Annotated[
        bool, typer.Option("--explorer", help="Write explorer.html instead: an interactive page of one run.")
    ] = False,
) -> None:
    """Draw a finished run, or several side by side: one HTML page, and the figures of one run as files."""
    if explorer:
        answer(str(_explorer(folders, out)))
        return
    wanted = None if point is None and draw is None else (point or 0, draw or 0)
    with errors():
        from fastlstm.report.write import report as write

        with compile_notice():
            page = write(folders, out=out, formats=[form.strip() for form in formats.split(",")], point_and_draw=wanted)
        answer(str(page))


def _explorer(folders: list[Path], out: Path | None) -> Path:
    if len(folders) != 1:
        raise typer.BadParameter("the explorer shows one run; give one directory", param_hint="--explorer")
    try:
        from fastlstm.report.explorer import explorer
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("altair", "vl_convert"):
            raise
        fail(FAILED, f"The explorer needs {error.name}, which is missing. Install it: pip install 'fastlstm[explorer]'")
    with errors():
        return explorer(folders[0], out=out)


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run directory.", autocompletion=complete_folders)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one.", autocompletion=complete_folders)],
    as_json: AsJson = False,
) -> None:
    """Hold two runs against each other: what differs in their specs, and each statistic with the difference, B - A."""
    with errors():
        from fastlstm.cli.text import as_records
        from fastlstm.report import compare as comparison
        from fastlstm.runs import read

        runs = read(a), read(b)
        keys = comparison.differences(*(run.spec() for run in runs))
        table = comparison.compare(*runs)
    if as_json:
        answer_json({"keys": keys.to_dict("records"), "statistics": as_records(table)})
    else:
        answer(comparison.text(keys, table))


def plot_replay(source: Path, file: Path, *, point: int, draw: int) -> None:
    """The figure of one draw as a file, in the format that its name ends in."""
    with errors():
        from fastlstm.report.write import write_replay

        with compile_notice():
            write_replay(source, file, point=point, draw=draw)
