"""Every public name has a docstring with an example that runs, and the page of the API is made from them."""

import re
import subprocess
import sys

import pytest
from docstrings import run_example
from pages import PAGES, ROOT

import fastlstm

PUBLIC = [name for name in fastlstm.__all__ if callable(getattr(fastlstm, name))]
OTHERS = {"from_keras": "keras", "from_torch": "torch", "to_torch": "torch"}  # the package that an example needs


def test_the_public_names_are_those_of_the_stub_and_all_there():
    stub = (ROOT / "fastlstm" / "__init__.pyi").read_text(encoding="utf-8")
    names = re.findall(r" as (\w+)$", stub, flags=re.MULTILINE)
    assert sorted(names) == fastlstm.__all__
    assert set(names) <= set(dir(fastlstm))
    assert all(hasattr(fastlstm, name) for name in names)


@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in OTHERS])
def test_the_example_of_a_public_name_runs_and_gives_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_example(name)


@pytest.mark.parametrize(("name", "package"), OTHERS.items())
def test_an_example_with_another_package_is_run_where_that_is_imported(name, package):
    lines = (ROOT / "tests" / f"test_interop_{package}.py").read_text().splitlines()
    assert {f"import {package}", f'    run_example("{name}")'} <= {*lines}


def test_page_of_the_api_is_what_the_docstrings_say():
    make = [sys.executable, "docs/make_api.py"]
    made = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert PAGES["docs/api.md"] == made, "make it again: python docs/make_api.py > docs/api.md"


@pytest.mark.parametrize("name", fastlstm.__all__)
def test_every_public_name_has_its_heading_on_the_page(name):
    kind = "class " if isinstance(getattr(fastlstm, name), type) else ""
    assert f"\n### {kind}{name}\n" in PAGES["docs/api.md"]
