"""Dr.Jit: reverse-mode differentiation of a trace, compiled by LLVM for all processors."""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any

import numpy as np

from benchmarks.performance.peers import Missing, Ready, Setting, fitting
from benchmarks.performance.problem import Problem

try:
    import drjit as dr
    from drjit.llvm import ad

    dr.eval(ad.Float(0.0) + 1.0)
except ImportError as error:
    raise Missing("Dr.Jit is not installed: pip install --group peers") from error
except Exception as error:  # of whatever class: without LLVM there is no peer, whichever way its loading fails
    raise Missing(f"Dr.Jit does not work here, which needs LLVM's library: {error}") from error

TYPES = {"float32": ad.Float32, "float64": ad.Float64}
BATCHES = (1024, 4096, 16384, 65536)


def sigmoid(z: Any) -> Any:
    return dr.rcp(1 + dr.exp(-z))


def step(params: Sequence[Any], x_t: Any, C: Any, h: Any) -> tuple[Any, Any, Any]:
    """C_t, h_t and y_t of a batch."""
    W_hf, W_xf, b_f, W_hi, W_xi, b_i, W_ho, W_xo, b_o, W_hc, W_xc, b_c, W_y, b_y = params
    f = sigmoid(dr.fma(W_hf, h, dr.fma(W_xf, x_t, b_f)))
    i = sigmoid(dr.fma(W_hi, h, dr.fma(W_xi, x_t, b_i)))
    o = sigmoid(dr.fma(W_ho, h, dr.fma(W_xo, x_t, b_o)))
    g = dr.tanh(dr.fma(W_hc, h, dr.fma(W_xc, x_t, b_c)))
    C = dr.fma(f, C, i * g)
    h = o * dr.tanh(C)
    return C, h, sigmoid(dr.fma(W_y, h, b_y))


class Unrolled:
    name = "Dr.Jit, unrolled"
    note = "LLVM backend, all steps in one trace; best batch size"
    one_thread = False
    longest: float = 100  # steps

    def settings(self, problem: Problem, best: Setting | None) -> Iterable[Setting]:
        return ({"batch": batch} for batch in fitting(BATCHES, problem))

    def held(self, x: Any, kind: Any) -> Any:
        """The inputs, (steps, batch), as this program reads them."""
        return [kind(x_t) for x_t in x]

    def total(self, params: Sequence[Any], x: Any, steps: int) -> Any:
        """The sum of the outputs of each draw."""
        C = h = total = 0 * params[0]
        for x_t in x:
            C, h, y = step(params, x_t, C, h)
            total += y
        return total

    def load(self, problem: Problem, setting: Setting) -> Ready:
        if problem.steps > self.longest:
            raise Missing(f"{problem.steps:,} steps in one trace take minutes to compile")
        batch, kind = setting["batch"], TYPES[problem.dtype]
        params = [kind(column) for column in np.ascontiguousarray(problem.params[:batch].T)]
        x = self.held(np.ascontiguousarray(problem.x[:batch].T), kind)
        dr.eval(params, x)

        def gradients() -> list[Any]:
            of = [kind(column) for column in params]
            dr.enable_grad(of)
            dr.backward(self.total(of, x, problem.steps))
            measured = [dr.grad(column) for column in of]
            dr.eval(measured)
            dr.sync_thread()
            return measured

        return Ready(gradients, batch, lambda: np.stack([column.numpy() for column in gradients()], axis=1))


class Loop(Unrolled):
    name = "Dr.Jit, loop"
    note = "the same with a loop that is compiled as one"
    longest = inf

    def held(self, x: Any, kind: Any) -> Any:
        return kind(x.ravel())

    def total(self, params: Sequence[Any], x: Any, steps: int) -> Any:
        batch = len(params[0])
        lane = dr.arange(ad.UInt32, batch)

        def body(t: Any, C: Any, h: Any, total: Any) -> tuple[Any, Any, Any, Any]:
            C, h, y = step(params, dr.gather(type(h), x, t * batch + lane), C, h)
            return t + 1, C, h, total + y

        zero = 0 * params[0]
        start = (dr.zeros(ad.UInt32, batch), zero, zero, zero)
        # reverse mode needs to know how many steps there may be
        return dr.while_loop(start, lambda t, C, h, total: t < steps, body, max_iterations=steps)[-1]


PEERS = (Unrolled(), Loop())
