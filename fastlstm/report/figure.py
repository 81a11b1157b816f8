"""One kind of figure: when it fits a run, and how it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass

from fastlstm.report.run_data import Evidence
from fastlstm.report.style import Picture


@dataclass(frozen=True)
class Kind:
    """heading and caption stand above and below its pictures; `fits` says whether a run has what it shows."""

    name: str
    heading: str
    caption: str
    fits: Callable[[Evidence], bool]
    draw: Callable[[Evidence], list[Picture]]
