"""One point of a spec, ready to compute: from draw numbers to columns."""

import threading
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlstm import measures
from fastlstm.kernel import draws as plain
from fastlstm.kernel import widened
from fastlstm.kernel.draws import allocate_columns, setting
from fastlstm.kernel.lanes.simd import LANES
from fastlstm.kernel.random import (
    CHOICE,
    CONSTANT,
    LOG_OF_UNIFORM,
    LOGIT_UNIFORM,
    LOGUNIFORM,
    NORMAL,
    ORTHOGONAL,
    TIED,
    TRIANGULAR,
    UNIFORM,
    distributions,
    stream_word,
)
from fastlstm.names import PARAMETERS, STATE
from fastlstm.spec import Point, Spec
from fastlstm.spec.distributions import (
    Choice,
    Chrono,
    Constant,
    Distribution,
    LogitUniform,
    LogUniform,
    Normal,
    Orthogonal,
    Tied,
    Triangular,
    Uniform,
)
from fastlstm.spec.processes import FileInput, SineInput
from fastlstm.spec.sections import Delay

BLOCK = 65_536
_STEPS_AT_ONCE = 2**24  # a thread answers to signals within a fraction of a second

Columns = Mapping[str, NDArray[Any]]

_CODES: dict[type[Distribution], int] = {
    Constant: CONSTANT,
    Normal: NORMAL,
    Uniform: UNIFORM,
    LogUniform: LOGUNIFORM,
    LogitUniform: LOGIT_UNIFORM,
    Triangular: TRIANGULAR,
    Orthogonal: ORTHOGONAL,
}


def law(distribution: Distribution | Any) -> tuple[Any, ...]:
    """A distribution of the spec as the kernel's code and numbers."""
    match distribution:
        case Choice():
            return CHOICE, distribution.values
        case Chrono():
            (t_max,) = distribution.numbers
            return LOG_OF_UNIFORM, 1.0, t_max - 1.0
        case Tied():
            return TIED, PARAMETERS.index(distribution.to), *distribution.numbers
    return _CODES[type(distribution)], *distribution.numbers


class Made(NamedTuple):
    """One draw: params (14,), numbers h0 and C0, x and target (steps,), the steps without a loss, its measures.

    `target` is NaN where there is none.
    """

    params: NDArray[Any]
    h0: Any
    C0: Any
    x: NDArray[Any]
    target: NDArray[Any]
    silent: int
    measures: dict[str, Any]


class Simulation:
    """The draws of one point. Threads may share it: each works in memory of its own."""

    def __init__(self, spec: Spec, point: Point, *, groups: tuple[str, ...] | None = None) -> None:
        self.point = point
        self.groups = spec.measure.groups if groups is None else groups
        self.dtype, self.stored = spec.dtype, spec.store.dtype
        process, loss = point.input, point.loss
        target: str = "none"
        numbers: dict[str, Any] = {"saturation": spec.measure.saturation}
        self.silent = point.steps - 1 if loss.kind == "last" else 0
        if isinstance(loss.target, Delay):
            target, self.silent = "delay", loss.target.steps
        elif loss.target is not None:
            target, numbers["target"] = "law", law(loss.target)
        if isinstance(process, FileInput):
            numbers["series"] = process.series
        elif isinstance(process, SineInput):
            numbers["phase"] = law(process.phase)
            numbers["numbers"] = process.numbers
        else:
            numbers["numbers"] = process.numbers
        numbers["silent"] = self.silent
        self.has_target = target != "none"
        self._law = distributions([law(d) for d in (*point.params, point.h, point.C)])
        self._setting = setting(**numbers)
        self._seed = np.uint64(spec.seed)
        self._stream = np.uint32(stream_word(point.index, common=spec.common))
        self._options = (self.dtype, self.stored, process.process, loss.kind, target)
        self._memory = threading.local()

    def columns(self, first_draw: int, draws: int) -> dict[str, NDArray[Any]]:
        """The drawn values, and all measures of the groups, of some consecutive draws.

        Gate shares, and the norms of the state adjoints, are there whatever the groups: regimes need them.
        Draws that leave the range of plain numbers are computed once more with wide ones.
        """
        found = self._run(plain, np.arange(first_draw, first_draw + draws, dtype=np.uint64))
        strained = np.flatnonzero(found.pop("strained"))
        if len(strained):
            again = self._run(widened, strained.astype(np.uint64) + np.uint64(first_draw))
            for name in found:
                found[name][strained] = again[name]
        return found

    def compile(self) -> None:
        """Have both kernels ready: for plain numbers, and for draws that leave their range."""
        for made_for in (plain, widened):
            made_for.build_simulation(*self._options, self.groups)

    def _run(self, made_for: ModuleType, draws: NDArray[np.uint64]) -> dict[str, NDArray[Any]]:
        padded = np.concatenate([draws, np.zeros(-len(draws) % LANES, np.uint64)])
        filled = allocate_columns(self.stored, len(padded), self.groups, self.point.steps)
        fill = made_for.build_simulation(*self._options, self.groups)
        fill(
            self._seed, self._stream, padded, self.point.steps,
            self._law, self._setting, self._scratch(made_for), filled,
        )  # fmt: skip
        found = dict(zip((*PARAMETERS, *STATE), filled.values[:, : len(draws)], strict=True))
        found["strained"] = filled.strained[0, : len(draws)]
        for group in measures.GROUPS:
            rows = getattr(filled, group)
            if len(rows):
                names = (measure.name for measure in measures.group(group, self.point.steps))
                found |= dict(zip(names, rows[:, : len(draws)], strict=True))
        return found

    def _scratch(self, made_for: ModuleType) -> Any:
        """The thread's working memory."""
        memory = vars(self._memory)
        if made_for.__name__ not in memory:
            memory[made_for.__name__] = made_for.allocate_scratch(self.dtype, self.point.steps)
        return memory[made_for.__name__]

    def make(self, draw: int) -> Made:
        """The parameters, state, inputs and targets of one draw, and its measures, as `columns` makes them."""
        columns = self.columns(draw, 1)
        scratch = self._scratch(plain)  # its lane 0 is the draw
        return Made(
            params=scratch.values[: len(PARAMETERS), 0].copy(),
            h0=scratch.values[len(PARAMETERS), 0],
            C0=scratch.values[len(PARAMETERS) + 1, 0],
            x=scratch.x[:, 0].copy(),
            target=self._target(scratch.target[:, 0]),
            silent=self.silent,
            measures={name: column[0] for name, column in columns.items()},
        )

    def _target(self, rows: NDArray[Any]) -> NDArray[Any]:
        target = rows.copy()
        target[: self.silent if self.has_target else None] = np.nan
        return target


def slice_size(spec: Spec, steps: int) -> int:
    """How many draws to hand to a thread at once: a block, or fewer where they are long."""
    return max(LANES, min(BLOCK, _STEPS_AT_ONCE // steps // LANES * LANES))
