"""[params]: distributions, presets, ties, and what of them is refused."""

import math
import tomllib

import pytest
from small_specs import names_with_values, problems, reload, spec, the_problem

from fastlstm.names import PARAMETERS
from fastlstm.spec import load
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


@pytest.mark.parametrize("value", [1e6, -1e6, 1e9, 5e-324, -0.0])
def test_weights_of_every_useful_size_are_legal(value):
    assert spec(f"W_ho = {value}").points()[0].params[6] == Constant(value=value)


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
    assert the_problem("std = 1").message.startswith("no such key; the keys are preset, default, W_h, W_x, b, W_hf")


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
    actual = problems(tied + 'b_f = {grid = [1, {tied = {to = "b_i"}}]}')
    assert {problem.key for problem in actual} == {"params.b_i", "params.b_f"}


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


# --- groups ----------------------------------------------------------------------------------------


def test_a_group_stands_for_its_parameters_between_their_own_entries_and_the_preset():
    laws = names_with_values(spec('preset = "pytorch"\nW_h = 2\nW_x = {normal = {}}\nb = 0\nb_f = 5').points()[0])
    assert {laws[name] for name in ("W_hf", "W_hi", "W_ho", "W_hc")} == {Constant(value=2.0)}
    assert {laws[name] for name in ("W_xf", "W_xi", "W_xo", "W_xc")} == {Normal()}
    assert [laws[name] for name in ("b_f", "b_i", "b_o", "b_c")] == [Constant(value=v) for v in (5.0, 0.0, 0.0, 0.0)]
    assert laws["W_y"] == laws["b_y"] == PRESETS["pytorch"]["W_y"]


def test_a_group_is_the_same_content_as_its_parameters():
    short, long = spec("b = 1"), spec("b_f = 1\nb_i = 1\nb_o = 1\nb_c = 1")
    assert short == long
    assert short.hash == long.hash
    assert "\nb = " not in short.normalised()


def test_a_grid_on_a_group_is_one_axis_also_inside_of_orthogonal():
    made = spec("W_h = {orthogonal = {gain = {grid = [0.5, 2]}}}\nb = {grid = [0, 1]}")
    assert made.axes() == {"W_h_orthogonal_gain": [0.5, 2.0], "b": [0.0, 1.0]}
    assert [set(point.params[0:12:3]) for point in made.points()][::2] == [{Orthogonal(gain=g)} for g in (0.5, 2.0)]
    assert [set(point.params[2:12:3]) for point in made.points()][:2] == [{Constant(value=v)} for v in (0.0, 1.0)]
    assert load(tomllib.loads(made.normalised())) == made


def test_a_grid_on_a_group_that_no_parameter_uses_is_refused():
    problem = the_problem("b = {grid = [0, 1]}\nb_f = 1\nb_i = 1\nb_o = 1\nb_c = 1")
    assert (problem.key, problem.message.split(",")[0]) == ("params.b", "its grid has no effect")
    assert {problem.key for problem in problems("W_x = {orthogonal = {}}")} == {"params.W_x"}
    assert {problem.key for problem in problems("W_h = {orthogonal = {}}\nW_hf = 1")} == {"params.W_h"}


@pytest.mark.parametrize(
    ("word", "table"),
    [
        ("orthogonal", "{ orthogonal = {} }"),
        ("Uniform", "{ uniform = { low = ..., high = ... } }"),
        ("tied", "{ tied = { to = ... } }"),
    ],
)
def test_a_word_where_a_table_is_meant_is_answered_with_the_table(word, table):
    assert the_problem(f'W_h = "{word}"').message == f"must be a number or a table; did you mean {table}?"


def test_gate_values_of_which_no_draw_could_be_made_are_refused():
    assert the_problem("b_f = {logit_uniform = {high = 1e-310}}").message == "must be at least 1e-25"
    assert the_problem(input={"process": "sine", "period": 1e-308}).message == "must be at least 1e-06"
    assert the_problem(input="sine").message == 'must be a table; write process = "sine" in [input]'
