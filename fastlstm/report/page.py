"""The page: one HTML file that opens from disk and asks for nothing, neither scripts nor files nor the network."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastlstm.report import html_tables as tables
from fastlstm.report.answer import answer
from fastlstm.report.figure import Figure
from fastlstm.report.markup import escape
from fastlstm.report.numbers import number
from fastlstm.report.page_style import SHEET
from fastlstm.report.run_data import RunData

# All that the page consists of is in it; a browser refuses anything else.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Picture:
    """A figure on the page: its name, its finding, a line below it, and its SVG element, and its width in pixels.

    One with a `head` is too fine for a phone: there it keeps its width, and scrolls below its title, which is text of
    the page and stands in place of the uppermost `head` pixels.
    """

    name: str
    title: str
    note: str
    element: str
    width: int
    head: int | None = None


@dataclass(frozen=True)
class Section:
    """A part of the page, with a line in the list of contents."""

    key: str
    heading: str
    body: str


def page(
    runs: Sequence[RunData], figures: Sequence[tuple[Figure, Sequence[Sequence[Picture]]]], compared: str = ""
) -> str:
    """The whole page of one run, or of several side by side.

    figures: for each kind that fits any of the runs, the pictures of each run, none where it does not fit.
    compared: how the runs differ, as HTML.
    """
    one = len(runs) == 1
    title = runs[0].title if one else f"{len(runs)} runs side by side: {', '.join(run.name for run in runs)}"
    answers = [answer(run) for run in runs]
    sections = [Section("differences", "Differences", compared)] if compared else []
    leading = _leading(answers[0].drawings, figures) if one else []
    for figure, of_runs in figures:
        left = [[picture for picture in of_run if picture not in leading] for of_run in of_runs]
        if any(left):
            sections.append(_figures(runs, figure, left))
    about = (
        "<p>All draws of all points, by the class of the gates f, i and o: left is below saturation at most steps, "
        "right above it. Shares of vanished and exploded draws with 95% intervals (Wilson); quantiles of log10 "
        "of norms.</p>"
    )
    sections.append(
        Section("regimes", "Regimes of the gates", about + _of_each(runs, [_folded_regimes(r) for r in runs]))
    )
    sections.append(Section("spec", "Spec", _of_each(runs, [_spec(run) for run in runs])))
    body = [f"<h1>{escape(title)}</h1>"]
    for run, answered in zip(runs, answers, strict=True):
        name = "" if one else f"<h3>{escape(run.name)}: {escape(run.title)}</h3>"
        warnings = "".join(f'<p class="warning">{escape(text)}</p>' for text in run.warnings)
        body.append(f'{name}{warnings}<p class="answer">{escape(" ".join(answered.sentences))}</p>')
        body.append(f"{_pictures(run, leading) if leading else ''}{_facts(run)}")
    links = "".join(f'<li><a href="#{each.key}">{escape(each.heading)}</a></li>' for each in sections)
    body.append(f'<nav aria-label="Contents"><ul>{links}</ul></nav>')
    body += [f'<section id="{each.key}"><h2>{escape(each.heading)}</h2>{each.body}</section>' for each in sections]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{SHEET}</style>
</head>
<body>
{"".join(body)}
</body>
</html>
"""


def _leading(names: Sequence[str], figures: Sequence[tuple[Figure, Sequence[Sequence[Picture]]]]) -> list[Picture]:
    """The pictures of one run that show what its answer says: of each name, or kind of figure, the last."""
    pictures = [picture for _, of_runs in figures for picture in of_runs[0]]
    of_name = [[each for each in pictures if each.name == name or each.name.startswith(f"{name}-")] for name in names]
    return [of[-1] for of in filter(None, of_name)]


def _facts(run: RunData) -> str:
    axes = ", ".join(f"{name} ({len(values)})" for name, values in run.axes().items())
    grid = f"{len(run.points):,} points over {axes}" if axes else "one point"
    steps = sorted({int(value) for value in run.points["steps"]})
    lengths = " to ".join(number(value, digits=6) for value in dict.fromkeys((steps[0], steps[-1])))
    rows = f"{run.status.rows:,} rows" if run.status.rows else "no rows kept"
    settings = run.spec.measure
    sampled = (
        " Figures that need rows show the first draws of each point; the others count all draws."
        if run.is_sampled
        else ""
    )
    return (
        f'<p class="facts">{run.status.draws:,} draws at {grid}; T = {lengths}; loss {run.spec.loss.kind}; '
        f"{run.spec.dtype}; seed {run.spec.seed}; {rows}. Left is a gate below {number(settings.saturation)}, right "
        f"above {number(1 - settings.saturation)}; vanished is below {number(settings.vanished)}, exploded above "
        f"{number(settings.exploded)}.{sampled}</p>"
    )


def _figures(runs: Sequence[RunData], figure: Figure, of_runs: Sequence[Sequence[Picture]]) -> Section:
    about = f"<p>{escape(figure.caption)}</p>"
    if len(runs) == 1:
        # claims come before any word about how to read them
        body = _pictures(runs[0], of_runs[0])
        body = f"{body}{about}" if figure.name == "claim" else f"{about}{body}"
    else:
        named = zip(runs, of_runs, strict=True)
        columns = [f"<div><h3>{escape(run.name)}</h3>{_pictures(run, shown)}</div>" for run, shown in named if shown]
        body = f'{about}<div class="side-by-side">{"".join(columns)}</div>'
    return Section(figure.name, figure.heading, body)


def _pictures(run: RunData, pictures: Sequence[Picture]) -> str:
    shown = []
    for picture in pictures:
        below = f'<p class="note"><code>{escape(picture.note)}</code></p>' if picture.name.startswith("trace") else ""
        if picture.name.startswith("claim-"):
            below = tables.claim_table(run, int(picture.name.removeprefix("claim-")))
        drawn = picture.element
        if picture.head is not None:
            size = f"width:{picture.width}px;--head:{picture.head}px"
            title = f'<p class="title">{escape(picture.title)}</p>'
            drawn = f'{title}<div class="scrolls"><div style="{size}">{drawn}</div></div>'
        shown.append(f'<figure style="width:{picture.width}px">{drawn}{below}</figure>')
    return f'<div class="pictures">{"".join(shown)}</div>'


def _folded_regimes(run: RunData) -> str:
    many = f"{len(run.overall)} regimes" if len(run.overall) > 1 else "one regime"
    return f"<details><summary>The table of {many}</summary>{tables.regimes(run)}</details>"


def _spec(run: RunData) -> str:
    text = escape(run.spec.normalised(folder=run.path), keep="\n")
    return f"<details><summary>The spec as it was run</summary><pre>{text}</pre></details>"


def _of_each(runs: Sequence[RunData], texts: Sequence[str]) -> str:
    if len(runs) == 1:
        return texts[0]
    return "".join(f"<h3>{escape(run.name)}</h3>{text}" for run, text in zip(runs, texts, strict=True) if text)
