"""Parts made on another machine: what travels there, what is rebuilt there, and what comes back.

A `Spec` and a `Simulation` hold generic classes and memory of threads, which no pickle carries. So plain data travel:
the text of the spec, the series it reads, and the key of the run, by which a worker sees that it reads the same spec
out of the same text. A worker rebuilds them once.
"""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa

from fastlstm.spec import Point, Recorded, Spec, rebuild
from fastlstm.store import EncodedPart, PartEntry
from fastlstm.sweep.making import Compute, FailedPart, LocalMaker, Simulator, kernel
from fastlstm.sweep.plan import Part, Plan, run_key
from fastlstm.sweep.provenance import package_digest


class Job(NamedTuple):
    """A run as it travels to a worker. `recorded` is the series of a file input."""

    run_key: str
    part_draws: int
    spec_text: str
    recorded: Recorded | None

    @classmethod
    def of(cls, plan: Plan) -> "Job":
        return cls(run_key(plan.spec), plan.part_draws, plan.spec.normalised(), plan.spec.recorded())


class Delivery(NamedTuple):
    """A part as it travels back: of which run, made by which sources, its files as bytes, and the entry over them."""

    run_key: str
    sources: str
    entry: PartEntry
    counts: pa.Buffer
    rows: pa.Buffer | None

    def encoded(self) -> EncodedPart:
        rows = None if self.rows is None else memoryview(self.rows)
        return EncodedPart(self.entry, memoryview(self.counts), rows)


class OtherText(Exception):
    """A worker reads another spec than the driver out of the same text."""


class _Workshop:
    """What a worker keeps of a run: its plan, and the simulations of the points that came last."""

    def __init__(self, job: Job, simulator: Simulator) -> None:
        self.plan = Plan(rebuild(job.spec_text, job.recorded), job.part_draws)
        if run_key(self.plan.spec) != job.run_key:
            raise OtherText(f"the spec of run {job.run_key} is {run_key(self.plan.spec)} on this worker")
        points = self.plan.spec.points()
        self._compute: Callable[[int], Compute] = lru_cache(maxsize=4)(lambda n: simulator(self.plan.spec, points[n]))

    def simulator(self, spec: Spec, point: Point) -> Compute:
        return self._compute(point.index)


_workshops: dict[str, _Workshop] = {}
_building = threading.Lock()


def _workshop(job: Job) -> _Workshop:
    with _building:
        if job.run_key not in _workshops:
            _workshops.clear()  # one run at a time has its series here
            _workshops[job.run_key] = _Workshop(job, kernel)
        return _workshops[job.run_key]


def make_part(job: Job, part: Part) -> Delivery:
    """Make a part on a worker, with the code of a local run. Raises what the part fails with."""
    workshop = _workshop(job)
    make = LocalMaker(workshop.plan, threads=1, simulator=workshop.simulator)
    (outcome,) = make([part], _untold)
    if isinstance(outcome, FailedPart):
        raise outcome.error
    entry, counts, rows = outcome.encode()
    # buffers of Arrow are pickled out of band, without a copy
    delivered = None if rows is None else pa.py_buffer(rows)
    return Delivery(job.run_key, package_digest(), entry, pa.py_buffer(counts), delivered)


def hold(job: Job) -> Job:
    """The job itself: as the result of a task it is sent to each worker once, and made anew if its holders die."""
    return job


def _untold(draws: int, steps: int) -> None:
    """Progress is told by whole parts."""
