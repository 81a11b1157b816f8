"""The page: one HTML file that opens from disk and asks for nothing, neither scripts nor files nor the network."""

import base64
from collections.abc import Sequence

from fastlstm.report import html_tables as tables
from fastlstm.report.figure import Kind
from fastlstm.report.markup import escape
from fastlstm.report.run_data import Evidence
from fastlstm.report.style import Picture

# All that the page consists of is in it; a browser refuses anything else.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1260px; padding: 1.2rem; background: #fff; color: #1a1a1a;
       font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: .3rem 0 .6rem; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .3rem; padding-top: .6rem; border-top: 1px solid #ccc; }
h3 { font-size: 1.05rem; margin: 1rem 0 .2rem; }
p { margin: .2rem 0 .6rem; max-width: 48rem; }
.facts, .source { color: #555; }
.source { font-weight: normal; font-size: .9rem; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
.side-by-side { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); }
.side-by-side > div { min-width: 0; }
img { display: block; max-width: 100%; height: auto; border: 1px solid #ddd; background: #fff; }
.box { overflow-x: auto; width: fit-content; max-width: 100%; border: 1px solid #ddd; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap; }
th { background: #f2f2f2; }
tbody tr + tr td { border-top: 1px solid #eee; }
.badge { padding: 0 .45rem; border-radius: .3rem; color: #fff; white-space: nowrap; font-weight: 600; font-size: .9em; }
.holds { background: #00694b; } .fails { background: #a84300; } .undecided { background: #595959; }
pre { overflow-x: auto; padding: .6rem; background: #f6f6f6; border: 1px solid #ddd; font-size: .85rem; }
summary { cursor: pointer; padding: .3rem 0; }
"""


def page(runs: Sequence[Evidence], figures: Sequence[tuple[Kind, Sequence[Sequence[Picture]]]]) -> str:
    """The whole page of one run, or of several side by side.

    figures: for each kind that fits any of the runs, the pictures of each run, none where it does not fit.
    """
    one = len(runs) == 1
    title = runs[0].title if one else f"{len(runs)} runs side by side: {', '.join(run.name for run in runs)}"
    parts = [f"<h1>{escape(title)}</h1>"]
    if not one:
        parts.append('<p class="facts">Each figure has the scales of its own run.</p>')
    parts += [_facts(run) if one else f"<h3>{escape(run.name)}: {escape(run.title)}</h3>{_facts(run)}" for run in runs]
    parts += _of_each("Claims", "", runs, [tables.verdicts(run) for run in runs])
    for kind, of_runs in figures:
        parts.append(f"<h2>{escape(kind.heading)}</h2><p>{escape(kind.caption)}</p>")
        if one:
            parts.append(_pictures(of_runs[0]))
        else:
            named = zip(runs, of_runs, strict=True)
            columns = [f"<div><h3>{escape(run.name)}</h3>{_pictures(shown)}</div>" for run, shown in named if shown]
            parts.append(f'<div class="side-by-side">{"".join(columns)}</div>')
    about = (
        "All draws of all points, by the class of the gates f, i and o: left is below saturation at most steps, right "
        "above it. Shares of vanished and exploded draws with 95% intervals (Wilson); quantiles of log10 of norms."
    )
    parts += _of_each("Regimes of the gates", about, runs, [tables.regimes(run) for run in runs])
    specs = [escape(run.spec.normalised(folder=run.run.path), keep="\n") for run in runs]
    folded = [f"<details><summary>The spec as it was run</summary><pre>{text}</pre></details>" for text in specs]
    parts += _of_each("Spec", "", runs, folded)
    body = "\n".join(parts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""


def _facts(run: Evidence) -> str:
    axes = ", ".join(f"{name} ({len(values)})" for name, values in run.axes().items())
    grid = f"{len(run.points):,} points over {axes}" if axes else "one point"
    steps = sorted({int(value) for value in run.points["steps"]})
    many = f"T from {steps[0]:,} to {steps[-1]:,}" if len(steps) > 1 else f"T = {steps[0]:,}"
    rows = f"{run.status.rows:,} rows" if run.status.rows else "no rows kept"
    settings = run.spec.measure
    return (
        f'<p class="facts">{run.status.draws:,} draws at {grid}; {many}; loss {run.spec.loss.kind}; {run.spec.dtype}; '
        f"seed {run.spec.seed}; {rows}. Left is a gate below {settings.saturation:g}, right above "
        f"{1 - settings.saturation:g}; vanished is below {settings.vanished:g}, exploded above "
        f"{settings.exploded:g}.</p>{_sampled(run)}"
    )


def _sampled(run: Evidence) -> str:
    if not run.is_sampled:
        return ""
    return '<p class="facts">Figures that need rows show the first draws of each point; the others count all draws.</p>'


def _of_each(heading: str, about: str, runs: Sequence[Evidence], texts: Sequence[str]) -> list[str]:
    """A section with one text for each run that has any, one after another."""
    if not any(texts):
        return []
    named = [
        text if len(runs) == 1 else f"<h3>{escape(run.name)}</h3>{text}"
        for run, text in zip(runs, texts, strict=True)
        if text
    ]
    return [f"<h2>{escape(heading)}</h2>", f"<p>{escape(about)}</p>" if about else "", *named]


def _pictures(pictures: Sequence[Picture]) -> str:
    shown = []
    for picture in pictures:
        data = base64.b64encode(picture.png).decode()
        size = f'width="{picture.width}" height="{picture.height}"'
        shown.append(f'<img src="data:image/png;base64,{data}" alt="{escape(picture.title)}" {size}>')
    return f'<div class="pictures">{"".join(shown)}</div>'
