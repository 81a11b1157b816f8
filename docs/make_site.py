"""Build this documentation as a site: python docs/make_site.py [site]. `make docs` does so.

The pages are those of the repository, in their places, so that their links lead where they lead there. Only formulas
are changed, to MathML, which browsers draw without a script. The navigation is the index, docs/README.md.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from latex2mathml.converter import convert

ROOT = Path(__file__).parents[1]
CODE = re.compile(r"^```.*?^```|^ {4}[^\n]*|`[^`\n]*`", re.DOTALL | re.MULTILINE)
FORMULA = re.compile(r"\$\$(?P<display>.+?)\$\$|\$(?P<inline>[^$\s](?:[^$]*[^$\s])?)\$", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#]+)[^)\s]*\)")


def pages() -> Iterator[Path]:
    yield from ROOT.glob("*.md")
    yield from (ROOT / "docs").glob("*.md")


def linked(page: Path) -> Iterator[Path]:
    """The files of the repository that a page links to or shows."""
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if not link.startswith(("http://", "https://")):
            yield (page.parent / link).resolve()


def with_formulas(text: str) -> str:
    """A page with its LaTeX as MathML; code stays as it is."""
    made, end = [], 0
    for code in [*CODE.finditer(text), None]:
        start = code.start() if code else len(text)
        made.append(FORMULA.sub(as_mathml, text[end:start]))
        if code:
            made.append(code[0])
            end = code.end()
    return "".join(made)


def as_mathml(formula: re.Match[str]) -> str:
    if formula["inline"]:
        return f"<span>{convert(formula['inline'])}</span>"  # bare, it would begin a block at the start of a line
    numbered = re.sub(r"\\tag\{(\w+)\}", r"\\qquad (\\text{\1})", formula["display"])
    return str(convert(numbered, display="block"))


def navigation() -> list[dict[str, object]]:
    """The groups of the index with their pages."""
    nav: list[dict[str, object]] = [{"fastlstm": "README.md"}, {"Documentation": "docs/README.md"}]
    for group in (ROOT / "docs" / "README.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        entries = re.findall(r"\[([^]]+)\]\(([^)]+\.md)\)", group)
        places = [(name, (ROOT / "docs" / file).resolve().relative_to(ROOT).as_posix()) for name, file in entries]
        nav.append({group.partition("\n")[0]: [{name: place} for name, place in places]})
    return nav


def as_toml(value: object) -> str:
    """Lists, tables of one key and texts as TOML."""
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)} = {as_toml(inner)}' for key, inner in value.items())}}}"
    return json.dumps(value)


def build(site: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder) / "pages"
        for page in pages():
            target = stage / page.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(with_formulas(page.read_text(encoding="utf-8")), encoding="utf-8")
        for page in pages():
            for file in linked(page):
                target = stage / file.relative_to(ROOT)
                if not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
        settings = {"site_name": "fastlstm", "docs_dir": "pages", "site_dir": "site"}
        lines = ["[project]", *(f"{key} = {as_toml(value)}" for key, value in settings.items())]
        (Path(folder) / "zensical.toml").write_text("\n".join([*lines, f"nav = {as_toml(navigation())}", ""]))
        subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=folder, check=True)
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(Path(folder) / "site", site)


if __name__ == "__main__":
    build(ROOT / (sys.argv[1] if len(sys.argv) > 1 else "site"))
