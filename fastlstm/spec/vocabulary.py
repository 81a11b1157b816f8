"""The names that the claims of a spec may use, and the check of its claims against them.

The second step of reading a spec: its tables are right, so its axes, points and columns stand.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from fastlstm import measures
from fastlstm.claims import grid
from fastlstm.claims.expression import ExpressionError, suggestion
from fastlstm.claims.prediction import Comparison, Ordering
from fastlstm.claims.statistic import Term
from fastlstm.claims.values import EVERYTHING, Bounds, Numbers, Texts, Value, between, decided
from fastlstm.spec.claims import Claim, chosen_points, predicted
from fastlstm.spec.document import MAX_STEPS, Spec
from fastlstm.spec.grids import Broken

_UNBOUNDED = between(-np.inf, np.inf)


@dataclass(frozen=True)
class Vocabulary:
    """The names that the claims of a spec may use, with what holds of each before anything runs.

    points     what a point has: axes, steps and point
    constants  the same under the names that rows have for them
    columns    what varies from draw to draw
    counted    the columns that have a histogram
    """

    points: Mapping[str, Value]
    constants: Mapping[str, Value]
    columns: Mapping[str, Value]
    counted: Collection[str]
    groups: Collection[str]
    has_rows: bool

    @property
    def _row(self) -> dict[str, Value]:
        return {**self.columns, **self.constants}

    def needed(self, term: Term) -> tuple[str, ...]:
        """The columns that a term of a statistic needs."""
        return tuple(name for name in term.names if name in self.columns and name not in self.constants)

    def histogram(self, term: Term) -> str | None:
        """The flag or measure whose counts answer a term, for all draws; None where rows do. Raises ExpressionError."""
        others = [name for name in self.needed(term) if name not in measures.REGIME_COLUMNS]
        if term.function == "share" and len(others) <= 1 and all(name in measures.FLAGS for name in others):
            return others[0] if others else measures.FLAGS[0]
        if self.has_rows:
            return None
        condition = term.given.names if term.given else ()
        single = len(others) == 1 and others[0] in self.counted and others[0] not in condition
        if term.function in ("share", "median", "quantile") and single:
            return others[0]
        raise ExpressionError(
            f'{term.text} needs rows, and store.rows is "none"; without rows there are shares of flags and regimes, '
            "and shares and quantiles of one column that has a histogram"
        )

    def bounds(self, term: Term) -> Bounds:
        """The ends between which all values of a term's argument lie."""
        value = term.argument.evaluate(self._row)
        if not isinstance(value, Numbers):
            return Bounds(0.0, 1.0)
        low, high = float(value.low), float(value.high)
        return Bounds(EVERYTHING.low if np.isnan(low) else low, EVERYTHING.high if np.isnan(high) else high)

    def check_term(self, term: Term) -> None:
        """Raises ExpressionError for names and kinds that do not fit, and where nothing could be judged."""
        row = self._row
        if wrong := [self._unknown(name) for name in term.names if name not in row]:
            raise ExpressionError("; ".join(wrong))
        if term.function == "share":
            term.argument.truth(row, "share()")
        else:
            term.argument.number(row, f"{term.function}()")
        if term.given:
            term.given.truth(row, "given")
        if not self.needed(term):
            raise ExpressionError(f"{term.text} names no column that varies from draw to draw")
        self.histogram(term)
        if term.function == "mean" and not np.isfinite(self.bounds(term)).all():
            raise ExpressionError(
                f"{term.text}: {term.argument.text} has no bounds, and the mean of a heavy tail says nothing; "
                "take median() or quantile(), or keep it within bounds by min() and max()"
            )

    def _unknown(self, name: str) -> str:
        for group in measures.GROUPS:
            if name in (measure.name for measure in measures.group(group, MAX_STEPS)):
                if group in self.groups:
                    return f"{name} is a longer lag than any point has steps"
                return f"{name} is of the group {group}, which measure.groups does not list"
        return f"{name} is no column{suggestion(name, self._row)}"

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


def vocabulary(spec: Spec) -> Vocabulary:
    """The names that the claims of a spec may use."""
    layout = spec.row_layout
    columns: dict[str, Value] = {"draw": between(0, np.inf)}
    columns |= dict.fromkeys(layout.drawn, _UNBOUNDED)
    columns |= dict.fromkeys(measures.REGIME_COLUMNS, Texts(np.asarray(0), measures.CLASSES))
    columns |= dict.fromkeys(measures.FLAGS, decided(np.asarray(True)))
    columns |= {each.name: between(each.low, each.high) for each in layout.measures}
    of_points = grid.ranges(spec.axes(), spec.single_steps)
    return Vocabulary(
        points=of_points,
        constants=layout.as_columns(of_points),
        columns=columns,
        counted=[*measures.FLAGS, *(each.name for each in layout.measures if each.resolution is not None)],
        groups=spec.measure.computed,
        has_rows=spec.store.rows != "none",
    )


def broken_claims(spec: Spec) -> Iterator[Broken]:
    """What in the claims of a spec does not fit to its columns, axes and points: place, value, and what is right."""
    if not spec.claim:
        return
    names = vocabulary(spec)
    of_points, total = grid.over_points(spec.axes(), spec.single_steps), len(spec.points())
    for number, claim in enumerate(spec.claim):
        broken = list(_broken_names(claim, names, spec))
        for key, right in broken or _broken_at_points(claim, spec, of_points, total):
            yield ("claim", number, key), getattr(claim, key), right


def _broken_names(claim: Claim, names: Vocabulary, spec: Spec) -> Iterator[tuple[str, str]]:
    for key, check in (("where", _check_where), ("statistic", _check_statistic), ("predicts", _check_predicts)):
        try:
            check(claim, names, spec)
        except ExpressionError as error:
            yield key, str(error)


def _check_where(claim: Claim, names: Vocabulary, spec: Spec) -> None:
    if claim.condition:
        names.check_point_names(claim.condition.names)
        claim.condition.truth(names.points, "where")


def _check_statistic(claim: Claim, names: Vocabulary, spec: Spec) -> None:
    for term in claim.estimated.terms:
        names.check_term(term)
    names.check_point_names(claim.estimated.names)
    claim.estimated.combine({term.text: _UNBOUNDED for term in claim.estimated.terms}, dict(names.points))


def _check_predicts(claim: Claim, names: Vocabulary, spec: Spec) -> None:
    match claim.prediction:
        case Comparison(formula=formula):
            names.check_point_names(formula.names)
            formula.number(names.points, "the prediction")
        case Ordering(axis=axis):
            axes = spec.axes()
            if axis not in axes:
                raise ExpressionError(f"{axis} is no axis" + (suggestion(axis, axes) if axes else "; there is none"))


def _broken_at_points(
    claim: Claim, spec: Spec, of_points: Mapping[str, Value], total: int
) -> Iterator[tuple[str, str]]:
    """What in a claim, whose names are right, cannot be judged at some point."""
    chosen = chosen_points(claim, of_points, total)
    if not len(chosen):
        yield "where", "is true at no point"
        return
    length = of_points["steps"]
    assert isinstance(length, Numbers)
    shortest = int(length.low[chosen].min())
    there = {measure.name for measure in measures.group("lags", shortest)}
    lags = {measure.name for measure in measures.group("lags", MAX_STEPS)}
    for term in claim.estimated.terms:
        if too_long := [name for name in term.names if name in lags - there]:
            yield (
                "statistic",
                f"{too_long[0]} is longer than the {shortest} steps of a point; choose the points by where",
            )
    match claim.prediction:
        case Comparison() as comparison:
            numbers = predicted(comparison, of_points, total)[chosen]
            if not np.isfinite(numbers).all():
                yield "predicts", f"is no finite number at point {chosen[~np.isfinite(numbers)][0]}"
        case Ordering(axis=axis):
            if not grid.chains(spec.axes(), axis, chosen):
                yield "predicts", f"no two of the points follow each other along {axis}"
