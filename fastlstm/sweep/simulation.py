"""One point of a spec, ready to compute: from draw numbers to columns."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlstm import measures
from fastlstm.kernel.drawing import build_drawing, sources
from fastlstm.kernel.forward_pass import Terms
from fastlstm.kernel.inputs import source
from fastlstm.kernel.lanes.jit import address_of
from fastlstm.kernel.lanes.simd import lanes_of
from fastlstm.kernel.lstm import LOSSES, READOUTS
from fastlstm.kernel.passes import memory_kind
from fastlstm.kernel.random import stream_word
from fastlstm.kernel.simulate import (
    ColumnArrays,
    allocate_columns,
    build_simulation,
    memory_for,
    suspects,
    with_always,
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
        self._sources = sources(
            spec.seed,
            stream_word(point.index, common=spec.common),
            [_entry(d) for d in (*point.params, point.h, point.C)],
            source(**process.source(point.steps)),
            **targets,
        )
        self._terms = Terms(
            point.steps,
            LOSSES[loss.kind],
            READOUTS[loss.readout],
            self.first_loss_step,
            float(spec.measure.saturation),
            spec.measure.window or 1,
        )
        self._computed = with_always(self.groups)
        self._drawing = process.process, target
        self._memory = {
            arithmetic: once_a_thread(partial(memory_for, self.dtype, self._computed, point.steps, arithmetic))
            for arithmetic in from_type(self.dtype)
        }  # of each thread

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
            with np.errstate(over="ignore"):  # beyond the type stored is inf
                for group in measures.GROUPS:
                    lost = suspect["draw"] | suspect.get(group, False)
                    getattr(filled, group)[:, rare[lost]] = getattr(exact, group)[:, lost]
        return filled

    def computed(self, numbers: NDArray[np.uint64], arithmetic: str) -> Any:
        """The columns of draws of any numbers in one arithmetic, one of kernel/suspicion.py."""
        padded = np.concatenate([numbers, np.zeros(-len(numbers) % lanes_of(self.dtype), np.uint64)])
        draw, fill = self._kernels(arithmetic)
        filled = allocate_columns(
            self._stored_by(arithmetic), len(padded), self._computed, self.point.steps, _COLUMNS.lend
        )
        fill(address_of(draw), self._sources, padded, self._terms, *self._memory[arithmetic](), filled)
        return ColumnArrays(*(rows[:, : len(numbers)] for rows in filled))

    def compile(self) -> None:
        """Have the kernels ready, which all points share: for plain numbers, and for draws that leave their range."""
        for arithmetic in from_type(self.dtype):
            self._kernels(arithmetic)

    def _kernels(self, arithmetic: str) -> tuple[Any, Any]:
        """What draws and what computes; all runs share the second where draws are computed again."""
        computed, _ = memory_kind(arithmetic)
        return (
            build_drawing(self.dtype, computed, *self._drawing),
            build_simulation(self._stored_by(arithmetic), self._computed, arithmetic),
        )

    def _stored_by(self, arithmetic: str) -> str:
        """The type of the columns; what is computed again is rounded to it later."""
        return self.stored if arithmetic == self.dtype else "float64"

    def make(self, draw: int) -> Draw:
        """The parameters, state, inputs and targets of one draw, and its measures, as `columns` makes them."""
        filled = self._settled(np.array([draw], np.uint64), self.dtype)
        _, drawn, _ = self._memory[self.dtype]()
        values, x, target = (rows[0, :, 0] for rows in drawn)  # of the first lane of the first register
        return Draw(
            params=values[: len(PARAMETERS)].copy(),
            h0=values[len(PARAMETERS)],
            C0=values[len(PARAMETERS) + 1],
            x=x.copy(),
            target=self._target(target),
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
    lanes = lanes_of(spec.dtype)
    return max(lanes, min(BLOCK, _STEPS_AT_ONCE // steps // lanes * lanes))
