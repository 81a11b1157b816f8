"""A replayed draw as text for a terminal, as CSV and as a record for JSON."""

import math
from typing import Any

import numpy as np
import pandas as pd

from fastlstm.audit.replay import Replay, StepRange
from fastlstm.names import PARAMETERS, STATE


def record(replayed: Replay, shown: StepRange) -> dict[str, Any]:
    """Everything about a replayed draw; what JSON has no number for (infinity, none) is null."""
    drawn, grads = replayed.drawn, replayed.grads
    return {
        "params": dict(zip(PARAMETERS, map(float, drawn.params), strict=True)),
        "h0": float(drawn.h0),
        "C0": float(drawn.C0),
        "t": list(range(shown.first, shown.last + 1)),
        "x": _list(drawn.x[shown.slice]),
        "trace": {
            name: _list(getattr(replayed.trace, name)[0, shown.slice]) for name in ("f", "i", "o", "g", "C", "h", "y")
        },
        "gradients": {name: _number(grads[name][0]) for name in (*PARAMETERS, *STATE)}
        | {"x": _list(grads.x[0, shown.slice])},
        "steps": _columns(replayed.gradient_table(), shown),
        "log10": _columns(replayed.log10_table(), shown),
        "sign": _columns(replayed.sign_table(), shown),
        "measures": {name: _number(value) for name, value in drawn.measures.items()},
    }


def _columns(table: pd.DataFrame, shown: StepRange) -> dict[str, list[float | None]]:
    return {str(name): _list(column.to_numpy()[shown.slice]) for name, column in table.items()}


def _list(values: Any) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def csv(replayed: Replay, shown: StepRange) -> str:
    """A line for each step: the forward pass, the gradients, and log10 of their absolute values."""
    tables = [replayed.forward_table(), replayed.gradient_table(), replayed.log10_table().add_prefix("log10_")]
    lines: str = pd.concat(tables, axis=1)[shown.slice].to_csv()
    return lines


def text(replayed: Replay, shown: StepRange) -> str:
    """For a terminal: parameters with gradients, the forward pass, the gradients of every step, the measures.

    A gradient that no float can hold is written as a power of ten.
    """
    drawn, grads = replayed.drawn, replayed.grads
    names = [*PARAMETERS, *STATE]
    values, slopes = [*drawn.params, drawn.h0, drawn.C0], [grads[name][0] for name in names]
    parameters = pd.DataFrame({"value": values, "gradient": slopes}, index=names)
    numbers, logs, signs = replayed.gradient_table(), replayed.log10_table(), replayed.sign_table()
    written = pd.DataFrame(
        {
            name: [_written(*each) for each in zip(numbers[name], logs[name], signs[name], strict=True)]
            for name in numbers
        },
        index=numbers.index,
    )
    measured = pd.Series({name: np.float64(value) for name, value in drawn.measures.items() if name not in names})
    sizes = ("display.max_rows", 60, "display.max_columns", 20, "display.width", 200)
    with pd.option_context("display.float_format", "{:.6g}".format, *sizes):
        steps = f"{replayed.forward_table()[shown.slice]}\n\n{written[shown.slice]}"
        return f"{parameters}\n\n{steps}\n\n{measured.to_string()}"


def _written(value: float, log10: float, sign: float) -> str:
    """A number, or a power of ten where it left the range."""
    if (value == 0 or math.isinf(value)) and math.isfinite(log10):
        return f"{'-' if sign < 0 else ''}10^{log10:.6g}"
    return f"{value:.6g}"
