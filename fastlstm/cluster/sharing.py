"""Tasks shared among a crew, and their results as they come, in any order.

Every wait has an end: a plain `gather` waits for ever once the last worker died between its result and the fetching
of it. A task is sent with all it needs, so that any worker can do it again; whatever comes late, twice or damaged is
dropped, and the task, if it still waits, sent again.
"""

import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import uuid4

from distributed import KilledWorker

from fastlstm.cluster.client import Future
from fastlstm.cluster.crew import Crew
from fastlstm.cluster.errors import NoScheduler, ResultLost, WorkersDied

Task = TypeVar("Task")
Reply = TypeVar("Reply")

_AHEAD = 2  # tasks in flight for each thread: one being worked on, one waiting
_FETCH_S = 60.0  # for one result
_MOST_TRIES = 5
_GRACE_S = 8.0  # for what is in flight when the run is to stop


class Outcome(NamedTuple, Generic[Task, Reply]):
    """A task with its reply, or with the error that it failed with."""

    task: Task
    reply: Reply | None
    error: Exception | None


class Sharing(Generic[Task, Reply]):
    """Has a crew do tasks.

    work: called on a worker as work(shared, task); workers import it. shared: what all tasks need, sent along with
    each, or a future of it. fault: what is wrong with a reply to a task, or None. stopping: whether to send no more,
    and to wait for what is in flight for some seconds only.
    """

    def __init__(
        self,
        crew: Crew,
        work: Callable[[Any, Task], Reply],
        shared: Callable[[], Any],
        *,
        fault: Callable[[Task, Any], str | None],
        stopping: Callable[[], bool],
    ) -> None:
        self._crew = crew
        self._work = work
        self._shared = shared
        self._fault = fault
        self._stopping = stopping
        self._arrived: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._flying: dict[Any, tuple[Task, Future]] = {}
        self._again: deque[Task] = deque()
        self._suspects: deque[Task] = deque()
        self._alone: Any = None  # the key of a suspect in flight
        self._tries: dict[Task, int] = {}
        self._key = f"{work.__name__}-{uuid4().hex[:8]}"  # two drivers of a cluster never share a task
        self._sent = 0
        self._tasks_left = True

    def __call__(self, tasks: Iterable[Task]) -> Iterator[Outcome[Task, Reply]]:
        """The outcomes of tasks, which are taken one by one as there is room for them.

        Raises NoWorkers; NoScheduler; OtherWorker; ResultLost.
        """
        coming, until = iter(tasks), None
        try:
            while self._tasks_left or self._flying or self._again or self._suspects:
                self._crew.look()
                if self._stopping():
                    until = until or time.monotonic() + _GRACE_S
                    self._again.clear()
                    self._suspects.clear()
                    self._tasks_left = False
                    if time.monotonic() > until:
                        return
                self._send_what_there_is_room_for(coming)
                if (outcome := self._next()) is not None:
                    yield outcome
        finally:
            self._recall()

    def _send_what_there_is_room_for(self, coming: Iterator[Task]) -> None:
        if self._suspects or self._alone is not None:
            if self._suspects and not self._flying and self._crew.threads:
                self._alone = self._send(self._suspects.popleft())
            return
        while len(self._flying) < _AHEAD * self._crew.threads:
            if self._again:
                self._send(self._again.popleft())
            elif self._tasks_left and (task := next(coming, None)) is not None:
                self._send(task)
            else:
                self._tasks_left = False
                return

    def _send(self, task: Task) -> Any:
        self._sent += 1
        key = f"{self._key}-{self._sent}"  # a new one each time, so that no old result is taken for a new one
        try:
            future = self._crew.client.submit(self._work, self._shared(), task, key=key, pure=False)
        except Exception as error:
            if self._crew.client.status == "closed":
                raise NoScheduler(f"the connection to the Dask scheduler is lost: {error}") from None
            raise
        self._flying[key] = task, future
        future.add_done_callback(self._arrived.put)
        return key

    def _next(self) -> Outcome[Task, Reply] | None:
        try:
            future = self._arrived.get(timeout=0.2)  # signals are handled in between
        except queue.Empty:
            return None
        if future.key not in self._flying:
            return None
        task, _ = self._flying.pop(future.key)
        alone, self._alone = future.key == self._alone, None if future.key == self._alone else self._alone
        if future.status == "finished":
            return self._reply(task, future)
        if future.status == "error":
            return self._failure(task, future.exception(timeout=_FETCH_S), alone=alone)
        self._send_again(task, "the connection to the scheduler was lost")
        return None

    def _reply(self, task: Task, future: Future) -> Outcome[Task, Reply] | None:
        try:
            reply = future.result(timeout=_FETCH_S)
        except Exception as error:  # noqa: BLE001 - whoever had it is gone; what fails for a reason fails again
            self._send_again(task, f"{type(error).__name__}: {error}")
            return None
        if (fault := self._fault(task, reply)) is not None:
            self._send_again(task, fault)
            return None
        self._tries.pop(task, None)
        return Outcome(task, reply, None)

    def _failure(self, task: Task, error: Exception, *, alone: bool) -> Outcome[Task, Reply] | None:
        if isinstance(error, KilledWorker):
            if not alone:
                # Dask blames all that a worker had when it died: tried with nothing beside it, the guilty one shows
                self._suspects.append(task)
                return None
            deaths = f"{error.allowed_failures + 1} workers died over it" if error.args else "workers died over it"
            return Outcome(task, None, WorkersDied(deaths))
        self._crew.check_all()  # a worker with another installation is told as that
        return Outcome(task, None, error)

    def _send_again(self, task: Task, why: str) -> None:
        self._tries[task] = self._tries.get(task, 0) + 1
        if self._tries[task] >= _MOST_TRIES:
            raise ResultLost(f"the result of {task} did not come through in {_MOST_TRIES} tries: {why}")
        self._again.append(task)

    def _recall(self) -> None:
        """Nobody waits any more for what is in flight."""
        futures = [future for _, future in self._flying.values()]
        self._flying.clear()
        if futures and self._crew.client.status == "running":
            self._crew.client.cancel(futures)
