"""What a host of the repository runs: the workflow and the hooks agree with the Makefile, and the site builds."""

import html
import re
import subprocess
import sys
from itertools import chain

import pytest
import yaml
from pages import DOCS, PAGES, ROOT

sys.path.append(str(DOCS))

import make_site

WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "checks.yml").read_text())
JOBS = WORKFLOW["jobs"]
MAKEFILE = (ROOT / "Makefile").read_text()
RUNNERS = {"ubuntu-latest", "ubuntu-24.04-arm", "macos-latest"}  # Linux on x86-64 and arm64, macOS


@pytest.mark.parametrize("job", ["test", "identity", "package"])
def test_the_workflow_runs_on_each_kind_of_machine(job):
    assert set(JOBS[job]["strategy"]["matrix"]["runner"]) == RUNNERS
    assert not JOBS[job]["strategy"]["fail-fast"]


def test_the_workflow_tests_every_python_that_the_project_declares():
    declared = re.findall(r"Python :: (3\.\d+)\"", (ROOT / "pyproject.toml").read_text())
    assert {*declared, "3.14"} == set(JOBS["test"]["strategy"]["matrix"]["python"])


def test_the_workflow_runs_targets_of_the_makefile():
    steps = chain.from_iterable(job["steps"] for job in JOBS.values())
    targets = {target for step in steps for target in re.findall(r"\bmake (\w+)", step.get("run", ""))}
    assert targets == {"test", "identity", "chaos", "docs"}
    assert all(re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE) for target in targets)


def test_the_workflow_may_read_the_repository_and_nothing_else():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in JOBS.values())


def test_the_hooks_run_what_make_lint_runs():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    recipe = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    lint = re.findall(r"-m ((?:ruff|mypy)[^\n]*)", recipe)
    assert [hook["entry"].partition(" -m ")[2] for hook in hooks if hook["id"] != "pages"] == lint


def test_formulas_become_mathml_and_code_stays():
    made = make_site.with_formulas("Of $a_t$:\n\n$$ b = 1 \\tag{B1} $$\n\n`$x$` and\n\n    echo $A/$B\n")
    assert made.count("<math") == 2
    assert "(B1)" in html.unescape(re.sub("<[^>]*>", "", made))
    assert "`$x$` and\n\n    echo $A/$B\n" in made


def test_no_formula_of_the_derivation_is_left_as_latex():
    made = make_site.with_formulas(PAGES["docs/derivation.md"])
    formulas = re.findall(r"<math.*?</math>", made)
    assert len(formulas) > 400
    assert not [formula for formula in formulas if "\\" in formula]
    assert "$" not in re.sub(r"<math.*?</math>|`[^`]*`", "", made)


def test_the_site_has_every_page_and_every_link_leads_somewhere(tmp_path):
    made = [sys.executable, "docs/make_site.py", str(tmp_path / "site")]
    done = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, check=False)  # it is strict about links
    assert done.returncode == 0, done.stdout + done.stderr
    for page in PAGES:
        folder = page.removesuffix(".md").removesuffix("README")
        assert (tmp_path / "site" / folder / "index.html").is_file(), page


def test_every_page_is_in_the_navigation():
    nav = make_site.navigation()
    inner = chain.from_iterable(
        value if isinstance(value, list) else [entry] for entry in nav for value in entry.values()
    )
    assert {place for entry in inner for place in entry.values()} == PAGES.keys()
