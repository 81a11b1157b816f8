"""The points of a spec: one for each combination of the values on its axes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

from fastlstm.names import PARAMETERS
from fastlstm.spec.distributions import Chrono, Constant, Distribution
from fastlstm.spec.grids import Grid, Place, grids, resolve
from fastlstm.spec.layout import AxisValue
from fastlstm.spec.parameters import Params, with_steps
from fastlstm.spec.presets import PresetName
from fastlstm.spec.processes import Process
from fastlstm.spec.sections import Loss, State


@dataclass(frozen=True)
class Point:
    """One combination of the values on a spec's axes: a distribution for everything, and no grid.

    index   its number, from 0; the last axis moves fastest
    axes    its value on each axis; a distribution by its label, a preset by its name
    steps   the number of time steps T
    params  14 distributions, in the order of PARAMETERS
    h, C    the distributions of h_0 and C_0
    """

    index: int
    axes: dict[str, AxisValue]
    steps: int
    params: tuple[Distribution, ...]
    h: Distribution
    C: Distribution
    input: Process
    loss: Loss


class Axis(NamedTuple):
    """A grid of a spec: the place where it stands, and its values."""

    place: Place
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The place as one word: `steps`, `b_f`, `default_normal_std`, `state_h`, `input_std`."""
        return "_".join(part for part in self.place if part != "params")

    @property
    def shown(self) -> list[AxisValue]:
        """The values for tables and figures; a distribution by its label."""
        if not isinstance(self.values[0], Distribution):
            return list(self.values)
        # an axis becomes one column, so numbers and labels do not mix
        if all(isinstance(value, Constant) for value in self.values):
            return [value.value for value in self.values]
        return [value.label for value in self.values]


class _Resolved:
    """Something in a spec as it is at each point, made once for each combination of the axes that stand in it."""

    def __init__(self, node: Any, place: Place, axes: Sequence[Axis]) -> None:
        self._node, self._place = node, place
        inside = {where for where, _ in grids(node, place)}
        self._axes = [(number, axis) for number, axis in enumerate(axes) if axis.place in inside]
        self._made: dict[tuple[int, ...], Any] = {}
        self.varies = bool(self._axes)

    def at(self, positions: Sequence[int]) -> Any:
        """The node where the axes stand at these positions."""
        if not self.varies:
            return self._node
        key = tuple([positions[number] for number, _ in self._axes])
        if key not in self._made:
            chosen = {axis.place: axis.values[positions[number]] for number, axis in self._axes}
            self._made[key] = resolve(self._node, chosen, self._place)
        return self._made[key]

    def may_be(self, kind: type[Any]) -> bool:
        """Whether the node is of this class at some point."""
        values = self._node.grid if isinstance(self._node, Grid) else (self._node,)
        return any(isinstance(value, kind) for value in values)


class _ResolvedParams:
    """The distributions of the 14 parameters at each point under one preset."""

    def __init__(self, params: Params, preset: PresetName | None, axes: Sequence[Axis]) -> None:
        entries = []
        for name in PARAMETERS:
            key, entry = params.entry(name, preset)
            entries.append(_Resolved(entry, ("params", key), axes))
        self._first = [entry.at([0] * len(axes)) for entry in entries]
        self._varying = [(number, entry) for number, entry in enumerate(entries) if entry.varies]
        self._chrono = [number for number, entry in enumerate(entries) if entry.may_be(Chrono)]

    def at(self, positions: Sequence[int], steps: int) -> tuple[Distribution, ...]:
        values = list(self._first)
        for number, entry in self._varying:
            values[number] = entry.at(positions)
        for number in self._chrono:
            values[number] = with_steps(values[number], steps)
        return tuple(values)


class Points(Sequence[Point]):
    """The points of a spec; each is made when it is asked for."""

    def __init__(
        self,
        axes: Sequence[Axis],
        *,
        steps: int | Grid[int],
        params: Params,
        state: State,
        process: Process,
        loss: Loss,
    ) -> None:
        self._axes = [(axis.name, axis.shown) for axis in reversed(axes)]
        self._steps = _Resolved(steps, ("steps",), axes)
        self._preset = _Resolved(params.preset, ("params", "preset"), axes)
        self._params = {preset: _ResolvedParams(params, preset, axes) for preset in params.presets}
        self._state = [_Resolved(getattr(state, key), ("state", key), axes) for key in ("h", "C")]
        self._process = _Resolved(process, ("input",), axes)
        self._loss = _Resolved(loss, ("loss",), axes)
        self._count = math.prod(len(axis.values) for axis in axes)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> list[Point]: ...
    def __getitem__(self, index: int | slice) -> Point | list[Point]:
        numbers = range(self._count)[index]
        return self._point(numbers) if isinstance(numbers, int) else [self._point(number) for number in numbers]

    def _point(self, index: int) -> Point:
        positions, shown, rest = [], [], index
        for name, labels in self._axes:
            rest, position = divmod(rest, len(labels))
            positions.append(position)
            shown.append((name, labels[position]))
        positions.reverse()
        steps = self._steps.at(positions)
        h, C = (part.at(positions) for part in self._state)
        return Point(
            index=index,
            axes=dict(reversed(shown)),
            steps=steps,
            params=self._params[self._preset.at(positions)].at(positions, steps),
            h=h,
            C=C,
            input=self._process.at(positions),
            loss=self._loss.at(positions),
        )
