"""Every claim, drawn: estimate and interval against the axis it speaks of, beside its prediction."""

import pandas as pd

from fastlstm.claims.prediction import Comparison, Ordering, parse_prediction
from fastlstm.claims.statistic import parse_statistic
from fastlstm.report.figure import Drawing, Figure, finish
from fastlstm.report.numbers import label
from fastlstm.report.panels import Arrangement, Quantity, arranged
from fastlstm.report.panels import draw as draw_panels
from fastlstm.report.run_data import RunData

MARKS = {"holds": "✓", "fails": "✗", "undecided": "?"}


def fits(run: RunData) -> bool:
    """The spec makes claims."""
    return not run.claims.empty


def draw(run: RunData) -> list[Drawing]:
    """A drawing for each claim."""
    return [draw_claim(run, number) for number in run.claims["claim"].unique()]


def draw_claim(run: RunData, claim: int) -> Drawing:
    """One claim: its verdict is in the title."""
    table, quantity, arrangement = parts_of(run, claim)
    first = table.iloc[0]
    figure = draw_panels(table, quantity, arrangement)
    where = "" if len(table) > 1 else where_text(run, int(first["point"]))
    verdict = first["claim_verdict"]
    title = f"{MARKS[verdict]} {verdict}: {first['text']}"
    note = f"{first['statistic']} {first['predicts']}" + (f", at {where}" if where else "")
    return finish(figure, f"claim-{claim}", title, note=note)


def parts_of(run: RunData, claim: int) -> tuple[pd.DataFrame, Quantity, Arrangement]:
    """The rows of a claim with the axes of their points, what they estimate, and how they are arranged."""
    rows = run.claims[run.claims["claim"] == claim]
    axes = list(run.axes())
    table = rows.join(run.points[axes], on="point")
    statistic, prediction = parse_statistic(rows["statistic"].iloc[0]), parse_prediction(rows["predicts"].iloc[0])
    is_share = statistic.is_plain and statistic.terms[0].function == "share"
    operator: str | None = None
    first: str | None
    match prediction:
        case Ordering(axis=axis):
            first = axis
        case Comparison(operator=comparison, formula=formula):
            operator = comparison
            speaks_of = [name for name in (*formula.names, *statistic.names) if name in axes]
            first = max(speaks_of, key=lambda axis: table[axis].nunique(), default=None)
    return table, Quantity(statistic.text, is_share, operator), arranged(table, axes, first)


def where_text(run: RunData, point: int) -> str:
    """A point by its values on the axes: `b_f = 4, steps = 100`."""
    return ", ".join(f"{axis} = {label(run.points.loc[point, axis])}" for axis in run.axes())


FIGURE = Figure(
    name="claim",
    heading="Claims",
    caption="The estimate of each claim's statistic with its 95% interval, against the axis that the claim speaks of. "
    "The dashed line is what is predicted, and the shaded band where the claim would hold; a claim of an order, rises "
    "or falls along an axis, predicts no number. Open dots are undecided; crosses fail.",
    fits=fits,
    draw=draw,
)
