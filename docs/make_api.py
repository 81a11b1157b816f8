"""Print the page of the public names: python docs/make_api.py > docs/api.md"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import fastlstm

HEAD = """\
# The Python API

[Documentation](README.md) · Use

This page is made from the docstrings by `python docs/make_api.py > docs/api.md`. What stands here is public; all else
is internal and may change. Every example is run by `tests/test_docs_api.py`; those that need Keras or PyTorch by
`make test`, where Keras is installed, and `make interop`.

    import fastlstm
"""
SIGNATURE_WIDTH = 100


def definition(thing: Any) -> Any:
    """The syntax tree of a function or class, whose annotations read as in the source."""
    return ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]


def signature(name: str, function: FunctionType) -> str:
    """A call as one line, or with an argument a line if that is too long; without self."""
    tree = definition(function)
    tree.args.args = [argument for argument in tree.args.args if argument.arg != "self"]
    returns = f" -> {ast.unparse(tree.returns)}" if tree.returns else ""
    line = f"{name}({spaced(tree.args)}){returns}"
    if len(line) <= SIGNATURE_WIDTH:
        return line
    one_by_one = [f"    {spaced(argument)},\n" for argument in arguments(tree.args)]
    return f"{name}(\n{''.join(one_by_one)}){returns}"


def spaced(args: ast.arguments) -> str:
    """Arguments as text, with spaces around the = of an annotated one."""
    return re.sub(r"(?<=[\w\]])=(?=[\w'\"(-])", " = ", ast.unparse(args))


def arguments(args: ast.arguments) -> Iterator[ast.arguments]:
    """Each argument with its default, and the star that makes the rest keywords, as arguments of their own."""
    none: dict[str, Any] = {"posonlyargs": [], "args": [], "kwonlyargs": [], "kw_defaults": [], "defaults": []}
    defaults = [None] * (len(args.args) - len(args.defaults)) + list(args.defaults)
    for argument, default in zip(args.args, defaults, strict=True):
        yield ast.arguments(**none | {"args": [argument], "defaults": [default] if default else []})
    if args.kwonlyargs:
        yield ast.arguments(**none | {"vararg": ast.arg("")})
    for argument, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        yield ast.arguments(**none | {"args": [argument], "defaults": [default] if default else []})


def prose(text: str) -> Iterator[str]:
    """A docstring as Markdown: headings of sections in bold, terms as a list, examples as code."""
    lines = text.splitlines()
    section, in_code = "", False
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if following and set(following) == {"-"}:
            section = line
            if section != "Examples":
                yield f"**{section}**\n"
        elif line and set(line) == {"-"}:
            continue
        elif section == "Examples":
            if line.startswith(">>>") and not in_code:
                in_code = True
                yield "```pycon"
            if in_code and not line:
                in_code = False
                yield "```"
            yield line
        elif section and line and not line.startswith(" "):
            yield f"- `{line}`:"
        else:
            yield line
    if in_code:
        yield "```"


def heading(name: str, thing: Any) -> str:
    """Headings differ in more than capitals, so that their links do."""
    return f"class {name}" if isinstance(thing, type) else name


def entry(name: str, thing: Any) -> Iterator[str]:
    """The part of one public name."""
    yield from ("", f"### {heading(name, thing)}", "")
    if isinstance(thing, FunctionType):
        yield from ("```python", signature(f"fastlstm.{name}", thing), "```", "")
    if not callable(thing):
        yield f"`{' '.join(thing)}`: the names of the parameters, in their order everywhere."
        return
    yield from prose(inspect.getdoc(thing) or "")
    if isinstance(thing, type):
        yield from members(thing)


def members(kind: type) -> Iterator[str]:
    """The fields of a class, and its public methods with the first paragraph of what they say of themselves."""
    body = definition(kind).body
    fields = [ast.unparse(node.target) for node in body if isinstance(node, ast.AnnAssign)]
    fields = [field for field in fields if not field.startswith("_")]
    if fields:
        yield from ("", f"Fields: {', '.join(f'`{field}`' for field in fields)}.")
    rows = []
    for node in body:
        if isinstance(node, ast.FunctionDef) and (node.name == "__getitem__" or not node.name.startswith("_")):
            method = getattr(kind, node.name)
            if isinstance(method, property):
                code = f".{node.name}"
            elif node.name == "__getitem__":
                code = f"[{node.args.args[1].arg}]"
            else:
                code = signature(f".{node.name}", method)
            code = " ".join(code.split()).replace("( ", "(").replace(", )", ")").replace("|", r"\|")
            rows.append(f"| `{code}` | {first_paragraph(method)} |")
    if rows:
        yield from ("", "| method | meaning |", "|---|---|", *rows)


def first_paragraph(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split()).replace("|", r"\|")


def page() -> str:
    public = {name: getattr(fastlstm, name) for name in fastlstm.__all__}
    groups = {
        "Functions": {name: thing for name, thing in public.items() if isinstance(thing, FunctionType)},
        "Classes": {name: thing for name, thing in public.items() if isinstance(thing, type)},
        "Constants": {name: thing for name, thing in public.items() if not callable(thing)},
    }
    lines = [HEAD, "| name | what it is |", "|---|---|"]
    for names in groups.values():
        for name, thing in names.items():
            anchor = heading(name, thing).lower().replace(" ", "-")
            meaning = first_paragraph(thing) if callable(thing) else "The names of the 14 parameters, in order."
            lines.append(f"| [{name}](#{anchor}) | {meaning} |")
    for title, names in groups.items():
        lines += ["", f"## {title}"]
        for name, thing in names.items():
            lines += entry(name, thing)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
