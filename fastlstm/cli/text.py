"""Tables, verdicts and replays as text for a terminal, and as records for JSON."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fastlstm.cli.grid import grid
from fastlstm.cli.output import Shown, shown
from fastlstm.measures import GATES
from fastlstm.runs import Run

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
_COLOURS = {"holds": "green", "fails": "bold red", "undecided": "yellow"}
_MOST_POINTS = 40  # lines of points after a run


def as_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """One mapping for each row; what JSON has no number for (infinity, none) is null."""
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return records


def _number(name: str, value: Any) -> str:
    if name in _COUNTS:
        return f"{value:,}"
    return str(value) if isinstance(value, str) else f"{value:.3g}"


def _numbers(table: pd.DataFrame, leading: Sequence[str]) -> Shown:
    """Some columns as they are, then those of _SHOWN; those that a terminal has no room for are left out, and named."""
    names: list[str] = [*leading, *(name for name in _SHOWN if name in table)]
    titles = {name: _SHOWN.get(name, name.removeprefix("regime_")) for name in names}
    rows = [
        [str(row[name]) if name in leading else _number(str(name), row[name]) for name in names]
        for row in table.to_dict("records")
    ]
    return grid(list(titles.values()), rows, stream=sys.stdout, right=True)


def regimes(table: pd.DataFrame) -> Shown:
    """The regime table for a terminal: counts, and quantiles of log10 norms."""
    leading = [name for name in ("point", *(f"regime_{gate}" for gate in GATES)) if name in table]
    heading = "log10 of gradient norms, quantiles by regime of the gates f, i, o\n"
    return Shown(heading + _numbers(table, leading))


def points(run: Run) -> Shown:
    """A line for each point of a run, of all its regimes together; of many points the first."""
    of_points = run.points()
    axes = _axes(of_points)
    first = of_points.head(_MOST_POINTS)
    table = run.by_point(first["point"]).merge(first[["point", *axes]], on="point")
    table = table.drop(columns=["share"])
    for axis in axes:
        table[axis] = [_axis_value(value) for value in table[axis]]
    heading = "log10 of gradient norms, quantiles by point\n"
    lines = heading + _numbers(table, ["point", *axes])
    left = len(of_points) - len(first)
    more = f"\nand {left:,} more points: fastlstm regimes --by-point" if left else ""
    return Shown(lines + more)


def _axes(points: pd.DataFrame) -> list[str]:
    return [str(name) for name in points if name not in ("point", "draws") and points[name].nunique() > 1]


def _axis_value(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def claims(tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], *, by_point: bool = False) -> Shown:
    """The verdicts of some runs, by the runs' names, from their tables of claims and of points.

    A line for each claim, with the point that decides and at how many points of all the verdict is the same; or a line
    for each claim and point.
    """
    lines = []
    for run, (verdicts, of_points) in tables.items():
        called = _names_of_points(of_points)
        for _, judged in verdicts.groupby("claim"):
            alike = f"{(judged['verdict'] == judged['claim_verdict']).sum()} of {len(judged)}"
            chosen = judged if by_point else judged[judged["decides"]]
            lines += [{"run": run} | _claim_line(row, called, alike) for row in chosen.to_dict("records")]
    if not lines:
        return shown("no claims")
    left_out = [name for name, wanted in (("run", len(tables) > 1), ("points alike", not by_point)) if not wanted]
    names = [name for name in lines[0] if name not in left_out]
    rows = [[line[name] for name in names] for line in lines]
    return grid(names, rows, stream=sys.stdout, wrap="claim", styles=_COLOURS)


def _names_of_points(points: pd.DataFrame) -> dict[int, str]:
    """Each point's number with its values on the axes: `3: steps = 20, b_f = 4`."""
    axes = _axes(points)
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
