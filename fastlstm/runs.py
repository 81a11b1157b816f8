"""A run as its reader sees it: the spec, the rows and the tables of a run directory."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from fastlstm import store
from fastlstm.spec import Spec, load
from fastlstm.tables.totals import overall
from fastlstm.verdicts.judge import no_claims

SpecSource = Spec | str | os.PathLike[str] | Mapping[str, Any]


class Run:
    """A run directory to read from.

    plot: its figures, as `run.plot.survival()`; see fastlstm.report.plot, which stands above and is joined on in
    fastlstm/__init__.py.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 1000, "steps": 10, "params": {"default": {"normal": {"std": 2.0}}}}
    >>> run = fastlstm.run(spec, "results/tiny")
    >>> len(run.draws(columns=["log10_dC0"])), int(run.regimes()["draws"].sum())
    (1000, 1000)
    """

    plot: ClassVar[Any]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def spec(self) -> Spec:
        """The spec as run. Raises NotARun; Damaged if it is not what was written."""
        store.read_spec(self.path)
        return load(self.path / "_spec.toml")

    def draws(self, columns: list[str] | None = None, filters: list[Any] | None = None) -> pd.DataFrame:
        """The rows, by point and draw; `columns` and `filters` as in pandas.read_parquet."""
        return store.read_rows(self.path, columns=columns, filters=filters)

    def regimes(self) -> pd.DataFrame:
        """One row for each point and regime, of all draws, rows kept or not."""
        return store.read_table(self.path, "regimes")

    def points(self) -> pd.DataFrame:
        """One row for each point: its values on the axes, T and draws."""
        return store.read_table(self.path, "points")

    def histograms(self) -> pd.DataFrame:
        """The counts behind the regime table: point, regime, measure, bin, count, low, high."""
        return store.read_table(self.path, "histograms")

    def claims(self) -> pd.DataFrame:
        """One row for each claim and point: the estimate, its 95% interval, and the verdict."""
        if not self.spec().claim:
            return no_claims()
        return store.read_table(self.path, store.VERDICTS)

    def overall(self) -> pd.DataFrame:
        """The regime table of all points together."""
        return overall(self.path)

    def status(self) -> store.Status:
        """How much of the run is committed."""
        return store.status(self.path)


def as_spec(source: SpecSource, overrides: Iterable[str] = ()) -> Spec:
    """A spec from whatever a caller has: a Spec, a path, or a mapping."""
    return source if isinstance(source, Spec) else load(source, overrides)


def read(path: str | os.PathLike[str]) -> Run:
    """The run in a directory. Raises NotARun if there is none.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 1000, "steps": 10, "params": {"default": {"normal": {"std": 2.0}}}}
    >>> _ = fastlstm.run(spec, "results/tiny")
    >>> df = fastlstm.read("results/tiny").draws(columns=["draw", "regime_f", "log10_dC0"])
    >>> df.shape, df.attrs["units"]["log10_dC0"]
    ((1000, 3), 'log10')
    """
    store.read_spec(path)
    return Run(path)
