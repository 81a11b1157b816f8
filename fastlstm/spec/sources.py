"""Where a spec comes from: a TOML file or a mapping, and overrides, as tables not checked yet."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastlstm.printable import printable
from fastlstm.spec.files import FileError, read_regular
from fastlstm.spec.grids import Place
from fastlstm.spec.problems import Problem, dotted
from fastlstm.spec.toml import show

MAX_SPEC_BYTES = 2**24
MOST_KEY_PARTS = 12

# tomllib takes time with the square of the parts; no other text of a spec has that many in a row
_PART = r"""(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_DEEP_KEY = re.compile(rf"(?:{_PART}[ \t]*+\.[ \t]*+){{{MOST_KEY_PARTS},}}", re.ASCII)


class ReadError(Exception):
    """What is wrong with the source as a whole."""


def read(source: object) -> tuple[Path | None, Mapping[str, Any]]:
    """The folder that relative paths start from, and the unchecked tables."""
    if isinstance(source, Mapping):
        return None, source
    if not isinstance(source, str | os.PathLike):
        raise ReadError("must be the path of a TOML file, or a mapping")
    try:
        path = Path(source)
        data = read_regular(path, MAX_SPEC_BYTES)
    except FileError as error:
        raise ReadError(str(error)) from None
    except (ValueError, TypeError) as error:
        raise ReadError(f"cannot be read: {show(error, 200)}") from None
    if not data.strip():
        raise ReadError("is empty; a spec has at least draws, steps and [params]")
    if b"\0" in data:
        raise ReadError("is a binary file; a spec is TOML text")
    try:
        text = data.decode("utf-8-sig")
        if _DEEP_KEY.search(text):
            raise ReadError(f"has a dotted key of more than {MOST_KEY_PARTS} parts; the longest of a spec has 6")
        return path.parent, tomllib.loads(text)
    except UnicodeDecodeError as error:
        byte, position = data[error.start], error.start
        raise ReadError(f"is not UTF-8 text: byte {byte:#04x} at position {position}") from None
    except ValueError as error:
        raise ReadError(f"is not valid TOML: {show(error, 200)}") from None


def plain(node: Any) -> Any:
    """A copy of `node` in the dicts, lists, numbers and strings that tomllib would have made."""
    match node:
        case Mapping():
            return {printable(key) if isinstance(key, str) else show(key): plain(node[key]) for key in node}
        case list() | tuple():
            return [plain(item) for item in node]
        case np.generic():
            return node.item()
        case os.PathLike():
            return os.fspath(node)
        case _:
            return node


def key_and_value(text: object) -> tuple[object, object]:
    """The dotted key and the value of "key.path=value"; the whole text, and None, if it has not that form."""
    key, equals, written = text.partition("=") if isinstance(text, str) else ("", "", "")
    if not equals:
        return text, None
    try:
        parsed = tomllib.loads(f"value = {written}")
    except (ValueError, RecursionError):
        parsed = {}
    # another key than `value`: the text went on behind a line break, so it was no TOML value
    return key, parsed["value"] if parsed.keys() == {"value"} else written.strip()


def override(document: dict[str, Any], change: tuple[object, object], problems: list[Problem]) -> Place | None:
    """Put the value of a dotted key into the document. Its place, or None and one problem more."""
    key, value = change
    place = tuple(part.strip() for part in key.split(".")) if isinstance(key, str) and value is not None else ()
    if not place or not all(place):
        problems.append(Problem("--set", "", None, f"{show(key)} must have the form key.path=value"))
        return None
    if len(place) > MOST_KEY_PARTS:
        problems.append(Problem("--set", "", None, f"{show(key)} has a key of more than {MOST_KEY_PARTS} parts"))
        return None
    table = document
    for depth, part in enumerate(place[:-1], start=1):
        below = table.setdefault(part, {})
        if not isinstance(below, dict):
            right = f"is not a table, so {dotted(place)} cannot be set"
            problems.append(Problem("--set", dotted(place[:depth]), show(below), right))
            return None
        table = below
    table[place[-1]] = plain(value)
    return place
