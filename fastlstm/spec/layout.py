"""The columns that the rows of a spec have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fastlstm import measures
from fastlstm.measures import FLAGS, REGIME_COLUMNS, Measure
from fastlstm.names import PARAMETERS, STATE
from fastlstm.spec.distributions import Constant
from fastlstm.spec.sections import State

AxisValue = float | int | str
Item = TypeVar("Item")


@dataclass(frozen=True)
class RowLayout:
    """The columns of a spec's rows. `Spec.row_layout` derives them once.

    axes      each axis that has a column of its own, by the column's name
    drawn     the drawn numbers: 14 parameters, and h_0 and C_0 where they are not one number for all draws
    measures  the measures of the groups; the longest draws decide which lags there are
    """

    axes: Mapping[str, str]
    drawn: tuple[str, ...]
    measures: tuple[Measure, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All columns of a stored row, in their order."""
        return ("draw", *self.axes, *self.drawn, *REGIME_COLUMNS, *FLAGS, *(each.name for each in self.measures))

    def as_columns(self, of_axes: Mapping[str, Item]) -> dict[str, Item]:
        """A mapping from axes (and other names) with the names that their columns have in rows."""
        columns = {axis: column for column, axis in self.axes.items()}
        return {columns.get(name, name): item for name, item in of_axes.items()}


def row_layout(
    axes: Mapping[str, Sequence[AxisValue]], *, state: State, groups: Sequence[str], longest: int
) -> RowLayout:
    """The layout for the axes, the state and the measure groups of a spec whose longest draws have `longest` steps."""
    states = zip(STATE, (state.h, state.C), strict=True)
    varying = (name for name, h in states if not (isinstance(h, Constant) and isinstance(h.value, float)))
    return RowLayout(
        axes={_column(name, values): name for name, values in axes.items() if _needs_column(name, values)},
        drawn=(*PARAMETERS, *varying),
        measures=measures.selected(groups, longest),
    )


def _needs_column(axis: str, values: Sequence[AxisValue]) -> bool:
    # the numbers of an axis that is a parameter stand in the parameter's own column
    return axis not in PARAMETERS or isinstance(values[0], str)


def _column(axis: str, values: Sequence[AxisValue]) -> str:
    return f"{axis}_law" if axis in PARAMETERS else axis
