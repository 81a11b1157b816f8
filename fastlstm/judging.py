"""The claims of a spec, judged by the draws of its run: one row for each claim and point.

A claim reads the columns that it needs, point by point. What counts can answer exactly, shares of flags and regimes,
is taken from them and so from all draws; all else from the rows that are kept; without rows from the histograms, where
the width of a bin becomes part of the interval.
"""

import json
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fastlstm.claims import estimate as estimates
from fastlstm.claims import points
from fastlstm.claims.estimate import Bounds, Estimate, Sample
from fastlstm.claims.prediction import VERDICTS, Comparison, Ordering, Verdict, worst
from fastlstm.claims.statistic import Part
from fastlstm.claims.values import Numbers, Texts, Truths, Value, decided, known
from fastlstm.intervals import ERROR
from fastlstm.measures import CLASSES, FLAGS, REGIME_COLUMNS
from fastlstm.regimes import bin_edges
from fastlstm.spec import Spec
from fastlstm.spec.claims import Claim, as_rows_name_them, chosen_points, predicted, vocabulary
from fastlstm.spec.columns import chosen_measures
from fastlstm.spec.grids import Grid
from fastlstm.store import VERDICTS as VERDICTS_TABLE
from fastlstm.store import NotThere, PointReader, RunDirectory, read_table

_VERDICT = pa.dictionary(pa.int8(), pa.string())
SCHEMA = pa.schema(
    [
        ("claim", pa.int32()),
        ("text", pa.string()),
        ("source", pa.string()),
        ("statistic", pa.string()),
        ("predicts", pa.string()),
        ("point", pa.int32()),
        ("estimate", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("predicted", pa.float64()),
        ("tolerance", pa.float64()),
        ("verdict", _VERDICT),
        ("claim_verdict", _VERDICT),
        ("draws", pa.int64()),
        ("corrected_low", pa.float64()),
        ("corrected_high", pa.float64()),
        ("decides", pa.bool_()),
    ]
)


class _Evidence:
    """What a run says about the parts of statistics."""

    def __init__(self, spec: Spec, path: str | os.PathLike[str]) -> None:
        self.axes = spec.axes()
        self.steps = None if isinstance(spec.steps, Grid) else spec.steps
        self.names = vocabulary(
            self.axes, steps=spec.steps, state=spec.state, measure=spec.measure, store=spec.store
        )
        self.of_points = points.over_points(self.axes, self.steps)
        self.total = points.count(self.axes)
        self._reader = PointReader(path)
        measures = chosen_measures(spec.measure, spec.steps)
        self._resolutions = {each.name: each.resolution for each in measures if each.resolution is not None}
        self._counts = lru_cache(maxsize=4)(self._read_counts)

    def sample(self, part: Part, point: int) -> Sample:
        """The argument of a part in the draws of a point for which its condition holds."""
        histogram = self.names.histogram(part)
        if histogram is not None:
            return self._from_counts(part, point, histogram)
        return self._from_rows(part, point)

    def row_sample(self, part: Part, point: int) -> Sample:
        """The same from rows, in the order of the draws."""
        return self._from_rows(part, point)

    def at(self, point: int) -> dict[str, Value]:
        """The names of a point with their values."""
        return points.at(self.of_points, point)

    def _from_rows(self, part: Part, point: int) -> Sample:
        constants = as_rows_name_them(self.at(point), self.axes)
        needed = self.names.needed(part)
        found = []
        for table in self._reader.rows(point, needed):
            named = {**constants, **{name: _value(table[name]) for name in needed}}
            found.append(_selected(part, named, table.num_rows))
        return Sample(_joined(found), None)

    def _from_counts(self, part: Part, point: int, histogram: str) -> Sample:
        regime, bins, counts, low, high = self._counts(point, histogram)
        named = as_rows_name_them(self.at(point), self.axes)
        place = [regime // 9, regime // 3 % 3, regime % 3]
        named |= {name: Texts(codes, CLASSES) for name, codes in zip(REGIME_COLUMNS, place, strict=True)}
        if histogram in FLAGS:
            named[histogram] = decided(bins == 1)
        else:
            lower, upper = bin_edges(bins, self._resolutions[histogram])
            named[histogram] = Numbers(np.clip(lower, low, high), np.clip(upper, low, high))
        chosen = np.full(len(bins), True)
        if part.given:
            chosen = np.broadcast_to(part.given.truth(named, "given").surely, len(bins))
        value = _take(_broadcast(part.argument.evaluate(named), len(bins)), chosen)
        return Sample(value, counts[chosen])

    def _read_counts(self, point: int, histogram: str) -> tuple[np.ndarray[Any, Any], ...]:
        """Regime, bin, count, and the measure's extremes in the regime, for each cell that is not empty."""
        pieces = []
        for table in self._reader.counts(point):
            measure = table["measure"].combine_chunks()
            mine = measure.indices.to_numpy() == measure.dictionary.to_pylist().index(histogram)
            pieces.append([table[name].to_numpy()[mine] for name in ("regime", "bin", "count", "low", "high")])
        regime, bins, counts, low, high = map(np.concatenate, zip(*pieces, strict=True))
        return regime, bins.astype(np.int64), counts, low, high


def _value(column: pa.ChunkedArray) -> Value:
    if pa.types.is_dictionary(column.type):
        whole = column.combine_chunks()
        return Texts(whole.indices.to_numpy(), tuple(whole.dictionary.to_pylist()))
    if pa.types.is_boolean(column.type):
        return decided(column.to_numpy())
    return known(column.to_numpy())


def _broadcast(value: Value, length: int) -> Numbers | Truths:
    match value:
        case Numbers(low, high):
            wide = np.broadcast_to(low, length)
            return Numbers(wide, wide if value.exact else np.broadcast_to(high, length))
        case Truths(surely, possibly):
            return Truths(np.broadcast_to(surely, length), np.broadcast_to(possibly, length))
    raise AssertionError(value)


def _take(value: Numbers | Truths, chosen: np.ndarray[Any, Any]) -> Numbers | Truths:
    if isinstance(value, Truths):
        return Truths(value.surely[chosen], value.possibly[chosen])
    low = value.low[chosen]
    return Numbers(low, low if value.exact else value.high[chosen])


def _selected(part: Part, named: dict[str, Value], length: int) -> Numbers | Truths:
    value = _broadcast(part.argument.evaluate(named), length)
    if not part.given:
        return value
    return _take(value, np.broadcast_to(part.given.truth(named, "given").surely, length))


def _joined(found: Sequence[Numbers | Truths]) -> Numbers | Truths:
    if all(isinstance(value, Truths) for value in found):
        truths = [value for value in found if isinstance(value, Truths)]
        return Truths(*(np.concatenate([getattr(each, end) for each in truths]) for end in ("surely", "possibly")))
    return known(np.concatenate([value.low for value in found if isinstance(value, Numbers)]))


class _Judge:
    """One claim against a run."""

    def __init__(self, claim: Claim, evidence: _Evidence) -> None:
        self.claim, self.evidence = claim, evidence
        self.statistic, self.prediction = claim.estimated, claim.prediction
        self.points = chosen_points(claim, evidence.of_points, evidence.total)

    def rows(self) -> list[dict[str, Any]]:
        """What is known of each point."""
        match self.prediction:
            case Comparison() as comparison:
                return list(self._compared(comparison))
            case Ordering() as ordering:
                return list(self._ordered(ordering))

    def _compared(self, comparison: Comparison) -> Iterator[dict[str, Any]]:
        errors = (ERROR, ERROR / len(self.points))
        numbers = predicted(comparison, self.evidence.of_points, self.evidence.total)
        for point in self.points:
            found = self._estimate(int(point), errors)
            verdict = comparison.verdict(float(numbers[point]), self.claim.tolerance, *found.intervals)
            room = comparison.room(float(numbers[point]), self.claim.tolerance, found.intervals[0])
            yield _row(point, found, found.intervals[1], verdict, room) | {"predicted": float(numbers[point])}

    def _ordered(self, ordering: Ordering) -> Iterator[dict[str, Any]]:
        chains = points.chains(self.evidence.axes, ordering.axis, self.points)
        steps = sum(len(chain) - 1 for chain in chains)
        for chain in chains:
            found, taken = [], []
            for estimate, step in self._along(chain, (ERROR, ERROR / steps)):
                found.append(estimate)
                if step:
                    verdict = ordering.verdict(self.claim.tolerance, *step)
                    taken.append((VERDICTS.index(verdict), -ordering.room(step[0]), verdict, step[1]))
            for number, point in enumerate(chain):
                # the worse one of the steps to this point and from it
                _, short, verdict, corrected = max(taken[max(0, number - 1) : number + 1])
                yield _row(point, found[number], corrected, verdict, -short) | {"predicted": np.nan}

    def _along(
        self, chain: points.Indices, errors: Sequence[float]
    ) -> Iterator[tuple[Estimate, tuple[Bounds, ...] | None]]:
        """The estimate at each point of a chain, and the intervals of the step to it."""
        paired = self._paired()
        before: tuple[Estimate, Sample | None] | None = None
        for point in map(int, chain):
            # of a step between two estimates each has half the chance of error
            estimate = self._estimate(point, [ERROR, *(error / 2 for error in errors)])
            sample = self.evidence.row_sample(paired, point) if paired else None
            step: tuple[Bounds, ...] | None = None
            if before and paired and sample and before[1]:
                bounds = self.evidence.names.bounds(paired)
                step = estimates.paired_step(before[1], sample, bounds, errors)
            elif before:
                step = estimates.step(before[0], estimate)[1:]
            yield estimate, step
            before = estimate, sample

    def _paired(self) -> Part | None:
        """The part of which the same draws can be compared at two points, if there is one."""
        part = self.statistic.parts[0]
        alone = self.statistic.is_plain and part.given is None and part.function in ("share", "mean")
        return part if alone and self.evidence.names.rows else None

    def _estimate(self, point: int, errors: Sequence[float]) -> Estimate:
        parts = self.statistic.parts
        found = [
            estimates.estimate(
                part,
                self.evidence.sample(part, point),
                self.evidence.names.bounds(part),
                [error / len(parts) for error in errors],
            )
            for part in parts
        ]
        return estimates.combine(self.statistic, found, self.evidence.at(point))


def _row(point: Any, found: Estimate, corrected: Bounds, verdict: Verdict, room: float) -> dict[str, Any]:
    return {
        "point": int(point),
        "estimate": found.value,
        "low": found.intervals[0].low,
        "high": found.intervals[0].high,
        "verdict": verdict,
        "draws": found.draws,
        "corrected_low": corrected.low,
        "corrected_high": corrected.high,
        "room": room,
    }


def judge(spec: Spec, path: str | os.PathLike[str]) -> pa.Table:
    """The verdicts on all claims of a spec, from a run that has all its draws. Raises Damaged, DiskError."""
    evidence = _Evidence(spec, path)
    rows = []
    for number, claim in enumerate(spec.claim):
        judged = _Judge(claim, evidence).rows()
        about = {"claim": number, "text": claim.text, "source": claim.source or "", "tolerance": claim.tolerance}
        about |= {"statistic": claim.statistic.strip(), "predicts": claim.predicts.strip()}
        verdict = worst(row["verdict"] for row in judged)
        decisive = min((row for row in judged if row["verdict"] == verdict), key=lambda row: row["room"])
        about["claim_verdict"] = verdict
        in_order = sorted(judged, key=lambda row: row["point"])
        rows += [about | row | {"decides": row is decisive} for row in in_order]
    columns = {field.name: [row[field.name] for row in rows] for field in SCHEMA if field.type != _VERDICT}
    table = {name: pa.array(values, SCHEMA.field(name).type) for name, values in columns.items()}
    for name in ("verdict", "claim_verdict"):
        codes = np.array([VERDICTS.index(row[name]) for row in rows], np.int8)
        table[name] = pa.DictionaryArray.from_arrays(codes, pa.array(VERDICTS))
    return pa.table([table[name] for name in SCHEMA.names], schema=SCHEMA.with_metadata(_said(spec)))


def no_claims() -> pd.DataFrame:
    """The table of verdicts for a spec without claims."""
    frame: pd.DataFrame = SCHEMA.empty_table().to_pandas()
    return frame


def _said(spec: Spec) -> dict[str, str]:
    """What the table says of itself: which claims were judged."""
    claims = [claim.model_dump(mode="json", exclude_none=True) for claim in spec.claim]
    return {"PANDAS_ATTRS": json.dumps({"claims": claims}, sort_keys=True)}


def is_judged(spec: Spec, path: str | os.PathLike[str]) -> bool:
    """Whether a run holds the verdicts on just these claims. Raises NotARun, Damaged, DiskError."""
    try:
        stored = read_table(path, VERDICTS_TABLE)
    except NotThere:
        return not spec.claim
    said: dict[str, Any] = json.loads(_said(spec)["PANDAS_ATTRS"])
    return stored.attrs == said


def write_verdicts(spec: Spec, directory: RunDirectory) -> None:
    """Judge the claims of a spec by a run that has all its draws, and write down which claims these were."""
    directory.write_spec(spec.normalised(folder=directory.path))
    directory.write_table(VERDICTS_TABLE, judge(spec, directory.path))
