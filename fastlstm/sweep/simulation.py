"""One point of a spec, ready to compute: from draw numbers to columns."""

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlstm import measures
from fastlstm.kernel.inputs import source
from fastlstm.kernel.lanes.simd import LANES
from fastlstm.kernel.passes import allocate_drawn, allocate_scratch
from fastlstm.kernel.random import distributions, stream_word
from fastlstm.kernel.simulate import allocate_columns, build_simulation, setting
from fastlstm.kernel.suspicion import ARITHMETICS
from fastlstm.names import PARAMETERS, STATE
from fastlstm.spec import Point, Spec
from fastlstm.spec.distributions import Distribution
from fastlstm.spec.sections import Delay

BLOCK = 65_536
_STEPS_AT_ONCE = 2**24  # a thread answers to signals within a fraction of a second

Columns = Mapping[str, NDArray[Any]]


def _entry(distribution: Distribution | Any) -> tuple[Any, ...]:
    """A distribution of the spec as the kernel takes it."""
    return distribution.name, *distribution.arguments


class Draw(NamedTuple):
    """One draw: params (14,), numbers h0 and C0, x and target (steps,), the first step with a loss, its measures.

    Steps count from 0. `target` is NaN where there is none. A strained draw left the range of plain numbers of its
    type, so that its measures are computed in the next larger one.
    """

    params: NDArray[Any]
    h0: Any
    C0: Any
    x: NDArray[Any]
    target: NDArray[Any]
    first_loss_step: int
    measures: dict[str, Any]
    strained: bool


class Simulation:
    """The draws of one point. Threads may share it: each works in memory of its own."""

    def __init__(self, spec: Spec, point: Point, *, groups: tuple[str, ...] | None = None) -> None:
        self.point = point
        self.groups = spec.measure.groups if groups is None else groups
        self.dtype, self.stored = spec.dtype, spec.store.dtype
        process, loss = point.input, point.loss
        target: str = "none"
        targets: dict[str, Any] = {}
        self.first_loss_step = point.steps - 1 if loss.kind == "last" else 0
        if isinstance(loss.target, Delay):
            target, self.first_loss_step = "delay", loss.target.steps
        elif loss.target is not None:
            target, targets = "distribution", {"target": _entry(loss.target)}
        self.has_target = target != "none"
        self._table = distributions([_entry(d) for d in (*point.params, point.h, point.C)])
        self._setting = setting(
            source(**process.source(point.steps)),
            first_loss_step=self.first_loss_step,
            saturation=spec.measure.saturation,
            **targets,
        )
        self._seed = np.uint64(spec.seed)
        self._stream = np.uint32(stream_word(point.index, common=spec.common))
        self._options = (self.dtype, self.stored, process.process, loss.kind, target, self.groups)
        self._memory = threading.local()

    def columns(self, first_draw: int, draws: int) -> dict[str, NDArray[Any]]:
        """The drawn values, and all measures of the groups, of some consecutive draws.

        Gate shares, and the norms of the state adjoints, are there whatever the groups: regimes need them.
        Draws that leave the range of plain numbers are computed again, see kernel/suspicion.py.
        """
        return self._settled(first_draw, draws)[0]

    def _settled(self, first_draw: int, draws: int) -> tuple[dict[str, NDArray[Any]], list[NDArray[np.intp]]]:
        """The columns, and the places of the draws that each arithmetic has found suspect."""
        numbers = np.arange(first_draw, first_draw + draws, dtype=np.uint64)
        first, *others = ARITHMETICS[self.dtype]
        columns, suspect = self.computed(numbers, first)
        found = [np.flatnonzero(suspect)]
        for arithmetic in others:
            places = found[-1]
            if not len(places):
                break
            exact, suspect = self.computed(numbers[places], arithmetic)
            for name, column in columns.items():
                column[places] = exact[name]
            found.append(places[np.flatnonzero(suspect)])
        return columns, found

    def computed(self, draws: NDArray[np.uint64], arithmetic: str) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
        """The columns of draws of any numbers in one arithmetic, and where that is suspect."""
        padded = np.concatenate([draws, np.zeros(-len(draws) % LANES, np.uint64)])
        filled = allocate_columns(self.stored, len(padded), self.groups, self.point.steps)
        fill = build_simulation(*self._options, arithmetic)
        fill(
            self._seed, self._stream, padded, self.point.steps,
            self._table, self._setting, *self._scratch(arithmetic), filled,
        )  # fmt: skip
        columns = dict(zip((*PARAMETERS, *STATE), filled.values[:, : len(draws)], strict=True))
        for group in measures.GROUPS:
            rows = getattr(filled, group)
            if len(rows):
                names = (measure.name for measure in measures.group(group, self.point.steps))
                columns |= dict(zip(names, rows[:, : len(draws)], strict=True))
        return columns, filled.suspect[0, : len(draws)]

    def _scratch(self, arithmetic: str) -> Any:
        """The thread's memory for what is drawn, and for the passes."""
        memory, steps = vars(self._memory), self.point.steps
        if arithmetic not in memory:
            scratch = allocate_scratch(arithmetic, steps)
            memory[arithmetic] = allocate_drawn(self.dtype, steps, scratch), scratch
        return memory[arithmetic]

    def make(self, draw: int) -> Draw:
        """The parameters, state, inputs and targets of one draw, and its measures, as `columns` makes them."""
        columns, suspect = self._settled(draw, 1)
        drawn, _ = self._scratch(self.dtype)  # its lane 0 is the draw
        return Draw(
            params=drawn.values[: len(PARAMETERS), 0].copy(),
            h0=drawn.values[len(PARAMETERS), 0],
            C0=drawn.values[len(PARAMETERS) + 1, 0],
            x=drawn.x[:, 0].copy(),
            target=self._target(drawn.target[:, 0]),
            first_loss_step=self.first_loss_step,
            measures={name: column[0] for name, column in columns.items()},
            strained=bool(len(suspect[0])),
        )

    def _target(self, rows: NDArray[Any]) -> NDArray[Any]:
        target = rows.copy()
        target[: self.first_loss_step if self.has_target else None] = np.nan
        return target


def slice_size(spec: Spec, steps: int) -> int:
    """How many draws to hand to a thread at once: a block, or fewer where they are long."""
    return max(LANES, min(BLOCK, _STEPS_AT_ONCE // steps // LANES * LANES))
