"""The points of a grid as arrays: what each is called on the axes, which are chosen, and which follow each other."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fastlstm.claims.values import Numbers, Texts, Truths, Value, between, known

Axes = Mapping[str, Sequence[float | int | str]]
Indices = NDArray[np.int64]


def count(axes: Axes) -> int:
    """How many points there are."""
    return math.prod(map(len, axes.values()))


def over_points(axes: Axes, steps: int | None) -> dict[str, Value]:
    """Every name that a point has, with an array of its values: the axes, `point`, and `steps`.

    `steps` is None where it is an axis. The last axis moves fastest.
    """
    number = count(axes)
    rest = np.arange(number)
    named: dict[str, Value] = {}
    for name, listed in reversed(list(axes.items())):
        rest, position = np.divmod(rest, len(listed))
        if isinstance(listed[0], str):
            named[name] = Texts(position, tuple(map(str, listed)))
        else:
            named[name] = known(np.array(listed, np.float64)[position])
    named["point"] = known(np.arange(number))
    return named if steps is None else named | {"steps": known(np.full(number, steps))}


def ranges(axes: Axes, steps: int | None) -> dict[str, Value]:
    """The same names, each with the bounds of its values."""
    named: dict[str, Value] = {"point": between(0, count(axes) - 1)}
    for name, listed in axes.items():
        numbers = [value for value in listed if not isinstance(value, str)]
        named[name] = between(min(numbers), max(numbers)) if numbers else Texts(np.asarray(0), tuple(map(str, listed)))
    return named if steps is None else named | {"steps": known(steps)}


def at(named: Mapping[str, Value], point: int) -> dict[str, Value]:
    """The names with their values at one point."""
    there: dict[str, Value] = {}
    for name, value in named.items():
        match value:
            case Numbers():
                there[name] = known(value.low[point])
            case Texts():
                there[name] = Texts(value.codes[point], value.labels)
            case Truths():
                raise AssertionError(name)
    return there


def chains(axes: Axes, axis: str, chosen: Indices) -> list[Indices]:
    """The chosen points in rows along an axis: in each it grows and all others are held.

    The texts of an axis, words or laws, follow each other as the grid lists them. A chosen point without another
    beside it is in no row.
    """
    names = list(axes)
    stride = math.prod(len(axes[name]) for name in names[names.index(axis) + 1 :])
    position = chosen // stride % len(axes[axis])
    others = chosen - position * stride
    listed = axes[axis]
    rank = np.arange(len(listed)) if isinstance(listed[0], str) else np.array(listed)
    order = np.lexsort((rank[position], others))
    ends = np.flatnonzero(np.diff(others[order])) + 1
    return [chain for chain in np.split(chosen[order], ends) if len(chain) > 1]
