"""Tables and replays as text for a terminal and as records for JSON."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fastlstm.measures import GATES

_SHOWN = {
    "draws": "draws",
    "share": "share",
    "exploded": "exploded",
    "vanished": "vanished",
    "log10_grad_q05": "grad 5%",
    "log10_grad_q50": "grad 50%",
    "log10_grad_q95": "grad 95%",
    "log10_dC0_q50": "dC0 50%",
    "log10_forget_q50": "prod f 50%",
}
_COUNTS = ("draws", "exploded", "vanished")


def as_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """One mapping for each row; what JSON has no number for (infinity, none) is null."""
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return records


def text(table: pd.DataFrame) -> str:
    """The regime table for a terminal: counts, and quantiles of log10 norms."""
    regimes = [f"regime_{gate}" for gate in GATES]
    leading = [name for name in ("point",) if name in table]
    shown = table[[*leading, *regimes, *(name for name in _SHOWN if name in table)]]
    shown = shown.rename(columns={**_SHOWN, **{name: name.removeprefix("regime_") for name in regimes}})
    formats = [
        str if name in (*leading, *GATES) else "{:,}".format if name in _COUNTS else "{:.3g}".format for name in shown
    ]
    heading = "log10 of gradient norms, quantiles by regime of the gates f, i, o\n"
    return heading + shown.to_string(index=False, formatters=formats)


def claims_text(found: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], *, by_point: bool = False) -> str:
    """The verdicts of some runs, by the runs' names, from their tables of claims and of points.

    A line for each claim, with the point that decides and at how many points of all the verdict is the same; or a line
    for each claim and point.
    """
    lines = []
    for run, (claims, points) in found.items():
        called = _names_of_points(points)
        for _, rows in claims.groupby("claim"):
            alike = f"{(rows['verdict'] == rows['claim_verdict']).sum()} of {len(rows)}"
            shown = rows if by_point else rows[rows["decides"]]
            lines += [{"run": run} | _claim_line(row, called, alike) for row in shown.to_dict("records")]
    if not lines:
        return "no claims"
    left_out = [name for name, shown in (("run", len(found) > 1), ("points alike", not by_point)) if not shown]
    columns = {name: [name, *(line[name] for line in lines)] for name in lines[0] if name not in left_out}
    aligned = [[text.ljust(max(map(len, column))) for text in column] for column in columns.values()]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*aligned, strict=True))


def _names_of_points(points: pd.DataFrame) -> dict[int, str]:
    """Each point's number with its values on the axes: `3: steps = 20, b_f = 4`."""
    axes = [name for name in points if name not in ("point", "draws") and points[name].nunique() > 1]
    return {
        row["point"]: ": ".join(filter(None, (str(row["point"]), ", ".join(f"{axis} = {row[axis]}" for axis in axes))))
        for row in points.to_dict("records")
    }


def predicted_text(predicts: str, predicted: float) -> str:
    """A prediction in which the number at a point stands for its formula; an ordering has none."""
    if not math.isfinite(predicted):
        return predicts
    return f"{predicts[: 2 if predicts[1] == '=' else 1]} {predicted:.4g}"


def _claim_line(row: Mapping[Any, Any], called: Mapping[int, str], alike: str) -> dict[str, str]:
    """One line."""
    predicts = predicted_text(row["predicts"], row["predicted"])
    if row["tolerance"]:
        predicts += f" +- {row['tolerance']:.4g}"
    return {
        "verdict": row["verdict"],
        "claim": row["text"],
        "estimate": f"{row['estimate']:.4g}",
        "95% interval": f"[{row['low']:.4g}, {row['high']:.4g}]",
        "predicted": predicts,
        "point": called[row["point"]],
        "points alike": alike,
    }
