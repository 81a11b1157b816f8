"""[[claim]]: a statement about the gradients, as a statistic of the draws and a prediction of it.

A claim is no part of the content of a spec: a run judges it, and its draws do not depend on it. `vocabulary` checks it
against the columns and the points that the finished spec has.
"""

from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from fastlstm.claims.expression import Expression, ExpressionError, parse_expression
from fastlstm.claims.grid import Indices
from fastlstm.claims.prediction import Comparison, Ordering, parse_prediction
from fastlstm.claims.statistic import STATISTICS, Statistic, parse_statistic
from fastlstm.claims.values import Array, Value
from fastlstm.spec.grids import Model, Text, rule_broken


def _readable(read: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        try:
            read(text)
        except ExpressionError as error:
            raise rule_broken(str(error)) from None
        return text

    return AfterValidator(check)


class Claim(Model):
    """A statement about the gradients, to be judged by the draws."""

    text: Text = Field(description="The claim in a sentence.")
    source: Text | None = Field(default=None, description="Who says so, or where it is derived.")
    where: Annotated[Text, _readable(parse_expression)] | None = Field(
        default=None, description="At which points: a condition on the axes, steps and point; all if left out."
    )
    statistic: Annotated[Text, _readable(parse_statistic)] = Field(
        description=f"A number for each point, made of {', '.join(STATISTICS.values())}."
    )
    predicts: Annotated[Text, _readable(parse_prediction)] = Field(
        description='"== FORMULA" in the axes and steps, also with <= >= < or >; or "rises along AXIS", "falls ..."'
    )
    tolerance: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="By how much the prediction may be missed, in units of the statistic."
    )

    @property
    def condition(self) -> Expression | None:
        """`where`, as read."""
        return None if self.where is None else parse_expression(self.where)

    @property
    def estimated(self) -> Statistic:
        """`statistic`, as read."""
        return parse_statistic(self.statistic)

    @property
    def prediction(self) -> Comparison | Ordering:
        """`predicts`, as read."""
        return parse_prediction(self.predicts)


def chosen_points(claim: Claim, of_points: Mapping[str, Value], total: int) -> Indices:
    """The points that a claim is about."""
    if claim.condition is None:
        return np.arange(total)
    truths = claim.condition.truth(of_points, "where")
    return np.flatnonzero(np.broadcast_to(truths.surely, total))


def predicted(comparison: Comparison, of_points: Mapping[str, Value], total: int) -> Array:
    """The number that is predicted for each point."""
    return np.broadcast_to(comparison.formula.number(of_points, "the prediction").low, total)
