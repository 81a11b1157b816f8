"""Two runs held against each other: what differs between their specs, and the same statistics of both."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from fastlstm.claims.expression import ExpressionError
from fastlstm.claims.statistic import Statistic, parse_statistic
from fastlstm.claims.values import Bounds
from fastlstm.intervals import ERROR
from fastlstm.runs import Run
from fastlstm.spec import Spec
from fastlstm.verdicts import estimates
from fastlstm.verdicts.estimates import Estimate
from fastlstm.verdicts.samples import Evidence

_ABOUT = ("title", "claim")  # of a spec, and no part of its content
_USUAL = ("share(vanished)", "share(exploded)", "median(log10_grad)", "median(log10_dC0)", "median(lyapunov_1)")
_DIFFERENCE = ("difference", "low", "high")
COLUMNS = (
    "statistic", "point_a", "point_b", "estimate_a", "low_a", "high_a", "estimate_b", "low_b", "high_b", "difference",
    "low", "high", "paired",
)  # fmt: skip


def differences(a: Spec, b: Spec) -> pd.DataFrame:
    """The keys in which two specs differ, with the value of each; None where a spec has no such key."""
    flat_a, flat_b = (dict(_flat(spec.model_dump(mode="json", exclude=set(_ABOUT)))) for spec in (a, b))
    keys = [key for key in dict.fromkeys([*flat_a, *flat_b]) if flat_a.get(key) != flat_b.get(key)]
    rows = [{"key": key, "a": flat_a.get(key), "b": flat_b.get(key)} for key in keys]
    return pd.DataFrame(rows, columns=["key", "a", "b"], dtype=object)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def compare(a: Run, b: Run) -> pd.DataFrame:
    """One row for each statistic and pair of points, with the columns of COLUMNS; the difference is b minus a.

    The statistics are those of the claims of both runs, and the usual ones, as far as both can answer them. Points
    belong together where they agree on all axes that both runs have. Intervals are of 95%; where the draws are common
    and the statistic is a share or a mean, the difference is that of the same draws in pairs.
    """
    specs = a.spec(), b.spec()
    sides = Evidence(specs[0], a.path), Evidence(specs[1], b.path)
    pairs = list(_points(specs[0], specs[1]))
    common = all(spec.common for spec in specs) and specs[0].seed == specs[1].seed
    rows = []
    for statistic in _statistics(*specs):
        if all(_answers(side, statistic) for side in sides):
            rows += [_row(statistic, sides, pair, common=common) for pair in pairs]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _statistics(a: Spec, b: Spec) -> list[Statistic]:
    texts = dict.fromkeys([claim.estimated.text for claim in (*a.claim, *b.claim)] + list(_USUAL))
    return [parse_statistic(text) for text in texts]


def _answers(side: Evidence, statistic: Statistic) -> bool:
    """Whether a run can answer a statistic."""
    try:
        for part in statistic.terms:
            side.names.check_term(part)
        side.names.check_point_names(statistic.names)
    except ExpressionError:
        return False
    return True


def _points(a: Spec, b: Spec) -> Iterator[tuple[int, int]]:
    """The points of both that agree on their common axes, where these name one point of each."""
    common = [name for name in a.axes() if name in b.axes()]
    keys = [[tuple(point.axes[name] for name in common) for point in spec.points()] for spec in (a, b)]
    for number, key in enumerate(keys[0]):
        if keys[0].count(key) == keys[1].count(key) == 1:
            yield number, keys[1].index(key)


def _row(
    statistic: Statistic, sides: tuple[Evidence, Evidence], pair: tuple[int, int], *, common: bool
) -> dict[str, Any]:
    # of a difference between two estimates each has half the chance of error
    sides_estimated = [
        _estimate(statistic, side, point, (ERROR, ERROR / 2)) for side, point in zip(sides, pair, strict=True)
    ]
    paired = _paired_difference(statistic, sides, pair) if common else None
    if paired is None:
        halves = [Estimate(each.value, each.intervals[1:], each.draws) for each in sides_estimated]
        (interval,) = estimates.step(*halves)
    else:
        interval = paired
    row: dict[str, Any] = {"statistic": statistic.text, "point_a": pair[0], "point_b": pair[1]}
    for name, each in zip("ab", sides_estimated, strict=True):
        row |= {
            f"estimate_{name}": each.value,
            f"low_{name}": each.intervals[0].low,
            f"high_{name}": each.intervals[0].high,
        }
    difference = (
        sides_estimated[1].value - sides_estimated[0].value
        if all(math.isfinite(each.value) for each in sides_estimated)
        else math.nan
    )
    return row | {"difference": difference, "low": interval.low, "high": interval.high, "paired": paired is not None}


def _estimate(statistic: Statistic, side: Evidence, point: int, errors: Sequence[float]) -> Estimate:
    parts = statistic.terms
    of_parts = [
        estimates.estimate(
            part, side.sample(part, point), side.names.bounds(part), [error / len(parts) for error in errors]
        )
        for part in parts
    ]
    return estimates.combine(statistic, of_parts, side.at(point))


def _paired_difference(statistic: Statistic, sides: tuple[Evidence, Evidence], pair: tuple[int, int]) -> Bounds | None:
    """The interval of the mean of the draws' differences; None where there are no pairs."""
    part = statistic.terms[0]
    plain = statistic.is_plain and part.given is None and part.function in ("share", "mean")
    if not plain or not all(side.names.has_rows and side.all_rows for side in sides):
        return None
    samples = [side.in_rows(part, point) for side, point in zip(sides, pair, strict=True)]
    if not samples[0].draws == samples[1].draws > 0:
        return None
    bounds = [side.names.bounds(part) for side in sides]
    both = Bounds(min(each.low for each in bounds), max(each.high for each in bounds))
    (interval,) = estimates.paired_step(samples[0], samples[1], both, (ERROR,))
    return interval


def text(keys: pd.DataFrame, table: pd.DataFrame) -> str:
    """Both tables for a terminal."""
    if keys.empty:
        head = "The specs are the same."
    else:
        head = "\n".join(f"  {row['key']}: {row['a']} -> {row['b']}" for row in keys.to_dict("records"))
        head = f"The specs differ in\n{head}"
    if table.empty:
        return f"{head}\n\nNo statistic and point is common to both."
    columns: dict[str, list[str]] = {name: [name] for name in ("statistic", "point", "A", "B", "B - A", "pairs")}
    for row in table.to_dict("records"):
        a, b = row["point_a"], row["point_b"]
        cells = [row["statistic"], f"{a}" if a == b else f"{a}, {b}"]
        for value, low, high in (("estimate_a", "low_a", "high_a"), ("estimate_b", "low_b", "high_b"), _DIFFERENCE):
            cells.append(f"{row[value]:.4g} [{row[low]:.4g}, {row[high]:.4g}]")
        for column, cell in zip(columns.values(), [*cells, "yes" if row["paired"] else "no"], strict=True):
            column.append(cell)
    aligned = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns.values()]
    lines = ["  ".join(cells).rstrip() for cells in zip(*aligned, strict=True)]
    return "\n".join([head, "", "estimates with 95% intervals", *lines])
