"""Which figures fit a run."""

from fastlstm.report import (
    cell,
    claim_figure,
    fates,
    gate_gradients,
    lags,
    landscape,
    phase,
    regime_map,
    saturation,
    survival,
    trace,
    truncation,
)
from fastlstm.report.figure import Figure
from fastlstm.report.run_data import RunData

FIGURES: tuple[Figure, ...] = (
    claim_figure.FIGURE,
    fates.FIGURE,
    landscape.FIGURE,
    regime_map.FIGURE,
    lags.FIGURE,
    survival.FIGURE,
    phase.FIGURE,
    truncation.FIGURE,
    saturation.FIGURE,
    gate_gradients.FIGURE,
    cell.FIGURE,
    trace.FIGURE,
)
_FEWEST = 100  # draws that figures of shares and quantiles are worth
_OF_FEW = (claim_figure.FIGURE, trace.FIGURE)


def chosen(run: RunData) -> tuple[Figure, ...]:
    """The figures that a run's grid, measures, rows and number of draws allow."""
    enough = run.status.draws >= _FEWEST
    return tuple(figure for figure in FIGURES if (enough or figure in _OF_FEW) and figure.fits(run))
