"""TOML text of values: exact for a file, printable and cut short for a message."""

import json
import re
from collections.abc import Mapping

from pydantic import BaseModel

from fastlstm.printable import printable

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml(value: object) -> str:
    """A value as TOML writes it, on one line; a table without the keys that hold None."""
    match value:
        case float():  # first, as most values of a long list are
            return repr(float(value))
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case BaseModel():
            return toml(value.model_dump(exclude_none=True))
        case Mapping():
            return "{" + ", ".join(f"{_key(key)} = {toml(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(toml, value)) + "]"
    return str(value)


def _key(key: object) -> str:
    return str(key) if _BARE_KEY.fullmatch(str(key)) else toml(str(key))


def show(value: object, length: int = 80) -> str:
    """A value as TOML, for a message: printable, and cut to `length` characters."""
    try:
        text = printable(toml(value))
    except (ValueError, RecursionError):  # an int with too many digits to print, a list that holds itself
        text = f"a very large {type(value).__name__}"
    return shortened(text, length)


def shortened(text: str, length: int = 80) -> str:
    """A text cut to `length` characters."""
    return text if len(text) <= length else text[: length - 3] + "..."
