"""What a claim predicts, read from text, and whether an interval agrees with it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from fastlstm.claims.expression import Expression, ExpressionError, parse_expression
from fastlstm.claims.values import Bounds

Verdict = Literal["holds", "fails", "undecided"]
VERDICTS: tuple[Verdict, ...] = ("holds", "undecided", "fails")  # the worst last

_COMPARISON = re.compile(r"\s*(==|<=|>=|<|>)(?!=)(.*)", re.DOTALL)
_ORDERING = re.compile(r"\s*(rises|falls)\s+along\s+(\S+)\s*")


@dataclass(frozen=True)
class Comparison:
    """A statistic against a formula in the axes of the point."""

    operator: Literal["==", "<=", ">=", "<", ">"]
    formula: Expression = field(compare=False)

    def verdict(self, predicted: float, tolerance: float, interval: Bounds, corrected: Bounds) -> Verdict:
        """What an interval says about the prediction, widened by the tolerance.

        It holds where all of the 95% interval agrees, and fails where nothing agrees of the interval that is corrected
        for the number of points.
        """
        low, high = predicted - tolerance, predicted + tolerance
        match self.operator:
            case "==":
                inside = low <= interval.low and interval.high <= high
                outside = corrected.high < low or high < corrected.low
            case "<=":
                inside, outside = interval.high <= high, high < corrected.low
            case "<":
                inside, outside = interval.high < high, high <= corrected.low
            case ">=":
                inside, outside = low <= interval.low, corrected.high < low
            case ">":
                inside, outside = low < interval.low, corrected.high <= low
        return "holds" if inside else "fails" if outside else "undecided"

    def room(self, predicted: float, tolerance: float, interval: Bounds) -> float:
        """How far inside of the widened prediction an interval ends; below 0 by how much it stands out."""
        below, above = predicted + tolerance - interval.high, interval.low - (predicted - tolerance)
        return below if self.operator.startswith("<") else above if self.operator.startswith(">") else min(below, above)


@dataclass(frozen=True)
class Ordering:
    """A statistic that rises, or falls, from each point to the next along an axis."""

    direction: Literal["rises", "falls"]
    axis: str

    def verdict(self, tolerance: float, step: Bounds, corrected: Bounds) -> Verdict:
        """What the intervals of a step, from one point to the next, say."""
        if self.direction == "falls":
            step, corrected = Bounds(-step.high, -step.low), Bounds(-corrected.high, -corrected.low)
        return "holds" if step.low > -tolerance else "fails" if corrected.high <= -tolerance else "undecided"

    def room(self, step: Bounds) -> float:
        """How far an interval of a step ends on the right side of 0."""
        return step.low if self.direction == "rises" else -step.high


@lru_cache(maxsize=1024)
def parse_prediction(text: str) -> Comparison | Ordering:
    """Read a prediction. Raises ExpressionError."""
    if match := _ORDERING.fullmatch(text):
        direction, axis = match.groups()
        return Ordering("rises" if direction == "rises" else "falls", axis)
    if match := _COMPARISON.fullmatch(text):
        operator, formula = match.groups()
        return Comparison(operator, parse_expression(formula))  # type: ignore[arg-type]
    raise ExpressionError(
        'must be a comparison such as "<= 0.5" or "== 1 / (steps + 1)", or "rises along AXIS" or "falls along AXIS"'
    )


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several together: one that fails lets all fail, and one that is undecided leaves all so."""
    return max(verdicts, key=VERDICTS.index)
