"""The one orchestrator: a plan and a maker of parts in; committed parts and tables out.

While the next parts are computed, one thread encodes and hashes those that are made, and another one brings what is
encoded to the disk: all that waits for it at once, so that the device syncs them together.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from fastlstm.store import EncodedPart, RunDirectory
from fastlstm.sweep.making import FailedPart, MadePart, Maker
from fastlstm.sweep.plan import Part, Plan, Shard
from fastlstm.sweep.stopping import Failures, PointsFailed, Progress, Stopped, Stopper, quiet
from fastlstm.tables.totals import Totals, write_tables

_WAITING_PARTS = 8  # while the disk is slow
_WAITING_ROWS = 262_144


class _Committer:
    """Commits parts, and sums up the points that this session makes whole.

    A part goes through two threads: one encodes and hashes, the other waits for the disk.
    """

    def __init__(self, plan: Plan, directory: RunDirectory, failures: Failures, *, adds_up: bool) -> None:
        self.totals = Totals(plan.spec)
        self._adds_up = adds_up
        self._directory = directory
        self._failures = failures
        self._begun_before = {part.point for part in directory.committed}
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="fastlstm-encoder")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="fastlstm-writer")
        self._waiting: deque[tuple[int, Future[Future[None]]]] = deque()  # rows, and what encodes and commits them
        self._encoded: deque[EncodedPart] = deque()

    def __enter__(self) -> "_Committer":
        return self

    def __exit__(self, *error: object) -> None:
        self._encoder.shutdown(cancel_futures=True)
        self._writer.shutdown(cancel_futures=True)

    def submit(self, made: MadePart) -> None:
        """Have a part committed, once there is room for it: some small parts may wait, or one large one."""
        while self._waiting and (
            len(self._waiting) >= _WAITING_PARTS or sum(rows for rows, _ in self._waiting) + made.rows > _WAITING_ROWS
        ):
            self._waiting.popleft()[1].result().result()
        self._waiting.append((made.rows, self._encoder.submit(self._encode, made)))
        if self._adds_up and made.part.id.point not in self._begun_before:
            self.totals.add(made.part.id.point, made.part.draws, made.counts)

    def wait(self) -> None:
        """Come back when all that was submitted is committed. Raises DiskError."""
        while self._waiting:
            self._waiting.popleft()[1].result().result()

    def _encode(self, made: MadePart) -> Future[None]:
        """Encode a part, and come back with the promise that it is committed."""
        if made.part.id.point not in self._failures:
            try:
                self._encoded.append(made.encode())
            except Exception as error:  # noqa: BLE001 - raised again if it is not the point's
                self._failures.add(made.part.id.point, error)
        return self._writer.submit(self._commit)

    def _commit(self) -> None:
        """Commit all that is encoded by now, also what a later call was made for."""
        parts = [self._encoded.popleft() for _ in range(len(self._encoded))]
        if parts:
            self._directory.commit(*parts)


def sweep(
    plan: Plan,
    directory: RunDirectory,
    make: Maker,
    *,
    shard: Shard | None = None,
    keep_going: bool = False,
    progress: Progress = quiet,
    work: Progress = quiet,
    stopper: Stopper,
) -> None:
    """Make and commit the parts of a plan that a run directory does not have yet, then its tables.

    `progress` is called with the draws done and their total; `work`, just before, with the same in draw-steps.
    A shard makes its share of the parts and no tables. Raises Stopped once the parts in hand are committed, if the
    stopper asks for it; with keep_going PointsFailed, once all other points are done.
    """
    failures = Failures(keep_going=keep_going)
    committed = directory.committed
    total = plan.draws(shard)
    done = plan.draws(shard, within=committed)
    steps_done = plan.draw_steps(part for part in plan.parts(shard) if part.id in committed)
    steps_in_all = plan.draw_steps(plan.parts(shard))
    work(steps_done, steps_in_all)
    progress(done, total)

    def wanted() -> Iterator[Part]:
        for part in plan.parts(shard):
            if stopper.signal:
                return
            if part.id not in committed and part.id.point not in failures:
                yield part

    def advance(draws: int, steps: int) -> None:
        nonlocal done, steps_done
        done += draws
        steps_done += draws * steps
        work(steps_done, steps_in_all)
        progress(done, total)

    with _Committer(plan, directory, failures, adds_up=shard is None) as committer:
        for outcome in make(wanted(), advance):
            if isinstance(outcome, FailedPart):
                failures.add(outcome.part.id.point, outcome.error)
            elif outcome.part.id.point not in failures:
                committer.submit(outcome)
        committer.wait()
    done = plan.draws(shard, within=directory.committed)
    if failures.errors and not stopper.signal:
        raise PointsFailed(failures.errors, done, total)
    if done < total:
        raise Stopped(stopper.signal, done, total, failures.errors)
    if shard is None and not directory.finished:
        write_tables(directory, committer.totals)
