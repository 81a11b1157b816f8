"""Run a spec into a directory, or in memory read what a run left."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fastlstm import store
from fastlstm.judging import judge_claims, no_claims
from fastlstm.kernel.random import STREAM_VERSION
from fastlstm.parts import Shard, part_size, parts_of_shard
from fastlstm.provenance import kernels, provenance
from fastlstm.spec import Spec, load
from fastlstm.store import RunDirectory
from fastlstm.sweep import Progress, Stopper, in_memory, quiet, sweep
from fastlstm.threads import available_threads
from fastlstm.totals import overall

SpecSource = Spec | str | os.PathLike[str] | Mapping[str, Any]


class OtherKernel(Exception):
    """The draws that are there were computed by a kernel with other sources; the numbers of the two may differ."""


class Run:
    """A run directory to read from."""

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
    """The run in a directory. Raises NotARun if there is none."""
    store.read_spec(path)
    return Run(path)


def run(
    spec: SpecSource,
    out: str | os.PathLike[str],
    *,
    overrides: Iterable[str] = (),
    threads: int | None = None,
    shard: tuple[int, int] | None = None,
    keep_going: bool = False,
    mix_kernels: bool = False,
    progress: Progress = quiet,
    stopper: Stopper | None = None,
) -> Run:
    """Run a spec into a directory, or go on with one that was interrupted.

    spec: a path, a mapping or a Spec; overrides: "key.path=value" strings. threads: all processors by default; their
    number has no influence on the results. progress: called with the draws done and their total, once before
    anything is computed and then after every slice. stopper: asks the run to end at the next part.

    shard: (3, 16) computes the third of sixteen shares and makes no tables; shards may run at the same time, on any
    machines that share the directory, and `merge` ends the run. keep_going: when a point fails, compute the others
    first. mix_kernels: go on with draws that another version of the kernel began, whose numbers may differ.

    Raises ValueError if there is no such shard; SpecError; DirectoryLocked; OtherSpec if the directory belongs to
    another spec; OtherKernel; DiskError; Stopped; PointsFailed with keep_going, else whatever a point failed with.
    """
    share = None if shard is None else Shard.of(*shard)
    ready = as_spec(spec, overrides)
    made_by = provenance(ready.dtype)
    with RunDirectory.open(
        out,
        spec_text=ready.normalised(folder=out),
        spec_hash=content_hash(ready),
        provenance=made_by,
        layout=layout(ready, shards=1 if share is None else share.total),
        shard=share,
    ) as directory:
        if not mix_kernels:
            _refuse_other_kernel(ready, directory, share, made_by["kernel"])
        sweep(
            ready,
            directory,
            threads=_threads(threads),
            shard=share,
            keep_going=keep_going,
            progress=progress,
            stopper=stopper or Stopper(),
        )
        if share is None:
            judge_claims(ready, directory)
            directory.finish()
    return Run(out)


def layout(spec: Spec, *, shards: int = 1) -> dict[str, int]:
    """How a run is cut up: points, draws of a point, draws of a part. It stays as the directory was begun."""
    return {"points": len(spec.points()), "draws": spec.draws, "part_draws": part_size(spec, shards)}


def _refuse_other_kernel(spec: Spec, directory: RunDirectory, shard: Shard | None, kernel: str) -> None:
    others = kernels(directory.earlier_sessions)
    others.pop(kernel, None)
    if not (others and directory.committed):
        return
    if any(part.id not in directory.committed for part in parts_of_shard(spec, directory.layout["part_draws"], shard)):
        theirs = ", ".join(f"{version} ({digest[:12]})" for digest, version in others.items())
        raise OtherKernel(
            f"{directory.path} has draws computed by fastlstm {theirs}, whose kernel has other sources than this one "
            f"({kernel[:12]}): their numbers may differ; give another directory, or allow it (--mix-kernels)"
        )


def _threads(wanted: int | None) -> int:
    return available_threads() if wanted is None else wanted


def content_hash(spec: Spec) -> str:
    """What a run directory is known by: the spec's hash, and the version of the random streams."""
    return f"{spec.hash}-stream{STREAM_VERSION}"


def simulate(spec: SpecSource, *, overrides: Iterable[str] = (), threads: int | None = None) -> pd.DataFrame:
    """Run a small spec in memory and return its rows; nothing is written."""
    return in_memory(as_spec(spec, overrides), threads=_threads(threads))
