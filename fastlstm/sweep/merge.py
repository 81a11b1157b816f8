"""The end of a run that was computed in shards: its tables and verdicts, from whatever draws are there."""

import os
from collections.abc import Container, Iterable, Mapping
from typing import Any

from fastlstm import store
from fastlstm.runs import Run
from fastlstm.spec import Spec
from fastlstm.store import NotThere, PartId, RunDirectory
from fastlstm.sweep.plan import dealt_out, parts
from fastlstm.sweep.provenance import provenance
from fastlstm.sweep.session import open_directory
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
    """
    store.read_spec(path)
    spec = Run(path).spec()
    made_by = provenance(spec.dtype)
    del made_by["kernel"]  # no draw is computed here
    with open_directory(spec, path, made_by=made_by) as directory:
        if directory.finished:
            judge_claims(spec, directory)
            directory.finish()
            return Run(path)
        if not directory.committed:
            raise NotThere(f"{path} has no draws yet, so there is nothing to merge")
        missing = _missing(spec, directory)
        if missing and not incomplete:
            raise Incomplete(f"{path}: {missing}")
        write_tables(directory, Totals(spec))
        judge_claims(spec, directory)
        if not missing:
            directory.finish()
    return Run(path)


def _missing(spec: Spec, directory: RunDirectory) -> str:
    """What a run lacks, point by point, and which of its shards; empty if nothing."""
    size, committed = directory.layout["part_draws"], directory.committed
    left: dict[int, tuple[int, int]] = {}
    for part in parts(spec, size):
        if part.id not in committed:
            count, draws = left.get(part.id.point, (0, 0))
            left[part.id.point] = count + 1, draws + part.draws
    if not left:
        return ""
    draws, of = sum(draws for _, draws in left.values()), spec.draws * len(spec.points())
    lines = [f"{draws:,} of {of:,} draws are missing, in {sum(count for count, _ in left.values()):,} parts"]
    named = list(left.items())[:_POINTS_NAMED]
    lines += [f"point {point}: {draws:,} draws in {_counted(count, 'part')}" for point, (count, draws) in named]
    if len(left) > len(named):
        lines.append(f"and {_counted(len(left) - len(named), 'more point')}")
    for shards, unfinished in unfinished_shards(spec, size, committed, directory.earlier_sessions).items():
        lines.append(f"of {shards} shards these are not done: {', '.join(map(str, unfinished))}")
    return "\n".join(lines)


def unfinished_shards(
    spec: Spec, part_draws: int, committed: Container[PartId], sessions: Iterable[Mapping[str, Any]]
) -> dict[int, list[int]]:
    """For each number of shards that a session was one of: those shards that lack parts."""
    divisions = {name.partition("-of-")[2] for name in (each["shard"] for each in sessions) if name}
    return {
        shards: sorted({shard for shard, part in dealt_out(spec, part_draws, shards) if part.id not in committed})
        for shards in sorted(map(int, divisions))
    }


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
