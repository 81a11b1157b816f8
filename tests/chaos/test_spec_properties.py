"""Any mapping, any bytes and any mutation of a spec: a valid spec that reads back, or a message."""

import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_specs import EXAMPLE, GRIDS, reload

from fastlstm.names import PARAMETERS
from fastlstm.spec import Spec, SpecError, load

pytestmark = pytest.mark.chaos

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


def tries(all_examples, all_faults):
    """How many examples are tried: all of them in `make chaos`, a fixed few elsewhere."""
    return settings(
        max_examples=all_examples if all_faults else 25,
        derandomize=not all_faults,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
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


def test_any_mapping_is_a_spec_or_a_spec_error(all_faults):
    @tries(300, all_faults)
    @given(st.dictionaries(st.sampled_from(KEYS) | st.text(), JUNK, max_size=8), st.lists(st.text(), max_size=2))
    def try_one(tables, overrides):
        spec_or_spec_error(tables, overrides)

    try_one()


def test_any_mutation_of_a_valid_spec_is_a_spec_or_a_spec_error(all_faults):
    @tries(500, all_faults)
    @given(st.data())
    def try_one(data):
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

    try_one()


def test_any_bytes_are_a_spec_or_a_spec_error(all_faults, tmp_path):
    @tries(300, all_faults)
    @given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
    def try_one(content):
        path = tmp_path / "any.toml"
        path.write_bytes(content)
        spec_or_spec_error(path)

    try_one()


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


def test_valid_specs_read_back_and_their_hash_ignores_the_order_of_keys(all_faults):
    @tries(200, all_faults)
    @given(st.dictionaries(st.sampled_from(PARAMETERS), ENTRIES, max_size=5), LAWS, st.randoms(use_true_random=False))
    def try_one(entries, default, random):
        made = spec_or_spec_error({"draws": 1, "steps": 5, "params": {"default": default} | entries})
        assert made is not None
        shuffled = [(key, value) for key, value in made.params if value is not None]
        random.shuffle(shuffled)
        tables = tomllib.loads(made.normalised())
        tables["params"] = {key: tables["params"][key] for key, _ in shuffled}
        other = load({key: tables[key] for key in random.sample(sorted(tables), len(tables))})
        assert other == made
        assert other.hash == made.hash

    try_one()
