"""The tables of a report as HTML: a claim at each of its points, and the regime table."""

import math
from typing import Any

from fastlstm.measures import GATES
from fastlstm.report.claim_figure import MARKS
from fastlstm.report.markup import escape
from fastlstm.report.numbers import digits_apart, interval, label, number
from fastlstm.report.run_data import RunData

_QUANTILES = {"q05": "5%", "q50": "50%", "q95": "95%"}
_NORMS = {"log10_grad": "log10 |gradient|", "log10_dh0": "log10 |dL/dh₀|", "log10_dC0": "log10 |dL/dC₀|"}


def claim_table(run: RunData, claim: int) -> str:
    """The text of a claim as it was written, and how it stands at each point; folded away."""
    rows = run.claims[run.claims["claim"] == claim]
    first = rows.iloc[0]
    source = f'<p class="source">Source: {escape(first["source"])}</p>' if first["source"] else ""
    words = f"<code>{escape(first['statistic'])}</code> <code>{escape(first['predicts'])}</code>"
    if first["tolerance"]:
        words += f", tolerance {_exact(first['tolerance'])}"
    axes = list(run.axes())
    head = ["estimate", "95% interval", "verdict", "predicted", *axes, "point", "draws"]
    numbers = table(head, [_point(run, axes, row) for row in rows.to_dict("records")])
    counts = rows["verdict"].value_counts()
    summary = ", ".join(f"{MARKS[name]} {counts[name]} {name}" for name in MARKS if counts.get(name))
    many = f"{len(rows)} points" if len(rows) > 1 else "one point"
    return f"<details><summary>Numbers at {many}: {summary}</summary><p>{words}</p>{source}{numbers}</details>"


def _point(run: RunData, axes: list[str], row: dict[Any, Any]) -> list[str]:
    at = run.points.loc[row["point"]]
    return [
        number(row["estimate"], digits=digits_apart(row["low"], row["high"])),
        interval(row["low"], row["high"]),
        _badge(row["verdict"]),
        "" if math.isnan(row["predicted"]) else _exact(row["predicted"]),
        *(escape(label(at[axis])) for axis in axes),
        str(row["point"]),
        f"{row['draws']:,}",
    ]


def _exact(value: float) -> str:
    return number(value, digits=4)


def _badge(verdict: str) -> str:
    return f'<span class="badge {verdict}">{MARKS[verdict]} {verdict}</span>'


def regimes(run: RunData) -> str:
    """The regime table of all points together."""
    norms = [name for name in _NORMS if f"{name}_q50" in run.overall]
    head = ["f", "i", "o", "draws", "share", "vanished", "95% interval", "exploded", "95% interval"]
    head += [f"{_NORMS[name]} {q}" for name in norms for q in _QUANTILES.values()]
    rows = []
    for row in run.overall.to_dict("records"):
        cells = [str(row[f"regime_{gate}"]) for gate in GATES] + [f"{row['draws']:,}", _exact(row["share"])]
        for flag in ("vanished", "exploded"):
            interval = f"{_exact(row[f'{flag}_low'])} to {_exact(row[f'{flag}_high'])}"
            cells += [_exact(row[flag] / row["draws"]), interval]
        rows.append(cells + [_exact(row[f"{name}_{q}"]) for name in norms for q in _QUANTILES])
    return table(head, rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table whose rows become lists of named values where the screen is narrow; cells are HTML."""
    names = [escape(cell) for cell in head]
    heads = "".join(f"<th>{name}</th>" for name in names)
    body = "\n".join(
        "<tr>" + "".join(f'<td data-name="{name}">{cell}</td>' for name, cell in zip(names, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="box"><table><thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table></div>'
