"""Which columns the rows of a spec have, beside those that every spec's rows have."""

from collections.abc import Mapping, Sequence

from fastlstm import measures
from fastlstm.names import PARAMETERS, STATE
from fastlstm.spec.distributions import Constant
from fastlstm.spec.grids import Grid
from fastlstm.spec.sections import Measure, State

AxisValue = float | int | str


def drawn_state(state: State) -> tuple[str, ...]:
    """h_0 and C_0 have columns where they are not one number for all draws."""
    return tuple(
        name
        for name, law in zip(STATE, (state.h, state.C), strict=True)
        if not (isinstance(law, Constant) and isinstance(law.value, float))
    )


def axis_columns(axes: Mapping[str, Sequence[AxisValue]]) -> dict[str, str]:
    """The axes that need a column of their own, by its name: a parameter's own column holds its numbers."""
    named = {}
    for name, values in axes.items():
        if name not in PARAMETERS:
            named[name] = name
        elif isinstance(values[0], str):
            named[f"{name}_law"] = name
    return named


def chosen_measures(measure: Measure, steps: int | Grid[int]) -> tuple[measures.Measure, ...]:
    """The measures that rows have; the longest draws decide which lags there are."""
    longest = max(steps.grid) if isinstance(steps, Grid) else steps
    return measures.selected(measure.groups, longest)
