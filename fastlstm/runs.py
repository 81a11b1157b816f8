"""A run as its reader sees it: the spec, the rows and the tables of a run directory."""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fastlstm import store
from fastlstm.printable import printable
from fastlstm.spec import Spec, load
from fastlstm.spec.loading import SpecWarning
from fastlstm.tables.totals import of_each_point, overall, read_histograms
from fastlstm.verdicts.judge import SCHEMA, edited_since, no_claims

if TYPE_CHECKING:
    import pyarrow.dataset

_IN_A_NOTEBOOK = r"^(regime_.|draws|share|exploded|vanished|log10_(grad|dh0|dC0|forget)_q(05|50|95))$"
_BYTES_A_VALUE = 4  # most columns are float32

SpecSource = Spec | str | os.PathLike[str] | Mapping[str, Any]
Overrides = Mapping[str, Any] | Iterable[str]
"""Values for keys of a spec: `{"params.b_f": 1.0}`, or texts as after --set, `["params.b_f=1"]`."""


class Run:
    """A run directory to read from.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 1000, "steps": 10, "params": {"default": {"normal": {"std": 2.0}}}}
    >>> run = fastlstm.run(spec, "results/tiny")
    >>> len(run.draws(columns=["log10_dC0"])), int(run.regimes()["draws"].sum())
    (1000, 1000)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def plot(self) -> Any:
        """Its figures, as `run.plot.survival()`; see fastlstm.report.plot."""
        # by name, when one is asked for: the report stands above, and draws what is read here
        return import_module("fastlstm.report.plot").RunPlot(self)

    def _repr_html_(self) -> str:
        """The run in a notebook: its title, size, verdicts and regime table, as far as they are there."""
        return "\n".join(self._html())

    def _html(self) -> Iterator[str]:
        spec, status = self.spec(), self.status()
        yield f"<h3>{escape(printable(spec.title or str(self.path)))}</h3>"
        points = status.layout["points"]
        size = f"{status.draws:,} of {status.total:,} draws at {points:,} point{'' if points == 1 else 's'}"
        yield f"<p>{escape(printable(str(self.path)))}: {size}, {status.rows:,} rows</p>"
        if store.CLAIMS_TABLE in status.tables:
            judged = self.claims()
            if edited := edited_since(spec, judged):
                yield f"<p>{escape(edited)}</p>"
            yield _as_html(judged[judged["decides"]][["claim_verdict", "text", "estimate", "low", "high", "predicts"]])
        if "histograms" in status.tables:
            yield _as_html(self.overall().filter(regex=_IN_A_NOTEBOOK))

    def spec(self) -> Spec:
        """The spec as run. Raises NotARun; Damaged if it is not what was written."""
        store.read_spec(self.path)
        with warnings.catch_warnings(category=SpecWarning, action="ignore"):  # whoever began the run was warned
            return load(self.path / "_spec.toml")

    def draws(self, columns: list[str] | None = None, filters: list[Any] | None = None) -> pd.DataFrame:
        """The rows, by point and draw; `columns` and `filters` as in pandas.read_parquet."""
        if filters is None:
            _warn_of_memory(self, columns)
        return store.read_rows(self.path, columns=columns, filters=filters)

    def dataset(self) -> "pyarrow.dataset.Dataset":
        """The committed rows, to be read a batch or a column at a time; `point` is a column.

        Raises NotARun, NotThere, Damaged, DiskError.
        """
        return store.dataset(self.path)

    def regimes(self) -> pd.DataFrame:
        """One row for each point and regime, of all draws, rows kept or not."""
        return store.read_table(self.path, "regimes", needs=["point", "draws"])

    def points(self) -> pd.DataFrame:
        """One row for each point: its values on the axes, T and draws."""
        return store.read_table(self.path, "points", needs=["point", "steps", "draws"])

    def histograms(self) -> pd.DataFrame:
        """The counts behind the regime table: point, regime, measure, bin, count, low, high."""
        return read_histograms(self.path)

    def claims(self) -> pd.DataFrame:
        """One row for each claim and point: the estimate, its 95% interval, and the verdict."""
        if not self.spec().claim:
            return no_claims()
        return store.read_table(self.path, store.CLAIMS_TABLE, needs=SCHEMA.names)

    def overall(self) -> pd.DataFrame:
        """The regime table of all points together."""
        return overall(self.path)

    def by_point(self, points: Iterable[int] | None = None) -> pd.DataFrame:
        """A row for each point, or each of some, of all its regimes together: counts, intervals and quantiles."""
        return of_each_point(self.path, self.points()["point"] if points is None else points)

    def status(self) -> store.Status:
        """How much of the run is committed."""
        return store.status(self.path)


def _as_html(table: pd.DataFrame) -> str:
    shown = table.map(lambda cell: printable(cell) if isinstance(cell, str) else cell)
    return shown.to_html(index=False, float_format="{:.4g}".format, border=0)


def _warn_of_memory(run: Run, columns: list[str] | None) -> None:
    """Warn if columns of all rows of a run, as a data frame, are likely to take more than half of the memory."""
    status = run.status()
    width = len(columns or run.dataset().schema.names) if status.rows else 0
    needed, memory = status.rows * width * _BYTES_A_VALUE, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory / 2:
        warnings.warn(
            f"{run.path}: {status.rows:,} rows take about {needed / 1e9:,.1f} GB of the {memory / 1e9:,.1f} GB that "
            "there are; read some columns or points, draws(columns=..., filters=...), or dataset(), which is lazy",
            stacklevel=3,
        )


def as_spec(source: SpecSource, overrides: Overrides = ()) -> Spec:
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
