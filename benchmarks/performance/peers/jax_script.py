"""A million random LSTM units to Parquet with JAX and pyarrow: the plain script that fastlstm is compared with.

    python benchmarks/performance/peers/jax_script.py OUT.parquet [--draws N] [--steps T] [--dtype float32]

It measures the same columns as `fastlstm run` does by default. It has no spec, no resume, no regime table, no
checksums, and gradients that leave the range of a float are lost.
"""

import argparse
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NAMES = ["W_hf", "W_xf", "b_f", "W_hi", "W_xi", "b_i", "W_ho", "W_xo", "b_o", "W_hc", "W_xc", "b_c", "W_y", "b_y"]
BATCH = 10_000


def total(params, h0, C0, nudge_h, nudge_C, x, unroll):
    """The sum of the outputs, and the gates; the nudges are 0 and there to be differentiated by."""
    W_hf, W_xf, b_f, W_hi, W_xi, b_i, W_ho, W_xo, b_o, W_hc, W_xc, b_c, W_y, b_y = params

    def step(state, now):
        C, h = state
        x_t, nudge_h_t, nudge_C_t = now
        z_f = W_hf * h + W_xf * x_t + b_f
        f = jax.nn.sigmoid(z_f)
        i = jax.nn.sigmoid(W_hi * h + W_xi * x_t + b_i)
        o = jax.nn.sigmoid(W_ho * h + W_xo * x_t + b_o)
        g = jnp.tanh(W_hc * h + W_xc * x_t + b_c)
        C = f * C + i * g + nudge_C_t
        h = o * jnp.tanh(C) + nudge_h_t
        return (C, h), (jax.nn.sigmoid(W_y * h + b_y), jax.nn.log_sigmoid(z_f), f, i, o, g)

    _, (y, *gates) = jax.lax.scan(step, (C0, h0), (x, nudge_h, nudge_C), unroll=unroll)
    return y.sum(), gates


def measure(params, x, *, unroll=1):
    """All columns of one draw: params (14,), x (steps,)."""
    zero, zeros = jnp.zeros((), x.dtype), jnp.zeros_like(x)
    of_all = jax.value_and_grad(total, argnums=(0, 1, 2, 3, 4), has_aux=True)
    (loss, (log_f, f, i, o, g)), (d, dh0, dC0, dh, dC) = of_all(params, zero, zero, zeros, zeros, x, unroll)

    def log10_norm(gradient):
        return jnp.log10(jnp.sqrt(jnp.sum(gradient**2)))

    columns = dict(zip(NAMES, params, strict=True))
    for name, gate in zip("fio", (f, i, o), strict=True):
        columns[f"{name}_left"] = jnp.mean(gate < 0.1)
        columns[f"{name}_right"] = jnp.mean(gate > 0.9)
        columns[f"{name}_mean"] = jnp.mean(gate)
        columns[f"{name}_slope"] = jnp.mean(gate * (1 - gate))
        columns[f"regime_{name}"] = 1 - (columns[f"{name}_left"] > 0.5) + (columns[f"{name}_right"] > 0.5)
    columns["g_sat"] = jnp.mean(jnp.abs(g) > 0.9)
    columns["g_slope"] = jnp.mean(1 - g * g)
    columns["loss"] = loss
    columns["log10_grad"] = log10_norm(d)
    for place, name in enumerate("fioc"):
        columns[f"log10_grad_{name}"] = log10_norm(d[3 * place : 3 * place + 3])
    columns["log10_grad_y"] = log10_norm(d[12:])
    dh0, dC0 = jnp.abs(dh0), jnp.abs(dC0)
    dh_max, dC_max = jnp.maximum(dh0, jnp.max(jnp.abs(dh))), jnp.maximum(dC0, jnp.max(jnp.abs(dC)))
    columns["log10_dh0"], columns["log10_dC0"] = jnp.log10(dh0), jnp.log10(dC0)
    columns["log10_dh_max"], columns["log10_dC_max"] = jnp.log10(dh_max), jnp.log10(dC_max)
    columns["log10_forget"] = jnp.sum(log_f) / np.log(10)
    columns["memory_time"] = -1 / jnp.mean(log_f)
    columns["exploded"] = jnp.maximum(dh_max, dC_max) > 1e3
    columns["vanished"] = jnp.maximum(dh0, dC0) < 1e-6
    return columns


@partial(jax.jit, static_argnames=("batch", "steps", "dtype", "unroll"))
def simulate(key, *, batch, steps, dtype, unroll=1):
    """The columns of a batch of draws, all parameters and inputs N(0, 1)."""
    for_params, for_x = jax.random.split(key)
    params = jax.random.normal(for_params, (batch, 14), dtype)
    x = jax.random.normal(for_x, (batch, steps), dtype)
    return jax.vmap(partial(measure, unroll=unroll))(params, x)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--draws", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", options.dtype == "float64")
    classes = np.array(["left", "mid", "right"])
    writer = None
    for number in range(options.draws // BATCH):
        key = jax.random.fold_in(jax.random.key(1), number)
        columns = simulate(key, batch=BATCH, steps=options.steps, dtype=options.dtype)
        columns = {name: np.asarray(column) for name, column in columns.items()}
        for name, column in columns.items():
            if name.startswith("regime"):
                columns[name] = pa.DictionaryArray.from_arrays(column.astype(np.int8), classes)
            elif column.dtype == np.float64:
                columns[name] = column.astype(np.float32)
        table = pa.table({"draw": np.arange(number * BATCH, (number + 1) * BATCH)} | columns)
        writer = writer or pq.ParquetWriter(options.out, table.schema)
        writer.write_table(table)
    writer.close()


if __name__ == "__main__":
    main()
