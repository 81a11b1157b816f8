"""An LSTM cell as a student writes it: plain Python, one draw, one number at a time; and the same with mistakes.

It shares no line with the twin. A mistake replaces what a line computes, by the catalogue's expression.
"""

import math
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

import numpy as np

GATES = "fioc"
NAMES = [f"{part}{k}" for k in GATES for part in ("W_h", "W_x", "b_")] + ["W_y", "b_y"]
QUANTITIES = [
    *(f"{part}_{k}" for k in GATES for part in ("z", "slope", "dz")),
    *("f", "i", "o", "g", "C", "h", "z_y", "y", "slope_y", "delta", "out", "back", "dh"),
    *("slope_C", "through", "carry", "dC", "do", "df", "di", "dg", "dx"),
    *(f"d{name}" for name in NAMES),
]

Function = Callable[..., dict[str, Any]]


def written_by_hand(lines: Mapping[str, str], number: type = float, *, all_outputs: bool = True) -> Function:
    """A function of one draw that returns a mapping of the 14 gradients, and dx, h0 and C0 if all are asked for."""
    exp, tanh = (math.exp, math.tanh) if number is float else (np.exp, np.tanh)
    code: dict[str, CodeType] = {name: compile(line, name, "eval") for name, line in lines.items()}

    def sigmoid(z: Any) -> Any:
        return 1 / (1 + exp(-z))

    def gradients(params: Any, x: Any, dy: Any, h0: Any, C0: Any) -> dict[str, Any]:
        steps, zero = len(x), number(0)
        v: dict[str, list[Any]] = {name: [zero] * (steps + 2) for name in QUANTITIES}
        v |= {"x": [zero, *map(number, x), zero], "dy": [zero, *map(number, dy), zero]}
        v["h"][0], v["C"][0] = number(h0), number(C0)
        p = dict(zip(NAMES, map(number, params), strict=True))
        scope = {"sigmoid": sigmoid, "tanh": tanh, "clip": lambda a, low, high: min(max(a, low), high), "zero": zero}
        scope |= {"T": steps, "len": lambda _: 1, **p, **v}

        def write(name: str, t: int, value: Any) -> None:
            scope["t"] = t
            v[name][t] = number(eval(code[name], scope)) if name in code else value

        for t in range(1, steps + 1):
            for k in "fioc":
                write(f"z_{k}", t, p[f"b_{k}"] + p[f"W_x{k}"] * v["x"][t] + p[f"W_h{k}"] * v["h"][t - 1])
            for k in "fio":
                write(k, t, sigmoid(v[f"z_{k}"][t]))
            write("g", t, tanh(v["z_c"][t]))
            write("C", t, v["i"][t] * v["g"][t] + v["C"][t - 1] * v["f"][t])
            write("h", t, tanh(v["C"][t]) * v["o"][t])
            write("z_y", t, p["b_y"] + p["W_y"] * v["h"][t])
            write("y", t, sigmoid(v["z_y"][t]))

        for t in range(steps, 0, -1):
            write("slope_y", t, v["y"][t] - v["y"][t] ** 2)
            write("delta", t, v["slope_y"][t] * v["dy"][t])
            write("out", t, v["delta"][t] * p["W_y"])
            write("back", t, sum(v[f"dz_{k}"][t + 1] * p[f"W_h{k}"] for k in "coif"))
            write("dh", t, v["back"][t] + v["out"][t])
            write("slope_C", t, (1 - tanh(v["C"][t])) * (1 + tanh(v["C"][t])))
            write("through", t, v["dh"][t] * v["slope_C"][t] * v["o"][t])
            write("carry", t, v["dC"][t + 1] * v["f"][t + 1])
            write("dC", t, v["carry"][t] + v["through"][t])
            write("do", t, tanh(v["C"][t]) * v["dh"][t])
            write("df", t, v["C"][t - 1] * v["dC"][t])
            write("di", t, v["g"][t] * v["dC"][t])
            write("dg", t, v["i"][t] * v["dC"][t])
            for k, gate in (("f", "f"), ("i", "i"), ("o", "o")):
                write(f"slope_{k}", t, v[gate][t] - v[gate][t] ** 2)
            write("slope_c", t, (1 - v["g"][t]) * (1 + v["g"][t]))
            for k, gate in (("f", "df"), ("i", "di"), ("o", "do"), ("c", "dg")):
                write(f"dz_{k}", t, v[f"slope_{k}"][t] * v[gate][t])
            for k in "fioc":
                write(f"dW_h{k}", t, v["h"][t - 1] * v[f"dz_{k}"][t])
                write(f"dW_x{k}", t, v["x"][t] * v[f"dz_{k}"][t])
                write(f"db_{k}", t, v[f"dz_{k}"][t])
            write("dW_y", t, v["h"][t] * v["delta"][t])
            write("db_y", t, v["delta"][t])
            write("dx", t, sum(p[f"W_x{k}"] * v[f"dz_{k}"][t] for k in "ocfi"))

        ends = {f"grad_{name}": math.fsum(v[f"d{name}"]) if number is float else sum(v[f"d{name}"]) for name in NAMES}
        ends["dh0"] = sum(p[f"W_h{k}"] * v[f"dz_{k}"][1] for k in "cifo")
        ends["dC0"] = v["dC"][1] * v["f"][1]
        ends |= {name: number(eval(code[name], scope)) for name in ends if name in code}
        returned = {name: ends[f"grad_{name}"] for name in NAMES}
        return returned | {"dx": v["dx"][1:-1], "h0": ends["dh0"], "C0": ends["dC0"]} if all_outputs else returned

    return gradients


def by_differences(lines: Mapping[str, str], step: float) -> Function:
    """The 14 gradients of a forward pass, right or wrong, by central differences of its loss."""
    run = {name: compile(line, name, "eval") for name, line in lines.items()}

    def loss(params: Any, x: Any, dy: Any, h0: Any, C0: Any) -> float:
        p = dict(zip(NAMES, params, strict=True))
        zeros = [0.0] * (len(x) + 2)
        v: dict[str, Any] = {name: zeros.copy() for name in ("z_f", "z_i", "z_o", "z_c", *"fiogChy", "z_y")}
        v |= {"x": [0.0, *x, 0.0], "T": len(x), **p, "tanh": math.tanh, "sigmoid": lambda z: 1 / (1 + math.exp(-z))}
        v["clip"] = lambda a, low, high: min(max(a, low), high)
        v["h"][0], v["C"][0] = h0, C0
        total = 0.0
        for t in range(1, len(x) + 1):
            v["t"] = t

            def at(name: str, value: float) -> float:
                v[name][v["t"]] = eval(run[name], v) if name in run else value
                return float(v[name][v["t"]])

            z = {k: at(f"z_{k}", p[f"b_{k}"] + p[f"W_x{k}"] * x[t - 1] + p[f"W_h{k}"] * v["h"][t - 1]) for k in "fioc"}
            f, i, o = (at(k, v["sigmoid"](z[k])) for k in "fio")
            C = at("C", f * v["C"][t - 1] + i * at("g", math.tanh(z["c"])))
            z_y = at("z_y", p["b_y"] + p["W_y"] * at("h", o * math.tanh(C)))
            total += dy[t - 1] * at("y", v["sigmoid"](z_y))
        return total

    def gradients(params: Any, x: Any, dy: Any, h0: Any, C0: Any) -> dict[str, Any]:
        slopes = {}
        for at, name in enumerate(NAMES):
            up, down = params.copy(), params.copy()
            up[at] += step
            down[at] -= step
            slopes[name] = (loss(up, x, dy, h0, C0) - loss(down, x, dy, h0, C0)) / (2 * step)
        return slopes

    return gradients
