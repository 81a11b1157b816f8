"""More than two mistakes, found one after the other: column after column, from the output backwards.

Backpropagation computes its columns in an order, and the shortest probe shows the fewest mistakes: at T = 1 nothing
comes back from a next step. So the first column that departs is mended by few mistakes, often by one. The ladder keeps
the best sets of mistakes so far, takes the next column that departs, and adds the fewest mistakes that bring it right
and break no column that was right.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fastlstm.diagnosis.bench import Bench, off
from fastlstm.diagnosis.catalogue import CATALOGUE
from fastlstm.diagnosis.mistake import compose
from fastlstm.diagnosis.outputs import OUTPUTS, ancestors, columns
from fastlstm.oracles.naive import Array

WIDTH = 6  # sets that are followed at once
AT_ONCE = 3  # mistakes that are added for one column
MOST_TRIED = 6000  # sets that are tried for one column

Ids = tuple[str, ...]

# What is computed first on the way back stands first: a mistake shows in its own output, and in those after it.
_BACKWARDS = (
    *"yhCgoif", "loss", "b_y", "W_y", "dh", "do", "dz_o", "dC", "dg", "dz_c", "di", "dz_i", "df", "dz_f",
    *(f"{part}{k}" for k in "ocif" for part in ("b_", "W_x", "W_h")), "dx", "h0", "C0",
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A set of mistakes, and how many of all columns agree with it."""

    ids: Ids
    agreeing: int
    columns: int


class Ladder:
    """One climb: over the probes of a bench towards the answers of a function."""

    def __init__(
        self,
        bench: Bench,
        answers: Sequence[Array],
        tolerance: float,
        ids: Iterable[str],
        check_time: Callable[[], None],
    ) -> None:
        self._bench, self._answers, self._tolerance = bench, answers, tolerance
        self._ids, self._check_time = tuple(ids), check_time
        self._lines: dict[Ids, dict[str, str] | None] = {}
        self._columns = [columns(bench.names, probe.steps) for probe in bench.probes]
        self._known: dict[tuple[Ids, int], tuple[Array, Array]] = {}

    def climb(self) -> list[Step]:
        """The sets at the top, the best first. One that differs from a better one in its name alone is left out."""
        sets: list[Ids] = [()]
        for n in range(len(self._answers)):
            sets = self._rung(sets, n)
        pruned = dict.fromkeys(self._pruned(ids) for ids in sets)
        different: dict[tuple[tuple[str, str], ...], Ids] = {}
        for ids in pruned:
            different.setdefault(tuple(sorted((self._composed(ids) or {}).items())), ids)
        columns = sum(answers.shape[1] for answers in self._answers)
        steps = [Step(ids, self._agreeing(ids), columns) for ids in different.values()]
        return sorted(steps, key=lambda step: (-step.agreeing, len(step.ids), self._changed(step.ids)))

    def exchanged(self, ids: Ids, longest: int = -1) -> list[Ids]:
        """The sets with one mistake exchanged for another that agree as well on the probes up to the longest one."""
        probes = range(len(self._answers))[: longest + 1 or None]
        others = {_with(tuple(kept for kept in ids if kept != id), other) for id in ids for other in self._ids}
        alike = []
        for other in sorted(others - {ids}):
            self._check_time()
            if len(set(other)) < len(ids) or self._composed(other) is None:
                continue
            if not any((self._good(ids, n) & ~self._good(other, n)).any() for n in probes):
                alike.append(other)
        return alike

    def _rung(self, sets: list[Ids], n: int) -> list[Ids]:
        """The sets that explain most of one probe, best first; a column that none of them mends is passed over."""
        waiting: dict[Ids, frozenset[int]] = dict.fromkeys(sets, frozenset())
        done: list[Ids] = []
        while waiting and len(done) < WIDTH:
            ids = min(waiting, key=lambda ids: (len(waiting[ids]), -int(self._good(ids, n).sum()), self._changed(ids)))
            passed = waiting.pop(ids)
            target = next((c for c in self._order(n) if not self._good(ids, n)[c] and c not in passed), None)
            if target is None:
                done.append(ids)
                continue
            at_once = min(AT_ONCE - bool(done), max(1, AT_ONCE - len(passed)))  # less effort where more is unexplained
            mended = self._mended(ids, target, n, at_once)
            for more in mended[:WIDTH]:
                waiting.setdefault(more, passed)
            if not mended and not done:
                waiting[ids] = passed | {target}
        # What is alike on this probe may differ on the next: an exchanged mistake may only mend with another one.
        alike = [other for ids in done[:2] for other in self.exchanged(ids, n)]
        return list(dict.fromkeys([*done, *alike]))[: 2 * WIDTH]

    def _mended(self, ids: Ids, target: int, n: int, at_once: int) -> list[Ids]:
        """The set with the fewest more mistakes that bring a column right and break none; all of that size."""
        harmless = self._harmless(ids, n)
        frontier = [ids]
        for _ in range(at_once):
            frontier = self._grown(frontier, harmless, target, n)
            if len(frontier) > MOST_TRIED:
                break
            mended = [grown for grown in frontier if self._mends(grown, target, n) and self._keeps(ids, grown, n)]
            if mended:
                return sorted(mended, key=lambda ids: (-int(self._good(ids, n).sum()), self._changed(ids), ids))
        return []

    def _harmless(self, ids: Ids, n: int) -> list[str]:
        """The mistakes that break no column by themselves: only these are added."""
        more = {id: _with(ids, id) for id in self._ids if id not in ids}
        return [id for id, grown in more.items() if self._composed(grown) is not None and self._keeps(ids, grown, n)]

    def _keeps(self, ids: Ids, grown: Ids, n: int) -> bool:
        """Whether a larger set breaks no column that was right, of this probe and of the shorter ones."""
        self._check_time()
        return not any((self._good(ids, m) & ~self._good(grown, m)).any() for m in range(n + 1))

    def _grown(self, sets: Iterable[Ids], harmless: Iterable[str], target: int, n: int) -> list[Ids]:
        """Every set with one mistake more, in a line that the target column is made of."""
        grown: dict[Ids, None] = {}
        key = OUTPUTS[self._bench.kind][self._columns[n][target][0]]
        for ids in sets:
            self._check_time()
            lines = self._composed(ids)
            assert lines is not None
            needed = ancestors(key, lines, self._bench.probes[n].steps)
            for id in harmless:
                if id not in ids and not needed.isdisjoint(CATALOGUE[id].changes):
                    more = _with(ids, id)
                    if more not in grown and self._composed(more) is not None:
                        grown[more] = None
        return list(grown)

    def _mends(self, ids: Ids, target: int, n: int) -> bool:
        """Whether one column agrees."""
        lines, (name, t) = self._composed(ids), self._columns[n][target]
        assert lines is not None
        values = self._bench.column(lines, n, name, t)
        return bool(off(values[:, None], self._answers[n][:, target, None])[0] < self._tolerance)

    def _pruned(self, ids: Ids) -> Ids:
        """Without the mistakes that explain nothing."""
        for id in sorted(ids, key=lambda id: len(CATALOGUE[id].changes)):
            fewer = tuple(other for other in ids if other != id)
            if self._composed(fewer) is not None and self._agreeing(fewer) >= self._agreeing(ids):
                ids = fewer
        return ids

    def _agreeing(self, ids: Ids) -> int:
        return sum(int(self._good(ids, n).sum()) for n in range(len(self._answers)))

    def _good(self, ids: Ids, n: int) -> Array:
        return self._at(ids, n)[0]

    def _at(self, ids: Ids, n: int) -> tuple[Array, Array]:
        """Which columns of a probe agree, and the values."""
        if (ids, n) not in self._known:
            lines = self._composed(ids)
            assert lines is not None
            values = self._bench.computed(lines, n)
            self._known[ids, n] = off(values, self._answers[n]) < self._tolerance, values
        return self._known[ids, n]

    def _composed(self, ids: Ids) -> dict[str, str] | None:
        if ids not in self._lines:
            self._lines[ids] = compose(CATALOGUE[id] for id in ids)
        return self._lines[ids]

    def _changed(self, ids: Ids) -> int:
        """How many lines differ: of sets that explain the same the plainest is taken."""
        return sum(len(CATALOGUE[id].changes) for id in ids)

    def _order(self, n: int) -> list[int]:
        """The columns of a probe from the output backwards; of one output the last step first."""
        columns = self._columns[n]
        return sorted(range(len(columns)), key=lambda at: (_BACKWARDS.index(columns[at][0]), -(columns[at][1] or 0)))


def _with(ids: Ids, *more: str) -> Ids:
    return tuple(sorted((*ids, *more)))
