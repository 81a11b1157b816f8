"""How runs differ, as a part of a page: keys of their specs, estimates side by side, differences with intervals."""

from collections.abc import Sequence
from typing import Any

from fastlstm.report.claim_figure import where_text
from fastlstm.report.compare import compare, differences
from fastlstm.report.html_tables import table
from fastlstm.report.markup import escape
from fastlstm.report.numbers import number
from fastlstm.report.run_data import RunData

_MOST_ROWS = 400


def compared(runs: Sequence[RunData]) -> str:
    """Each of the other runs against the first one."""
    first, *others = runs
    return "".join(_against(first, other) for other in others)


def _against(first: RunData, other: RunData) -> str:
    keys = differences(first.spec, other.spec)
    rows = [
        [f"<code>{escape(row['key'])}</code>", _value(row["a"]), _value(row["b"])] for row in keys.to_dict("records")
    ]
    specs = table(["key", first.name, other.name], rows) if rows else "<p>The specs are the same.</p>"
    estimates = compare(first.run, other.run)
    lines = [
        [
            f"<code>{escape(row['statistic'])}</code>",
            escape(where_text(first, row["point_a"])),
            number(row["difference"], digits=4),
            f"{number(row['low'], digits=4)} to {number(row['high'], digits=4)}",
            _estimate(row["estimate_a"], row["low_a"], row["high_a"]),
            _estimate(row["estimate_b"], row["low_b"], row["high_b"]),
            "yes" if row["paired"] else "no",
        ]
        for row in estimates.head(_MOST_ROWS).to_dict("records")
    ]
    head = ["statistic", "point", "difference", "95% interval", first.name, other.name, "in pairs"]
    about = "Differences are those of the second run minus the first; in pairs where both have the same draws."
    if len(estimates) > _MOST_ROWS:
        about += f" The first {_MOST_ROWS} of {len(estimates)} rows; fastlstm compare prints all."
    heading = f"<h3>{escape(other.name)} against {escape(first.name)}</h3>"
    return f"{heading}{specs}<p>{about}</p>{table(head, lines) if lines else '<p>No statistic is common to both.</p>'}"


def _estimate(value: float, low: float, high: float) -> str:
    return f"{number(value)} ({number(low)} to {number(high)})"


def _value(value: Any) -> str:
    return "" if value is None else escape(number(value, digits=6) if isinstance(value, int | float) else str(value))
