"""The pages of the project as text, and what stands on them: blocks of code, links, headings."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in [*ROOT.glob("*.md"), *DOCS.glob("*.md")]}


def blocks(page: str, language: str = "") -> list[str]:
    """The fenced blocks of a page in one language, top to bottom."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], flags=re.DOTALL | re.MULTILINE)


def links(page: str) -> list[tuple[str, str]]:
    """(target, anchor) of every link and picture that stays in the repository; a target is a path from the root."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)
    inner = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not link.startswith(("http://", "https://")):
            file, _, anchor = link.partition("#")
            target = ((ROOT / page).parent / file).resolve() if file else ROOT / page
            inner.append((target.relative_to(ROOT).as_posix(), anchor))
    return inner


def anchors(page: str) -> set[str]:
    """What may follow the # of a link to a page: its headings, as GitHub and the site write them."""
    headings = re.findall(r"^#+ (.*)", PAGES[page], flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def fences(page: str) -> list[tuple[str, str]]:
    """(language, text) of every fenced block, top to bottom."""
    return re.findall(r"^```(\w+)\n(.*?)^```", PAGES[page], flags=re.DOTALL | re.MULTILINE)


COMMANDS_HERE = """\
import shlex
from fastlstm.cli import app

def run_commands(text):
    for line in text.splitlines():
        if words := shlex.split(line, comments=True):
            try:
                app(words[1:])
            except SystemExit as end:
                assert not end.code, line
"""


def as_script(page: str, *, draws: int, processes: bool = True) -> str:
    """A page as one Python program: its Python, its shell commands and its specs, in order, with so many draws.

    Without processes, blocks of fastlstm's commands alone run in that program, which imports what they need once.
    """
    lines = ["import subprocess" if processes else "import subprocess\n" + COMMANDS_HERE]
    for number, (language, text) in enumerate(fences(page)):
        if language == "toml":
            text = f"cat > spec{number}.toml <<'END'\n{text}END\nfastlstm run spec{number}.toml --out results/{number}"
        if language in ("sh", "toml"):
            fewer = re.sub(r"(fastlstm run \S+)", rf"\1 --set draws={draws}", text)
            here = not processes and all(line.startswith("fastlstm ") for line in fewer.splitlines() if line)
            lines.append(
                f"run_commands({fewer!r})" if here else f"subprocess.run(['bash', '-ec', {fewer!r}], check=True)"
            )
        else:
            assert language == "python", f"{page} has a block of {language}, which no test runs"
            lines.append(text)
    return "\n".join(lines)
