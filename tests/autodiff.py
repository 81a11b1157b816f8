"""The unit in JAX, written as anyone would write it, and its gradients by automatic differentiation in float64.

Importing this file switches JAX to float64. Shapes: params (draws, 14), x, dy and target (draws, steps), h0 and C0
(draws,); gradients come in the same shapes, in this order. Each function is compiled once for a number of steps.
"""

from functools import partial

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)


def logits(params, x, h0, C0):
    """z^y_t of one draw, (steps,)."""
    W_hf, W_xf, b_f, W_hi, W_xi, b_i, W_ho, W_xo, b_o, W_hc, W_xc, b_c, W_y, b_y = params

    def step(state, x_t):
        C, h = state
        f = jax.nn.sigmoid(W_hf * h + W_xf * x_t + b_f)
        i = jax.nn.sigmoid(W_hi * h + W_xi * x_t + b_i)
        o = jax.nn.sigmoid(W_ho * h + W_xo * x_t + b_o)
        g = jnp.tanh(W_hc * h + W_xc * x_t + b_c)
        C = f * C + i * g
        h = o * jnp.tanh(C)
        return (C, h), W_y * h + b_y

    return jax.lax.scan(step, (C0, h0), x)[1]


def weighted_sum(params, x, h0, C0, dy):
    """sum_t dy_t y_t of one draw: the loss whose dL/dy_t is dy_t."""
    return jnp.sum(dy * jax.nn.sigmoid(logits(params, x, h0, C0)))


def loss(params, x, h0, C0, target, kind, silent):
    """One of the four losses of one draw over its steps from `silent` (counted from 0) on."""
    z, target = logits(params, x, h0, C0)[silent:], target[silent:]
    if kind == "bce":
        return jnp.sum(jax.nn.softplus(z) - target * z)
    y = jax.nn.sigmoid(z)
    return {"sum": jnp.sum(y), "last": y[-1], "mse": jnp.sum((y - target) ** 2) / 2}[kind]


@jax.jit
def gradients(params, x, h0, C0, dy):
    """dL/d(params, x, h0, C0) of `weighted_sum`, for all draws."""
    return jax.vmap(jax.grad(weighted_sum, argnums=(0, 1, 2, 3)))(params, x, h0, C0, dy)


@partial(jax.jit, static_argnames=("kind", "silent"))
def loss_and_gradients(params, x, h0, C0, target, *, kind, silent):
    """The loss of one draw, and its gradients by params, x, h0 and C0."""
    return jax.value_and_grad(loss, argnums=(0, 1, 2, 3))(params, x, h0, C0, target, kind, silent)
