"""Fair clocks: contestants take turns, so that a slow spell of the machine strikes all of them."""

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

RUN_SECONDS = 0.05  # what a run should last at least, so that starting it does not count


class Contestant(NamedTuple):
    """What is timed: `run` does `units` of work, draw-steps or draws."""

    name: str
    run: Callable[[], Any]
    units: int
    one_processor: bool = False


@dataclass
class Times:
    """Seconds a unit of work, one of each round: by the clock on the wall, and of all processors together."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """In nanoseconds a unit of work."""
        return {
            "min": 1e9 * min(self.wall),
            "median": 1e9 * median(self.wall),
            "processor_min": 1e9 * min(self.processor),
            "rounds": len(self.wall),
        }


def ratio(slower: Times, faster: Times) -> dict[str, float]:
    """How many times the time of `faster` the other takes: of the minima, and the median over the rounds."""
    return {
        "min": min(slower.wall) / min(faster.wall),
        "median": median(a / b for a, b in zip(slower.wall, faster.wall, strict=True)),
        "processor": min(slower.processor) / min(faster.processor),
    }


@contextmanager
def one_processor() -> Iterator[None]:
    """This thread, and those it starts meanwhile, on one processor. Raises OSError where a system cannot do that."""
    if not hasattr(os, "sched_setaffinity"):
        raise OSError("threads cannot be bound to a processor on this system")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def timed(contestant: Contestant) -> tuple[float, float]:
    """Seconds of one run, wall and processor."""
    wall, processor = time.perf_counter(), time.process_time()
    contestant.run()
    return time.perf_counter() - wall, time.process_time() - processor


def interleave(
    contestants: Sequence[Contestant], *, seconds: float, least: int = 5, warm_up: bool = True
) -> dict[str, Times]:
    """Run all in turn, each round beginning with another one, for so many seconds and at least `least` rounds.

    With `warm_up`, one run of each before is not counted.
    """
    measured = {contestant.name: Times() for contestant in contestants}
    gc.collect()
    for contestant in contestants if warm_up else ():
        _turn(contestant)
    start = time.perf_counter()
    first = 0
    while first < least or time.perf_counter() - start < seconds:
        place = first % len(contestants)
        for contestant in (*contestants[place:], *contestants[:place]):
            wall, processor = _turn(contestant)
            measured[contestant.name].wall.append(wall / contestant.units)
            measured[contestant.name].processor.append(processor / contestant.units)
        first += 1
    return measured


def _turn(contestant: Contestant) -> tuple[float, float]:
    if not contestant.one_processor:
        return timed(contestant)
    with one_processor():
        return timed(contestant)


def repeated(name: str, call: Callable[[], Any], units: int, *, at_once: int = 1) -> Contestant:
    """As many calls as a run needs, `at_once` of them by threads side by side."""
    call()
    start = time.perf_counter()
    call()
    times = max(1, round(RUN_SECONDS / (time.perf_counter() - start)))

    def calls(thread: int = 0) -> None:
        for _ in range(times):
            call()

    if at_once == 1:
        return Contestant(name, calls, times * units)
    pool = ThreadPoolExecutor(at_once)

    def run() -> None:
        list(pool.map(calls, range(at_once)))

    return Contestant(name, run, at_once * times * units)
