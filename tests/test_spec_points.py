"""Grids, axes and points: their names, order and number."""

import tomllib

import numpy as np
import pytest
from small_specs import GRIDS, names_with_values, spec, the_problem

from fastlstm.names import PARAMETERS
from fastlstm.spec import load
from fastlstm.spec.distributions import (
    Constant,
    Normal,
    Uniform,
)


def test_axes_are_named_by_their_path_and_stand_in_one_order_whatever_that_of_the_keys():
    made = load(tomllib.loads(GRIDS))
    assert list(made.axes().items()) == [
        ("steps", [10, 20]),
        ("default_normal_std", [0.5, 1.0, 2.0]),
        ("W_hf_uniform_low", [-1.0, -2.0]),
        ("b_f", ["normal(mean=0, std=1)", "0"]),
        ("state_h", [0.0, 0.5]),
        ("input_std", [1.0, 3.0]),
        ("loss_target_uniform_low", [0.0, 0.25]),
    ]


def test_points_are_the_product_of_the_axes_with_the_last_one_fastest():
    made = load(tomllib.loads(GRIDS))
    points, axes = made.points(), made.axes()
    assert len(points) == 2 * 2 * 3 * 2 * 2 * 2 * 2
    expected = np.stack(np.meshgrid(*(range(len(v)) for v in axes.values()), indexing="ij"), -1).reshape(-1, 7)
    for index, (point, positions) in enumerate(zip(points, expected, strict=True)):
        assert point.index == index
        assert list(point.axes.items()) == [
            (name, values[at]) for (name, values), at in zip(axes.items(), positions, strict=True)
        ]
        assert point.steps == point.axes["steps"]
        assert point.h == Constant(value=point.axes["state_h"])
        assert point.input.numbers == (0.0, point.axes["input_std"])
        assert point.loss.target == Uniform(low=point.axes["loss_target_uniform_low"], high=1.0)
        laws = names_with_values(point)
        assert laws["W_hf"] == Uniform(low=point.axes["W_hf_uniform_low"], high=1.0)
        assert laws["b_f"].label == point.axes["b_f"]
        std = point.axes["default_normal_std"]
        assert {laws[name] for name in set(PARAMETERS) - {"W_hf", "b_f"}} == {Normal(mean=0.0, std=std)}


def test_points_can_be_indexed_and_sliced_like_a_list():
    points = load(tomllib.loads(GRIDS)).points()
    assert points[-1] == points[len(points) - 1] == list(points)[-1]
    assert points[2:5] == [points[2], points[3], points[4]]
    with pytest.raises(IndexError):
        points[len(points)]


def test_a_million_points_are_not_made_before_they_are_asked_for():
    values = list(range(1000))
    made = spec(params={"default": 0, "b_f": {"grid": values}, "b_i": {"grid": values}})
    assert len(made.points()) == 1_000_000
    assert made.points()[999_998].axes == {"b_f": 999.0, "b_i": 998.0}


def test_steps_come_first_among_the_axes():
    made = load({"params": {"default": 0, "b_f": {"grid": [0, 1]}}, "draws": 1, "steps": {"grid": [3, 4]}})
    assert list(made.axes()) == ["steps", "b_f"]
    assert list(spec("b_f = {grid = [0, 1]}", "steps={grid=[3, 4]}").axes()) == ["steps", "b_f"]


def test_a_grid_of_one_default_moves_all_its_parameters_together():
    made = spec("default = {grid = [1, 2]}\nb_f = 0")
    assert made.axes() == {"default": [1.0, 2.0]}
    assert {law.numbers for law in made.points()[1].params} == {(0.0,), (2.0,)}


def test_a_grid_may_stand_in_a_phase_and_in_a_constant():
    made = spec(
        "b_f = {constant = {value = {grid = [1, 2]}}}",
        input={"process": "sine", "period": 4, "phase": {"uniform": {"low": 0, "high": {"grid": [0.5, 1]}}}},
    )
    assert list(made.axes()) == ["b_f_constant_value", "input_phase_uniform_high"]
    point = made.points()[3]
    assert (point.params[2], point.input.phase) == (Constant(value=2.0), Uniform(low=0.0, high=1.0))


def test_point_holds_no_grid_anywhere():
    for point in load(tomllib.loads(GRIDS)).points():
        assert "grid" not in repr(point)


def test_too_many_points_are_refused_at_once():
    values = list(range(1001))
    problem = the_problem(params={"default": 0, "b_f": {"grid": values}, "b_i": {"grid": values}})
    assert "b_f (1_001), b_i (1_001) make 1_002_001 points" in problem.message
    assert "at most 1_000_000" in problem.message
    inside = {"uniform": {"low": {"grid": [-v - 1 for v in values]}, "high": {"grid": values[1:]}}}
    assert "at most 1_000_000" in the_problem(params={"default": inside}).message
    assert "at most 1_000_000" in the_problem(params={"default": {"grid": [0] * 1_000_001}}).message
