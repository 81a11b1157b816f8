"""A maker over the workers of a Dask cluster. They compute; the directory, its lock and its journal are the driver's.

A worker that comes back from the dead, or does a part twice, does no harm: what it sends is dropped, or is the same
bytes.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from fastlstm.cluster.client import Client, Future
from fastlstm.cluster.crew import Crew, Identity
from fastlstm.cluster.errors import OtherWorker, WorkersDied
from fastlstm.cluster.sharing import Sharing
from fastlstm.store import Damaged, EncodedPart
from fastlstm.sweep.making import Advance, FailedPart, MadePart
from fastlstm.sweep.plan import Part, Plan
from fastlstm.sweep.provenance import installation, package_digest
from fastlstm.sweep.remote import Delivery, Job, hold, make_part
from fastlstm.sweep.stopping import Stopper
from fastlstm.tables.counts import Counts

_PATIENCE_S = 60.0
_EMBEDDED_BYTES = 2**20  # a job with a series beyond that is sent to each worker once, not with each part


class OtherPackages(UserWarning):
    """A worker has other versions of the packages below fastlstm."""


def crew_of(client: Client, *, patience: float = _PATIENCE_S) -> Crew:
    """The workers of a client, all of them with the fastlstm of this process.

    Raises OtherWorker; NoWorkers; NoScheduler.
    """
    crew = Crew(client, installation, _Judge(installation()), patience=patience)
    crew.meet()
    return crew


def installations(crew: Crew) -> list[Identity]:
    """What the workers are, for the record: each installation on each host once, with the number of its workers."""
    distinct: list[Identity] = []
    for identity in crew.met.values():
        same = next((each for each in distinct if {**each, "workers": 0} == {**identity, "workers": 0}), None)
        if same is None:
            distinct.append({**identity, "workers": 1})
        else:
            same["workers"] += 1
    return distinct


class _Judge:
    """Refuses workers with another fastlstm; warns, once each, of those with other packages."""

    def __init__(self, mine: Identity) -> None:
        self._mine = mine
        self._warned: set[str] = set()

    def __call__(self, address: str, theirs: Identity) -> None:
        versions, own = theirs["versions"], self._mine["versions"]
        if (versions["fastlstm"], theirs["sources"]) != (own["fastlstm"], self._mine["sources"]):
            raise OtherWorker(
                f"the worker at {address} on {theirs['host']} has fastlstm {versions['fastlstm']} "
                f"({theirs['sources'][:12]}), and this process fastlstm {own['fastlstm']} "
                f"({self._mine['sources'][:12]}): install the same on all, and start its workers again"
            )
        others = [f"{name} {versions.get(name)} ({own[name]} here)" for name in own if versions.get(name) != own[name]]
        told = f"workers on {theirs['host']} have {', '.join(others)}: their files may have other bytes"
        if others and told not in self._warned:
            self._warned.add(told)
            warnings.warn(told, OtherPackages, stacklevel=2)


class ClusterMaker:
    """Makes parts with the workers of a crew; they come in any order.

    record: told what the workers are, before they make parts and afterwards.
    """

    def __init__(self, plan: Plan, crew: Crew, stopper: Stopper, *, record: Callable[..., None]) -> None:
        self._points = plan.spec.points()
        self._record = record
        self._measures = plan.spec.row_layout.measures
        self._job = Job.of(plan)
        self._crew = crew
        self._stopper = stopper
        self._held: Future | None = None

    def __call__(self, wanted: Iterable[Part], advance: Advance) -> Iterator[MadePart | FailedPart]:
        share: Sharing[Part, Delivery] = Sharing(
            self._crew, make_part, self._shared, fault=self._fault, stopping=lambda: bool(self._stopper.signal)
        )
        self._record(workers=installations(self._crew))
        try:
            for part, delivery, error in share(wanted):
                if delivery is not None:
                    advance(part.draws, self._points[part.id.point].steps)
                    yield self._made(part, delivery.encoded())
                elif error is not None:
                    yield FailedPart(part, _explained(part, error))
        finally:
            self._record(workers=installations(self._crew))

    def _shared(self) -> Any:
        recorded = self._job.recorded
        if recorded is None or recorded.values.nbytes <= _EMBEDDED_BYTES:
            return self._job
        if self._held is None or self._held.status in ("cancelled", "lost", "error"):
            self._held = self._crew.client.submit(hold, self._job, pure=False)
        return self._held

    def _fault(self, part: Part, delivery: Any) -> str | None:
        """What is wrong with a delivery: nothing of what a worker says is taken on trust."""
        if not isinstance(delivery, Delivery):
            return f"a {type(delivery).__name__} was delivered"
        if delivery.sources != package_digest():
            self._crew.check_all()
            raise OtherWorker(f"{part.id} was made by other sources ({delivery.sources[:12]}) of fastlstm")
        entry = delivery.entry
        if (delivery.run_key, entry.part, entry.first_draw, entry.draws) != (self._job.run_key, *part):
            return f"{entry.part} of run {delivery.run_key} was delivered"
        try:
            delivery.encoded().check()
        except Damaged as error:
            return str(error)
        return None

    def _made(self, part: Part, encoded: EncodedPart) -> MadePart:
        counts = Counts(self._measures)
        counts.merge_table(encoded.counts_table())
        return MadePart(part, counts, encoded.entry.kept, partial(_as_it_is, encoded))


def _as_it_is(encoded: EncodedPart) -> EncodedPart:
    return encoded


def _explained(part: Part, error: Exception) -> Exception:
    if not isinstance(error, WorkersDied):
        return error
    point, number = part.id
    last = part.first + part.draws - 1
    return WorkersDied(
        f"part {number} of point {point}, draws {part.first:,} to {last:,}: {error}, perhaps for want of memory; "
        "the logs of the workers may say more"
    )
