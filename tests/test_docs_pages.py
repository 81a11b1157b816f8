"""The pages as a whole: links, the way to each from the index, the tour, and the pages about the code and the tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from pages import DOCS, PAGES, ROOT, anchors, as_script, links

PACKAGE = ROOT / "fastlstm"
INDEX = "docs/README.md"
# a file, a function, a line of code
CODE = re.compile(r"`(?:([\w/]+\.py)|(\w+)\(\)|([^`\n]*[ =,\[(][^`\n]*)|[^`\n]*)`")


# --- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target, anchor in links(page):
        assert (ROOT / target).exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


def test_every_page_is_reached_from_the_index():
    reached, left = set(), [INDEX]
    while left:
        page = left.pop()
        if page in PAGES and page not in reached:
            reached.add(page)
            left += [target for target, _ in links(page)]
    assert reached == PAGES.keys()


@pytest.mark.parametrize("page", sorted(PAGES.keys() - {INDEX}))
def test_every_page_leads_back_to_the_index(page):
    assert INDEX in [target for target, _ in links(page)]


def test_the_index_has_four_groups():
    assert re.findall(r"^## (.*)", PAGES[INDEX], flags=re.MULTILINE) == ["Learn", "Use", "Trust", "Build"]


# --- pages that run ------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["docs/tour.md", "docs/questions.md", "docs/report.md"])
def test_every_block_of_the_page_runs(page, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "sims", tmp_path / "sims")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    mpl.use("Agg")
    program = compile(as_script(page, draws=240, processes=False), page, "exec")
    exec(program, {"__name__": "__main__"})  # here, since a new process would import all that is imported here
    plt.close("all")
    assert list(tmp_path.glob("*.png"))


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_every_example_draws_its_picture(example, tmp_path):
    command = [sys.executable, "-W", "error", str(example), "picture.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "picture.png").stat().st_size > 10_000


# --- architecture --------------------------------------------------------------------------------


def places() -> list[tuple[str, str, str]]:
    """(file, function, line) of every file on the page, and of what stands after a file in the same item or cell."""
    named = []
    for item in re.split(r"\n(?=\n|\d+\. |\|)|(?<!\\)\|", PAGES["docs/architecture.md"]):
        file = ""
        for path, function, line in CODE.findall(item):
            file = path or file
            if (file or function) and (path or function or line):
                named.append((file, function, line))
    return named


def source(file: str) -> Path:
    return (ROOT if file.startswith(("tests/", "docs/", "benchmarks/")) else PACKAGE) / file


@pytest.mark.parametrize(("file", "function", "line"), sorted(set(places())))
def test_what_the_architecture_names_exists(file, function, line):
    assert file, f"{function}() stands behind no file"
    assert source(file).is_file()
    text = source(file).read_text()
    if function:
        assert re.search(rf"^ *(def|class) {function}\b", text, flags=re.MULTILINE)
    assert line in text


def test_every_module_is_on_the_architecture():
    named = {file for file, _, _ in places()}
    assert {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")} <= named


def test_the_map_of_the_package_has_every_room_in_a_line():
    text = (PACKAGE / "__init__.py").read_text()
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    loose = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    described = re.findall(r"^    (\S.*?)  ", text.partition('"""')[2].partition('"""')[0], flags=re.MULTILINE)
    assert sorted(re.findall(r"\w+", " ".join(described))) == sorted(rooms | loose)


# --- tests ---------------------------------------------------------------------------------------


def test_every_test_file_is_on_the_page_of_the_tests():
    first_cells = re.findall(r"^\|([^|]*)\|", PAGES["docs/tests.md"], flags=re.MULTILINE)
    named = re.findall(r"`([\w/]+\.py)`", " ".join(first_cells))
    files = {path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("*.py")}
    assert sorted(named) == sorted(files)


# --- words ---------------------------------------------------------------------------------------


def test_the_gate_i_is_called_the_input_gate():
    old = [page for page, text in PAGES.items() for _ in re.findall("memory(?: and output)? gate", text)]
    assert old == ["docs/derivation.md"]  # the sentence about the source's name


def test_pages_of_figures_exist():
    assert {path.name for path in (DOCS / "figures").glob("*.png")} == {
        Path(target).name for page in PAGES for target, _ in links(page) if target.startswith("docs/figures/")
    }
