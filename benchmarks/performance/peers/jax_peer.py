"""JAX: reverse-mode differentiation of a scan, compiled by XLA."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np

from benchmarks.performance.peers import Missing, Ready, Setting, fitting
from benchmarks.performance.problem import Problem

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    raise Missing("JAX is not installed: pip install --group peers") from error

jax.config.update("jax_enable_x64", True)  # float32 arrays stay float32

BATCHES = (256, 1024, 4096, 16384, 65536)


def outputs(params: Any, x: Any, unroll: int) -> Any:
    """y_t of one draw (params (14,), x (steps,)) or of a batch (params (14, batch), x (steps, batch))."""
    W_hf, W_xf, b_f, W_hi, W_xi, b_i, W_ho, W_xo, b_o, W_hc, W_xc, b_c, W_y, b_y = params

    def step(state: Any, x_t: Any) -> Any:
        C, h = state
        f = jax.nn.sigmoid(W_hf * h + W_xf * x_t + b_f)
        i = jax.nn.sigmoid(W_hi * h + W_xi * x_t + b_i)
        o = jax.nn.sigmoid(W_ho * h + W_xo * x_t + b_o)
        g = jnp.tanh(W_hc * h + W_xc * x_t + b_c)
        C = f * C + i * g
        h = o * jnp.tanh(C)
        return (C, h), jax.nn.sigmoid(W_y * h + b_y)

    zero = jnp.zeros(x.shape[1:], x.dtype)
    return jax.lax.scan(step, (zero, zero), x, unroll=unroll)[1]


@cache
def gradient(unroll: int, *, mapped: bool) -> Callable[[Any, Any], Any]:
    """jit(vmap(grad(scan))), or jit(grad(scan)) of a batch written by hand."""
    slope = jax.grad(lambda params, x: jnp.sum(outputs(params, x, unroll)))
    return jax.jit(jax.vmap(slope) if mapped else slope)


class Jax:
    """At its best: both programs, all batch sizes, and also two calls at once, which keeps the tape in cache."""

    name = "JAX, at its best"
    note = "best of jit(vmap(grad(scan))) and a hand-batched scan, batch size, unroll 1 or 4, 1 or 2 calls at once"
    one_thread = False

    def settings(self, problem: Problem, best: Setting | None) -> Iterable[Setting]:
        for mapped in (True, False) if best is None else (best["mapped"],):
            for unroll in (1, 4) if best is None else (best["unroll"],):
                for batch in fitting(BATCHES, problem):
                    for at_once in (1, 2):
                        yield {"mapped": mapped, "unroll": unroll, "batch": batch, "at_once": at_once}

    def load(self, problem: Problem, setting: Setting) -> Ready:
        batch, mapped = setting["batch"], setting["mapped"]
        params, x = problem.params[:batch], problem.x[:batch]
        arguments = (params, x) if mapped else (np.ascontiguousarray(params.T), np.ascontiguousarray(x.T))
        arguments = jax.device_put(arguments)
        program = gradient(setting["unroll"], mapped=mapped)

        def solution() -> Any:
            measured = np.asarray(program(*arguments))
            return measured if mapped else measured.T

        return Ready(lambda: jax.block_until_ready(program(*arguments)), batch, solution, setting["at_once"])


class JaxInOneCall(Jax):
    """As it is first written."""

    name = "JAX, all draws in one call"
    note = "jit(vmap(grad(scan))) of all draws of the problem"

    def settings(self, problem: Problem, best: Setting | None) -> Iterable[Setting]:
        yield {"mapped": True, "unroll": 1, "batch": problem.draws, "at_once": 1}


PEERS = (Jax(), JaxInOneCall())
