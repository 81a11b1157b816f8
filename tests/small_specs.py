"""Small specs that the tests of the spec change, and what is asked of them."""

import tomllib

import pytest

from fastlstm.names import PARAMETERS
from fastlstm.spec import SpecError, load

EXAMPLE = """
title = "Forget-gate bias and the survival of the gradient"
seed  = 20261122
draws = 1_000_000            # for each point
steps = 100
dtype = "float64"

[params]
default = { normal = { mean = 0.0, std = 1.0 } }
b_f     = { grid = [-2.0, 0.0, 1.0, 2.0, 4.0] }

[state]
h = 0.0
C = 0.0

[input]
process = "normal"
std = 1.0

[loss]
kind = "mse"
target = { uniform = { low = 0.0, high = 1.0 } }

[measure]
groups = ["norms", "gates", "carousel", "truncation"]
saturation = 0.1
majority   = 0.5
exploded   = 1e3
vanished   = 1e-6

[store]
rows = "all"
"""


GRIDS = """
steps = {grid = [10, 20]}
draws = 5
[state]
h = {grid = [0.0, 0.5]}
[params]
default = {normal = {mean = 0, std = {grid = [0.5, 1, 2]}}}
b_f = {grid = [{normal = {mean = 0, std = 1}}, 0.0]}
W_hf = {uniform = {low = {grid = [-1, -2]}, high = 1}}
[input]
std = {grid = [1.0, 3.0]}
[loss]
kind = "bce"
target = {uniform = {low = {grid = [0.0, 0.25]}, high = 1.0}}
"""


def spec(text="", *overrides, **tables):
    """A small valid spec, with TOML lines for [params], overrides, and tables to replace its own."""
    base = {"draws": 10, "steps": 20, "params": {"default": {"normal": {}}} | tomllib.loads(text)}
    return load(base | tables, overrides)


def problems(text="", *overrides, **tables):
    with pytest.raises(SpecError) as caught:
        spec(text, *overrides, **tables)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return caught.value.problems


def the_problem(text="", *overrides, **tables):
    (problem,) = problems(text, *overrides, **tables)
    return problem


def reload(of):
    return load(tomllib.loads(of.normalised()))


def names_with_values(point):
    return dict(zip(PARAMETERS, point.params, strict=True))
