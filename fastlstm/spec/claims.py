"""[[claim]]: what somebody says about the gradients, as a statistic of the draws and a prediction of it.

Claims are read and checked with the rest of the spec, against the columns that its rows will have. They are no
part of its content: a run judges them and its draws do not depend on them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from fastlstm import measures
from fastlstm.claims import grid as points
from fastlstm.claims.expression import Expression, ExpressionError, parse_expression, suggestion
from fastlstm.claims.grid import Axes, Indices
from fastlstm.claims.prediction import Comparison, Ordering, parse_prediction
from fastlstm.claims.statistic import STATISTICS, Part, Statistic, parse_statistic
from fastlstm.claims.values import EVERYTHING, Array, Bounds, Numbers, Texts, Value, between, decided
from fastlstm.spec.grids import Broken, Model, Text, rule_broken
from fastlstm.spec.layout import RowLayout

LONGEST = 10**6  # steps; for the names of all lags


def _readable(read: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        try:
            read(text)
        except ExpressionError as error:
            raise rule_broken(str(error)) from None
        return text

    return AfterValidator(check)


class Claim(Model):
    """Something that is said about the gradients, to be judged by the draws."""

    text: Text = Field(description="What is claimed, in a sentence.")
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


@dataclass(frozen=True)
class Vocabulary:
    """What the claims of a spec may name, with what is known of each before anything runs.

    points     what a point has: axes, steps and point
    constants  the same as rows name them
    columns    what varies from draw to draw
    counted    the columns that have a histogram
    """

    points: Mapping[str, Value]
    constants: Mapping[str, Value]
    columns: Mapping[str, Value]
    counted: Collection[str]
    groups: Collection[str]
    rows: bool

    def needed(self, part: Part) -> tuple[str, ...]:
        """The columns that a part of a statistic needs."""
        return tuple(name for name in part.names if name in self.columns and name not in self.constants)

    def histogram(self, part: Part) -> str | None:
        """The flag or measure whose counts answer a part, for all draws; None where rows do. Raises ExpressionError."""
        others = [name for name in self.needed(part) if name not in measures.REGIME_COLUMNS]
        if part.function == "share" and len(others) <= 1 and all(name in measures.FLAGS for name in others):
            return others[0] if others else measures.FLAGS[0]
        if self.rows:
            return None
        given = part.given.names if part.given else ()
        single = len(others) == 1 and others[0] in self.counted and others[0] not in given
        if part.function in ("share", "median", "quantile") and single:
            return others[0]
        raise ExpressionError(
            f'{part.text} needs rows, and store.rows is "none"; without rows there are shares of flags and regimes, '
            "and shares and quantiles of one column that has a histogram"
        )

    def bounds(self, part: Part) -> Bounds:
        """The ends between which all values of a part's argument lie."""
        found = part.argument.evaluate({**self.columns, **self.constants})
        if not isinstance(found, Numbers):
            return Bounds(0.0, 1.0)
        low, high = float(found.low), float(found.high)
        return Bounds(EVERYTHING.low if np.isnan(low) else low, EVERYTHING.high if np.isnan(high) else high)

    def check(self, part: Part) -> None:
        """Raises ExpressionError for names and kinds that do not fit, and where nothing could be judged."""
        known = {**self.columns, **self.constants}
        self._check_names(part.names, known)
        if part.function == "share":
            part.argument.truth(known, "share()")
        else:
            part.argument.number(known, f"{part.function}()")
        if part.given:
            part.given.truth(known, "given")
        if not self.needed(part):
            raise ExpressionError(f"{part.text} names no column that varies from draw to draw")
        self.histogram(part)
        if part.function == "mean" and not np.isfinite(self.bounds(part)).all():
            raise ExpressionError(
                f"{part.text}: {part.argument.text} has no bounds, and the mean of a heavy tail says nothing; "
                "take median() or quantile(), or keep it within bounds by min() and max()"
            )

    def _check_names(self, names: Collection[str], known: Mapping[str, Value]) -> None:
        if wrong := [self._unknown(name, known) for name in names if name not in known]:
            raise ExpressionError("; ".join(wrong))

    def _unknown(self, name: str, known: Mapping[str, Value]) -> str:
        for group in measures.GROUPS:
            if name in (measure.name for measure in measures.group(group, LONGEST)):
                if group in self.groups:
                    return f"{name} is a longer lag than any point has steps"
                return f"{name} is of the group {group}, which measure.groups does not list"
        return f"{name} is no column{suggestion(name, known)}"

    def check_point_names(self, names: Collection[str]) -> None:
        """Raises ExpressionError for names that a point does not have."""
        wrong = []
        for name in names:
            if name not in self.points:
                what = "is no axis"
                if name in self.columns:
                    what = "is a column and no axis, and one number is needed for each point"
                wrong.append(f"{name} {what}{suggestion(name, self.points)}")
        if wrong:
            raise ExpressionError("; ".join(wrong))


def vocabulary(axes: Axes, steps: int | None, layout: RowLayout, *, groups: Collection[str], rows: bool) -> Vocabulary:
    """What the claims of a spec may name."""
    unbounded = between(-np.inf, np.inf)
    columns: dict[str, Value] = {"draw": between(0, np.inf)}
    columns |= dict.fromkeys(layout.drawn, unbounded)
    columns |= dict.fromkeys(measures.REGIME_COLUMNS, Texts(np.asarray(0), measures.CLASSES))
    columns |= dict.fromkeys(measures.FLAGS, decided(np.asarray(True)))
    columns |= {each.name: between(each.low, each.high) for each in layout.measures}
    of_points = points.ranges(axes, steps)
    return Vocabulary(
        points=of_points,
        constants=layout.as_columns(of_points),
        columns=columns,
        counted=[*measures.FLAGS, *(each.name for each in layout.measures if each.resolution is not None)],
        groups=groups,
        rows=rows,
    )


def broken_names(claims: Mapping[int, Claim], known: Vocabulary, axes: Axes) -> Iterator[Broken]:
    """What in claims, by their numbers, does not fit to the columns and axes of the spec."""
    for number, claim in claims.items():
        for key, check in (("where", _check_where), ("statistic", _check_statistic), ("predicts", _check_predicts)):
            try:
                check(claim, known, axes)
            except ExpressionError as error:
                yield (number, key), getattr(claim, key), str(error)


def _check_where(claim: Claim, known: Vocabulary, axes: Axes) -> None:
    if claim.condition:
        known.check_point_names(claim.condition.names)
        claim.condition.truth(known.points, "where")


def _check_statistic(claim: Claim, known: Vocabulary, axes: Axes) -> None:
    for part in claim.estimated.parts:
        known.check(part)
    known.check_point_names(claim.estimated.names)
    unbounded = between(-np.inf, np.inf)
    claim.estimated.combine({part.text: unbounded for part in claim.estimated.parts}, dict(known.points))


def _check_predicts(claim: Claim, known: Vocabulary, axes: Axes) -> None:
    match claim.prediction:
        case Comparison(formula=formula):
            known.check_point_names(formula.names)
            formula.number(known.points, "the prediction")
        case Ordering(axis=axis):
            if axis not in axes:
                raise ExpressionError(f"{axis} is no axis" + (suggestion(axis, axes) if axes else "; there is none"))


def chosen_points(claim: Claim, of_points: Mapping[str, Value], total: int) -> Indices:
    """The points that a claim is about."""
    if claim.condition is None:
        return np.arange(total)
    truths = claim.condition.truth(of_points, "where")
    return np.flatnonzero(np.broadcast_to(truths.surely, total))


def predicted(comparison: Comparison, of_points: Mapping[str, Value], total: int) -> Array:
    """The number that is predicted for each point."""
    return np.broadcast_to(comparison.formula.number(of_points, "the prediction").low, total)


def broken_at_points(claims: Collection[Claim], axes: Axes, steps: int | None) -> Iterator[Broken]:
    """What in claims, whose names are right, cannot be judged at some point."""
    of_points, total = points.over_points(axes, steps), points.count(axes)
    length = of_points["steps"]
    assert isinstance(length, Numbers)
    for number, claim in enumerate(claims):
        place, chosen = number, chosen_points(claim, of_points, total)
        if not len(chosen):
            yield (place, "where"), claim.where, "is true at no point"
            continue
        shortest = int(length.low[chosen].min())
        there = {measure.name for measure in measures.group("lags", shortest)}
        lags = {measure.name for measure in measures.group("lags", LONGEST)}
        for part in claim.estimated.parts:
            if too_long := [name for name in part.names if name in lags - there]:
                right = f"{too_long[0]} is longer than the {shortest} steps of a point; choose the points by where"
                yield (place, "statistic"), claim.statistic, right
        match claim.prediction:
            case Comparison() as comparison:
                numbers = predicted(comparison, of_points, total)[chosen]
                if not np.isfinite(numbers).all():
                    point = chosen[~np.isfinite(numbers)][0]
                    yield (place, "predicts"), claim.predicts, f"is no finite number at point {point}"
            case Ordering(axis=axis):
                if not points.chains(axes, axis, chosen):
                    right = f"no two of the points follow each other along {axis}"
                    yield (place, "predicts"), claim.predicts, right
