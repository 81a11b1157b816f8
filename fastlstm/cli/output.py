"""What commands say: results on stdout, everything else on stderr, and all of it safe for a terminal."""

import json
import os
import sys
from typing import Any, TextIO

from fastlstm.printable import printable


class Shown(str):
    """Text for a terminal: printable, with line breaks and colours of our own."""

    __slots__ = ()


def shown(text: str) -> Shown:
    """A text of our own, into which others' texts were put: only its line breaks reach the terminal as they are."""
    return Shown(printable(text, keep="\n"))


def answer(text: str) -> None:
    """Print a result."""
    print(text if isinstance(text, Shown) else shown(text))


def answer_json(value: Any) -> None:
    """Print a result as JSON, which escapes whatever is not ASCII."""
    print(json.dumps(value))


def tell(text: str) -> None:
    """Print what is no result."""
    print(text if isinstance(text, Shown) else shown(text), file=sys.stderr, flush=True)


def has_colours(stream: TextIO) -> bool:
    """Whether colours are wanted there: on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width(stream: TextIO) -> int | None:
    """The columns of a terminal; None where lines may be as long as they are."""
    if not stream.isatty():
        return None
    if columns := os.environ.get("COLUMNS", ""):
        return int(columns) if columns.isdigit() and int(columns) else None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except OSError:
        return None
