"""Which figures fit a run."""

from fastlstm.report import lags, landscape, phase, regime_map, saturation, survival, trace, truncation
from fastlstm.report.figure import Kind
from fastlstm.report.run_data import Evidence

KINDS: tuple[Kind, ...] = (
    landscape.KIND,
    regime_map.KIND,
    lags.KIND,
    survival.KIND,
    phase.KIND,
    truncation.KIND,
    saturation.KIND,
    trace.KIND,
)


_FEWEST = 100  # draws that figures of shares and quantiles are worth


def chosen(evidence: Evidence) -> tuple[Kind, ...]:
    """The kinds of figures that a run's grid, measures, rows and number of draws allow."""
    kinds = KINDS if evidence.status.draws >= _FEWEST else (trace.KIND,)
    return tuple(kind for kind in kinds if kind.fits(evidence))
