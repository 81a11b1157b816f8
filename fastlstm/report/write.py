"""The report of runs: their figures as files, and one page that holds them."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fastlstm.audit.replay import replay
from fastlstm.report.choose import FIGURES, chosen
from fastlstm.report.comparison import compared
from fastlstm.report.figure import Drawing, Figure, title_height
from fastlstm.report.markup import escape
from fastlstm.report.page import Picture, page
from fastlstm.report.render import FORMATS, SHOWN, inline, needs_width, pages, rendered, share_scales
from fastlstm.report.run_data import RunData
from fastlstm.report.style import drawing
from fastlstm.report.trace import draw_replay
from fastlstm.runs import SpecSource, read
from fastlstm.store import check_replaceable, write_files

PAGE = "report.html"
FOLDER = "figures"
_OURS = re.compile(rf"(?:{'|'.join(figure.name for figure in FIGURES)})(?:-\w+)*\.(?:{'|'.join(FORMATS)})")


class UnknownFormat(ValueError):
    """The name of a file, or of a format, is none that a report is written in."""


def report(
    folders: Sequence[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str] | None = None,
    formats: Sequence[str] = ("svg",),
    point_and_draw: tuple[int, int] | None = None,
) -> Path:
    """Write the report of one run, or of several side by side, and return the path of its page.

    out: the page, or a folder for it; by default report.html in the run's directory, or in the folder that holds all
    the runs. Beside the page of one run its figures are written into figures/, or NAME-figures/ beside NAME.html, in
    each of the formats (svg, pdf, png). An `out` that ends in .pdf becomes one PDF with a page for each figure, and no
    HTML. The same run gives the same bytes with the same matplotlib. A report is written whole or not at all.
    point_and_draw: the draw to be shown from within, instead of those that the report chooses.

    Raises NotARun; NotThere if a run has not ended; Damaged; NotReplaceable; UnknownFormat; NoSuchDraw; DiskError.
    """
    paths = [Path(folder) for folder in folders]
    target = target_of(paths, out)
    if unknown := set(formats) - set(FORMATS):
        raise UnknownFormat(f"{', '.join(sorted(unknown))}: figures are written as {', '.join(FORMATS)}")
    runs = [RunData(read(path), name, point_and_draw) for path, name in zip(paths, names_of(paths), strict=True)]
    with drawing():
        drawn = draw_all(runs)
        if target.suffix == ".pdf":
            files = {target: pages(each for of_run in drawn for of_kind in of_run.values() for each in of_kind)}
            obsolete: list[Path] = []
        else:
            files, obsolete = _page_and_figures(target, runs, drawn, formats)
    write_files(files, obsolete=obsolete)
    return target


def write_replay(source: SpecSource, file: Path, *, point: int, draw: int) -> None:
    """Draw one draw of a run or spec into a file, in the format that its name ends in: .svg, .pdf or .png."""
    form = file.suffix.removeprefix(".")
    if form not in FORMATS:
        raise UnknownFormat(f"{file}: a figure is written as .svg, .pdf or .png")
    check_replaceable(file)
    with drawing():
        drawn = draw_replay(replay(source, point=point, draw=draw), "trace", f"Point {point}, draw {draw}")
        write_files({file: rendered(drawn, form)})


def names_of(paths: Sequence[Path]) -> list[str]:
    """What runs are called: their folders' names, or paths where these are not enough."""
    names = [path.resolve().name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def draw_all(runs: Sequence[RunData]) -> list[dict[str, list[Drawing]]]:
    """The drawings of each run by the kind of figure; those of several runs in the same scales."""
    drawn: list[dict[str, list[Drawing]]] = []
    for run in runs:
        drawn.append({figure.name: figure.draw(run) for figure in chosen(run)})
        run.drop_cached_tables()
    for name in {each.name for of_run in drawn for of_kind in of_run.values() for each in of_kind}:
        alike = [each for of_run in drawn for of_kind in of_run.values() for each in of_kind if each.name == name]
        if len(alike) > 1:
            share_scales(alike)
    return drawn


def _page_and_figures(
    target: Path, runs: Sequence[RunData], drawn: Sequence[Mapping[str, list[Drawing]]], formats: Sequence[str]
) -> tuple[dict[Path, bytes], list[Path]]:
    """The files of a page with its figures, the page last, and those of an earlier page that go."""
    folder = target.parent / (FOLDER if target.name == PAGE else f"{target.stem}-{FOLDER}")
    files: dict[Path, bytes] = {}
    shown: list[dict[str, list[Picture]]] = []
    in_order = [form for form in FORMATS if form in ("svg", *formats)]  # a PNG shifts what is drawn after it
    for number, of_run in enumerate(drawn):
        shown.append({name: [] for name in of_run})
        for name, drawings in of_run.items():
            for each in drawings:
                made = {form: rendered(each, form) for form in in_order}
                element = inline(made["svg"], title=escape(each.title), prefix=f"r{number}-{each.name}-")
                width = round(SHOWN * each.figure.get_figwidth())
                head = round(SHOWN * title_height(each.figure)) if needs_width(each.figure) else None
                shown[-1][name].append(Picture(each.name, each.title, each.note, element, width, head))
                if len(runs) == 1:
                    files |= {folder / f"{each.name}.{form}": made[form] for form in formats}
    kinds: list[Figure] = [figure for figure in FIGURES if any(figure.name in of_run for of_run in shown)]
    figures = [(kind, [of_run.get(kind.name, []) for of_run in shown]) for kind in kinds]
    files[target] = page(runs, figures, compared(runs) if len(runs) > 1 else "").encode()
    return files, [path for path in _drawn_before(folder) if path not in files] if len(runs) == 1 else []


def _place(paths: Sequence[Path]) -> Path:
    """The directory of the only run, or the folder that holds all of them."""
    if len(paths) == 1:
        return paths[0]
    return Path(os.path.commonpath([path.resolve().parent for path in paths]))


def _drawn_before(folder: Path) -> Iterable[Path]:
    return [path for path in sorted(folder.glob("*")) if _OURS.fullmatch(path.name)]


def target_of(
    paths: Sequence[Path],
    out: str | os.PathLike[str] | None,
    *,
    page: str = PAGE,
    suffixes: Sequence[str] = (".html", ".htm", ".pdf"),
) -> Path:
    """The page: `out`, or the usual name in it where it is a folder. Refuses what may not stand there, at once."""
    target = Path(out) if out is not None else _place(paths)
    if target.is_dir() or out is None:
        target /= page
    if target.suffix not in suffixes:
        raise UnknownFormat(f"{target}: a page is named .html" + (", a PDF .pdf" if ".pdf" in suffixes else ""))
    check_replaceable(target)
    return target
