"""The workers of a cluster as they come and go, each asked once who it is."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from fastlstm.cluster.client import Client, Future
from fastlstm.cluster.errors import NoScheduler, NoWorkers, OtherWorker

_LOOK_S = 1.0  # between two looks at who is there
_ANSWER_S = 10.0  # for an answer of a worker that is not busy
_COUNT_S = 3.0  # for the scheduler's, which is asked again and again, and while it is awaited a stop waits too
_URGENT = 100  # a question overtakes the tasks that wait

Identity = dict[str, Any]
"""What a worker is, as a JSON mapping."""

Judge = Callable[[str, Identity], None]
"""Called with the address and the identity of each worker; raises OtherWorker for one that must not work."""


class Crew:
    """The workers of a client's cluster.

    identify: asked of every worker; a function that workers can import. patience: how many seconds may pass without
    any worker, or any word of the scheduler.
    """

    def __init__(self, client: Client, identify: Callable[[], Identity], judge: Judge, *, patience: float) -> None:
        self.client = client
        self.threads = 0
        self.identities: dict[str, Identity] = {}  # of those who are there
        self.met: dict[str, Identity] = {}  # of all who ever were
        self._identify = identify
        self._judge = judge
        self._patience = patience
        self._present: Mapping[str, int] = {}
        self._asked: dict[str, Future] = {}
        self._token = uuid4().hex[:8]
        self._looked = 0.0
        self._heard = self._seen = time.monotonic()

    def meet(self) -> None:
        """Wait until there are workers, and all of them have said who they are, or all that can.

        Raises OtherWorker; NoWorkers; NoScheduler.
        """
        self._heard = self._seen = time.monotonic()
        self.look(at_once=True)
        until = time.monotonic() + self._patience
        while not (self._present and self._asked.keys() == self.identities.keys()):
            if time.monotonic() > until:
                if self.identities:
                    return  # those that do not answer may hang; should they wake, their results are looked at
                raise NoWorkers(f"no worker has said who it is for {self._patience:.0f} s")
            time.sleep(0.05)
            self.look(at_once=True)

    def look(self, *, at_once: bool = False) -> None:
        """See who is there, and who has answered; at most once a second, unless it is to be at once.

        Raises OtherWorker; NoWorkers; NoScheduler.
        """
        now = time.monotonic()
        if now - self._looked < _LOOK_S and not at_once:
            return
        self._looked = now
        if self.client.status == "closed":
            raise NoScheduler("the connection to the Dask scheduler is lost, and it did not come back")
        if (present := self._workers()) is not None:
            self._heard = now
            self._present, self.threads = present, sum(present.values())
            self._seen = now if present else self._seen
            self._ask()
        if now - self._heard > self._patience:
            raise NoScheduler(f"the Dask scheduler has not answered for {self._patience:.0f} s")
        if self._heard - self._seen > self._patience:
            raise NoWorkers(f"there has been no Dask worker for {self._patience:.0f} s")

    def check_all(self) -> None:
        """See to it that all workers that can answer now have been judged. Raises OtherWorker."""
        self.look(at_once=True)
        until = time.monotonic() + _ANSWER_S
        while self._asked.keys() != self.identities.keys() and time.monotonic() < until:
            time.sleep(0.05)
            self.look(at_once=True)

    def _workers(self) -> Mapping[str, int] | None:
        """The threads of each worker, by address; None if the scheduler does not say."""
        if self.client.status != "running":
            return None
        try:
            return dict(self.client.nthreads(callback_timeout=_COUNT_S))
        except (OSError, TimeoutError):
            return None

    def _ask(self) -> None:
        for address in self._asked.keys() - self._present.keys():
            del self._asked[address]
            self.identities.pop(address, None)
        for address in self._present:
            asked = self._asked.get(address)
            if asked is None or (address not in self.identities and asked.status in ("cancelled", "lost")):
                self._asked[address] = self.client.submit(
                    self._identify, workers=[address], allow_other_workers=False, priority=_URGENT, pure=False,
                    key=f"identity-{self._token}-{uuid4().hex[:8]}",
                )  # fmt: skip
            elif address not in self.identities:
                self._hear(address, asked)

    def _hear(self, address: str, asked: Future) -> None:
        if asked.status == "error":
            error = asked.exception(timeout=_ANSWER_S)
            raise OtherWorker(f"the worker at {address}, or its scheduler, has another fastlstm or none: {error}")
        if asked.status == "finished":
            try:
                identity = asked.result(timeout=_ANSWER_S)
            except Exception:  # noqa: BLE001 - it went before its answer came; a worker that is there is asked again
                del self._asked[address]
                return
            self._judge(address, identity)
            self.identities[address] = self.met[address] = identity
