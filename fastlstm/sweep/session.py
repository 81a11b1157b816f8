"""Run a spec: into a directory, or in memory."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from fastlstm.kernel.lanes.compiling import compilation
from fastlstm.runs import Overrides, Run, SpecSource, as_spec, read
from fastlstm.spec import Spec, SpecError
from fastlstm.store import OtherSpec, RunDirectory, StoreError
from fastlstm.sweep.engine import in_memory, sweep
from fastlstm.sweep.plan import Shard, layout, parts_of_shard, run_key
from fastlstm.sweep.progress import Log, show_progress
from fastlstm.sweep.provenance import kernels, provenance
from fastlstm.sweep.stopping import Progress, Stopper
from fastlstm.threads import available_threads
from fastlstm.verdicts.judge import judge_claims


class OtherKernel(Exception):
    """The draws that are there were computed by a kernel with other sources; the numbers of the two may differ."""


def run(
    spec: SpecSource,
    out: str | os.PathLike[str],
    *,
    overrides: Overrides = (),
    threads: int | None = None,
    shard: tuple[int, int] | None = None,
    keep_going: bool = False,
    mix_kernels: bool = False,
    progress: Progress | bool | None = None,
    stopper: Stopper | None = None,
) -> Run:
    """Run a spec into a directory, or go on with one that was interrupted.

    spec: a path, a mapping or a Spec; overrides: {"key.path": value}, or "key.path=value" strings. threads: all
    processors by default, or FASTLSTM_THREADS; their number has no influence on the results. progress: True shows it
    on stderr, by default on a terminal and in a notebook only; a function is called with the draws done and their
    total, once before anything is computed and then after every slice. stopper: asks the run to end at the next part.

    shard: (3, 16) computes the third of sixteen shares and makes no tables; shards may run at the same time, on any
    machines that share the directory, and `merge` ends the run. keep_going: when a point fails, compute the others
    first. mix_kernels: go on with draws that another version of the kernel began, whose numbers may differ.

    Raises ValueError if there is no such shard; SpecError; DirectoryLocked; OtherSpec, with the keys that differ, if
    the directory belongs to another spec; OtherKernel; DiskError; Stopped; PointsFailed with keep_going, else whatever
    a point failed with.
    """
    with show_progress(progress) as display:
        return run_shown(
            as_spec(spec, overrides),
            out,
            threads=threads,
            shard=None if shard is None else Shard.of(*shard),
            keep_going=keep_going,
            mix_kernels=mix_kernels,
            display=display,
            stopper=stopper or Stopper(),
        )


def run_shown(
    spec: Spec,
    out: str | os.PathLike[str],
    *,
    threads: int | None,
    shard: Shard | None,
    keep_going: bool,
    mix_kernels: bool,
    display: Log,
    stopper: Stopper,
) -> Run:
    """Run a spec as `run` does, with progress on a display, which also knows what was compiled."""
    made_by = provenance(spec.dtype)
    with (
        compilation(display.compiling, display.compiled),
        open_directory(spec, out, made_by=made_by, shard=shard) as directory,
    ):
        committed, size = directory.committed, directory.layout["part_draws"]
        is_begun = committed and any(part.id not in committed for part in parts_of_shard(spec, size, shard))
        if is_begun and not mix_kernels:
            refuse_other_kernel(out, directory.earlier_sessions, made_by["kernel"])
        sweep(
            spec,
            directory,
            threads=_threads(threads),
            shard=shard,
            keep_going=keep_going,
            progress=display,
            work=display.work,
            stopper=stopper,
        )
        if shard is None:
            judge_claims(spec, directory)
            directory.finish()
    return Run(out)


def open_directory(
    spec: Spec, out: str | os.PathLike[str], *, made_by: Mapping[str, Any], shard: Shard | None = None
) -> RunDirectory:
    """The run directory of a spec, opened for writing. Raises DirectoryLocked; OtherSpec; Damaged; DiskError."""
    try:
        return RunDirectory.open(
            out,
            spec_text=spec.normalised(folder=out),
            spec_hash=run_key(spec),
            provenance=made_by,
            layout=layout(spec, shards=1 if shard is None else shard.total),
            shard=shard,
        )
    except OtherSpec as error:
        raise other_spec(spec, out, error) from None


def other_spec(spec: Spec, out: str | os.PathLike[str], error: OtherSpec) -> OtherSpec:
    """The error with the keys that differ."""
    try:
        differences = spec.differences(read(out).spec())
    except (SpecError, StoreError):
        return error.with_differences(["its spec cannot be read"])
    return error.with_differences(differences or ["the specs are equal, but the version of the random streams is not"])


def refuse_other_kernel(path: str | os.PathLike[str], sessions: Iterable[Mapping[str, Any]], kernel: str) -> None:
    """Raises OtherKernel if a session in a directory, of which draws are missing, had another kernel than this one."""
    others = kernels(sessions)
    others.pop(kernel, None)
    if others:
        theirs = ", ".join(f"{version} ({digest[:12]})" for digest, version in others.items())
        raise OtherKernel(
            f"{os.fspath(path)} has draws computed by fastlstm {theirs}, whose kernel has other sources than this one "
            f"({kernel[:12]}): their numbers may differ; give another directory, or allow it (--mix-kernels)"
        )


def _threads(wanted: int | None) -> int:
    return available_threads() if wanted is None else wanted


def simulate(spec: SpecSource, *, overrides: Overrides = (), threads: int | None = None) -> pd.DataFrame:
    """Run a small spec in memory and return its rows; nothing is written."""
    return in_memory(as_spec(spec, overrides), threads=_threads(threads))
