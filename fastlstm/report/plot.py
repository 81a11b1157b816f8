"""`Run.plot` and `Replay.plot`: the figures of the report, to be drawn on axes of one's own or on new ones.

Each takes matplotlib Axes, or makes them, and returns them. The settings of matplotlib that a user has stay as they
are. matplotlib is imported when something is drawn.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastlstm.audit.replay import Replay
    from fastlstm.report.run_data import RunData
    from fastlstm.runs import Run


class RunPlot:
    """The figures of a run."""

    def __init__(self, run: Run) -> None:
        self._reader = run
        self._data: RunData | None = None

    @property
    def _run(self) -> RunData:
        from fastlstm.report.run_data import RunData

        if self._data is None:
            self._data = RunData(self._reader, self._reader.path.resolve().name)
        return self._data

    def claims(self, claim: int = 0, axes: Axes | None = None) -> Axes:
        """One claim by its number: estimates with 95% intervals beside the prediction.

        A claim over more axes than a panel shows needs a sheet of panels, and draws its first one.
        """
        from fastlstm.report import claim_figure, panels
        from fastlstm.report.style import drawing

        table, quantity, arrangement = claim_figure.parts_of(self._run, claim)
        with drawing():
            axes = _axes(axes)
            if arrangement.along is None:
                return panels.draw_dot(axes, table.iloc[0], quantity)
            if arrangement.panels:
                first = table.iloc[0]
                for axis in arrangement.panels:
                    table = table[table[axis] == first[axis]]
            return panels.draw_panel(axes, table, quantity, arrangement)

    def survival(self, measure: str | None = None, along: str | None = None, axes: Axes | None = None) -> Axes:
        """The share of draws whose gradient is above K, log-log; `along` is the axis that makes the curves."""
        from fastlstm.report import survival
        from fastlstm.report.style import drawing

        run = self._run
        measure = measure or ("log10_J_hh" if run.has("log10_J_hh") else "log10_dh_max")
        with drawing():
            chosen = along or survival.telling_axis(run, measure)
            axes = survival.draw_curves(_axes(axes), run, measure, chosen)
            axes.legend(title=chosen)
            return axes

    def landscape(self, axes: Axes | None = None) -> Axes:
        """The median of log10 of the gradient over the mean forget and the mean input gate; needs rows."""
        from fastlstm.report import landscape
        from fastlstm.report.style import drawing

        with drawing():
            axes = _axes(axes)
            landscape.draw_map(axes, self._run)
            return axes

    def fates(self, fate: str = "lives", regime_o: int | None = None, axes: Axes | None = None) -> Axes:
        """The share of draws that the fate `vanishes`, `lives` or `explodes` befalls, over the mean f and i gate."""
        from fastlstm.report import fates
        from fastlstm.report.style import drawing

        with drawing():
            axes = _axes(axes)
            share = fates.shares(self._run, regime_o)[fate]
            fates.draw_fate(axes, share, fate, max(0.01, float(np.nanmax(share))))
            return axes

    def lags(self, side: str = "dC", over: str | None = None, axes: Axes | None = None) -> Axes:
        """The size of the gradient against the lag: medians, in bands of half of the draws; a line for each `over`."""
        from fastlstm.report import lags
        from fastlstm.report.numbers import label
        from fastlstm.report.style import drawing

        run = self._run
        levels = run.levels(over) if over else {"": run.points.index.to_numpy()}
        with drawing():
            lines = [lags.line_of(run, side, label(value) if over else "", points) for value, points in levels.items()]
            dead = math.log10(run.spec.measure.vanished)
            return lags.draw_lines(_axes(axes), lines, lags.limits_of(lines), dead=dead, over=over)

    def exponents(self, axes: Axes | None = None) -> Axes:
        """The share of draws with a Lyapunov exponent above 0, with 95% intervals, over the axes of the grid."""
        from fastlstm.report import panels, phase
        from fastlstm.report.style import drawing

        table = phase.shares(self._run)
        arrangement = panels.arranged(table, list(self._run.axes()))
        with drawing():
            return panels.draw_panel(_axes(axes), table, phase.SHARE, arrangement)


class ReplayPlot:
    """The figures of one draw."""

    def __init__(self, replayed: Replay) -> None:
        self._replayed = replayed

    def gates(self, axes: Axes | None = None) -> Axes:
        """The gates f, i and o at each step."""
        return self._drawn("draw_gates", axes)

    def state(self, axes: Axes | None = None) -> Axes:
        """The cell C and the hidden state h after each step."""
        return self._drawn("draw_state", axes)

    def adjoints(self, axes: Axes | None = None) -> Axes:
        """log10 of |dL/dh_t| and |dL/dC_t| at each step, beyond the range of floats too."""
        return self._drawn("draw_adjoints", axes)

    def orbit(self, axes: Axes | None = None) -> Axes:
        """The states in the plane of C and h, without the first tenth of the steps."""
        return self._drawn("draw_orbit", axes)

    def _drawn(self, name: str, axes: Axes | None) -> Axes:
        from fastlstm.report import trace
        from fastlstm.report.style import drawing

        with drawing():
            axes = _axes(axes)
            getattr(trace, name)(axes, self._replayed)
            return axes


def _axes(axes: Any) -> Any:
    """The axes, or new ones in a figure of their own."""
    if axes is not None:
        return axes
    from fastlstm.report.figure import sheet

    return sheet(4.0)[1]
