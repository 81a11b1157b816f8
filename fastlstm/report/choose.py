"""Which figures fit a run."""

from fastlstm.report import lags, landscape, phase, regime_map, saturation, survival, trace, truncation
from fastlstm.report.evidence import Evidence
from fastlstm.report.kind import Kind

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


def chosen(evidence: Evidence) -> tuple[Kind, ...]:
    """The kinds of figures that the spec's grid and measures, and the rows that were kept, allow."""
    return tuple(kind for kind in KINDS if kind.fits(evidence))
