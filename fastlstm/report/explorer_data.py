"""The table behind the explorer: a row for each point with every statistic of it, its interval and its counts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fastlstm.intervals import wilson
from fastlstm.measures import FLAGS
from fastlstm.report.numbers import label
from fastlstm.report.run_data import RunData
from fastlstm.report.trace import size_of_draws

_Estimate = tuple[float, float, float]  # and the ends of its interval

MOST_BYTES = 900_000  # of the table as JSON
_CELL = 60  # bytes of a statistic at a point


class TooManyPoints(ValueError):
    """The grid has more points than an explorer of two megabytes can hold."""


def statistics(run: RunData) -> list[str]:
    """The names of the statistics, as many as there is room for at all points: shares, claims, then medians."""
    claimed = list(dict.fromkeys(run.claims["statistic"]))
    medians = [f"median({name})" for name, measure in run.measures.items() if measure.resolution is not None]
    names = list(dict.fromkeys([*(f"share({flag})" for flag in FLAGS), *claimed, *medians]))
    room = MOST_BYTES // (_CELL * len(run.points))
    if room < len(FLAGS):
        raise TooManyPoints(f"{len(run.points):,} points are more than an explorer holds; it takes about 7,000")
    return names[:room]


def table(run: RunData) -> tuple[list[str], pd.DataFrame]:
    """The statistics by name, and for the N-th of them the columns eN, lN and hN: estimate and ends of its interval.

    Medians have the quantiles of 5% and 95% in place of the ends, all else 95% intervals.
    """
    names = statistics(run)
    frame = run.points[list(run.axes())].map(label)
    frame.insert(0, "point", frame.index)
    frame["draws"] = [int(run.points.loc[point, "draws"]) for point in frame.index]
    claimed = _claimed(run)
    for number, name in enumerate(names):
        ends = np.array([_at(run, claimed, name, point) for point in frame.index], np.float64)
        for letter, column in zip("elh", ends.T, strict=True):
            frame[f"{letter}{number}"] = column
    for which, draws in _draws(run).items():
        frame[which] = draws
    return names, frame


def _claimed(run: RunData) -> dict[tuple[str, int], _Estimate]:
    """By statistic and point the estimate and the interval of the first claim about both."""
    columns = [run.claims[name].tolist()[::-1] for name in ("statistic", "point", "estimate", "low", "high")]
    return {(name, point): (at, low, high) for name, point, at, low, high in zip(*columns, strict=True)}


def _at(run: RunData, claimed: Mapping[tuple[str, int], _Estimate], name: str, point: int) -> _Estimate:
    flag = name.removeprefix("share(").removesuffix(")")
    if flag in FLAGS and name == f"share({flag})":
        rows = run.regimes[run.regimes["point"] == point]
        hits, draws = int(rows[flag].sum()), int(rows["draws"].sum())
        return (hits / draws, *wilson(hits, draws)) if draws else (np.nan, np.nan, np.nan)
    if (name, point) in claimed:
        return claimed[name, point]
    measure = name.removeprefix("median(").removesuffix(")")
    if measure not in run.measures or run.measures[measure].resolution is None:
        return np.nan, np.nan, np.nan  # a claim that does not speak of this point
    quantiles = run.tally(measure, np.array([point])).quantiles()
    return quantiles[0.5], quantiles[0.05], quantiles[0.95]


def _draws(run: RunData) -> dict[str, list[int]]:
    """For each point its typical, largest and smallest draw, or the first one where there are no rows."""
    sized = size_of_draws(run)
    if sized is None:
        return {"first": [0] * len(run.points)}
    rows, size, _ = sized
    chosen: dict[str, list[int]] = {"typical": [], "largest": [], "smallest": []}
    order = np.lexsort((size, rows["point"]))
    by_point = dict(zip(*_groups(rows["point"][order], order), strict=True))
    for point in run.points.index:
        mine = by_point.get(point, np.zeros(1, np.int64))
        for which, place in (("typical", (len(mine) - 1) // 2), ("largest", -1), ("smallest", 0)):
            chosen[which].append(int(rows["draw"][mine[place]]))
    return chosen


def _groups(points: np.ndarray[Any, Any], order: np.ndarray[Any, Any]) -> tuple[list[int], list[np.ndarray[Any, Any]]]:
    starts = np.flatnonzero(np.diff(points, prepend=-1))
    return [int(points[start]) for start in starts], np.split(order, starts[1:])
