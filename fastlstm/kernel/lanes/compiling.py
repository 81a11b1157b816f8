"""When a kernel is being compiled: what a user waits for, once on each machine."""

import time
from contextlib import contextmanager

from numba.core.event import Listener, install_listener


class _Watch(Listener):
    """Calls back at the start and the end of a compilation, and not for the functions that it compiles on the way.

    Numba compiles under one lock, so events of one compilation only are nested in each other.
    """

    def __init__(self, started, ended):
        self._started, self._ended = started, ended
        self._depth = 0
        self._start = 0.0

    def on_start(self, event):
        self._depth += 1
        if self._depth == 1:
            self._start = time.perf_counter()
            self._started()

    def on_end(self, event):
        self._depth -= 1
        if self._depth == 0:
            self._ended(time.perf_counter() - self._start)


@contextmanager
def compilation(started, ended):
    """Within it, `started()` is called when a kernel begins to be compiled, and `ended(seconds)` when it is there.

    A kernel that is loaded from disk calls neither.
    """
    with install_listener("numba:compile", _Watch(started, ended)):
        yield
