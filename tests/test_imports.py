"""The imports of the package run one way, and the side of the kernel stays apart from the side of the tables.

Read from the source text alone: an import inside a function or behind TYPE_CHECKING counts like any other.
"""

import ast
from collections.abc import Iterable
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "fastlstm"
SOURCES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
MODULES = sorted(SOURCES)
LONGEST_FILE = 320  # lines
LONGER = {"oracles.naive"}  # the twin is one file, which imports nothing and reads from top to bottom

# What each room, or module outside the rooms, may import from the package. A new import begins with an edit here.
ROOMS = {
    "names": set(),
    "printable": set(),
    "measures": {"names"},
    "intervals": set(),
    "threads": set(),
    "cluster": set(),
    "oracles": set(),
    "claims": {"intervals"},
    "kernel": {"names", "measures"},
    "spec": {"names", "measures", "printable", "claims"},
    "store": set(),
    "diagnosis": {"oracles"},
    "unit": {"names", "threads", "kernel"},
    "interop": {"names"},
    "tables": {"names", "measures", "intervals", "kernel", "spec", "store"},
    "verdicts": {"measures", "intervals", "claims", "spec", "store", "tables"},
    "runs": {"printable", "spec", "store", "tables", "verdicts"},
    "sweep": {"names", "measures", "threads", "cluster", "kernel", "spec", "store", "tables", "verdicts"} | {"runs"},
    "audit": {"names", "measures", "oracles", "kernel", "spec", "store", "unit", "tables", "runs", "sweep"},
    "report": {"measures", "intervals", "claims", "spec", "store", "unit", "tables", "verdicts", "runs", "audit"}
    | {"printable"},
    "__init__": {"names", "spec", "diagnosis", "unit", "interop", "runs", "sweep", "audit"},
    # the kernel only for the moments when it is compiled
    "cli": {"__init__", "names", "measures", "printable", "threads", "kernel", "spec", "diagnosis", "store", "runs"}
    | {"verdicts", "cluster", "sweep", "audit", "report"},
}
# Within the kernel, each module may import those before it.
KERNEL = (
    "lanes.compiling", "lanes.cache", "lanes.pieces", "lanes.jit", "lanes.calls", "lanes.simd", "lanes.convert",
    "lanes.memory", "lanes.registers", "lanes.transpose", "coefficients", "elementary", "scale", "wide", "widened",
    "random", "inputs", "lstm", "gradient_rows", "suspicion", "truncated", "inner", "groups.norms", "groups.gates",
    "groups.grads", "groups.carousel", "groups.truncation", "groups.window", "groups.jacobian", "groups.lags",
    "groups.gate_grads", "groups.gate_lags", "groups.cell", "options", "forward_pass", "backward_pass", "passes",
    "modes", "drawing", "simulate", "arrays", "step_gradients", "tally",
)  # fmt: skip

FOLDERS = {"kernel", "kernel.lanes", "kernel.groups"}

TABLES = {"pandas", "pyarrow", "polars", "duckdb"}
SPECS_AND_FACES = {"pydantic", "typer", "rich", "tomllib", "json"}
PATHS = {"pathlib", "os", "shutil", "tempfile", "glob", "io"}
COMPILER = {"numba", "llvmlite"}
# jit hashes the sources that a kernel is compiled from; cache asks whose a file of compiled code is
DISK_OF_KERNEL = {"kernel.lanes.jit": {"pathlib"}, "kernel.lanes.cache": {"os"}}


def imported_names(source: str, package: str | None = None) -> set[str]:
    """Every name that a source text imports, in full; `package` is that of a stub, whose imports are relative."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level or package, "imports are absolute here"
            place = f"{package}.{node.module}" if node.level else node.module
            names.update(f"{place}.{alias.name}" for alias in node.names)
    return names


@cache
def names_of(module: str) -> set[str]:
    """Every name that a module imports, those included that its stub has imported when they are used."""
    names = imported_names(SOURCES[module].read_text(encoding="utf-8"))
    if (stub := SOURCES[module].with_suffix(".pyi")).exists():
        package = "fastlstm" if module == "__init__" else f"fastlstm.{module}"
        names |= imported_names(stub.read_text(encoding="utf-8"), package)
    return names


@cache
def inner_imports(module: str) -> set[str]:
    """The modules of the package that a module imports; a public name of the package counts as __init__."""
    actual = set()
    for name in names_of(module):
        first, *rest = name.split(".")
        if first == "fastlstm":
            path = ".".join(rest)
            longest = [m for m in MODULES if path == m or path.startswith(f"{m}.")]
            actual.add(max(longest, key=len) if longest else "__init__")
    return actual


@cache
def outsiders(module: str) -> set[str]:
    """The packages outside fastlstm that a module imports."""
    return {name.split(".")[0] for name in imported_names(SOURCES[module].read_text(encoding="utf-8"))} - {"fastlstm"}


def room(module: str) -> str:
    return module.split(".")[0]


def in_rooms(*names: str) -> list[str]:
    return [module for module in MODULES if room(module) in names]


def outside(*names: str) -> list[str]:
    """The modules that are neither these nor in rooms of these names."""
    return [module for module in MODULES if not {module, room(module)} & {*names}]


def importers(modules: Iterable[str], forbidden: set[str]) -> dict[str, set[str]]:
    """What modules import of packages that they must not know."""
    return {module: taken for module in modules if (taken := outsiders(module) & forbidden)}


def test_every_form_of_import_is_seen():
    source = """
import os.path
from fastlstm.kernel.lstm import step
from fastlstm import __version__
if TYPE_CHECKING:
    from pandas import DataFrame
def later():
    import numba.core.types
"""
    assert imported_names(source) == {
        "os.path",
        "fastlstm.__version__",
        "fastlstm.kernel.lstm.step",
        "pandas.DataFrame",
        "numba.core.types",
    }


def test_the_rooms_have_no_cycle():
    TopologicalSorter(ROOMS).prepare()


def test_the_modules_have_no_cycle():
    TopologicalSorter({module: inner_imports(module) - {module} for module in MODULES}).prepare()


def test_modules_import_only_what_their_rooms_allow():
    assert {room(module) for module in MODULES} == ROOMS.keys()  # a new room begins with a line in the table
    taken = {module: {room(other) for other in inner_imports(module)} - {room(module)} for module in MODULES}
    assert {module: rooms for module in MODULES if (rooms := taken[module] - ROOMS[room(module)])} == {}


def test_kernel_modules_import_only_those_before_them():
    order = {f"kernel.{name}": place for place, name in enumerate(KERNEL)}
    modules = [module for module in in_rooms("kernel") if module not in FOLDERS]
    assert {*modules} == order.keys()
    for module in modules:
        inner = {other for other in inner_imports(module) if room(other) == "kernel"} - FOLDERS
        assert {other for other in inner if order[other] >= order[module]} == set(), module


def test_kernel_knows_no_tables_specs_or_paths():
    for module in in_rooms("kernel"):
        paths = PATHS - DISK_OF_KERNEL.get(module, set())
        assert importers([module], TABLES | SPECS_AND_FACES | paths) == {}


def test_table_side_knows_no_numba():
    assert importers(in_rooms("claims", "spec", "store", "tables", "verdicts", "oracles"), COMPILER) == {}


def test_oracles_import_nothing_from_the_package():
    assert {module: inner for module in in_rooms("oracles") if (inner := inner_imports(module))} == {}


def test_what_both_sides_share_is_a_declaration_without_packages():
    forbidden = TABLES | SPECS_AND_FACES | PATHS | COMPILER | {"numpy"}
    assert importers(in_rooms("names", "measures"), forbidden) == {}


def test_only_the_report_needs_matplotlib():
    assert importers(outside("report"), {"matplotlib"}) == {}


def test_only_the_cluster_knows_dask():
    assert importers(outside("cluster"), {"distributed", "dask"}) == {}


def test_only_interop_knows_torch_and_keras():
    assert importers(outside("interop"), {"torch", "keras"}) == {}


def test_only_the_explorer_needs_altair():
    assert importers(outside("report.explorer"), {"altair", "vl_convert"}) == {}


def test_unit_takes_arrays_and_knows_no_tables_specs_or_paths():
    assert importers(in_rooms("unit"), TABLES | SPECS_AND_FACES | PATHS) == {}


def test_claims_are_words_and_arrays_and_know_no_tables_specs_or_paths():
    assert importers(in_rooms("claims", "intervals"), TABLES | SPECS_AND_FACES | PATHS) == {}


def test_few_modules_stand_outside_the_rooms():
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def test_files_are_not_too_long():
    lines = {module: len(SOURCES[module].read_text(encoding="utf-8").splitlines()) for module in MODULES}
    assert {module: count for module, count in lines.items() if count > LONGEST_FILE}.keys() == LONGER


def test_no_module_is_named_for_having_no_idea():
    names = {part for module in MODULES for part in module.split(".")}
    assert not names & {"util", "utils", "helpers", "common", "misc", "tools"}
