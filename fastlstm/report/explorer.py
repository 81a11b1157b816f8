"""The explorer: one interactive page of a run with a grid, which opens from disk and asks for nothing.

Vega-Lite draws it, described through Altair. Its JavaScript, 0.9 MB, comes out of vl-convert-python and stands in the
page. Expressions are interpreted, not compiled, so that the page's policy can forbid eval and allow
its two scripts by their hashes.
"""

import base64
import hashlib
import json
import os
import shlex
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from fastlstm.report.explorer_data import table
from fastlstm.report.markup import escape
from fastlstm.report.page_style import SHEET
from fastlstm.report.run_data import RunData
from fastlstm.report.write import target_of
from fastlstm.runs import read
from fastlstm.store import write_files

PAGE = "explorer.html"
_WIDTH, _HEIGHT = 420, 260  # of a panel, in pixels
_GLOBAL = "window.vegaEmbed = vegaEmbed;"  # what the bundle hands to the page


class NoGrid(ValueError):
    """The run has one point, so that there is nothing to choose."""


def explorer(folder: str | os.PathLike[str], *, out: str | os.PathLike[str] | None = None) -> Path:
    """Write the explorer of a run and return its path; by default explorer.html in the run's directory.

    Raises NotARun; NotThere if the run has not ended; NoGrid; TooManyPoints; NotReplaceable; DiskError.
    """
    target = target_of([Path(folder)], out, page=PAGE, suffixes=(".html", ".htm"))
    run = RunData(read(folder), Path(folder).resolve().name)
    if not run.axes():
        raise NoGrid(f"{folder} has one point; an explorer needs a grid. Its report shows all of it")
    write_files({target: page(run).encode()})
    return target


def page(run: RunData) -> str:
    """The page as HTML."""
    library = vl_convert.javascript_bundle(_GLOBAL, vl_version=".".join(alt.SCHEMA_VERSION.split(".")[:2]))
    spec = json.dumps(chart(run).to_dict(), allow_nan=False).replace("<", "\\u003c")
    options = '{"ast": true, "actions": false, "renderer": "svg"}'
    start = f'vegaEmbed("#explorer", {spec}, {options}).then(result => {{ window.explorer = result.view; }});'
    library = library.replace("</script", "<\\/script")
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in (library, start))
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    about = (
        "Choose a statistic and the axes; the sliders hold the other axes. Point at a cell for its numbers, and click "
        "it for three of its draws with the commands that replay them."
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(run.title)}</title>
<style>{SHEET}
svg {{ width: auto; }}
.vega-bindings {{ display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: .6rem 0; }}
#explorer {{ background: #fff; color: #16181a; padding: .6rem; width: 100%; overflow-x: auto; }}
</style>
</head>
<body>
<h1>{escape(run.title)}</h1>
{"".join(f'<p class="warning">{escape(text)}</p>' for text in run.warnings)}
<p>{about}</p>
<div id="explorer"></div>
<script>{library}</script>
<script>{start}</script>
</body>
</html>
"""


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def chart(run: RunData) -> Any:
    """A map over two chosen axes, the same numbers as lines with intervals, and the draws behind a clicked cell."""
    names, frame = table(run)
    axes = list(run.axes())
    statistic = _choice("statistic", names)
    across, down = _choice("across", axes), _choice("down", [*axes[1:], axes[0]])
    sliders = [_slider(number, axis, run) for number, axis in enumerate(axes)]
    picked = alt.selection_point(name="picked", fields=["point"], on="click", empty=False)
    rows = frame.astype(object).where(frame.notna() & ~frame.isin([float("inf"), float("-inf")]), None)
    base: Any = alt.Chart(alt.Data(values=rows.to_dict("records")))  # type: ignore[no-untyped-call]
    base = base.transform_calculate(
        place=f"indexof({json.dumps(names)}, statistic)",
        estimate="datum['e' + datum.place]",
        low="datum['l' + datum.place]",
        high="datum['h' + datum.place]",
        x="datum[across]",
        y="datum[down]",
    )
    for number, axis in enumerate(axes):
        levels = json.dumps(list(dict.fromkeys(frame[axis])))
        held = f"across == {json.dumps(axis)} || down == {json.dumps(axis)}"
        base = base.transform_filter(f"{held} || datum[{json.dumps(axis)}] == {levels}[level_{number}]")
    # alike in both panels: the values of an axis in their order in the grid
    ranks = {value: rank for axis in axes for rank, value in enumerate(dict.fromkeys(frame[axis]))}
    base = base.transform_calculate(rank=f"indexof({json.dumps(list(ranks))}, datum.x)")
    tip = [alt.Tooltip(f"{name}:N") for name in ("point", *axes)]
    tip += [alt.Tooltip(f"{name}:Q", format=".4g") for name in ("estimate", "low", "high")]
    tip += [alt.Tooltip("draws:Q", format=",")]
    x = alt.X("x:N", title="across", sort=list(ranks))
    cells = base.mark_rect(cursor="pointer").encode(
        x=x,
        y=alt.Y("y:N", title="down", sort=list(reversed(ranks))),
        color=alt.Color("estimate:Q", scale=alt.Scale(scheme="cividis"), title="estimate"),
        stroke=alt.when(picked).then(alt.value("#d8476f")).otherwise(alt.value(None)),
        strokeWidth=alt.value(3),
        tooltip=tip,
    )
    colour = alt.Color("y:O", title="down", sort=list(ranks), scale=alt.Scale(scheme="plasma"))
    lines = base.mark_line(point=alt.OverlayMarkDef(size=50)).encode(x=x, y=alt.Y("estimate:Q", title="estimate"))
    bars = base.mark_rule(strokeWidth=2, opacity=0.7).encode(x=x, y="low:Q", y2="high:Q")
    shape = {"width": _WIDTH, "height": _HEIGHT}
    left = cells.add_params(picked).properties(title="estimate in each cell", **shape)
    right = alt.layer(bars.encode(color=colour, tooltip=tip), lines.encode(color=colour, tooltip=tip))
    right = right.properties(title="with 95% intervals; medians with 5% to 95% of the draws", **shape)
    draws = [name for name in ("typical", "largest", "smallest", "first") if name in frame]
    command = f"fastlstm replay {shlex.quote(run.name)} --point "
    behind = base.transform_filter(picked).transform_fold(draws, as_=["which", "draw"])
    behind = behind.transform_calculate(
        command=f"datum.which + ' draw: ' + {json.dumps(command)} + datum.point + ' --draw ' + datum.draw"
    )
    listing = behind.mark_text(align="left", fontSize=13).encode(
        x=alt.value(0), y=alt.Y("which:N", axis=None, sort=draws), text="command:N"
    )
    listing = listing.properties(width=2 * _WIDTH, height=80, title="draws behind the clicked cell")
    panels = alt.vconcat(alt.hconcat(left, right).resolve_scale(color="independent"), listing)
    return panels.add_params(statistic, across, down, *sliders).resolve_scale(color="independent")


def _choice(name: str, options: list[str]) -> Any:
    return alt.param(name=name, value=options[0], bind=alt.binding_select(options=options, name=f"{name} "))


def _slider(number: int, axis: str, run: RunData) -> Any:
    values = run.axes()[axis]
    name = f"{axis}: value number "
    return alt.param(
        name=f"level_{number}", value=0, bind=alt.binding_range(min=0, max=len(values) - 1, step=1, name=name)
    )
