"""Run a spec: into a directory, or in memory."""

import os
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from fastlstm.cluster.client import Client
from fastlstm.kernel.lanes.compiling import compilation
from fastlstm.runs import Overrides, Run, SpecSource, as_spec
from fastlstm.spec import Spec
from fastlstm.store import PartId
from fastlstm.sweep.engine import sweep
from fastlstm.sweep.in_memory import simulated_rows
from fastlstm.sweep.making import LocalMaker, Maker, Simulator, kernel
from fastlstm.sweep.opening import open_directory, plan_of
from fastlstm.sweep.plan import Plan, Shard
from fastlstm.sweep.progress import Log, show_progress
from fastlstm.sweep.provenance import kernels, provenance
from fastlstm.sweep.stopping import Progress, Stopper, quiet
from fastlstm.threads import available_threads
from fastlstm.verdicts.judge import judge_claims

if TYPE_CHECKING:
    from fastlstm.cluster.crew import Crew


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
    client: Client | None = None,
) -> Run:
    """Run a spec into a directory, or go on with one that was interrupted.

    spec: a path, a mapping or a Spec; overrides: {"key.path": value}, or "key.path=value" strings. threads: all
    processors by default, or FASTLSTM_THREADS; their number has no influence on the results. progress: True shows it
    on stderr, by default on a terminal and in a notebook only; a function is called with the draws done and their
    total, once before anything is computed and then after every slice. stopper: asks the run to end at the next part.

    shard: (3, 16) computes the third of sixteen shares and makes no tables; shards may run at the same time, on any
    machines that share the directory, and `merge` ends the run. keep_going: when a point fails, compute the others
    first. mix_kernels: go on with draws that another version of the kernel began, whose numbers may differ.

    client: a distributed.Client, whose workers compute the parts instead of threads; see docs/cluster.md.

    Raises ValueError if there is no such shard, or a client besides threads or a shard; SpecError; DirectoryLocked;
    OtherSpec, with the keys that differ, if the directory belongs to another spec; OtherKernel; DiskError; Stopped;
    PointsFailed with keep_going, else whatever a point failed with; with a client ClusterError.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 1000, "steps": 10, "params": {"default": {"normal": {}}, "b_f": {"grid": [0.0, 4.0]}}}
    >>> run = fastlstm.run(spec, "results/two_biases", overrides=["seed=7"])
    >>> run.points()[["b_f", "draws"]].to_numpy().tolist()
    [[0.0, 1000.0], [4.0, 1000.0]]
    >>> median = run.draws().groupby("b_f")["log10_dC0"].median()
    >>> bool(median[4.0] > median[0.0])
    True
    """
    share = None if shard is None else Shard.of(*shard)
    with show_progress(progress) as display:
        return run_shown(
            as_spec(spec, overrides),
            out,
            threads=threads,
            shard=share,
            keep_going=keep_going,
            mix_kernels=mix_kernels,
            display=display,
            stopper=stopper or Stopper(),
            client=client,
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
    client: Client | None = None,
) -> Run:
    """Run a spec as `run` does, with progress on a display, which also knows what was compiled."""
    if client is not None and (threads is not None or shard is not None):
        raise ValueError("a client's workers take the place of threads and shards; leave out threads and shard")
    with compilation(display.compiling, display.compiled):
        return execute(
            spec,
            out,
            made_by=provenance(spec.dtype),
            threads=_threads(threads),
            shard=shard,
            keep_going=keep_going,
            mix_kernels=mix_kernels,
            progress=display,
            work=display.work,
            stopper=stopper,
            crew=None if client is None else _crew_of(client),
        )


def execute(
    spec: Spec,
    out: str | os.PathLike[str],
    *,
    made_by: Mapping[str, Any],
    threads: int,
    simulator: Simulator = kernel,
    shard: Shard | None = None,
    keep_going: bool = False,
    mix_kernels: bool = False,
    progress: Progress = quiet,
    work: Progress = quiet,
    stopper: Stopper,
    crew: "Crew | None" = None,
) -> Run:
    """What `run` does, with whatever simulates the draws, and says what made them."""
    begun = Plan.of_new_run(spec, shards=1 if shard is None else shard.total, workers=crew.threads if crew else 0)
    with open_directory(begun, out, made_by=made_by, shard=shard) as directory:
        plan = plan_of(begun, directory)
        if not mix_kernels:
            refuse_other_kernel(plan, out, shard, directory.committed, directory.earlier_sessions, made_by["kernel"])
        make: Maker
        if crew is None:
            make = LocalMaker(plan, threads=threads, simulator=simulator)
        else:
            from fastlstm.sweep.cluster_maker import ClusterMaker

            make = ClusterMaker(plan, crew, stopper, record=directory.put_on_record)
        sweep(plan, directory, make, shard=shard, keep_going=keep_going, progress=progress, work=work, stopper=stopper)
        if shard is None:
            judge_claims(spec, directory)
            directory.finish()
        else:
            directory.write_spec(spec.normalised(folder=out))  # with the claims as they are now, for the merge
    return Run(out)


def _crew_of(client: Client) -> "Crew":
    from fastlstm.sweep.cluster_maker import crew_of  # which imports Dask

    return crew_of(client)


def refuse_other_kernel(
    plan: Plan,
    path: str | os.PathLike[str],
    shard: Shard | None,
    committed: Container[PartId],
    sessions: Iterable[Mapping[str, Any]],
    kernel: str,
) -> None:
    """Raises OtherKernel if draws are missing in a directory where a session had another kernel than this one."""
    others = kernels(sessions)
    others.pop(kernel, None)
    if committed and others and any(part.id not in committed for part in plan.parts(shard)):
        theirs = ", ".join(f"{version} ({digest[:12]})" for digest, version in others.items())
        raise OtherKernel(
            f"{os.fspath(path)} has draws computed by fastlstm {theirs}, whose kernel has other sources than this one "
            f"({kernel[:12]}): their numbers may differ; give another directory, or allow it (--mix-kernels)"
        )


def _threads(wanted: int | None) -> int:
    return available_threads() if wanted is None else wanted


def simulate(spec: SpecSource, *, overrides: Overrides = (), threads: int | None = None) -> pd.DataFrame:
    """Run a small spec in memory and return its rows; nothing is written.

    spec, overrides and threads as in `run`. The columns are those of docs/measures.md. Raises SpecError.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 1000, "steps": 10, "params": {"default": {"normal": {"std": 2.0}}}}
    >>> df = fastlstm.simulate(spec)
    >>> len(df), df["regime_f"].cat.categories.tolist()
    (1000, ['left', 'mid', 'right'])
    """
    return simulated_rows(as_spec(spec, overrides), threads=_threads(threads))
