"""What every candidate of the catalogue makes of the probes: computed once for the outputs that somebody asks about."""

from collections.abc import Iterable
from functools import cached_property, lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from fastlstm.diagnosis.catalogue import CATALOGUE
from fastlstm.diagnosis.mistake import RIGHT, Mistake, compose
from fastlstm.diagnosis.outputs import OUTPUTS, Kind, computed, computed_column, differentiated, forward_pass
from fastlstm.diagnosis.probes import Takes, ordinary_probes
from fastlstm.oracles.naive import Array, Quantities

ROUNDING = 1e-9  # two candidates that differ by less have the same numbers; the twin's own error is 1e-15


class Candidate(NamedTuple):
    """Some mistakes made together; differentiated: of the forward pass, with the gradients right for it."""

    ids: tuple[str, ...] = ()
    differentiated: bool = False

    @property
    def mistakes(self) -> list[Mistake]:
        """Its mistakes, from the catalogue."""
        return [CATALOGUE[id] for id in self.ids]


def off(candidates: Array, answers: Array) -> Array:
    """How far each column (last axis) is from the answers: the largest difference of a draw, relative to the largest
    entry of the column in either. What is no number is infinitely far."""
    size = np.maximum(np.abs(candidates).max(-2), np.abs(answers).max(-2))
    gap = np.abs(candidates - answers).max(-2)
    relative: Array = np.nan_to_num(gap / np.where(size > 0, size, 1), nan=np.inf)
    return relative


class Bench:
    """The candidates for some outputs of functions that take some arguments."""

    def __init__(self, kind: Kind, takes: Takes, names: tuple[str, ...], *, batched: bool) -> None:
        self.kind, self.names, self.probes = kind, names, ordinary_probes(takes)
        self.differentiable = kind == "gradients" and all(name not in _NOT_DIFFERENTIATED for name in names)
        self.ids = tuple(
            id
            for id, mistake in CATALOGUE.items()
            if (mistake.is_forward or kind == "gradients") and (batched or id != "S./D")
        )
        self._traces: dict[tuple[int, tuple[tuple[str, str], ...]], Quantities] = {}

    def columns(self, candidate: Candidate, n: int) -> Array | None:
        """(draws, columns) of probe n; None where the mistakes exclude each other."""
        lines = compose(candidate.mistakes)
        return None if lines is None else self.computed(lines, n, differentiated_=candidate.differentiated)

    def computed(self, lines: dict[str, str], n: int, *, differentiated_: bool = False) -> Array:
        """(draws, columns) of probe n from the lines that differ from the table."""
        probe = self.probes[n]
        with np.errstate(all="ignore"):
            if differentiated_:
                return differentiated(probe, self.names, lines)
            return computed(probe, self.names, lines, self._trace(lines, n))

    def column(self, lines: dict[str, str], n: int, name: str, t: int | None) -> Array:
        """(draws,): one column of probe n, of step t where it has steps."""
        with np.errstate(all="ignore"):
            return computed_column(self.probes[n], name, t, lines, self._trace(lines, n))

    def _trace(self, lines: dict[str, str], n: int) -> Quantities:
        """The forward pass of a table, kept: most mistakes leave it as it is."""
        key = n, tuple((name, line) for name, line in lines.items() if name in _FORWARD)
        if key not in self._traces:
            if len(self._traces) > 2000:  # bounded, for long sessions
                self._traces.clear()
            with np.errstate(all="ignore"):
                self._traces[key] = forward_pass(self.probes[n], lines)
        return self._traces[key]

    @cached_property
    def singles(self) -> list[Candidate]:
        """The right gradients, every mistake alone, and every wrong forward pass with its own gradients."""
        ahead = [id for id in self.ids if CATALOGUE[id].is_forward] if self.differentiable else []
        return [Candidate(), *(Candidate((id,)) for id in self.ids), *(Candidate((id,), True) for id in ahead)]

    @cached_property
    def single_columns(self) -> list[Array]:
        """For each probe (singles, draws, columns)."""
        every = range(len(self.probes))
        return [np.array([self.columns(candidate, n) for candidate in self.singles]) for n in every]

    @cached_property
    def pairs(self) -> tuple[list[Candidate], Array]:
        """Every two mistakes that do not exclude each other, and (pairs, draws, columns) of the shortest probe."""
        candidates, columns = [], []
        for candidate in _pairs(self.singles):
            values = self.columns(candidate, 0)
            if values is not None:
                candidates.append(candidate)
                columns.append(values)
        return candidates, np.array(columns)


def _pairs(singles: Iterable[Candidate]) -> Iterable[Candidate]:
    for one, other in combinations([single for single in singles if single.ids], 2):
        if one.differentiated == other.differentiated:
            yield Candidate((*one.ids, *other.ids), one.differentiated)


_FORWARD = {name for name in RIGHT if name in "fiogChy" or name.startswith("z_")}
_NOT_DIFFERENTIATED = {
    name for name in OUTPUTS["gradients"] if name.startswith(("dh", "dC", "df", "di", "do", "dg", "dz"))
}


@lru_cache(maxsize=8)
def bench_for(kind: Kind, takes: Takes, names: tuple[str, ...], batched: bool) -> Bench:
    """The bench of one kind of function, made once."""
    return Bench(kind, takes, names, batched=batched)
