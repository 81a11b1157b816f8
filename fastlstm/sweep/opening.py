"""The one place where a run directory is opened to be written into."""

import os
from collections.abc import Mapping
from typing import Any

from fastlstm.runs import read
from fastlstm.spec import Spec, SpecError
from fastlstm.store import OtherSpec, RunDirectory, StoreError
from fastlstm.sweep.plan import Plan, Shard, run_key


def open_directory(
    plan: Plan, path: str | os.PathLike[str], *, made_by: Mapping[str, Any], shard: Shard | None = None
) -> RunDirectory:
    """Begin the directory of a run by a plan, or go on with the one that is there, which keeps its own layout.

    made_by: what goes on record as the session's provenance. Raises what RunDirectory.open raises; OtherSpec with the
    keys that differ.
    """
    try:
        return RunDirectory.open(
            path,
            spec_text=plan.spec.normalised(folder=path),
            spec_hash=run_key(plan.spec),
            provenance=made_by,
            layout=plan.layout,
            shard=shard,
        )
    except OtherSpec as error:
        raise with_differences(error, plan.spec) from None


def with_differences(error: OtherSpec, spec: Spec) -> OtherSpec:
    """The error with the keys in which a spec differs from that of the directory."""
    try:
        differences = spec.differences(read(error.path).spec())
    except (SpecError, StoreError):
        return error.with_differences(["its spec cannot be read"])
    return error.with_differences(differences or ["the specs are equal, but the version of the random streams is not"])


def plan_of(plan: Plan, directory: RunDirectory) -> Plan:
    """The plan that a directory was begun with, of the same spec."""
    return Plan(plan.spec, directory.layout["part_draws"])
