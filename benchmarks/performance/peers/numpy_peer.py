"""NumPy: both passes written by hand over batches of draws."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.performance.peers import Ready, Setting, fitting
from benchmarks.performance.problem import Problem


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def gradients(params: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    """(14, batch) from params (14, batch) and x (steps, batch)."""
    W_h, W_x, b, (W_y, b_y) = params[0:12:3], params[1:12:3], params[2:12:3], params[12:]
    steps = len(x)
    C = np.zeros_like(x[0])
    h = np.zeros_like(x[0])
    tape = []
    for t in range(steps):
        z = W_h * h + W_x * x[t] + b
        f, i, o = sigmoid(z[:3])
        g = np.tanh(z[3])
        C_before, h_before = C, h
        C = f * C + i * g
        tau = np.tanh(C)
        h = o * tau
        tape.append((f, i, o, g, tau, C_before, h_before, h))
    total = np.zeros_like(params)
    dh_next = np.zeros_like(h)
    dC_next = np.zeros_like(h)
    dz = np.empty_like(b)
    for t in range(steps - 1, -1, -1):
        f, i, o, g, tau, C_before, h_before, h = tape[t]
        y = sigmoid(W_y * h + b_y)
        delta = y * (1 - y)
        dh = W_y * delta + dh_next
        dC = dh * o * (1 - tau * tau) + dC_next
        dz[0] = dC * C_before * f * (1 - f)
        dz[1] = dC * g * i * (1 - i)
        dz[2] = dh * tau * o * (1 - o)
        dz[3] = dC * i * (1 - g * g)
        dh_next = (W_h * dz).sum(axis=0)
        dC_next = f * dC
        total[0:12:3] += dz * h_before
        total[1:12:3] += dz * x[t]
        total[2:12:3] += dz
        total[12] += delta * h
        total[13] += delta
    return total


class NumPy:
    name = "NumPy"
    note = "both passes by hand, hand-batched; best batch size, 1 or 2 calls at once"
    one_thread = False

    def settings(self, problem: Problem, best: Setting | None) -> Iterable[Setting]:
        for batch in fitting((1024, 4096, 16384), problem):
            for at_once in (1, 2):
                yield {"batch": batch, "at_once": at_once}

    def load(self, problem: Problem, setting: Setting) -> Ready:
        batch = setting["batch"]
        params = np.ascontiguousarray(problem.params[:batch].T)
        x = np.ascontiguousarray(problem.x[:batch].T)
        return Ready(lambda: gradients(params, x), batch, lambda: gradients(params, x).T, setting["at_once"])


PEERS = (NumPy(),)
