"""Which candidates give somebody's numbers: one mistake, two, and then column by column.

A set of mistakes is stated only where all columns of all probes agree and whatever has other numbers is at least GAP
times farther away. It never is: the own mistake agrees to rounding, and any other is off by some percent of a column.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from fastlstm.diagnosis.bench import ROUNDING, Bench, Candidate, off
from fastlstm.diagnosis.ladder import Ladder, Step
from fastlstm.oracles.naive import Array

GAP = 30.0
COARSEST = 1e-3  # no agreement is stated below this: differences and float32 are finer
_NOISY = 1e-4  # columns agree in a pair, or on the ladder, of a function in float32 or of differences
_SMALLEST = 1e-13

Progress = Callable[[str], None]


class OutOfTime(Exception):
    """The search has used up its time."""


@dataclass(frozen=True)
class Match:
    """The candidates with a function's numbers: `sets` have equal numbers among each other.

    distance: of the farthest column, relative to its largest entry; next_distance: of the nearest other candidate.
    """

    sets: tuple[Candidate, ...]
    distance: float
    next_distance: float


@dataclass
class Search:
    """One search of a bench for the candidates that give `answers`, an array (draws, columns) for each probe."""

    bench: Bench
    answers: Sequence[Array]
    is_single: bool
    deadline: float
    progress: Progress
    leave_out: frozenset[str] = frozenset()  # ids that count as unknown
    partly: tuple[Step, ...] = field(default=(), init=False)  # where the ladder ended, if it did not explain all

    def run(self) -> Match | None:
        """The match with the fewest mistakes, or None. Raises OutOfTime."""
        return self.single() or self.pair() or self.ladder()

    def single(self) -> Match | None:
        """Right, one mistake, or one mistake in a forward pass with its own gradients."""
        allowed = np.array([self._is_allowed(candidate) for candidate in self.bench.singles])
        distance = np.where(allowed, self.single_distances.max(axis=1), np.inf)
        best = int(distance.argmin())
        everything = self.bench.single_columns
        same = np.max([off(columns, columns[best]).max(axis=1) for columns in everything], axis=0) < ROUNDING
        others = distance[allowed & ~same]
        sets = [candidate for candidate, equal in zip(self.bench.singles, allowed & same, strict=True) if equal]
        return _match(sets, float(distance[best]), float(others.min(initial=np.inf)))

    @cached_property
    def single_distances(self) -> Array:
        """(singles, probes): the farthest column."""
        pairs = zip(self.bench.single_columns, self.answers, strict=True)
        return np.array([off(columns, answers).max(axis=1) for columns, answers in pairs]).T

    def pair(self) -> Match | None:
        """Two mistakes: all of them on the shortest probe, and those that agree there on the longer ones."""
        self.progress("trying every two mistakes")
        candidates, columns = self.bench.pairs
        distance = off(columns, self.answers[0]).max(axis=1)
        agreeing: list[tuple[Candidate, float, list[Array]]] = []
        rejected = [np.inf]
        for at in np.argsort(distance):
            if not self._is_allowed(candidates[at]):
                continue
            if distance[at] > self.tolerance:
                rejected.append(float(distance[at]))
                break
            worst, values = float(distance[at]), [columns[at]]
            for n in range(1, len(self.answers)):
                self.check_time()
                more = self.bench.columns(candidates[at], n)
                assert more is not None
                values.append(more)
                worst = max(worst, float(off(more, self.answers[n]).max()))
                if worst > self.tolerance:
                    break
            if worst > self.tolerance:
                rejected.append(worst)
            else:
                agreeing.append((candidates[at], worst, values))
        if not agreeing:
            return None
        _, nearest, best = min(agreeing, key=lambda candidate: candidate[1])
        sets = []
        for candidate, worst, values in agreeing:
            if max(off(one, other).max() for one, other in zip(values, best, strict=True)) < ROUNDING:
                sets.append(candidate)
            else:
                rejected.append(worst)
        return _match(sets, nearest, min(*rejected, float(self.single_distances.max(axis=1).min())))

    def ladder(self) -> Match | None:
        """More than two: column after column, from the output backwards, the shortest probe first."""
        self.progress("three and more mistakes: output by output")
        ids = [id for id in self.bench.ids if id not in self.leave_out]
        ladder = Ladder(self.bench, self.answers, self.tolerance, ids, self.check_time)
        steps = ladder.climb()
        whole = [step for step in steps if step.agreeing == step.columns]
        if not whole:
            self.partly = tuple(steps[:1])
            return None
        sets = [Candidate(ids) for ids in dict.fromkeys([*(s.ids for s in whole), *ladder.exchanged(whole[0].ids)])]
        worst = 0.0
        for n, answers in enumerate(self.answers):
            columns = self.bench.columns(sets[0], n)
            assert columns is not None
            worst = max(worst, float(off(columns, answers).max()))
        return _match(sets, worst, float(self.single_distances.max(axis=1).min()))

    @cached_property
    def tolerance(self) -> float:
        """How well a column agrees: to rounding, unless the function's numbers are coarser than that."""
        if self.is_single:
            return _NOISY
        nearest = min(
            float(off(columns, answers).min())
            for columns, answers in zip(self.bench.single_columns, self.answers, strict=True)
        )
        return ROUNDING if nearest < ROUNDING / 100 else _NOISY

    def check_time(self) -> None:
        """Raise OutOfTime after the deadline, which is one of processor time, so that load changes no verdict."""
        if time.process_time() > self.deadline:
            raise OutOfTime

    def _is_allowed(self, candidate: Candidate) -> bool:
        return self.leave_out.isdisjoint(candidate.ids)


def _match(sets: Sequence[Candidate], distance: float, next_distance: float) -> Match | None:
    if distance > COARSEST or next_distance < GAP * max(distance, _SMALLEST):
        return None
    return Match(tuple(sets), distance, next_distance)
