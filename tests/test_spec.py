"""The spec: what it accepts, what it refuses and how it says so, its points, and the hash of its content."""

import json
import math
import tomllib
from copy import deepcopy
from datetime import date, time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastlstm.names import PARAMETERS
from fastlstm.spec import Problem, Spec, SpecError, json_schema, load
from fastlstm.spec.distributions import (
    Choice,
    Chrono,
    Constant,
    LogitUniform,
    LogUniform,
    Normal,
    Orthogonal,
    Tied,
    Triangular,
    Uniform,
)
from fastlstm.spec.presets import PRESETS

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


EXAMPLE_HASH = "c076a125e28d9a3b427225a2b5ea393c5a424033adf2d849f89f8ff19f8d201f"


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


# ------------------------------------------------------------------------------------ what is accepted


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
    ("written", "meant"),
    [
        ("3", Constant(value=3.0)),
        ("{constant = {value = 3}}", Constant(value=3.0)),
        ("{normal = {mean = 1, std = 2}}", Normal(mean=1.0, std=2.0)),
        ("{uniform = {low = -1, high = 2}}", Uniform(low=-1.0, high=2.0)),
        ("{loguniform = {low = 1e-3, high = 1}}", LogUniform(low=1e-3, high=1.0)),
        ("{choice = {values = [1, 2, 2]}}", Choice(values=(1.0, 2.0, 2.0))),
        ("{logit_uniform = {}}", LogitUniform(low=0.0, high=1.0)),
        ("{triangular = {low = -2, high = 2}}", Triangular(low=-2.0, high=2.0)),
        ("{chrono = {t_max = 50}}", Chrono(t_max=50.0)),
        ("{chrono = {}}", Chrono(t_max=20.0)),
        ('{tied = {to = "b_i", factor = -1}}', Tied(to="b_i", factor=-1.0)),
        ('{tied = {to = "b_i"}}', Tied(to="b_i", factor=1.0)),
    ],
)
def test_every_distribution_reaches_the_point(written, meant):
    assert spec(f"b_f = {written}").points()[0].params[2] == meant


def test_numbers_of_a_distribution_are_floats_in_declared_order():
    point = spec("b_f = {uniform = {low = 1, high = 2}}\nb_i = {choice = {values = [3, 1]}}").points()[0]
    assert point.params[2].numbers == (1.0, 2.0)
    assert point.params[5].numbers == (3.0, 1.0)
    assert all(type(number) is float for law in point.params for number in law.numbers)


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


@pytest.mark.parametrize("value", [1e6, -1e6, 1e9, 5e-324, -0.0])
def test_weights_of_every_useful_size_are_legal(value):
    assert spec(f"W_ho = {value}").points()[0].params[6] == Constant(value=value)


def test_a_spec_does_not_change():
    with pytest.raises(ValueError, match="frozen"):
        spec().draws = 3


# --------------------------------------------------------------------------------------------- presets


def test_pytorch_preset_is_the_default_of_torch_for_one_unit():
    laws = names_with_values(spec('preset = "pytorch"').points()[0])
    for name, law in laws.items():
        wide = name in ("b_f", "b_i", "b_o", "b_c")
        assert law == (Triangular(low=-2.0, high=2.0) if wide else Uniform(low=-1.0, high=1.0)), name


def test_keras_preset_is_the_default_of_keras_for_one_unit():
    laws = names_with_values(spec('preset = "keras"').points()[0])
    kernel, readout = math.sqrt(6 / 5), math.sqrt(3)
    for name in PARAMETERS:
        if name.startswith("W_h"):
            assert laws[name] == Orthogonal(gain=1.0)
        elif name.startswith("W_x"):
            assert laws[name] == Uniform(low=-kernel, high=kernel)
        elif name == "W_y":
            assert laws[name].numbers == pytest.approx((-readout, readout), rel=1e-15)
        else:
            assert laws[name] == Constant(value=1.0 if name == "b_f" else 0.0)


def test_chrono_preset_takes_t_max_from_the_steps_of_the_point():
    chrono = spec('preset = "chrono"', steps={"grid": [10, 50]})
    for point, steps in zip(chrono.points(), (10, 50), strict=True):
        laws = names_with_values(point)
        assert laws["b_f"] == Chrono(t_max=float(steps))
        assert laws["b_i"] == Tied(to="b_f", factor=-1.0)
        assert laws["b_o"] == laws["b_c"] == Constant(value=0.0)
        assert laws["W_hf"] == laws["W_y"] == laws["b_y"] == Normal(mean=0.0, std=1.0)


def test_uniform_gate_preset_starts_the_forget_gate_uniform():
    laws = names_with_values(spec('preset = "uniform_gate"').points()[0])
    assert laws["b_f"] == LogitUniform(low=0.0, high=1.0)
    assert laws["b_i"] == Tied(to="b_f", factor=-1.0)
    assert laws["b_o"] == laws["W_hf"] == Normal(mean=0.0, std=1.0)


@pytest.mark.parametrize("preset", PRESETS)
def test_own_entry_overrides_the_preset_which_overrides_default(preset):
    laws = names_with_values(spec(f'preset = "{preset}"\nb_f = 5\ndefault = 7').points()[0])
    assert laws["b_f"] == Constant(value=5.0)
    for name in set(PARAMETERS) - {"b_f"}:
        assert laws[name] == PRESETS[preset].get(name, Constant(value=7.0))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_the_same_content_as_what_it_stands_for(preset):
    short = spec(f'preset = "{preset}"')
    assert load(tomllib.loads(short.normalised())).hash == short.hash
    assert "preset" not in short.normalised()


def test_presets_can_stand_side_by_side():
    both = spec('preset = {grid = ["pytorch", "keras"]}\nb_f = {grid = [0, 1]}')
    assert both.axes() == {"preset": ["pytorch", "keras"], "b_f": [0.0, 1.0]}
    assert [point.axes["preset"] for point in both.points()] == ["pytorch", "pytorch", "keras", "keras"]
    assert [type(point.params[0]) for point in both.points()] == [Uniform, Uniform, Orthogonal, Orthogonal]
    assert [point.params[2] for point in both.points()] == [Constant(value=v) for v in (0.0, 1.0, 0.0, 1.0)]
    assert reload(both) == both


@pytest.mark.parametrize("preset", ["chrono", "uniform_gate"])
def test_a_preset_that_leaves_weights_open_needs_a_default(preset):
    problem = the_problem(params={"preset": preset})
    assert problem.key == "params.default"
    assert problem.message.startswith("is needed for W_hf, W_xf, W_hi")
    assert preset in problem.message


# ------------------------------------------------------------------------------ grids, axes and points


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
"""


def test_axes_are_named_by_their_path_and_keep_the_order_of_the_document():
    made = load(tomllib.loads(GRIDS))
    assert list(made.axes().items()) == [
        ("steps", [10, 20]),
        ("state_h", [0.0, 0.5]),
        ("default_normal_std", [0.5, 1.0, 2.0]),
        ("b_f", ["normal(mean=0, std=1)", "0"]),
        ("W_hf_uniform_low", [-1.0, -2.0]),
        ("input_std", [1.0, 3.0]),
    ]


def test_points_are_the_product_of_the_axes_with_the_last_one_fastest():
    made = load(tomllib.loads(GRIDS))
    points, axes = made.points(), made.axes()
    assert len(points) == 2 * 2 * 3 * 2 * 2 * 2
    expected = np.stack(np.meshgrid(*(range(len(v)) for v in axes.values()), indexing="ij"), -1).reshape(-1, 6)
    for index, (point, positions) in enumerate(zip(points, expected, strict=True)):
        assert point.index == index
        assert list(point.axes.items()) == [
            (name, values[at]) for (name, values), at in zip(axes.items(), positions, strict=True)
        ]
        assert point.steps == point.axes["steps"]
        assert point.h == Constant(value=point.axes["state_h"])
        assert point.input.numbers == (0.0, point.axes["input_std"])
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


def test_steps_come_first_among_the_axes_because_toml_has_them_before_the_tables():
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


# ------------------------------------------------------------------------------------------- overrides


def test_overrides_are_applied_in_order_before_the_check():
    made = spec(
        "b_f = {normall = {}}",
        "params.b_f = 3",
        "draws=5",
        "draws=7",
        "measure.saturation=0.2",
        "title=a = b",
    )
    assert made.points()[0].params[2] == Constant(value=3.0)
    assert (made.draws, made.measure.saturation, made.title) == (7, 0.2, "a = b")


def test_an_override_is_toml_or_else_a_string():
    assert spec("", "input.process=constant", "input.value=2").input.numbers == (2.0,)
    assert spec("", "title=1979-05-27 is no title?").title == "1979-05-27 is no title?"
    assert spec("", 'title="quoted"').title == "quoted"
    assert spec("", "params.b_f={grid=[1, 2]}").axes() == {"b_f": [1.0, 2.0]}
    assert spec("", "title=1\nseed = 5").seed == 0


def test_an_override_makes_the_tables_it_needs():
    assert spec("", "params.b_f.normal.std=3").points()[0].params[2] == Normal(mean=0.0, std=3.0)
    assert (
        load({}, ["draws=1", "steps=2", "params.default=0"]).hash
        == load({"draws": 1, "steps": 2, "params": {"default": 0}}).hash
    )


@pytest.mark.parametrize("text", ["draws", "", "=3", ".=3", "a..b=3", "params.=1"])
def test_an_override_of_another_form_is_refused(text):
    problem = the_problem("", text)
    assert problem.source == "--set"
    assert "key.path=value" in problem.message


def test_an_override_below_a_value_is_refused():
    assert the_problem("b_f = 1.0", "params.b_f.normal.std=3") == Problem(
        "--set", "params.b_f", "1.0", "is not a table, so params.b_f.normal.std cannot be set"
    )


def test_a_problem_that_an_override_brought_is_said_to_come_from_it():
    found = problems("b_f = nan", "input.std=-1", "seed=x")
    assert [(problem.source, problem.key) for problem in found] == [
        ("--set", "seed"),
        ("spec", "params.b_f"),
        ("--set", "input.std"),
    ]


# --------------------------------------------------------------------------- refused, and said in full


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
            'input.process = "gausian": must be one of normal, uniform, constant, sine, ar1, walk, file',
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
        ("title", "\ud800", "is no text"),
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
    ("entry", "key", "message"),
    [
        ("nan", "b_f", "must be a finite number"),
        ("-inf", "b_f", "must be a finite number"),
        ("true", "b_f", "must be a number"),
        ('"1"', "b_f", "must be a number"),
        ("[1, 2]", "b_f", "must be a number"),
        ("1e10", "b_f", "must be at most 1e+09"),
        ("-1e10", "b_f", "must be at least -1e+09"),
        ("1979-05-27", "b_f", "must be a number"),
        ("{}", "b_f", "must be a number, or a table with one key, one of constant, normal"),
        ("{mean = 0, std = 1}", "b_f", "must be a number, or a table with one key"),
        ("{normal = {}, uniform = {}}", "b_f", "must be a number, or a table with one key"),
        ("{gaussian = {}}", "b_f", "must be one of constant, normal, uniform, loguniform"),
        ("{unifrom = {}}", "b_f", "no such distribution; did you mean uniform?"),
        ("{normal = 3}", "b_f.normal", "must be a table"),
        (
            "{normal = {std = 0}}",
            "b_f.normal.std",
            "greater than 0; for a value that never varies, use the constant",
        ),
        ("{normal = {std = -1}}", "b_f.normal.std", "must be greater than 0"),
        ("{normal = {sdt = 1}}", "b_f.normal.sdt", "no such key; did you mean std?"),
        ("{uniform = {low = 1}}", "b_f.uniform.high", "is missing. The upper end."),
        ("{uniform = {low = 2, high = 1}}", "b_f.uniform", "low (2) must be less than high (1)"),
        ("{uniform = {low = 1, high = 1}}", "b_f.uniform", "low (1) must be less than high (1)"),
        (
            "{uniform = {low = 0, high = {grid = [1, -1]}}}",
            "b_f.uniform",
            "low (0) must be less than high (-1)",
        ),
        ("{triangular = {low = 2, high = 1}}", "b_f.triangular", "must be less than high"),
        ("{loguniform = {low = 0, high = 1}}", "b_f.loguniform.low", "must be greater than 0"),
        ("{loguniform = {low = 2, high = 1}}", "b_f.loguniform", "must be less than high"),
        ("{logit_uniform = {high = 1.5}}", "b_f.logit_uniform.high", "must be at most 1"),
        ("{logit_uniform = {low = 0.5, high = 0.5}}", "b_f.logit_uniform", "must be less than high"),
        ("{choice = {values = []}}", "b_f.choice.values", "must hold at least one value"),
        ("{choice = {values = 3}}", "b_f.choice.values", "must be a list in square brackets"),
        ("{choice = {values = [1, nan]}}", "b_f.choice.values[1]", "must be a finite number"),
        ("{chrono = {t_max = 2}}", "b_f.chrono.t_max", "must be greater than 2"),
        ('{tied = {to = "b_f"}}', "b_f", "ties b_f to itself; tie it to another parameter"),
        ('{tied = {to = "b_g"}}', "b_f.tied.to", "no such word; did you mean"),
        ("{grid = []}", "b_f.grid", "must hold at least one value"),
        ("{grid = 3}", "b_f.grid", "must be a list in square brackets"),
        ("{grid = [1, 2, 1.0]}", "b_f.grid", "has 1.0 twice; list every value once"),
        ("{grid = [0.0, -0.0]}", "b_f.grid", "twice"),
        ("{grid = [1, true]}", "b_f.grid[1]", "must be a number"),
        ("{grid = [1, {grid = [2]}]}", "b_f.grid[1]", "a grid cannot stand here"),
        ("{grid = [1], foo = 2}", "b_f.foo", "no such key; the keys are grid"),
        ("{normal = {std = {grid = [1, -1]}}}", "b_f.normal.std.grid[1]", "must be greater than 0"),
        ("{choice = {values = {grid = [1]}}}", "b_f.choice.values", "a grid cannot stand here"),
    ],
)
def test_entries_of_params_that_cannot_be_used(entry, key, message):
    problem = the_problem(f"b_f = {entry}")
    assert problem.source == "spec"
    assert problem.key == f"params.{key}"
    assert message in problem.message


def test_a_misspelt_parameter_or_preset_gets_a_suggestion():
    assert the_problem("b_ff = 1").message == "no such key; did you mean b_f?"
    assert the_problem('preset = "kears"').message == "no such word; did you mean keras?"
    assert the_problem("std = 1").message.startswith("no such key; the keys are preset, default, W_hf")


@pytest.mark.parametrize("params", [{}, {"b_f": 1}])
def test_parameters_without_a_value_are_named(params):
    problem = the_problem(params=params)
    assert problem.key == "params.default"
    assert ("b_f" in problem.message) == (not params)
    assert "W_hf" in problem.message


def test_all_fourteen_entries_need_no_default():
    assert len(spec(params=dict.fromkeys(PARAMETERS, 1.0)).points()) == 1


def test_a_tie_must_lead_to_an_untied_parameter():
    tied = 'b_i = {tied = {to = "b_f"}}\n'
    assert spec(tied).points()[0].params[5] == Tied(to="b_f")
    (problem,) = problems(tied + 'b_f = {tied = {to = "b_o"}}')
    assert (problem.key, problem.message) == (
        "params.b_i",
        "ties b_i to b_f, which is tied itself; tie it to an untied parameter",
    )
    found = problems(tied + 'b_f = {grid = [1, {tied = {to = "b_i"}}]}')
    assert {problem.key for problem in found} == {"params.b_i", "params.b_f"}


def test_everything_can_be_tied_to_one_parameter_by_default():
    laws = spec('default = {tied = {to = "b_f"}}\nb_f = {normal = {}}').points()[0].params
    assert set(laws) == {Normal(), Tied(to="b_f")}


def test_orthogonal_is_for_the_four_hidden_weights_with_one_gain():
    four = "".join(f"{name} = {{orthogonal = {{gain = 2}}}}\n" for name in ("W_hf", "W_hi", "W_ho", "W_hc"))
    assert spec(four).points()[0].params[0] == Orthogonal(gain=2.0)
    assert the_problem("W_xf = {orthogonal = {}}").key == "params.W_xf"
    assert the_problem("W_hf = {orthogonal = {}}").key == "params.W_hf"
    assert len(problems(four.replace("gain = 2", "gain = 1", 1))) == 4
    assert len(problems(four.replace("gain = 2", "gain = {grid = [1, 2]}"))) == 4
    assert [p.key for p in problems('preset = "keras"\nW_hf = 1')] == ["params.preset"]


def test_a_default_that_only_the_hidden_weights_use_may_vary_their_gain():
    others = {name: 0.0 for name in PARAMETERS if not name.startswith("W_h")}
    made = spec(params={"default": {"orthogonal": {"gain": {"grid": [1, 2]}}}} | others)
    assert made.axes() == {"default_orthogonal_gain": [1.0, 2.0]}
    assert made.points()[1].params[9] == Orthogonal(gain=2.0)


def test_chrono_needs_more_than_two_steps_at_every_point():
    assert the_problem("b_f = {chrono = {}}", steps=2).key == "params.b_f"
    assert the_problem('preset = "chrono"', steps={"grid": [50, 2]}).key == "params.preset"
    assert spec("b_f = {chrono = {t_max = 9}}", steps=2).points()[0].params[2] == Chrono(t_max=9.0)


def test_a_grid_that_no_point_uses_is_refused():
    problem = the_problem('preset = "keras"\ndefault = {grid = [1, 2]}')
    assert (problem.key, problem.message) == (
        "params.default",
        "its grid has no effect, because every parameter has another entry",
    )


@pytest.mark.parametrize("law", ["chrono", "orthogonal", "tied"])
@pytest.mark.parametrize(
    ("key", "tables"),
    [
        ("state.h", lambda law: {"state": {"h": law}}),
        ("input.phase", lambda law: {"input": {"process": "sine", "period": 3, "phase": law}}),
        ("loss.target", lambda law: {"loss": {"kind": "mse", "target": law}}),
    ],
)
def test_laws_that_need_other_parameters_stay_in_params(key, law, tables):
    problem = the_problem(**tables({law: {"to": "b_f"} if law == "tied" else {}}))
    assert problem.key == key
    assert problem.message.startswith(f"{law} is for [params] only")


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
        ({"process": "sine", "period": 0}, "input.period", "must be greater than 0"),
        ({"process": "ar1", "phi": 1}, "input.phi", "must be less than 1"),
        ({"process": "ar1"}, "input.phi", "is missing"),
        ({"process": "normal", "file": "a.csv"}, "input.file", "no such key"),
        ({"file": 3, "column": "n"}, "input.file", "must be a string"),
        ({"process": "file"}, "input.file", "is missing"),
    ],
)
def test_inputs_that_cannot_be_used(table, key, message):
    found = problems(input=table)
    assert key in [problem.key for problem in found]
    assert message in next(problem.message for problem in found if problem.key == key)


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ({"kind": "mae"}, "loss.kind", "no such word; did you mean mse?"),
        ({"kind": "mse"}, "loss", "mse needs a target"),
        ({"kind": "sum", "target": 1}, "loss", "sum takes no target"),
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
        ({"kind": "bce", "target": {"delay": {"steps": 1}}}, "loss.target", "inputs, which are the targets"),
    ],
)
def test_losses_that_cannot_be_used(table, key, message):
    found = {problem.key: problem.message for problem in problems(loss=table)}
    assert message in found[key]


@pytest.mark.parametrize(
    "target",
    [
        0,
        0.5,
        1,
        {"uniform": {"low": 0, "high": 1}},
        {"choice": {"values": [0, 1]}},
        {"loguniform": {"low": 1e-9, "high": 1}},
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
    ],
)
def test_measures_that_cannot_be_used(table, key, message):
    problem = the_problem(measure=table)
    assert problem.key == f"measure.{key}"
    assert message in problem.message


def test_vanished_must_lie_below_exploded():
    assert the_problem(measure={"vanished": 2, "exploded": 1}).message == "vanished must be less than exploded"


@pytest.mark.parametrize("rows", [0, -1, 1.5, "some", True, ["all"]])
def test_rows_that_cannot_be_used(rows):
    assert the_problem(store={"rows": rows}).key == "store.rows"


def test_too_many_points_are_refused_at_once():
    values = list(range(1001))
    problem = the_problem(params={"default": 0, "b_f": {"grid": values}, "b_i": {"grid": values}})
    assert "b_f (1_001), b_i (1_001) make 1_002_001 points" in problem.message
    assert "at most 1_000_000" in problem.message
    inside = {"uniform": {"low": {"grid": [-v - 1 for v in values]}, "high": {"grid": values[1:]}}}
    assert "at most 1_000_000" in the_problem(params={"default": inside}).message
    assert "at most 1_000_000" in the_problem(params={"default": {"grid": [0] * 1_000_001}}).message


# ---------------------------------------------------------------------------------- unreadable sources


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"\x00\x01\x02", "is a binary file"),
        (b"\xff\xfe\xfa", "is not UTF-8 text: byte 0xff at position 0"),
        (b"draws = \n", "is not valid TOML"),
        (b"draws = 1\ndraws = 2\n", "is not valid TOML"),
        (b"[params\n", "is not valid TOML"),
        (b"title = " + b"[" * 100_000, "nested too deeply"),
        (b"draws = " + b"9" * 10_000, "is not valid TOML"),
        (b"# nothing\n", "is missing"),
    ],
)
def test_a_file_that_is_no_spec_is_refused(tmp_path, content, message):
    path = tmp_path / "bad file é.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load(path)
    assert message in str(caught.value)
    assert all(problem.source == str(path) for problem in caught.value.problems)


def test_a_byte_order_mark_is_no_problem(tmp_path):
    path = tmp_path / "notepad.toml"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.encode())
    assert load(path).draws == 1_000_000


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.toml"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(SpecError, match="is larger than 16 MiB"):
        load(path)


@pytest.mark.parametrize("source", ["no/such.toml", "nul\0.toml", "x" * 5000, "", ".", 3, None, b"x.toml", ["a"]])
def test_a_source_that_is_not_there_is_refused(source):
    with pytest.raises(SpecError):
        load(source)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(SpecError, match="is not a file"):
        load(tmp_path)


def test_junk_of_every_kind_is_a_spec_error():
    deep = {}
    inner = deep
    for _ in range(100_000):
        inner["a"] = inner = {}
    own = []
    own.append(own)
    for junk in (
        deep,
        {"draws": own},
        {"params": {"default": 10**5000}},
        {"draws": -(10**5000)},
        {1: 2},
        {"\ud800": 3},
    ):
        with pytest.raises(SpecError):
            load(junk)
    found = problems(steps=time(1), state={"h": object()}, input={"std": 1j}, loss={"kind": b"sum"})
    assert {problem.key for problem in found} == {"steps", "state.h", "input.std", "loss.kind"}


def test_messages_hold_no_control_characters():
    for problem in problems("", "ti\ttle\x1b[31m=1", title="\ud800\x00\n", **{"dr\x1baws": 3}):
        assert str(problem).isprintable()


# ------------------------------------------------------------------------------------ normalised, hash


@pytest.mark.parametrize(
    "made",
    [
        load(tomllib.loads(EXAMPLE)),
        load(tomllib.loads(GRIDS)),
        spec(title='quotes " \\ \x7f \t and é \U0001f600'),
        spec('preset = {grid = ["chrono", "keras"]}\nb_f = {grid = [{chrono = {}}, {choice = {values = [1]}}]}'),
        spec("b_f = {constant = {value = {grid = [1e-7, 1e8, 0.1]}}}", store={"rows": 3}, common=False),
        spec(loss={"kind": "mse", "target": {"delay": {"steps": 3}}}, measure={"groups": []}),
        spec(
            state={"C": {"grid": [1, 2]}, "h": {"grid": [1, 2]}},
            params={"b_i": {"grid": [1, 2]}, "default": 0},
        ),
    ],
)
def test_normalised_text_reads_back_as_an_equal_spec(made):
    again = reload(made)
    assert again == made
    assert again.hash == made.hash
    assert again.normalised() == made.normalised()
    assert list(again.axes().items()) == list(made.axes().items())
    assert again.points()[-1] == made.points()[-1]


def test_normalised_text_writes_every_default_out():
    tables = tomllib.loads(spec().normalised())
    assert tables["params"] == {name: {"normal": {"mean": 0.0, "std": 1.0}} for name in PARAMETERS}
    assert tables["input"] == {"process": "normal", "mean": 0.0, "std": 1.0}
    assert tables["state"] == {"h": 0.0, "C": 0.0}
    assert tables["loss"] == {"kind": "sum"}
    assert set(tables["measure"]) == {"groups", "saturation", "majority", "exploded", "vanished"}
    assert tables["store"] == {"rows": "all", "dtype": "float32"}
    assert set(tables) == set(Spec.model_fields) - {"claim"}  # there are none


def test_axes_keep_their_order_through_the_normalised_text():
    tables = {
        "draws": 1,
        "steps": {"grid": [3, 4]},
        "state": {"C": {"grid": [1, 2]}, "h": {"grid": [1, 2]}},
        "input": {"std": {"grid": [1, 2]}},
        "params": {
            "b_i": {"grid": [1, 2]},
            "default": 0,
            "W_hf": {"normal": {"std": {"grid": [1, 2]}, "mean": {"grid": [0, 1]}}},
        },
    }
    order = ["steps", "state_C", "state_h", "input_std", "b_i", "W_hf_normal_std", "W_hf_normal_mean"]
    assert list(load(tables).axes()) == list(reload(load(tables)).axes()) == order


def test_comments_order_title_and_ways_of_writing_do_not_change_the_hash():
    cosmetic = """
    # another comment
    steps = 100
    title = "Something else"
    draws = 1000000
    seed = 20261122
    [store]
    dtype = "float32"
    [loss]
    target = { uniform = { high = 1, low = 0 } }
    kind = "mse"
    [measure]
    vanished = 0.000001
    groups = ["truncation", "carousel", "gates", "norms"]
    [params]
    b_f = { grid = [-2, 0, 1, 2, 4] }
    W_hf = { normal = {} }
    default.normal.mean = 0
    """
    one, other = load(tomllib.loads(EXAMPLE)), load(tomllib.loads(cosmetic))
    assert one.hash == other.hash
    assert one.differences(other) == []


@pytest.mark.parametrize(
    ("override", "difference"),
    [
        ("seed=1", "seed: 20261122 here, 1 there"),
        ("draws=2", "draws: 1000000 here, 2 there"),
        ("steps=99", "steps: 100 here, 99 there"),
        ("dtype=float32", 'dtype: "float64" here, "float32" there'),
        ("common=false", "common: true here, false there"),
        ("params.W_y=0", "params.W_y: {normal = {mean = 0.0, std = 1.0}} here, 0.0 there"),
        ("state.h=1", "state.h: 0.0 here, 1.0 there"),
        ("input.std=2", "input.std: 1.0 here, 2.0 there"),
        ("loss.target=0", "loss.target: {uniform = {low = 0.0, high = 1.0}} here, 0.0 there"),
        ("measure.saturation=0.2", "measure.saturation: 0.1 here, 0.2 there"),
        ("store.rows=none", 'store.rows: "all" here, "none" there'),
        ("store.dtype=float64", 'store.dtype: "float32" here, "float64" there'),
    ],
)
def test_every_part_of_the_content_changes_the_hash_and_is_told_as_a_difference(override, difference):
    one, other = load(tomllib.loads(EXAMPLE)), load(tomllib.loads(EXAMPLE), [override])
    assert one.hash != other.hash
    assert one.differences(other) == [difference]


def test_a_key_that_one_spec_does_not_have_is_told_as_absent():
    one = spec(loss={"kind": "mse", "target": 0.5})
    assert one.differences(spec()) == [
        'loss.kind: "mse" here, "sum" there',
        "loss.target: 0.5 here, absent there",
    ]


def test_the_order_of_grids_and_of_their_values_changes_the_hash():
    one = spec("b_f = {grid = [1, 2]}\nb_i = {grid = [1, 2]}")
    other = spec("b_i = {grid = [1, 2]}\nb_f = {grid = [1, 2]}")
    assert one.hash != other.hash
    assert one.differences(other) == ["order of the grids: b_f, b_i here, b_i, b_f there"]
    assert spec("b_f = {grid = [1, 2]}").hash != spec("b_f = {grid = [2, 1]}").hash
    assert spec("b_f = {grid = [1]}").hash != spec("b_f = 1").hash


def test_the_hash_of_the_example_stays_what_it_is():
    """With another hash every run directory belongs to another spec: that needs a line in the changelog."""
    assert load(tomllib.loads(EXAMPLE)).hash == EXAMPLE_HASH


# ----------------------------------------------------------------------------------- series from files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with a spec and its series: sims/file.toml, sims/data/series.csv."""
    data = tmp_path / "repo" / "sims" / "data"
    data.mkdir(parents=True)
    frame = pd.DataFrame({"year": np.arange(1700, 1750), "n": np.arange(50.0) ** 2, "word": ["w"] * 50})
    frame.to_csv(data / "series.csv", index=False)
    frame.to_parquet(data / "series.parquet", index=False)
    (data.parent / "file.toml").write_text(
        'draws = 3\nsteps = 20\n[params]\ndefault = 0\n[input]\nfile = "data/series.csv"\ncolumn = "n"\n'
    )
    monkeypatch.chdir(tmp_path / "repo")
    return tmp_path / "repo"


def test_a_series_is_found_beside_the_spec_and_read_as_float64(folder):
    made = load("sims/file.toml")
    series = made.series()
    np.testing.assert_array_equal(series, np.arange(50.0) ** 2)
    assert series.dtype == np.float64
    assert not series.flags.writeable
    assert made.input.process == "file"
    assert made.input.file == str(folder / "sims/data/series.csv")
    np.testing.assert_array_equal(made.points()[0].input.series, series)


def test_a_series_is_found_from_the_current_folder_too(folder):
    assert load("sims/file.toml", ["input.file=sims/data/series.csv"]).hash == load("sims/file.toml").hash
    mapping = tomllib.loads(Path("sims/file.toml").read_text())
    mapping["input"]["file"] = "sims/data/series.csv"
    assert load(mapping) == load("sims/file.toml")


def test_parquet_and_integer_columns_are_series_too(folder):
    csv, parquet = load("sims/file.toml"), load("sims/file.toml", ["input.file=data/series.parquet"])
    np.testing.assert_array_equal(csv.series(), parquet.series())
    assert csv.hash != parquet.hash
    np.testing.assert_array_equal(load("sims/file.toml", ["input.column=year"]).series(), np.arange(1700.0, 1750))


def test_standardize_gives_mean_0_and_population_deviation_1(folder):
    plain, made = load("sims/file.toml"), load("sims/file.toml", ["input.standardize=true"])
    raw = plain.series()
    np.testing.assert_allclose(made.series(), (raw - raw.mean()) / raw.std(ddof=0), rtol=1e-15)
    assert made.series().mean() == pytest.approx(0, abs=1e-15)
    assert made.series().std() == pytest.approx(1)
    assert plain.hash != made.hash


def test_the_hash_holds_the_content_of_the_series_and_not_its_path(folder):
    before = load("sims/file.toml")
    (folder / "sims").rename(folder / "moved")
    moved = load("moved/file.toml")
    assert moved.hash == before.hash
    assert moved.differences(before) == []
    assert moved.input.file != before.input.file
    with (folder / "moved/data/series.csv").open("a") as file:
        file.write("1750,1,w\n")
    changed = load("moved/file.toml")
    assert changed.hash != before.hash
    assert [line.partition(":")[0] for line in changed.differences(before)] == ["input.sha256"]


def test_the_normalised_text_finds_the_series_from_its_own_folder(folder, tmp_path, monkeypatch):
    made = load("sims/file.toml")
    run = folder / "results" / "file"
    run.mkdir(parents=True)
    (run / "_spec.toml").write_text(made.normalised(folder=run))
    (run / "absolute.toml").write_text(made.normalised())
    assert 'file = "../../sims/data/series.csv"' in (run / "_spec.toml").read_text()
    monkeypatch.chdir(tmp_path)
    assert load(run / "_spec.toml") == load(run / "absolute.toml") == made
    folder.rename(tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere/results/file/_spec.toml").hash == made.hash


def test_a_series_that_has_changed_since_is_refused(folder):
    text = load("sims/file.toml").normalised()
    with (folder / "sims/data/series.csv").open("a") as file:
        file.write("1750,1,w\n")
    with pytest.raises(SpecError, match=r"input\.sha256 = .*the file has changed"):
        load(tomllib.loads(text))


@pytest.mark.parametrize(
    ("name", "content", "key", "message"),
    [
        ("none.csv", None, "file", "no such file; looked for"),
        ("empty.csv", b"", "file", "is an empty file"),
        ("head.csv", b"n\n", "file", "has no rows"),
        ("short.csv", b"n\n1\n2\n", "file", "has 2 rows, but windows of 20 steps are asked for"),
        ("other.csv", b"m\n1\n", "column", 'no such column; the file has ["m"]'),
        ("twice.csv", b"n,n\n1,2\n", "column", "several columns have this name"),
        ("words.csv", b"n\na\n", "column", "must hold numbers only"),
        ("bools.csv", b"n\ntrue\n", "column", "must hold numbers only"),
        ("gap.csv", b"a,n\n1,2\n2,\n", "column", "row 2 is empty, NaN or infinite"),
        ("nan.csv", b"n\n1\nNaN\n2\n", "column", "row 2 is empty, NaN or infinite"),
        ("inf.csv", b"n\n-inf\n1.5\n", "column", "row 1 is empty, NaN or infinite"),
        ("large.csv", b"n\n1e300\n", "column", "has values beyond 1e+09"),
        ("ragged.csv", b"a,n\n1,2\n2\n", "file", "cannot be read"),
        ("bytes.csv", bytes(range(256)), "file", "cannot be read"),
        ("bad.parquet", b"PAR1", "file", "cannot be read"),
        ("text.txt", b"n\n1\n", "file", "must be a .csv or a .parquet file"),
        ("folder.csv", "folder", "file", "no such file"),
    ],
)
def test_a_file_that_is_no_series_is_refused(folder, name, content, key, message):
    if content == "folder":
        (folder / name).mkdir()
    elif content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load("sims/file.toml", [f"input.file={name}"])
    (problem,) = caught.value.problems
    assert problem.key == f"input.{key}"
    assert message in problem.message


@pytest.mark.parametrize("content", ["n\n" + "0.1\n" * 50, "n\n" + "1e308\n-1e308\n" * 25])
def test_a_series_that_cannot_be_standardized_is_refused(folder, content):
    (folder / "constant.csv").write_text(content)
    with pytest.raises(
        SpecError, match=r"input\.standardize = true: the column's standard deviation is 0 or too large"
    ):
        load("sims/file.toml", ["input.file=constant.csv", "input.standardize=true"])


def test_a_missing_file_is_told_together_with_other_problems(folder):
    with pytest.raises(SpecError) as caught:
        load("sims/file.toml", ["input.file=none.csv", "draws=0", "params.b_ff=1"])
    assert [problem.key for problem in caught.value.problems] == ["draws", "params.b_ff", "input.file"]


# ----------------------------------------------------------------------------------------- JSON Schema


def test_json_schema_describes_distributions_grids_and_numbers():
    schema = json_schema()
    definitions = schema["$defs"]
    assert json.loads(json.dumps(schema)) == schema
    assert set(schema["properties"]) == set(Spec.model_fields)
    assert schema["required"] == ["draws", "steps", "params"]
    assert definitions["Normal"]["required"] == ["normal"]
    std = definitions["Normal"]["properties"]["normal"]["properties"]["std"]
    assert std["oneOf"][0] == {"type": "number", "exclusiveMinimum": 0, "maximum": 1e9}
    grid = definitions[std["oneOf"][1]["$ref"].removeprefix("#/$defs/")]
    assert (grid["required"], grid["properties"]["grid"]["minItems"]) == (["grid"], 1)
    assert definitions["Constant"]["anyOf"][0]["type"] == "number"
    b_f = definitions["Params"]["properties"]["b_f"]
    assert b_f["description"] == "Forget gate: bias."
    assert {option.get("$ref") for option in b_f["oneOf"][0]["oneOf"]} >= {"#/$defs/Constant", "#/$defs/Tied"}
    assert "null" not in json.dumps(schema)


def test_every_key_of_the_json_schema_has_a_description():
    def tables(node):
        if isinstance(node, dict):
            if "properties" in node:
                yield node
            for inner in node.values():
                yield from tables(inner)
        elif isinstance(node, list):
            for inner in node:
                yield from tables(inner)

    undescribed = [
        key
        for table in tables(json_schema())
        for key, value in table["properties"].items()
        if not {"description", "$ref"} & value.keys() and key != "process" and value.get("type") != "object"
    ]
    assert undescribed == []


# ------------------------------------------------------------------------------------------ properties

KEYS = [
    *Spec.model_fields, *PARAMETERS, "default", "preset", "grid", "normal", "uniform", "choice", "constant",
    "tied", "chrono", "mean", "std", "low", "high", "value", "values", "to", "process", "kind", "target",
    "delay", "rows",
]  # fmt: skip
WORDS = [*KEYS, "keras", "mse", "all", "sine", "file", 0, 1, 10**30, 0.5, -1.0]
NUMBERS_AND_TEXT = st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS)
SCALARS = NUMBERS_AND_TEXT | st.none() | st.dates() | st.times() | st.binary()
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=5),
    max_leaves=20,
)


def spec_or_spec_error(tables, overrides=()):
    try:
        made = load(tables, overrides)
    except SpecError as error:
        told = error.problems
    else:
        told = None
    if told is not None:
        assert told
        assert all(problem.message and str(problem).isprintable() for problem in told)
        return None
    assert reload(made) == made
    assert len(made.points()) >= 1
    assert made.points()[0].index == 0
    return made


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KEYS) | st.text(), JUNK, max_size=8), st.lists(st.text(), max_size=2))
def test_any_mapping_is_a_spec_or_a_spec_error(tables, overrides):
    spec_or_spec_error(tables, overrides)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_mutation_of_a_valid_spec_is_a_spec_or_a_spec_error(data):
    tables = tomllib.loads(data.draw(st.sampled_from([EXAMPLE, GRIDS])))
    for _ in range(data.draw(st.integers(1, 3))):
        table = tables
        while True:
            key = data.draw(st.sampled_from(sorted(table) or ["grid"]) | st.sampled_from(KEYS))
            if not isinstance(table.get(key), dict) or data.draw(st.integers(0, 3)) == 0:
                break
            table = table[key]
        if data.draw(st.booleans()):
            table.pop(key, None)
        else:
            table[key] = data.draw(JUNK)
    spec_or_spec_error(tables)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_spec_or_a_spec_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    spec_or_spec_error(path)


NUMBERS = st.floats(-1e9, 1e9)
LAWS = st.one_of(
    NUMBERS,
    st.builds(lambda mean, std: {"normal": {"mean": mean, "std": std}}, NUMBERS, st.floats(1e-300, 1e9)),
    st.builds(
        lambda low, width: {"uniform": {"low": low, "high": low + width}},
        st.floats(-10, 10),
        st.floats(0.1, 9),
    ),
    st.builds(lambda values: {"choice": {"values": values}}, st.lists(NUMBERS, min_size=1, max_size=3)),
    st.builds(lambda t_max: {"chrono": {"t_max": t_max}}, st.floats(2.1, 1e6)),
)
ENTRIES = LAWS | st.builds(lambda values: {"grid": values}, st.lists(NUMBERS, min_size=1, max_size=3, unique=True))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(PARAMETERS), ENTRIES, max_size=5), LAWS, st.randoms(use_true_random=False))
def test_valid_specs_read_back_and_their_hash_ignores_the_order_of_keys(entries, default, random):
    made = spec_or_spec_error({"draws": 1, "steps": 5, "params": {"default": default} | entries})
    assert made is not None
    shuffled = [(key, value) for key, value in made.params if value is not None]
    random.shuffle(shuffled)
    tables = tomllib.loads(made.normalised())
    tables["params"] = {key: tables["params"][key] for key, _ in shuffled}
    other = load({key: tables[key] for key in random.sample(sorted(tables), len(tables))})
    assert (other.hash == made.hash) == (list(other.axes()) == list(made.axes()))
