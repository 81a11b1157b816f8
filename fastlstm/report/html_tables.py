"""The tables of a report as HTML: verdicts of the claims, and the regime table."""

import math
from typing import Any

import pandas as pd

from fastlstm.measures import GATES
from fastlstm.report.markup import escape
from fastlstm.report.run_data import Evidence
from fastlstm.report.style import number

_MARKS = {"holds": "✓", "fails": "✗", "undecided": "?"}
_MOST_OPEN = 12  # points that a claim shows before it folds them away
_QUANTILES = {"q05": "5%", "q50": "50%", "q95": "95%"}
_NORMS = {"log10_grad": "log10 |gradient|", "log10_dh0": "log10 |dL/dh₀|", "log10_dC0": "log10 |dL/dC₀|"}


def verdicts(evidence: Evidence) -> str:
    """The claims of a run, each with its verdict, and how it stands at each point; empty without claims."""
    claims = evidence.claims
    if claims.empty:
        return ""
    counts = claims.groupby("claim")["claim_verdict"].first().value_counts()
    sums = ", ".join(f"{counts[name]} {_badge(name)}" for name in _MARKS if counts.get(name))
    return "\n".join([f"<p>{sums}</p>", *(_claim(evidence, of) for _, of in claims.groupby("claim"))])


def _claim(evidence: Evidence, claim: pd.DataFrame) -> str:
    first = claim.iloc[0]
    source = f' <span class="source">{escape(first["source"])}</span>' if first["source"] else ""
    said = f"<code>{escape(first['statistic'])}</code> <code>{escape(first['predicts'])}</code>"
    if first["tolerance"]:
        said += f", tolerance {_exact(first['tolerance'])}"
    axes = list(evidence.axes())
    head = ["verdict", "point", *axes, "estimate", "95% interval", "predicted", "draws"]
    table = _table(head, [_point(evidence, axes, row) for row in claim.to_dict("records")])
    if len(claim) > _MOST_OPEN:
        counts = claim["verdict"].value_counts()
        sums = ", ".join(f"{_MARKS[name]} {counts[name]} {name}" for name in _MARKS if counts.get(name))
        decisive = [_point(evidence, axes, row) for row in claim[claim["decides"]].to_dict("records")]
        folded = f"<details><summary>all {len(claim)} points: {sums}</summary>{table}</details>"
        table = f"<p>The point that decides:</p>{_table(head, decisive)}{folded}"
    heading = f"{_badge(first['claim_verdict'])} {escape(first['text'])}"
    return f'<section class="claim"><h3>{heading}{source}</h3><p>{said}</p>{table}</section>'


def _point(evidence: Evidence, axes: list[str], row: dict[Any, Any]) -> list[str]:
    at = evidence.points.loc[row["point"]]
    return [
        _badge(row["verdict"]),
        str(row["point"]),
        *(escape(_plain(at[axis])) for axis in axes),
        _exact(row["estimate"]),
        f"{_exact(row['low'])} to {_exact(row['high'])}",
        "" if math.isnan(row["predicted"]) else _exact(row["predicted"]),
        f"{row['draws']:,}",
    ]


def _exact(value: float) -> str:
    return number(value, digits=4)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else number(value)


def _badge(verdict: str) -> str:
    return f'<span class="badge {verdict}">{_MARKS[verdict]} {verdict}</span>'


def regimes(evidence: Evidence) -> str:
    """The regime table of all points together."""
    norms = [name for name in _NORMS if f"{name}_q50" in evidence.overall]
    head = ["f", "i", "o", "draws", "share", "vanished", "95% interval", "exploded", "95% interval"]
    head += [f"{_NORMS[name]} {q}" for name in norms for q in _QUANTILES.values()]
    rows = []
    for row in evidence.overall.to_dict("records"):
        cells = [str(row[f"regime_{gate}"]) for gate in GATES] + [f"{row['draws']:,}", _exact(row["share"])]
        for flag in ("vanished", "exploded"):
            interval = f"{_exact(row[f'{flag}_low'])} to {_exact(row[f'{flag}_high'])}"
            cells += [_exact(row[flag] / row["draws"]), interval]
        rows.append(cells + [_exact(row[f"{name}_{q}"]) for name in norms for q in _QUANTILES])
    return _table(head, rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    """A table in a box of its own, in which it scrolls where the screen is narrow; cells are HTML."""
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="box" tabindex="0"><table><thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table></div>'
