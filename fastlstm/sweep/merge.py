"""The end of a run that was computed in shards: its tables and verdicts, from whatever draws are there."""

import os

from fastlstm import store
from fastlstm.runs import Run
from fastlstm.store import NotThere, RunDirectory
from fastlstm.sweep.opening import open_directory, plan_of
from fastlstm.sweep.plan import Plan
from fastlstm.sweep.provenance import provenance
from fastlstm.tables.totals import Totals, write_tables
from fastlstm.verdicts.judge import judge_claims

_POINTS_NAMED = 20


class Incomplete(Exception):
    """Draws are missing that the tables need."""


def merge(path: str | os.PathLike[str], *, incomplete: bool = False) -> Run:
    """Make the tables of a run from the draws that are there, whoever computed them, and end the run.

    incomplete: make tables although draws are missing. They say so: `points` has the draws that were counted, and the
    attributes of each data frame have "incomplete". The run is not finished then; a later run or merge completes it.

    Raises NotARun; Incomplete; DirectoryLocked, also if a shard is at work; NotThere if there are no draws at all;
    SpecError if the spec's input file is gone; DiskError.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 4096, "steps": 10, "params": {"default": {"normal": {"std": 2.0}}}}
    >>> for k in (1, 2):  # on a cluster, two tasks of a job array
    ...     _ = fastlstm.run(spec, "results/shared", shard=(k, 2))
    >>> int(fastlstm.merge("results/shared").points()["draws"].iloc[0])
    4096
    """
    store.read_spec(path)
    spec = Run(path).spec()
    made_by = provenance(spec.dtype)
    del made_by["kernel"]  # no draw is computed here
    plan = Plan.of_new_run(spec)
    with open_directory(plan, path, made_by=made_by) as directory:
        if directory.finished:
            judge_claims(spec, directory)
            directory.finish()
            return Run(path)
        if not directory.committed:
            raise NotThere(f"{path} has no draws yet, so there is nothing to merge")
        missing = _missing(plan_of(plan, directory), directory)
        if missing and not incomplete:
            raise Incomplete(f"{path}: {missing}")
        write_tables(directory, Totals(spec))
        judge_claims(spec, directory)
        if not missing:
            directory.finish()
    return Run(path)


def _missing(plan: Plan, directory: RunDirectory) -> str:
    """What a run lacks, point by point, and which of its shards; empty if nothing."""
    committed = directory.committed
    left: dict[int, tuple[int, int]] = {}
    for part in plan.parts():
        if part.id not in committed:
            count, draws = left.get(part.id.point, (0, 0))
            left[part.id.point] = count + 1, draws + part.draws
    if not left:
        return ""
    draws = sum(draws for _, draws in left.values())
    lines = [f"{draws:,} of {plan.total:,} draws are missing, in {sum(count for count, _ in left.values()):,} parts"]
    named = list(left.items())[:_POINTS_NAMED]
    lines += [f"point {point}: {draws:,} draws in {_counted(count, 'part')}" for point, (count, draws) in named]
    if len(left) > len(named):
        lines.append(f"and {_counted(len(left) - len(named), 'more point')}")
    for shards, unfinished in plan.unfinished_shards(committed, directory.earlier_sessions).items():
        lines.append(f"of {shards} shards these are not done: {', '.join(map(str, unfinished))}")
    return "\n".join(lines)


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
