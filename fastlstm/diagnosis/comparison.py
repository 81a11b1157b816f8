"""How somebody's numbers lie beside the right ones, before and after any search."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastlstm.diagnosis.bench import Bench, off
from fastlstm.diagnosis.layouts import Layout, layouts
from fastlstm.diagnosis.mistake import BOOK
from fastlstm.diagnosis.outputs import columns, computed, label
from fastlstm.diagnosis.probes import Probe
from fastlstm.diagnosis.verdict import Departure
from fastlstm.oracles.naive import Array

_CLEARER = 6  # so many more columns must agree in another order than in the one that was assumed


@dataclass(frozen=True)
class Agreement:
    """The answers of a function beside the right columns; tolerance: how well a column agrees."""

    bench: Bench
    answers: Sequence[Array]
    tolerance: float

    def distances(self, n: int) -> Array:
        """(columns,): how far each column of probe n is off."""
        right: Array = off(self.bench.single_columns[n][0], self.answers[n])
        return right

    def departure(self) -> Departure | None:
        """The first column that departs: on the shortest probe, in the order of the outputs."""
        for n, probe in enumerate(self.bench.probes):
            distances = self.distances(n)
            wrong = np.flatnonzero(distances > self.tolerance)
            if len(wrong):
                name, t = columns(self.bench.names, probe.steps)[wrong[0]]
                output = label(name) if t is None else f"{name}_{t}"
                return Departure(output, probe.steps, float(distances[wrong[0]]))
        return None

    def described(self) -> str:
        """Where the numbers agree and where they depart, in a sentence or two."""
        agreeing = []
        for n, probe in enumerate(self.bench.probes):
            wrong = self.distances(n) > self.tolerance
            if not wrong.any():
                agreeing.append(f"T = {probe.steps}")
                continue
            names = [name for name, _ in columns(self.bench.names, probe.steps)]
            departing = list(dict.fromkeys(label(name) for name, bad in zip(names, wrong, strict=True) if bad))
            good = [label(name) for name in self.bench.names if label(name) not in departing]
            start = f"{' and '.join(agreeing)}: all agree. " if agreeing else ""
            rest = f"; {', '.join(good)} agree" if good else ""
            departs = self.departure()
            assert departs is not None
            return (
                f"{start}At T = {probe.steps}, {len(departing)} of {len(self.bench.names)} outputs depart, "
                f"{departs.output} by {departs.distance:.2g} of its size{rest}."
            )
        return "All outputs agree."

    def suspects(self) -> list[str]:
        """The formulas whose known mistakes depart in the same columns: where to look."""
        right = [columns[0] for columns in self.bench.single_columns]
        shapes = [off(columns, right[n]) > self.tolerance for n, columns in enumerate(self.bench.single_columns)]
        for n in range(len(self.answers)):
            wrong = self.distances(n) > self.tolerance
            if wrong.any():
                alike = (shapes[n] & wrong).sum(axis=1) / np.maximum((shapes[n] | wrong).sum(axis=1), 1)
                alike = np.where(np.any([shape.any(axis=1) for shape in shapes[:n]], axis=0), 0, alike) if n else alike
                best = [self.bench.singles[at] for at in np.flatnonzero(alike >= max(0.99 * alike.max(), 0.2))]
                named = [
                    formula for candidate in best for mistake in candidate.mistakes for formula in mistake.formulas
                ]
                return sorted(dict.fromkeys(named), key=lambda formula: (-named.count(formula), formula))[:5]
        return []

    def factor(self) -> list[float] | None:
        """The one factor between all columns and the right ones, for each probe; None where there is none."""
        factors = []
        for n, answers in enumerate(self.answers):
            right = self.bench.single_columns[n][0]
            factor = float((answers * right).sum() / (right * right).sum()) if right.any() else 0.0
            if factor == 0 or off(factor * right, answers).max() > self.tolerance:
                return None
            factors.append(factor)
        return factors

    def returned_order(self) -> Layout | None:
        """The order in which the right 14 are returned, if they are permuted."""
        for layout in layouts()[1:]:
            places = layout.places
            if all(
                off(self.bench.single_columns[n][0][:, places], answers).max() < self.tolerance
                for n, answers in enumerate(self.answers)
            ):
                return layout
        return None

    def own_order(self, *, in_one_array: bool) -> Layout | None:
        """The order in which a function seems to read the 14, and to return them if it returns one array."""
        agreeing: dict[Layout, int] = {}
        for layout in layouts():
            places = np.array(layout.places)
            agreeing[layout] = 0
            for probe, answers in zip(self.bench.probes, self.answers, strict=True):
                read = Probe(probe.params[:, np.argsort(places)], *probe[1:])
                with np.errstate(all="ignore"):
                    values = computed(read, self.bench.names, BOOK)
                values = values[:, places] if in_one_array else values
                agreeing[layout] += int((off(values, answers) < self.tolerance).sum())
        best = max(agreeing, key=lambda layout: agreeing[layout])
        own = next(iter(agreeing.values()))
        whole = agreeing[best] == sum(answers.shape[1] for answers in self.answers)
        return best if best != Layout() and (whole or agreeing[best] >= own + _CLEARER) else None
