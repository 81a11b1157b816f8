"""Work shared among threads: results in order, and none waits for another call's."""

import signal
import threading

import numpy as np
import pytest

import fastlstm
from fastlstm.threads import in_order, once_a_thread


@pytest.mark.parametrize("count", [0, 1, 2, 17])
@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_tasks(count, threads):
    assert list(in_order(lambda task: task * task, range(count), threads=threads)) == [k * k for k in range(count)]


def test_one_task_is_worked_on_in_the_thread_that_asks():
    assert list(in_order(lambda task: threading.get_ident(), [0], threads=4)) == [threading.get_ident()]
    assert threading.get_ident() not in in_order(lambda task: threading.get_ident(), [0, 1], threads=4)


def test_no_more_tasks_are_taken_than_threads_and_two_ahead():
    taken = []
    results = in_order(lambda task: task, (taken.append(k) or k for k in range(100)), threads=2)
    for done in range(90):
        assert next(results) == done
        assert len(taken) <= done + 1 + 2 + 2


def test_what_a_thread_makes_once_it_keeps_for_itself():
    together = threading.Barrier(2)
    own = once_a_thread(object)

    def twice(task):
        together.wait(timeout=60)
        return own(), own()

    (one, again), (other, once_more) = in_order(twice, range(2), threads=2)
    assert one is again
    assert other is once_more
    assert one is not other


def test_gradients_may_be_asked_for_in_a_signal_handler_that_interrupts_gradients():
    """A call holds no lock that another one in the same thread would wait for."""
    generator = np.random.default_rng(0)
    params, x = generator.normal(size=(64, 14)), generator.normal(size=(64, 8))
    right, inner = fastlstm.gradients(params, x, x).params, []

    def handler(number, frame):
        inner.append(fastlstm.gradients(params, x, x).params)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        for _ in range(200):
            assert (fastlstm.gradients(params, x, x).params == right).all()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert all((one == right).all() for one in inner)
