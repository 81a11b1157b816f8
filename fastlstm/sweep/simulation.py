"""One point of a spec, ready to compute: from draw numbers to columns."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlstm import measures
from fastlstm.kernel.inputs import source
from fastlstm.kernel.lanes.simd import LANES
from fastlstm.kernel.random import distributions, stream_word
from fastlstm.kernel.simulate import (
    ColumnArrays,
    allocate_columns,
    build_simulation,
    memory_for,
    setting,
    suspects,
)
from fastlstm.kernel.suspicion import AFTER, from_type
from fastlstm.names import PARAMETERS, STATE
from fastlstm.spec import Point, Spec
from fastlstm.spec.distributions import Distribution
from fastlstm.spec.sections import Delay
from fastlstm.sweep.blocks import Blocks
from fastlstm.threads import once_a_thread

BLOCK = 65_536
_COLUMNS = Blocks()  # of all points
_STEPS_AT_ONCE = 2**24  # a thread answers to signals within a fraction of a second

Columns = Mapping[str, NDArray[Any]]


def _entry(distribution: Distribution | Any) -> tuple[Any, ...]:
    """A distribution of the spec as the kernel takes it."""
    return distribution.name, *distribution.arguments


class Draw(NamedTuple):
    """One draw: params (14,), numbers h0 and C0, x and target (steps,), the first step with a loss, its measures.

    Steps count from 0. `target` is NaN where there is none. A strained draw may leave the range of its type, so that
    it is computed again: one of float32 in float64.
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
        self.groups = spec.measure.computed if groups is None else groups
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
            window=spec.measure.window or 1,
            **targets,
        )
        self._seed = np.uint64(spec.seed)
        self._stream = np.uint32(stream_word(point.index, common=spec.common))
        self._options = (self.dtype, self.stored, process.process, loss.kind, loss.readout, target, self.groups)
        self._scratch = {
            arithmetic: once_a_thread(partial(memory_for, self.dtype, self.groups, point.steps, arithmetic))
            for arithmetic in from_type(self.dtype)
        }  # a thread's memory for what is drawn, and for the passes

    def columns(self, first_draw: int, draws: int) -> dict[str, NDArray[Any]]:
        """The drawn values, and all measures of the groups, of some consecutive draws.

        Gate shares, and the norms of the state adjoints, are there whatever the groups: regimes need them.
        What may have left the range of plain numbers is computed again, see kernel/suspicion.py.
        """
        return self._by_name(self._settled(np.arange(first_draw, first_draw + draws, dtype=np.uint64), self.dtype))

    def _by_name(self, filled: Any) -> dict[str, NDArray[Any]]:
        columns = dict(zip((*PARAMETERS, *STATE), filled.values, strict=True))
        for group in measures.GROUPS:
            rows = getattr(filled, group)
            if len(rows):
                names = (measure.name for measure in measures.group(group, self.point.steps))
                columns |= dict(zip(names, rows, strict=True))
        return columns

    def _settled(self, numbers: NDArray[np.uint64], arithmetic: str) -> Any:
        """The columns of draws; what is suspect, a draw or a group of it, is that of the arithmetic after this one."""
        filled = self.computed(numbers, arithmetic)
        rare = np.flatnonzero(filled.suspect.any(axis=0))
        if len(rare):
            exact = self._settled(numbers[rare], AFTER[arithmetic])
            suspect = dict(zip(suspects(self.groups)._fields, filled.suspect[:, rare] != 0.0, strict=True))
            for group in measures.GROUPS:
                lost = suspect["draw"] | suspect.get(group, False)
                getattr(filled, group)[:, rare[lost]] = getattr(exact, group)[:, lost]
        return filled

    def computed(self, numbers: NDArray[np.uint64], arithmetic: str) -> Any:
        """The columns of draws of any numbers in one arithmetic, one of kernel/suspicion.py."""
        padded = np.concatenate([numbers, np.zeros(-len(numbers) % LANES, np.uint64)])
        filled = allocate_columns(self.stored, len(padded), self.groups, self.point.steps, _COLUMNS.lend)
        fill = build_simulation(*self._options, arithmetic)
        fill(
            self._seed, self._stream, padded, self.point.steps,
            self._table, self._setting, *self._scratch[arithmetic](), filled,
        )  # fmt: skip
        return ColumnArrays(*(rows[:, : len(numbers)] for rows in filled))

    def compile(self) -> None:
        """Have the kernels ready, which all points share: for plain numbers, and for draws that leave their range."""
        for arithmetic in from_type(self.dtype):
            build_simulation(*self._options, arithmetic)

    def make(self, draw: int) -> Draw:
        """The parameters, state, inputs and targets of one draw, and its measures, as `columns` makes them."""
        filled = self._settled(np.array([draw], np.uint64), self.dtype)
        drawn, _ = self._scratch[self.dtype]()  # its lane 0 is the draw
        return Draw(
            params=drawn.values[: len(PARAMETERS), 0].copy(),
            h0=drawn.values[len(PARAMETERS), 0],
            C0=drawn.values[len(PARAMETERS) + 1, 0],
            x=drawn.x[:, 0].copy(),
            target=self._target(drawn.target[:, 0]),
            first_loss_step=self.first_loss_step,
            measures={name: column[0] for name, column in self._by_name(filled).items()},
            strained=bool(filled.suspect[suspects(self.groups)._fields.index("draw"), 0]),
        )

    def _target(self, rows: NDArray[Any]) -> NDArray[Any]:
        target = rows.copy()
        target[: self.first_loss_step if self.has_target else None] = np.nan
        return target


def slice_size(spec: Spec, steps: int) -> int:
    """How many draws to hand to a thread at once: a block, or fewer where they are long."""
    return max(LANES, min(BLOCK, _STEPS_AT_ONCE // steps // LANES * LANES))
