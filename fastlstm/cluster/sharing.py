"""Tasks shared among a crew, and their results as they come, in any order.

Every wait has an end: a plain `gather` waits for ever once the last worker died between its result and the fetching
of it. A task is sent with all it needs, so that any worker can do it again; whatever comes late, twice or damaged is
dropped, and the task, if it still waits, sent again.
"""

import queue
import threading
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
_FETCHES = 4  # results on their way at once, so that a worker that hangs holds up neither the others nor a stop
_MOST_TRIES = 5
_GRACE_S = 8.0  # for what is in flight when the run is to stop


class Outcome(NamedTuple, Generic[Task, Reply]):
    """A task with its reply, or with the error that it failed with."""

    task: Task
    reply: Reply | None
    error: Exception | None


class _Fetched(NamedTuple):
    """A reply, or the error that came in place of it: whoever had it may be gone."""

    key: Any
    reply: Any
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
        self._events: queue.SimpleQueue[Future | _Fetched] = queue.SimpleQueue()
        self._finished: deque[Future] = deque()  # to be fetched; until then the workers keep what they made
        self._fetches = 0
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
                if self._stopping():  # what is in flight is waited for, and the scheduler is asked no more
                    until = until or time.monotonic() + _GRACE_S
                    self._again.clear()
                    self._suspects.clear()
                    self._tasks_left = False
                    if time.monotonic() > until:
                        return
                else:
                    self._crew.look()
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
        future.add_done_callback(self._events.put)
        return key

    def _next(self) -> Outcome[Task, Reply] | None:
        try:
            event = self._events.get(timeout=0.2)  # signals are handled in between
        except queue.Empty:
            return None
        outcome = self._reply(event) if isinstance(event, _Fetched) else self._end(event)
        while self._finished and self._fetches < _FETCHES:
            self._fetches += 1
            # a daemon: the process does not wait for a worker that hangs
            threading.Thread(target=self._fetch, args=[self._finished.popleft()], daemon=True).start()
        return outcome

    def _end(self, future: Future) -> Outcome[Task, Reply] | None:
        """A task that came to an end: it is finished, failed, or was lost on the way."""
        if future.key not in self._flying:
            return None
        if future.status == "finished":
            self._finished.append(future)
            return None
        task, alone = self._landed(future.key)
        if future.status == "error":
            return self._failure(task, future.exception(timeout=_FETCH_S), alone=alone)
        self._send_again(task, "the connection to the scheduler was lost")
        return None

    def _fetch(self, future: Future) -> None:
        try:
            fetched = _Fetched(future.key, future.result(timeout=_FETCH_S), None)
        except Exception as error:  # noqa: BLE001 - the task is sent again; what fails for a reason fails again
            fetched = _Fetched(future.key, None, error)
        self._events.put(fetched)

    def _reply(self, fetched: _Fetched) -> Outcome[Task, Reply] | None:
        self._fetches -= 1
        if fetched.key not in self._flying:
            return None
        task, _ = self._landed(fetched.key)
        if (error := fetched.error) is not None:
            self._send_again(task, f"{type(error).__name__}: {error}")
            return None
        if (fault := self._fault(task, fetched.reply)) is not None:
            self._send_again(task, fault)
            return None
        self._tries.pop(task, None)
        return Outcome(task, fetched.reply, None)

    def _landed(self, key: Any) -> tuple[Task, bool]:
        """The task of that key, which is in flight no more, and whether it flew alone."""
        task, _ = self._flying.pop(key)
        alone = key == self._alone
        if alone:
            self._alone = None
        return task, alone

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
