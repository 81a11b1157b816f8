"""Where a spec comes from: files that are none, junk, and overrides."""

from datetime import time

import pytest
from small_specs import EXAMPLE, problems, spec, the_problem

from fastlstm.spec import Problem, SpecError, load
from fastlstm.spec.distributions import (
    Constant,
    Normal,
)


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
    actual = problems("b_f = nan", "input.std=-1", "seed=x")
    assert [(problem.source, problem.key) for problem in actual] == [
        ("--set", "seed"),
        ("spec", "params.b_f"),
        ("--set", "input.std"),
    ]


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
    actual = problems(steps=time(1), state={"h": object()}, input={"std": 1j}, loss={"kind": b"sum"})
    assert {problem.key for problem in actual} == {"steps", "state.h", "input.std", "loss.kind"}


def test_messages_hold_no_control_characters():
    for problem in problems("", "ti\ttle\x1b[31m=1", title="\ud800\x00\n", **{"dr\x1baws": 3}):
        assert str(problem).isprintable()


def test_of_many_unknown_keys_the_first_twenty_are_told_and_a_count():
    told = problems(**{f"key{number}": 1 for number in range(10_000)})
    assert [problem.key for problem in told] == [*(f"key{number}" for number in range(20)), ""]
    assert told[-1].message == "has 9,980 more unknown keys"
    told = problems("b_f = {grid = [" + ", ".join(["true"] * 50) + "]}")
    assert told[-1].message == "has 30 more problems like the ones before"


@pytest.mark.parametrize("part", ["a", '"a b"', "'a'"])
def test_a_dotted_key_of_many_parts_is_refused_before_it_is_read(tmp_path, part):
    path = tmp_path / "deep.toml"
    path.write_text(f"draws = 1\n{' . '.join([part] * 200_000)} = 1\n")
    with pytest.raises(SpecError, match="dotted key of more than 12 parts"):
        load(path)
    assert "has a key of more than 12 parts" in the_problem("", ".".join(["a"] * 200_000) + "=1").message


def test_a_long_key_is_cut_in_the_message():
    assert len(str(the_problem(**{"k" * 100_000: 1}))) < 300


def test_texts_with_dots_and_long_lists_are_no_deep_keys(tmp_path):
    path = tmp_path / "list.toml"
    numbers = ", ".join(f"{number}.5" for number in range(1000))
    path.write_text(
        f'title = "a. b. c. 1.2.3.4"\ndraws = 1\nsteps = 2\n[params]\ndefault = 0\nb_f = {{grid = [{numbers}]}}\n'
    )
    assert len(load(path).points()) == 1000
