"""The spec: which tables and values it accepts, which it refuses, and how it says so."""

import math
import tomllib
from copy import deepcopy
from datetime import date

import numpy as np
import pytest
from small_specs import EXAMPLE, problems, reload, spec, the_problem

from fastlstm.spec import SpecError, load
from fastlstm.spec.distributions import (
    Constant,
    Normal,
    Uniform,
)


def test_the_example_of_the_design_loads_from_a_file(tmp_path):
    path = tmp_path / "forget_bias.toml"
    path.write_text(EXAMPLE, encoding="utf-8")
    loaded = load(path)
    assert load(str(path)) == loaded == load(tomllib.loads(EXAMPLE))
    assert loaded.axes() == {"b_f": [-2.0, 0.0, 1.0, 2.0, 4.0]}
    assert [point.params[2] for point in loaded.points()] == [Constant(value=v) for v in (-2, 0, 1, 2, 4)]
    point = loaded.points()[3]
    assert (point.index, point.steps, point.axes) == (3, 100, {"b_f": 2.0})
    assert point.params[0] == Normal(mean=0.0, std=1.0)
    assert (point.h, point.C) == (Constant(value=0.0), Constant(value=0.0))
    assert (point.input.process, point.input.numbers) == ("normal", (0.0, 1.0))
    assert (point.loss.kind, point.loss.target) == ("mse", Uniform(low=0.0, high=1.0))


def test_everything_but_draws_steps_and_params_may_be_left_out():
    small = spec()
    assert (small.title, small.seed, small.dtype, small.common) == ("", 0, "float64", True)
    assert small.measure.groups == ("norms", "gates", "carousel")
    assert (small.store.rows, small.store.dtype, small.loss.kind) == ("all", "float32", "sum")
    assert small.axes() == {}
    assert len(small.points()) == 1
    assert small.series() is None


@pytest.mark.parametrize(
    "process",
    [
        {"std": 1.0},
        {"process": "uniform", "low": 0, "high": 1},
        {"process": "constant", "value": 3},
        {"process": "sine", "period": 12.5, "amplitude": 2, "phase": 0.25},
        {"process": "sine", "period": 3, "phase": {"normal": {}}},
        {"process": "ar1", "phi": -0.9},
        {"process": "walk", "start": 1, "std": 0.1},
    ],
)
def test_every_input_process_is_accepted_and_round_trips(process):
    made = spec(input=process)
    assert made.input.process == process.get("process", "normal")
    assert reload(made) == made


def test_sine_has_a_uniform_phase_unless_told_otherwise():
    assert spec(input={"process": "sine", "period": 3}).input.phase == Uniform(low=0.0, high=1.0)


@pytest.mark.parametrize("rows", ["all", "none", 1, 1000])
def test_rows_to_store_are_all_none_or_a_number(rows):
    assert spec(store={"rows": rows}).store.rows == rows


def test_values_of_numpy_and_paths_are_taken_like_plain_ones(tmp_path):
    (tmp_path / "a.csv").write_text("n\n1\n2\n")
    given_ = {
        "draws": np.int64(3),
        "steps": np.int32(2),
        "params": {"default": np.float32(0.5)},
        "input": {"file": tmp_path / "a.csv", "column": "n"},
    }
    assert load(given_).points()[0].params[0] == Constant(value=0.5)


def test_the_given_mapping_is_left_as_it_was():
    given_ = {"draws": 1, "steps": 3, "params": {"default": 0}}
    before = deepcopy(given_)
    load(given_, ["draws=2", "params.b_f=1", "input.std=3"])
    assert given_ == before


def test_a_spec_does_not_change():
    with pytest.raises(ValueError, match="frozen"):
        spec().draws = 3


def test_all_problems_are_told_at_once_with_file_key_value_and_what_is_right(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(
        """
        draws = 0
        stepps = 10
        dtype = "float46"
        [params]
        default = { normall = { std = 1 } }
        b_f = nan
        b_i = { normal = { std = -1.0 } }
        [input]
        process = "gausian"
        [measure]
        groups = ["norm"]
        [loss]
        kind = "bce"
        [store]
        file = "x"
        """
    )
    with pytest.raises(SpecError) as caught:
        load(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    told = [line.removeprefix(f"{path}: ") for line in lines]
    assert sorted(told) == sorted(
        [
            "draws = 0: must be at least 1",
            "steps: is missing. The number of time steps of a draw, 1 to 10^6; may be a grid.",
            'dtype = "float46": no such word; did you mean float64?',
            "params.default = {normall = {std = 1}}: no such distribution; did you mean normal?",
            "params.b_f = nan: must be a finite number, not NaN and not infinite",
            "params.b_i.normal.std = -1.0: must be greater than 0",
            'input.process = "gausian": must be one of normal, uniform, choice, constant, sine, ar1, walk, file',
            'measure.groups[0] = "norm": no such word; did you mean norms?',
            'loss = {kind = "bce"}: bce needs a target, for example target = 0.5',
            'store.file = "x": no such key; the keys are rows, dtype',
            "stepps = 10: no such key; did you mean steps?",
        ]
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("draws", 0, "must be at least 1"),
        ("draws", 10**30, "must be at most 1_000_000_000_000_000"),
        ("draws", 1e6, "must be a whole number; write 1000000"),
        ("draws", 1.5, "must be a whole number"),
        ("draws", True, "must be a whole number"),
        ("draws", "many", "must be a whole number"),
        ("draws", {"grid": [1, 2]}, "a grid cannot stand here, only on steps"),
        ("steps", 0, "must be at least 1"),
        ("steps", 10**6 + 1, "must be at most 1_000_000"),
        ("steps", 10**400, "must be at most 1_000_000"),
        ("seed", -1, "must be at least 0"),
        ("seed", 2**64, "must be at most 18_446_744_073_709_551_615"),
        ("seed", date(2026, 1, 1), "must be a whole number"),
        ("dtype", "float16", "did you mean float64?"),
        ("dtype", "double", "must be one of float64, float32"),
        ("common", 1, "must be true or false"),
        ("title", 3, "must be a string"),
        ("title", "\ud800", "valid Unicode"),
        ("params", 3, "must be a table"),
        ("input", [1], "must be a table"),
        ("loss", "mse", "must be a table"),
        ("paramss", {}, "no such key; did you mean params?"),
        ("b_f", 1, "no such key here; it belongs in [params]"),
        ("saturation", 0.1, "no such key here; it belongs in [measure]"),
        ("xyz", 1, "no such key; the keys are title, seed, draws"),
    ],
)
def test_top_level_values_that_cannot_be_used(key, value, message):
    problem = the_problem(**{key: value})
    assert problem.key == key
    assert message in problem.message
    assert problem.value


def test_the_largest_sizes_are_legal():
    made = spec(seed=2**64 - 1, draws=10**15, steps=10**6)
    assert (made.seed, made.draws, made.steps) == (2**64 - 1, 10**15, 10**6)
    assert reload(made) == made


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ({"process": "gauss"}, "input.process", "must be one of normal, uniform"),
        ({"process": "sin", "period": 3}, "input.process", "no such process; did you mean sine?"),
        ({"process": 3}, "input.process", "must be one of normal"),
        ({"std": -1.0}, "input.std", "must be greater than 0"),
        ({"std": math.nan}, "input.std", "must be a finite number"),
        ({"std": {"grid": [1, 0]}}, "input.std.grid[1]", "must be greater than 0"),
        ({"stdd": 1}, "input.stdd", "did you mean std?"),
        ({"process": {"grid": ["normal", "walk"]}}, "input.process", "must be one of"),
        ({"process": "uniform", "low": 1, "high": 0}, "input", "low (1) must be less than high (0)"),
        ({"process": "sine"}, "input.period", "is missing. The steps of a full turn"),
        ({"process": "sine", "period": 0}, "input.period", "must be at least 1e-06"),
        ({"process": "ar1", "phi": 1}, "input.phi", "must be less than 1"),
        ({"process": "ar1"}, "input.phi", "is missing"),
        ({"process": "normal", "file": "a.csv"}, "input.file", "no such key"),
        ({"file": 3, "column": "n"}, "input.file", "must be a string"),
        ({"process": "file"}, "input.file", "is missing"),
    ],
)
def test_inputs_that_cannot_be_used(table, key, message):
    actual = problems(input=table)
    assert key in [problem.key for problem in actual]
    assert message in next(problem.message for problem in actual if problem.key == key)


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ({"kind": "mae"}, "loss.kind", "no such word; did you mean mse?"),
        ({"kind": "mse"}, "loss", "mse needs a target"),
        ({"kind": "sum", "target": 1}, "loss", "sum takes no target"),
        ({"kind": "bce", "target": 1, "readout": "linear"}, "loss", "bce needs outputs between 0 and 1"),
        ({"target": 1}, "loss", "sum takes no target"),
        ({"kind": "mse", "target": {"grid": [0, 1]}}, "loss.target", "a grid cannot stand here"),
        ({"kind": "mse", "target": {"delai": {}}}, "loss.target", "did you mean delay?"),
        (
            {"kind": "mse", "target": {"delay": {}}},
            "loss.target.delay.steps",
            "is missing. How many steps ago",
        ),
        ({"kind": "mse", "target": {"delay": {"step": 1}}}, "loss.target.delay.step", "did you mean steps?"),
        (
            {"kind": "mse", "target": {"delay": {"steps": 20}}},
            "loss.target.delay.steps",
            "less than the 20 steps",
        ),
        (
            {"kind": "mse", "target": {"delay": {"steps": -1}}},
            "loss.target.delay.steps",
            "must be at least 0",
        ),
        ({"kind": "bce", "target": 1.5}, "loss.target", "bce needs targets between 0 and 1"),
        ({"kind": "bce", "target": {"normal": {}}}, "loss.target", "bce needs targets between 0 and 1"),
        (
            {"kind": "bce", "target": {"uniform": {"low": 0, "high": {"grid": [1, 1.5]}}}},
            "loss.target",
            "bce needs targets between 0 and 1",
        ),
        ({"kind": "bce", "target": {"delay": {"steps": 1}}}, "loss.target", "inputs, which are the targets"),
    ],
)
def test_losses_that_cannot_be_used(table, key, message):
    actual = {problem.key: problem.message for problem in problems(loss=table)}
    assert message in actual[key]


@pytest.mark.parametrize(
    "target",
    [
        0,
        0.5,
        1,
        {"uniform": {"low": 0, "high": 1}},
        {"choice": {"values": [0, 1]}},
        {"loguniform": {"low": 1e-9, "high": 1}},
        {"uniform": {"low": {"grid": [0, 0.5]}, "high": 1}},
    ],
)
def test_bce_takes_targets_between_0_and_1(target):
    assert spec(loss={"kind": "bce", "target": target}).loss.kind == "bce"


def test_bce_takes_delayed_inputs_that_stay_between_0_and_1():
    delayed = {"kind": "bce", "target": {"delay": {"steps": 3}}}
    inputs = {"process": "uniform", "low": 0, "high": {"grid": [0.5, 1]}}
    assert spec(loss=delayed, input=inputs).loss.target.steps == 3
    assert the_problem(loss=delayed, input=inputs | {"high": {"grid": [0.5, 1.5]}}).key == "loss.target"


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ({"saturation": 0}, "saturation", "must be greater than 0"),
        ({"saturation": 0.5}, "saturation", "must be less than 0.5"),
        ({"majority": 0.4}, "majority", "must be at least 0.5"),
        ({"majority": 1}, "majority", "must be less than 1"),
        ({"exploded": -1}, "exploded", "must be greater than 0"),
        ({"groups": ["norms", "norms"]}, "groups", "lists a group twice"),
        ({"groups": "norms"}, "groups", "must be a list in square brackets"),
        ({"groups": ["gradient"]}, "groups[0]", "did you mean grads?"),
        ({"window": 0, "groups": ["truncation"]}, "window", "must be at least 1"),
    ],
)
def test_measures_that_cannot_be_used(table, key, message):
    problem = the_problem(measure=table)
    assert problem.key == f"measure.{key}"
    assert message in problem.message


def test_a_window_adds_its_columns_to_those_of_truncation_and_needs_that_group():
    problem = the_problem(measure={"window": 5})
    assert problem.key == "measure"
    assert 'add "truncation" to groups' in problem.message
    assert spec(measure={"groups": ["truncation"], "window": 5}).measure.computed == ("truncation", "window")
    assert spec(measure={"groups": ["truncation"]}).measure.computed == ("truncation",)


def test_vanished_must_lie_below_exploded():
    assert the_problem(measure={"vanished": 2, "exploded": 1}).message == "vanished must be less than exploded"


@pytest.mark.parametrize("rows", [0, -1, 1.5, "some", True, ["all"]])
def test_rows_that_cannot_be_used(rows):
    assert the_problem(store={"rows": rows}).key == "store.rows"
