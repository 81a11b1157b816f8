"""Run a spec into a directory, or in memory; read what a run left."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fastlstm import store
from fastlstm.judging import judge_claims, no_claims
from fastlstm.kernel.random import STREAM_VERSION
from fastlstm.provenance import provenance
from fastlstm.spec import Spec, load
from fastlstm.store import RunDirectory
from fastlstm.sweep import Progress, Stopper, in_memory, overall, part_size, quiet, sweep
from fastlstm.threads import available_threads

SpecSource = Spec | str | os.PathLike[str] | Mapping[str, Any]


class Run:
    """A run directory to read from."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def spec(self) -> Spec:
        """The spec as run."""
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
        return overall(self.spec(), self.path)

    def total_draws(self) -> int:
        """The draws of all points of the spec, done or not."""
        spec = self.spec()
        return spec.draws * len(spec.points())

    def status(self) -> store.Status:
        """How much of the run is committed."""
        return store.status(self.path)


def as_spec(source: SpecSource, overrides: Iterable[str] = ()) -> Spec:
    """A spec from whatever a caller has: a Spec, a path, or a mapping."""
    return source if isinstance(source, Spec) else load(source, overrides)


def read(path: str | os.PathLike[str]) -> Run:
    """The run in a directory. Raises NotARun if there is none."""
    store.read_spec(path)
    return Run(path)


def run(
    spec: SpecSource,
    out: str | os.PathLike[str],
    *,
    overrides: Iterable[str] = (),
    threads: int | None = None,
    progress: Progress = quiet,
    stopper: Stopper | None = None,
) -> Run:
    """Run a spec into a directory, or go on with one that was interrupted.

    spec: a path, a mapping or a Spec; overrides: "key.path=value" strings. threads: all processors by default; their
    number has no influence on the results. progress: called with the draws done and their total, once before
    anything is computed and then after every slice. stopper: asks the run to end at the next part.

    Raises SpecError; DirectoryLocked; OtherSpec if the directory belongs to another spec; DiskError; Stopped.
    """
    ready = as_spec(spec, overrides)
    with RunDirectory.open(
        out,
        spec_text=ready.normalised(folder=out),
        spec_hash=content_hash(ready),
        provenance=provenance(ready.dtype),
        layout={"part_draws": part_size(ready)},
    ) as directory:
        sweep(ready, directory, threads=_threads(threads), progress=progress, stopper=stopper or Stopper())
        judge_claims(ready, directory)
    return Run(out)


def _threads(wanted: int | None) -> int:
    return available_threads() if wanted is None else wanted


def content_hash(spec: Spec) -> str:
    """What a run directory is known by: the spec's hash, and the version of the random streams."""
    return f"{spec.hash}-stream{STREAM_VERSION}"


def simulate(spec: SpecSource, *, overrides: Iterable[str] = (), threads: int | None = None) -> pd.DataFrame:
    """Run a small spec in memory and return its rows; nothing is written."""
    return in_memory(as_spec(spec, overrides), threads=_threads(threads))
