"""The arguments and options that commands share, how they are read, and how a shell completes them."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from fastlstm.cli import simulations
from fastlstm.printable import printable

RESULTS = Path("results")


def complete_sources(incomplete: str) -> Iterator[str]:
    """Simulations; a shell goes on with file names if none begins like that."""
    yield from (name for name in simulations.names() if name.startswith(incomplete))


def complete_folders(incomplete: str) -> Iterator[str]:
    """Run directories: below the folder that is being written, or in results/ at first."""
    if not incomplete:
        yield from _runs(RESULTS, "", before=f"{RESULTS}/")
    head, slash, tail = incomplete.rpartition("/")
    yield from _runs(Path(head + slash or "."), tail, before=head + slash)


def _runs(folder: Path, start: str, *, before: str) -> Iterator[str]:
    """The runs in a folder, and the folders of runs in it, whose names start so."""
    try:
        inner = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return
    for name in inner:
        if name.startswith(start) and not name.startswith("."):
            path = folder / name
            is_run = (path / "_run.json").exists()
            holds_runs = not is_run and any(path.glob("*/_run.json"))
            if is_run or holds_runs:
                yield f"{before}{name}{'/' if holds_runs else ''}"


Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A run directory.", autocompletion=complete_folders)]
Folders = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Run directories.", autocompletion=complete_folders)
]
Source = Annotated[
    str, typer.Argument(metavar="SPEC|NAME", help="A spec in TOML, or a simulation.", autocompletion=complete_sources)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def spec_path(text: str) -> Path:
    """The path of the spec that is asked for. Raises BadParameter, which has the nearest simulation."""
    try:
        return simulations.source(text)
    except FileNotFoundError as error:
        raise typer.BadParameter(printable(str(error)), param_hint="SPEC") from None
    except OSError as error:
        raise typer.BadParameter(f"{printable(text)}: {error.strerror}", param_hint="SPEC") from None


def folder_to_make(text: str) -> Path:
    """A run directory that may not be there yet. Raises BadParameter."""
    if not text.strip():
        raise typer.BadParameter("is empty; give a folder", param_hint="--out")
    try:
        is_file = Path(text).exists() and not Path(text).is_dir()
    except OSError as error:
        raise typer.BadParameter(f"{printable(text)}: {error.strerror}", param_hint="--out") from None
    if is_file:
        raise typer.BadParameter(
            f"{printable(text)} is a file; give a run directory, or a new folder", param_hint="--out"
        )
    return Path(text)


def shard_text(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """K/N as given, or that of this task of a Slurm job array for `auto`. Raises BadParameter."""
    if text != "auto":
        return text
    prefix, needed = "SLURM_ARRAY_TASK_", ("ID", "MIN", "COUNT")
    missing = [f"{prefix}{name}" for name in needed if not environment.get(f"{prefix}{name}", "").isdigit()]
    if missing:
        raise typer.BadParameter(
            f"auto asks Slurm, but {', '.join(missing)} is no number here; give K/N, or start a job array",
            param_hint="--shard",
        )
    number, first, count = (int(environment[f"{prefix}{name}"]) for name in needed)
    step = environment.get(f"{prefix}STEP", "1")
    return f"{(number - first) // (int(step) if step.isdigit() and int(step) else 1) + 1}/{count}"
