"""Every command and block of code of the README runs, with the packages alone that `pip install` brings."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from textwrap import dedent

import pytest
from packaging.requirements import Requirement
from pages import PAGES, ROOT, as_script

README = PAGES["README.md"]
COMMANDS = re.findall(r"^    ((?:make|pip) [^#\n]*[^# \n])", README, flags=re.MULTILINE)
BINARIES = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

WITHOUT_OTHERS = """\
import sys

class Refuser:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuser)
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def runtime_packages() -> set[str]:
    """The distributions that fastlstm brings with it, and what these bring."""
    wanted = [Requirement(text) for text in PROJECT["dependencies"]]
    actual: set[str] = set()
    while wanted:
        requirement = wanted.pop()
        name = normal(requirement.name)
        if name not in actual and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            actual.add(name)
            wanted += map(Requirement, distribution(name).requires or ())
    return actual


def other_modules() -> set[str]:
    """The modules of all distributions that are installed here for other reasons."""
    brought = runtime_packages() | {"fastlstm"}
    modules = packages_distributions().items()
    return {module for module, owners in modules if not {normal(owner) for owner in owners} & brought}


@pytest.fixture
def bare(tmp_path):
    """A folder with sims/, and an environment in which only what fastlstm brings can be imported."""
    shutil.copytree(ROOT / "sims", tmp_path / "sims")
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(WITHOUT_OTHERS.format(names=sorted(other_modules())))
    paths = [str(site), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"PYTHONPATH": os.pathsep.join(paths), "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}"}
    return tmp_path, os.environ | environment


def call(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_packages_of_the_tests_cannot_be_imported_where_the_readme_runs(bare):
    folder, environment = bare
    program = "import numpy, fastlstm\ntry:\n    import pytest\nexcept ModuleNotFoundError:\n    print('refused')"
    assert call([sys.executable, "-c", program], folder, environment) == "refused\n"


def test_every_block_of_the_readme_runs(bare):
    folder, environment = bare
    told = call([sys.executable, "-W", "error", "-c", as_script("README.md", draws=240)], folder, environment)
    assert "median_log10_dC0" in told
    (verdict,) = re.findall(r"^    gradients: wrong.*\n(?:    .*\n)+", README, flags=re.MULTILINE)
    assert dedent(verdict) in told
    assert (folder / "results" / "atlas" / "report.html").is_file()


def test_the_readme_has_no_command_that_is_not_tried():
    assert [command.split()[0:2] for command in COMMANDS] == [["make", "sim"], ["make", "test"], ["pip", "install"]]


def test_make_sim_runs_the_atlas(bare):
    folder, environment = bare
    recipe = call(["make", "--dry-run", "sim"], ROOT, environment)
    (command,) = re.findall(r"^\.venv/bin/(fastlstm run .*)", recipe, flags=re.MULTILINE)
    call(["bash", "-ec", f"{command} --set draws=240"], folder, environment)
    assert (folder / "results" / "atlas" / "_journal.jsonl").is_file()


def test_make_test_runs_lint_types_and_tests():
    recipe = call(["make", "--dry-run", "test"], ROOT, dict(os.environ))
    order = [recipe.index(f"-m {name}") for name in ("ruff check", "ruff format", "mypy", "pytest")]
    assert order == sorted(order)


def test_pip_install_installs_what_runs(tmp_path):
    offline = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    call([*offline, "--target", str(tmp_path / "site"), str(ROOT)], tmp_path, dict(os.environ))
    program = "import fastlstm; print(fastlstm.__file__); print(fastlstm.__version__)"
    told = call([sys.executable, "-c", program], tmp_path, os.environ | {"PYTHONPATH": str(tmp_path / "site")})
    assert told.splitlines() == [str(tmp_path / "site" / "fastlstm" / "__init__.py"), PROJECT["version"]]
