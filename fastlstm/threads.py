"""How many threads there are, and work shared among them in a fixed order."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def available_threads() -> int:
    """FASTLSTM_THREADS, or else the processors this process may run on. Raises ValueError."""
    if wanted := os.environ.get("FASTLSTM_THREADS", ""):
        if not (wanted.isascii() and wanted.isdigit() and int(wanted)):
            raise ValueError(f"FASTLSTM_THREADS is {wanted!r}; it must be 1 or more")
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def once_a_thread(make: Callable[[], Result]) -> Callable[[], Result]:
    """A function that gives each thread what `make` made for it, the first time."""
    own = threading.local()

    def get() -> Result:
        if not hasattr(own, "made"):
            own.made = make()
        made: Result = own.made
        return made

    return get


def in_order(
    work: Callable[[Task], Result], tasks: Iterable[Task], *, threads: int, ahead: int = 2
) -> Iterator[Result]:
    """Results of `work` in the order of `tasks`, at most `threads + ahead` of them begun and not yet taken.

    A single task is worked on right here. So a signal handler may do it although it interrupts another call, which
    may hold the lock that all pools of threads share.
    """
    if threads < 1:
        raise ValueError(f"threads is {threads}; it must be 1 or more, or None for all processors")
    coming = iter(tasks)
    first = list(islice(coming, 2))
    if len(first) < 2:
        yield from map(work, first)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="fastlstm") as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for task in chain(first, coming):
                waiting.append(pool.submit(work, task))
                if len(waiting) >= threads + ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
