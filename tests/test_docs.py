"""What the pages say is so: the columns, the code behind each formula, the spec."""

import ast
import re
import subprocess
import sys
import tomllib

import pytest
from pages import PAGES, ROOT, blocks

import fastlstm
from fastlstm.diagnosis.catalogue import CATALOGUE
from fastlstm.oracles import naive
from fastlstm.spec import Spec
from fastlstm.spec.distributions import DISTRIBUTIONS
from fastlstm.spec.document import SECTIONS
from fastlstm.spec.presets import PRESETS
from fastlstm.spec.processes import PROCESSES

SIMS = sorted((ROOT / "sims").glob("*.toml"))


# --- columns -------------------------------------------------------------------------------------


def test_page_of_columns_is_what_the_code_declares():
    make = [sys.executable, "docs/make_measures.py"]
    made = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert PAGES["docs/measures.md"] == made, "make it again: python docs/make_measures.py > docs/measures.md"


# --- formulas ------------------------------------------------------------------------------------

TABLE = PAGES["docs/derivation.md"].partition("## Where each formula is computed")[2]
ROWS = [[cell.strip() for cell in line.split("|")] for line in TABLE.splitlines() if line.startswith("|")][2:]
CODE = {ids: code for _, ids, _, code, _, _ in ROWS}
TWIN = {ids: twin for _, ids, _, _, twin, _ in ROWS}
PLACE = re.compile(r"`(\w+\.py)` `(\w+)`: (`\w+`(?:, `\w+`)*)")  # `file.py` `function`: `name`, `name`
NOT_COMPUTED = {"J8"}  # an identity that the tests use


def formulas(ids: str) -> list[str]:
    """All ids of a cell such as "F6, F7" or "B4 to B7"."""
    actual = re.findall(r"([A-Z])(\d+)", ids)
    if " to " in ids:
        (letter, first), (_, last) = actual
        return [f"{letter}{number}" for number in range(int(first), int(last) + 1)]
    return [letter + number for letter, number in actual]


def functions(code: str) -> list[tuple[str, str, ast.FunctionDef, set[str]]]:
    """File, text and tree of every function that a cell names, with the names to be found in it."""
    actual = []
    for file, name, names in PLACE.findall(code):
        source = (ROOT / "fastlstm" / "kernel" / file).read_text()
        matching = [node for node in ast.parse(source).body if getattr(node, "name", None) == name]
        assert len(matching) == 1, f"{file} has no function {name}"
        text = "\n".join(source.splitlines()[matching[0].lineno - 1 : matching[0].end_lineno])
        actual.append((file, text, matching[0], set(re.findall(r"`(\w+)`", names))))
    return actual


def left_hand_sides(function: ast.FunctionDef) -> set[str]:
    """The variables that a function assigns, the fields it fills, and "return" if that computes something."""
    actual: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            actual.add(node.id)
        elif isinstance(node, ast.keyword) and node.arg:
            actual.add(node.arg)
        elif isinstance(node, ast.Return) and not isinstance(node.value, ast.Name):
            actual.add("return")
    return actual


def test_every_formula_of_the_derivation_has_a_row():
    listed = [formula for ids in CODE for formula in formulas(ids)]
    tagged = re.findall(r"\\tag\{([SFBJ]\d+)\}", PAGES["docs/derivation.md"])
    in_tables = re.findall(r"^\| ([LM]\d) \|", PAGES["docs/derivation.md"], flags=re.MULTILINE)
    assert sorted(listed) == sorted({*tagged, *in_tables} - NOT_COMPUTED)


@pytest.mark.parametrize("ids", CODE)
def test_the_lines_that_compute_a_formula_exist(ids):
    places = functions(CODE[ids])
    assert places
    assert "`" not in PLACE.sub("", CODE[ids]), f"not understood: {CODE[ids]}"
    for file, _, function, names in places:
        missing = names - left_hand_sides(function)
        assert not missing, f"{file}: {function.name} has no {sorted(missing)}"


@pytest.mark.parametrize("ids", CODE)
def test_the_code_carries_the_ids_of_its_formulas(ids):
    text = "\n".join(text for _, text, _, _ in functions(CODE[ids]))
    missing = [name for name in re.findall(r"[A-Z]\d+", ids) if not re.search(rf"\b{name}\b", text)]
    assert not missing, f"no comment or docstring says {missing}"


def twins_names(ids: str, table: str) -> set[str]:
    """What one of the twin's tables has under some ids; the modes have no ids."""
    lines = getattr(naive, table)
    return {*lines} if table == "MODES" else {name for formula in formulas(ids) for name in lines[formula]}


@pytest.mark.parametrize("ids", [ids for ids in TWIN if ":" in TWIN[ids]])
def test_the_twin_has_the_quantities_under_the_ids_of_their_formulas(ids):
    for table, names in re.findall(r"([A-Z]+):((?: `\w+`,?)+)", TWIN[ids]):
        assert {*re.findall(r"\w+", names)} <= twins_names(ids, table)


@pytest.mark.parametrize("ids", [ids for ids in TWIN if TWIN[ids] and ":" not in TWIN[ids]])
def test_the_twin_has_the_function_of_a_formula(ids):
    (name,) = re.findall(r"`(\w+)`", TWIN[ids])
    assert callable(getattr(naive, name))


# --- specs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["README.md", "docs/spec.md", "docs/claims.md"])
def test_every_spec_on_a_page_is_valid(page):
    examples = blocks(page, "toml")
    assert examples
    for example in examples:
        fastlstm.load(tomllib.loads(example))


def test_the_first_example_has_every_key():
    example = tomllib.loads(blocks("docs/spec.md", "toml")[0])
    assert example.keys() == Spec.model_fields.keys()
    for name in SECTIONS:
        if name not in ("params", "input"):
            assert example[name].keys() == Spec.model_fields[name].annotation.model_fields.keys()


@pytest.mark.parametrize("kinds", [DISTRIBUTIONS, PROCESSES])
def test_every_kind_has_a_row_with_all_its_numbers(kinds):
    for name, model in kinds.items():
        rows = re.findall(rf"^\| `{name}` \|([^|]*)\|", PAGES["docs/spec.md"], flags=re.MULTILINE)
        numbers = model.model_fields.keys() - {"process", "sha256"}
        assert any(all(number in row for number in numbers) for row in rows), f"{name}: {sorted(numbers)}"


def test_every_preset_has_a_row():
    for name in PRESETS:
        assert f"| `{name}` |" in PAGES["docs/spec.md"]


@pytest.mark.parametrize("path", SIMS, ids=lambda path: path.stem)
def test_a_simulation_asks_one_question(path):
    title = fastlstm.load(path).title
    assert title.count("?") == 1
    assert title.endswith("?")


def test_the_main_simulation_is_as_large_as_the_pages_say():
    spec = fastlstm.load(ROOT / "sims" / "atlas.toml")
    assert spec.steps == 100
    assert f"{spec.draws * len(spec.points()):,} draws" in PAGES["README.md"]


def test_the_readme_counts_the_mistakes_of_the_catalogue():
    assert f"[{len(CATALOGUE)} known mistakes](docs/diagnose.md)" in PAGES["README.md"]


def test_the_readme_lists_every_simulation():
    assert {path.stem for path in SIMS} == set(re.findall(r"\(sims/(\w+)\.toml\)", PAGES["README.md"]))
