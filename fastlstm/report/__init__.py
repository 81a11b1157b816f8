"""The report of finished runs: figures, and one page that holds them. Only this room needs matplotlib."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from fastlstm.report.choose import KINDS, chosen
from fastlstm.report.page import page
from fastlstm.report.run_data import Evidence
from fastlstm.report.style import Picture, drawing
from fastlstm.runs import read
from fastlstm.store import write_files

PAGE = "report.html"
FIGURES = "figures"
_OURS = re.compile(rf"(?:{'|'.join(kind.name for kind in KINDS)})(?:-\w+)*\.png")


def report(folders: Sequence[str | os.PathLike[str]], *, out: str | os.PathLike[str] | None = None) -> Path:
    """Write the report of one run, or of several side by side, and return the path of its page.

    out: the page; by default report.html in the run's directory, or in the folder that holds all the runs. Beside the
    page of one run its figures are written as PNG files into figures/, or NAME-figures/ beside NAME.html. The same run
    gives the same bytes with the same matplotlib. A page is written whole or not at all.

    Raises NotARun; NotThere if a run has not ended; Damaged; DiskError.
    """
    paths = [Path(folder) for folder in folders]
    names = [path.resolve().name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    runs = [Evidence(read(path), name) for path, name in zip(paths, names, strict=True)]
    drawn: list[dict[str, list[Picture]]] = []
    with drawing():
        for run in runs:
            drawn.append({kind.name: kind.draw(run) for kind in chosen(run)})
            run.let_go()
    kinds = [kind for kind in KINDS if any(kind.name in of_run for of_run in drawn)]
    figures = [(kind, [of_run.get(kind.name, []) for of_run in drawn]) for kind in kinds]
    target = Path(out) if out is not None else _place(paths) / PAGE
    files = {target: page(runs, figures).encode()}
    obsolete: list[Path] = []
    if len(runs) == 1:
        folder = target.parent / (FIGURES if target.name == PAGE else f"{target.stem}-{FIGURES}")
        pictures = {folder / f"{picture.name}.png": picture.png for of in drawn[0].values() for picture in of}
        files = pictures | files  # the page last
        obsolete = [path for path in _drawn_before(folder) if path not in pictures]
    write_files(files, obsolete=obsolete)
    return target


def _place(paths: Sequence[Path]) -> Path:
    """The directory of the only run, or the folder that holds all of them."""
    if len(paths) == 1:
        return paths[0]
    return Path(os.path.commonpath([path.resolve().parent for path in paths]))


def _drawn_before(folder: Path) -> Iterable[Path]:
    return [path for path in sorted(folder.glob("*.png")) if _OURS.fullmatch(path.name)]
