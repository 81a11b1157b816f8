"""The imports of the package run one way, and the side of the kernel stays apart from the side of the tables.

Read from the source text alone: an import inside a function or behind TYPE_CHECKING counts like any other.
"""

import ast
from collections.abc import Iterable
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

# What each module may import from the package. A new import begins with an edit here.
SHARED = {
    "names": set(),
    "measures": {"names"},
}
KERNEL_SIDE = {
    "jit": set(),
    "simd": {"jit"},
    "elementary": {"jit", "simd"},
    "scale": {"jit", "simd", "elementary"},
    "random": {"names", "jit", "simd", "elementary"},
    "lstm": {"names", "jit", "simd", "elementary", "scale"},
    "bptt": {"names", "measures", "jit", "simd", "elementary", "scale", "lstm"},
    "kernel": {"names", "measures", "jit", "simd", "elementary", "scale", "random", "lstm", "bptt"},
    "arrays": {"names", "jit", "simd", "scale", "lstm", "bptt", "kernel"},
}
TABLE_SIDE = {
    "distributions": {"names"},
    "presets": {"names", "distributions"},
    "spec": {"names", "measures", "distributions", "presets"},
    "disk": set(),
    "threads": set(),
    "store": {"names", "measures", "disk"},
    "regimes": {"names", "measures"},
    "report": {"names", "measures", "store", "regimes"},
}
JOINING = {
    "unit": {"names", "threads", "kernel", "arrays"},
    "sweep": {"names", "measures", "threads", "distributions", "spec", "store", "regimes"}
    | {"random", "kernel", "arrays", "unit"},
}
FACES = {
    "__init__": {"spec", "store", "sweep", "unit"},
    "cli": {"__init__", "measures", "spec", "store", "regimes", "report", "sweep"},
}
ALLOWED = SHARED | KERNEL_SIDE | TABLE_SIDE | JOINING | FACES

TABLES = {"pandas", "pyarrow", "polars", "duckdb"}
SPECS_AND_FACES = {"pydantic", "typer", "rich", "tomllib", "json"}
PATHS = {"pathlib", "os", "shutil", "tempfile", "glob", "io"}
COMPILER = {"numba", "llvmlite"}

PACKAGE = Path(__file__).parents[1] / "fastlstm"
SOURCES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
MODULES = sorted(SOURCES)


def imported_names(source: str) -> set[str]:
    """Every name that a source text imports, in full; a relative import counts as one from fastlstm."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = ["fastlstm"] * bool(node.level) + [node.module] * bool(node.module)
            names.update(".".join([*parts, alias.name]) for alias in node.names)
    return names


def siblings(module: str) -> set[str]:
    """The modules of the package that a module imports; a public name of the package counts as __init__."""
    names = (name.split(".") for name in imported_names(SOURCES[module].read_text(encoding="utf-8")))
    inner = {[*parts, ""][1] for parts in names if parts[0] == "fastlstm"}
    return {name if name in ALLOWED or name in SOURCES else "__init__" for name in inner}


def outsiders(module: str) -> set[str]:
    """The packages outside fastlstm that a module imports."""
    names = imported_names(SOURCES[module].read_text(encoding="utf-8"))
    return {name.split(".")[0] for name in names} - {"fastlstm"}


def present(modules: Iterable[str]) -> list[str]:
    return [module for module in modules if module in SOURCES]


def test_every_form_of_import_is_seen():
    source = """
import os.path
import fastlstm.spec as s
from fastlstm import kernel, __version__
from fastlstm.lstm import step
from . import store
from .disk import write
if TYPE_CHECKING:
    from pandas import DataFrame
def later():
    import numba.core.types
"""
    assert imported_names(source) == {
        "os.path",
        "fastlstm.spec",
        "fastlstm.kernel",
        "fastlstm.__version__",
        "fastlstm.lstm.step",
        "fastlstm.store",
        "fastlstm.disk.write",
        "pandas.DataFrame",
        "numba.core.types",
    }


def test_the_table_itself_has_no_cycle():
    TopologicalSorter(ALLOWED).prepare()


def test_the_table_joins_the_two_sides_only_in_unit_and_sweep():
    """So that no edit of a row can undo the design by itself."""
    assert set().union(*SHARED.values()) <= SHARED.keys()
    assert set().union(*KERNEL_SIDE.values()) <= KERNEL_SIDE.keys() | SHARED.keys()
    assert set().union(*TABLE_SIDE.values()) <= TABLE_SIDE.keys() | SHARED.keys()
    assert not set().union(*FACES.values()) & KERNEL_SIDE.keys()
    assert JOINING.keys() == {"unit", "sweep"}


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_what_the_table_allows(module):
    assert module in ALLOWED, f"fastlstm/{module}.py is not in the table of tests/test_imports.py"
    assert siblings(module) <= ALLOWED[module]


@pytest.mark.parametrize("module", present(KERNEL_SIDE))
def test_kernel_side_knows_no_tables_specs_or_paths(module):
    # jit hashes the sources that a kernel is compiled from: the one path on this side
    forbidden = TABLES | SPECS_AND_FACES | (PATHS - {"pathlib"} if module == "jit" else PATHS)
    assert not outsiders(module) & forbidden


def test_every_source_that_kernels_are_compiled_from_is_in_their_digest():
    """Numba's cache would go on with the old code of a module that jit leaves out."""
    for node in ast.parse(SOURCES["jit"].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_SOURCES":
            digested = set(ast.literal_eval(node.value))
    assert digested >= {*present(KERNEL_SIDE), *present(SHARED)}


@pytest.mark.parametrize("module", present(TABLE_SIDE))
def test_table_side_knows_no_numba(module):
    assert not outsiders(module) & COMPILER


@pytest.mark.parametrize("module", present(SHARED))
def test_what_both_sides_share_is_a_declaration_without_packages(module):
    assert not outsiders(module) & (TABLES | SPECS_AND_FACES | PATHS | COMPILER | {"numpy"})


@pytest.mark.parametrize("module", present(["unit"]))
def test_unit_takes_arrays_and_knows_no_tables_specs_or_paths(module):
    assert not outsiders(module) & (TABLES | SPECS_AND_FACES | PATHS)


@pytest.mark.parametrize("module", MODULES)
def test_file_has_at_most_400_lines(module):
    assert len(SOURCES[module].read_text(encoding="utf-8").splitlines()) <= 400


def test_no_module_is_named_for_having_no_idea():
    names = {part for module in MODULES for part in module.split(".")}
    assert not names & {"util", "utils", "helpers", "common", "misc", "tools"}
