"""Small specs. A kernel is compiled for each choice of types and groups, so these are few."""

from pathlib import Path

import numpy as np

SIMS = Path(__file__).parent.parent / "sims"

GROUPS = [
    "norms", "gates", "grads", "carousel", "truncation", "jacobian", "lags", "gate_grads", "gate_lags", "cell"
]  # fmt: skip
WINDOW = 5
EVERYTHING = {"groups": GROUPS, "window": WINDOW}  # what most kernels of the tests are compiled for

# Everything measured, at four points; rows in full precision
WHOLE = {
    "seed": 7,
    "draws": 1500,
    "steps": {"grid": [2, 33]},
    "params": {"default": {"normal": {"mean": 0.0, "std": {"grid": [1.0, 2.5]}}}, "b_f": 0.5},
    "state": {"h": {"uniform": {"low": -1.0, "high": 1.0}}, "C": {"normal": {}}},
    "loss": {"kind": "mse", "target": {"uniform": {"low": 0.0, "high": 1.0}}},
    "measure": EVERYTHING | {"exploded": 1.0, "vanished": 1e-3},
    "store": {"dtype": "float64"},
}

# What a short spec leaves to the defaults, with axes of numbers and of distributions
SHORT = {
    "seed": 11,
    "draws": 2000,
    "steps": 10,
    "params": {
        "default": {"normal": {"mean": 0.0, "std": 2.0}},
        "b_f": {"grid": [-2.0, 1.0, 4.0]},
        "b_i": {"grid": [{"normal": {"mean": 0.0, "std": 1.0}}, {"uniform": {"low": -4.0, "high": 0.0}}]},
    },
}
SHORT_TOML = """\
title = "A short spec"
seed = 11
draws = 2_000
steps = 10

[params]
default = { normal = { mean = 0.0, std = 2.0 } }
b_f = { grid = [-2.0, 1.0, 4.0] }
b_i = { grid = [{ normal = { mean = 0.0, std = 1.0 } }, { uniform = { low = -4.0, high = 0.0 } }] }
"""

SERIES = np.cos(np.arange(50.0) ** 1.3)  # no two windows of it are alike

# Every input process and loss at least once; FILE stands for a file of SERIES
CASES = {
    "uniform inputs, bce against the input two steps ago": {
        "input": {"process": "uniform", "low": 0.0, "high": 1.0},
        "loss": {"kind": "bce", "target": {"delay": {"steps": 2}}},
    },
    "sine, bce against coin flips": {
        "input": {"process": "sine", "amplitude": 2.0, "period": 7.3},
        "loss": {"kind": "bce", "target": {"choice": {"values": [0.0, 1.0]}}},
    },
    "ar1, mse against the input itself": {
        "input": {"process": "ar1", "mean": 0.5, "phi": 0.8, "std": 1.5},
        "loss": {"kind": "mse", "target": {"delay": {"steps": 0}}},
    },
    "walk, sum of outputs": {"input": {"process": "walk", "start": 1.0, "std": 0.5}},
    "constant, sum of outputs": {"input": {"process": "constant", "value": 0.7}},
    "windows of a file, mse against the input three steps ago": {
        "input": {"process": "file", "file": "FILE", "column": "value"},
        "loss": {"kind": "mse", "target": {"delay": {"steps": 3}}},
    },
    "choice, last output, float32": {
        "dtype": "float32",
        "input": {"process": "choice", "values": [-0.5, 1.0, 1.0, 2.0]},
        "loss": {"kind": "last"},
        "store": {"dtype": "float32"},
    },
}


def case(name, file=""):
    """A spec of CASES with 24 draws of 12 steps; `file` holds SERIES in its column `value`."""
    spec = {
        "seed": 3,
        "draws": 24,
        "steps": 12,
        "params": {"default": {"normal": {"mean": 0.0, "std": 1.5}}},
        "state": {"h": {"uniform": {"low": -1.0, "high": 1.0}}, "C": 0.25},
        "measure": {"groups": ["norms", "grads"]},
        "store": {"dtype": "float64"},
    } | CASES[name]
    if spec["input"].get("file") == "FILE":
        spec = spec | {"input": spec["input"] | {"file": str(file)}}
    return spec


def changed(spec, **tables):
    """A spec with some keys of its tables replaced."""
    merged = {
        key: spec.get(key, {}) | value if isinstance(value, dict) and "grid" not in value else value
        for key, value in tables.items()
    }
    return spec | merged
