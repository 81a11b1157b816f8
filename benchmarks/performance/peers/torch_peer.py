"""PyTorch: reverse-mode differentiation of a loop over time, batched by hand; its vmap knows no LSTM."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from benchmarks.performance.peers import Missing, Ready, Setting, fitting
from benchmarks.performance.problem import Problem

try:
    import torch
except ImportError as error:
    raise Missing("PyTorch is not installed: pip install --group peers") from error


def step(W_h: Any, W_x: Any, b: Any, x_t: Any, C: Any, h: Any) -> tuple[Any, Any]:
    """One step of a batch; the four gates are stacked, which makes fewer and larger operations."""
    z = W_x * x_t + b + W_h * h
    f, i, o = torch.sigmoid(z[:3])
    C = f * C + i * torch.tanh(z[3])
    return C, o * torch.tanh(C)


torch._dynamo.config.recompile_limit = 64  # of one function: each type and batch size is one; the default is 8
compiled_step = torch.compile(step, dynamic=False)


def total(params: Any, x: Any, advance: Callable[..., tuple[Any, Any]]) -> Any:
    """The sum of the outputs: params (14, batch), x (steps, batch)."""
    W_h, W_x, b = params[0:12:3], params[1:12:3], params[2:12:3]
    C, h = 0 * params[:2]  # so that gradients flow from the first step on: a step is compiled for one case only
    states = []
    for x_t in x:
        C, h = advance(W_h, W_x, b, x_t, C, h)
        states.append(h)
    return torch.sigmoid(params[12] * torch.stack(states) + params[13]).sum()


class Eager:
    name = "PyTorch"
    note = "hand-batched, eager, gates stacked; best batch size"
    one_thread = False
    batches = (1024, 4096, 16384, 65536)

    def settings(self, problem: Problem, best: Setting | None) -> Iterable[Setting]:
        return ({"batch": batch} for batch in fitting(self.batches, problem))

    def program(self) -> Callable[..., tuple[Any, Any]]:
        return step

    def load(self, problem: Problem, setting: Setting) -> Ready:
        batch, advance = setting["batch"], self.program()
        params = torch.from_numpy(np.ascontiguousarray(problem.params[:batch].T)).requires_grad_()
        x = torch.from_numpy(np.ascontiguousarray(problem.x[:batch].T))

        def gradients() -> Any:
            return torch.autograd.grad(total(params, x, advance), params)[0]

        return Ready(gradients, batch, lambda: gradients().numpy().T)


class Compiled(Eager):
    """A whole sequence takes minutes to compile; a step takes seconds, for each type and batch size."""

    name = "PyTorch, torch.compile"
    note = "the same with a step compiled by Inductor"
    batches = (8192, 65536)

    def program(self) -> Callable[..., tuple[Any, Any]]:
        return compiled_step

    def load(self, problem: Problem, setting: Setting) -> Ready:
        ready = super().load(problem, setting)
        try:
            ready.call()
        except RuntimeError as error:  # what the compiler's own errors are
            raise Missing(f"torch.compile does not work here: {str(error).splitlines()[0]}") from error
        return ready


PEERS = (Eager(), Compiled())
