"""The normalised text of a spec, the hash of its content, and the JSON Schema."""

import json
import tomllib
from random import Random

import pytest
from small_specs import EXAMPLE, GRIDS, reload, spec

from fastlstm.names import PARAMETERS
from fastlstm.spec import Spec, json_schema, load

EXAMPLE_HASH = "0d055f3ea21541f05e56b459895cc6c596f6f06562672d50d08d532bc6a8f5a4"


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
    reloaded = reload(made)
    assert reloaded == made
    assert reloaded.hash == made.hash
    assert reloaded.normalised() == made.normalised()
    assert list(reloaded.axes().items()) == list(made.axes().items())
    assert reloaded.points()[-1] == made.points()[-1]


def test_normalised_text_writes_every_default_out():
    tables = tomllib.loads(spec().normalised())
    assert tables["params"] == {name: {"normal": {"mean": 0.0, "std": 1.0}} for name in PARAMETERS}
    assert tables["input"] == {"process": "normal", "mean": 0.0, "std": 1.0}
    assert tables["state"] == {"h": 0.0, "C": 0.0}
    assert tables["loss"] == {"kind": "sum", "readout": "sigmoid"}
    assert set(tables["measure"]) == {"groups", "saturation", "majority", "exploded", "vanished"}
    assert tables["store"] == {"rows": "all", "dtype": "float32"}
    assert set(tables) == set(Spec.model_fields) - {"claim"}  # there are none


def shuffled(table, random):
    keys = random.sample(sorted(table), len(table))
    return {key: shuffled(table[key], random) if isinstance(table[key], dict) else table[key] for key in keys}


def test_the_order_of_keys_changes_neither_axes_nor_points_nor_hash():
    tables = {
        "draws": 1,
        "input": {"std": {"grid": [1, 2]}, "mean": {"grid": [0, 5]}},
        "state": {"C": {"grid": [1, 2]}, "h": {"grid": [1, 2]}},
        "params": {
            "b_i": {"grid": [1, 2]},
            "W_hf": {"normal": {"std": {"grid": [1, 2]}, "mean": {"grid": [0, 1]}}},
            "b": {"grid": [3, 4]},
            "default": 0,
        },
        "steps": {"grid": [3, 4]},
    }
    order = [
        "steps",
        "b",
        "W_hf_normal_mean",
        "W_hf_normal_std",
        "b_i",
        "state_h",
        "state_C",
        "input_mean",
        "input_std",
    ]
    made = load(tables)
    for seed in range(20):
        other = load(shuffled(tables, Random(seed)))
        assert list(other.axes()) == list(reload(other).axes()) == order
        assert (other.hash, list(other.points())) == (made.hash, list(made.points()))
        assert other.differences(made) == []


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


def test_the_order_of_the_values_of_a_grid_changes_the_hash_because_it_numbers_the_points():
    assert spec("b_f = {grid = [1, 2]}").hash != spec("b_f = {grid = [2, 1]}").hash
    assert spec("b_f = {grid = [1]}").hash != spec("b_f = 1").hash


def test_the_hash_of_the_example_stays_what_it_is():
    """With another hash every run directory belongs to another spec: that needs a line in the changelog."""
    assert load(tomllib.loads(EXAMPLE)).hash == EXAMPLE_HASH


def test_json_schema_describes_distributions_grids_and_numbers():
    schema = json_schema()
    definitions = schema["$defs"]
    assert json.loads(json.dumps(schema)) == schema
    assert set(schema["properties"]) == set(Spec.model_fields)
    assert schema["required"] == ["draws", "steps", "params"]
    assert definitions["Normal"]["required"] == ["normal"]

    def referred(node):
        return definitions[node["$ref"].removeprefix("#/$defs/")]

    std = referred(definitions["Normal"]["properties"]["normal"]["properties"]["std"])
    assert std["oneOf"][0] == {"type": "number", "exclusiveMinimum": 0, "maximum": 1e9}
    grid = referred(std["oneOf"][1])
    assert (grid["required"], grid["properties"]["grid"]["minItems"]) == (["grid"], 1)
    assert definitions["Constant"]["anyOf"][0]["type"] == "number"
    b_f = definitions["Params"]["properties"]["b_f"]
    assert b_f["description"] == "Forget gate: bias."
    options = referred(b_f)["oneOf"][0]["oneOf"]
    assert {option.get("$ref") for option in options} >= {"#/$defs/Constant", "#/$defs/Tied"}
    assert all(name.isalnum() for name in definitions)
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
