"""The claims of a spec, judged by the draws of its run: one row for each claim and point. See docs/claims.md."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fastlstm.claims import grid as points
from fastlstm.claims.prediction import VERDICTS, Comparison, Ordering, Verdict, worst
from fastlstm.claims.statistic import Term
from fastlstm.claims.values import Bounds
from fastlstm.intervals import ERROR
from fastlstm.spec import Spec
from fastlstm.spec.claims import Claim, chosen_points, predicted
from fastlstm.store import CLAIMS_TABLE, NotThere, RunDirectory, read_table, status
from fastlstm.verdicts import estimates
from fastlstm.verdicts.estimates import Estimate, Sample
from fastlstm.verdicts.samples import Evidence

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


class _Judge:
    """One claim against a run."""

    def __init__(self, claim: Claim, evidence: Evidence) -> None:
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
        errors = (ERROR, ERROR, ERROR / len(self.points))  # to be shown, and to hold and to fail by
        numbers = predicted(comparison, self.evidence.of_points, self.evidence.total)
        for point in self.points:
            estimate = self._estimate(int(point), errors)
            verdict = comparison.verdict(float(numbers[point]), self.claim.tolerance, *estimate.intervals[1:])
            room = comparison.room(float(numbers[point]), self.claim.tolerance, estimate.intervals[1])
            yield _row(point, estimate, estimate.intervals[2], verdict, room) | {"predicted": float(numbers[point])}

    def _ordered(self, ordering: Ordering) -> Iterator[dict[str, Any]]:
        chains = points.chains(self.evidence.axes, ordering.axis, self.points)
        steps = sum(len(chain) - 1 for chain in chains)
        for chain in chains:
            estimates, taken = [], []
            for estimate, step in self._along(chain, (ERROR, ERROR / steps)):
                estimates.append(estimate)
                if step:
                    verdict = ordering.verdict(self.claim.tolerance, *step)
                    taken.append((VERDICTS.index(verdict), -ordering.room(step[0]), verdict, step[1]))
            for number, point in enumerate(chain):
                # the worse one of the steps to this point and from it
                _, short, verdict, corrected = max(taken[max(0, number - 1) : number + 1])
                yield _row(point, estimates[number], corrected, verdict, -short) | {"predicted": np.nan}

    def _along(
        self, chain: points.Indices, errors: Sequence[float]
    ) -> Iterator[tuple[Estimate, tuple[Bounds, ...] | None]]:
        """The estimate at each point of a chain, and the intervals of the step to it."""
        paired = self._paired()
        before: tuple[Estimate, Sample | None] | None = None
        for point in map(int, chain):
            # of a step between two estimates each has half the chance of error
            estimate = self._estimate(point, [ERROR, *(error / 2 for error in errors)])
            sample = self.evidence.in_rows(paired, point) if paired else None
            step: tuple[Bounds, ...] | None = None
            if before and paired and sample and before[1] and sample.draws == before[1].draws > 0:
                bounds = self.evidence.names.bounds(paired)
                step = estimates.paired_step(before[1], sample, bounds, errors)
            elif before:
                step = estimates.step(before[0], estimate)[1:]
            yield estimate, step
            before = estimate, sample

    def _paired(self) -> Term | None:
        """The term of which the same draws can be compared at two points, if there is one."""
        term, names = self.statistic.terms[0], self.evidence.names
        alone = self.statistic.is_plain and term.given is None and term.function in ("share", "mean")
        # counts know all draws: where fewer have rows, pairs of these say less
        return term if alone and names.has_rows and (names.histogram(term) is None or self.evidence.all_rows) else None

    def _estimate(self, point: int, errors: Sequence[float]) -> Estimate:
        terms = self.statistic.terms
        of_terms = [
            estimates.estimate(
                term,
                self.evidence.sample(term, point),
                self.evidence.names.bounds(term),
                [error / len(terms) for error in errors],
            )
            for term in terms
        ]
        return estimates.combine(self.statistic, of_terms, self.evidence.at(point))


def _row(point: Any, estimate: Estimate, corrected: Bounds, verdict: Verdict, room: float) -> dict[str, Any]:
    return {
        "point": int(point),
        "estimate": estimate.value,
        "low": estimate.intervals[0].low,
        "high": estimate.intervals[0].high,
        "verdict": verdict,
        "draws": estimate.draws,
        "corrected_low": corrected.low,
        "corrected_high": corrected.high,
        "room": room,
    }


def judge(spec: Spec, path: str | os.PathLike[str]) -> pa.Table:
    """The verdicts on all claims of a spec, by the draws that a run has. Raises Damaged, DiskError."""
    evidence = Evidence(spec, path)
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
    attributes = json.dumps(_table_attributes(spec, status(path).draws), sort_keys=True)
    return pa.table([table[name] for name in SCHEMA.names], schema=SCHEMA.with_metadata({"PANDAS_ATTRS": attributes}))


def no_claims() -> pd.DataFrame:
    """The table of verdicts for a spec without claims."""
    frame: pd.DataFrame = SCHEMA.empty_table().to_pandas()
    return frame


def edited_since(spec: Spec, verdicts: pd.DataFrame) -> str:
    """What to tell of verdicts on other claims than the spec has now; empty if they are on these."""
    as_written = _as_written(spec)
    if verdicts.attrs.get("claims", as_written) == as_written:
        return ""
    return "The claims were edited since they were judged; run the spec again to judge them."


def judge_claims(spec: Spec, directory: RunDirectory) -> None:
    """Judge the claims of a spec by the draws that a run has, unless that is done, and write down which these were.

    Whatever is written leaves the run unfinished. Raises Damaged, DiskError.
    """
    directory.write_spec(spec.normalised(folder=directory.path))
    if not _are_judged(spec, directory.path):
        directory.write_table(CLAIMS_TABLE, judge(spec, directory.path))


def _are_judged(spec: Spec, path: Path) -> bool:
    try:
        stored = read_table(path, CLAIMS_TABLE)
    except NotThere:
        return not spec.claim
    attributes: dict[str, Any] = _table_attributes(spec, status(path).draws)
    return stored.attrs == attributes


def _table_attributes(spec: Spec, draws: int) -> dict[str, Any]:
    """The attributes of the table: the claims that were judged, and on how many draws."""
    attributes = {"claims": _as_written(spec), "draws": draws}
    total = spec.draws * len(spec.points())
    return attributes if draws == total else attributes | {"incomplete": {"draws": draws, "of": total}}


def _as_written(spec: Spec) -> list[dict[str, Any]]:
    return [claim.model_dump(mode="json", exclude_none=True) for claim in spec.claim]
