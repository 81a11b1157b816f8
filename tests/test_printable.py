"""No text of a spec, record, journal or path reaches a terminal as more than text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlstm.printable import printable

OBEYED = {
    "an escape sequence": "\x1b[2J",
    "a window title": "\x1b]0;title\x07",
    "a C1 control": "\x9b2J",
    "right to left": "\u202e",
    "isolates": "\u2066\u2069",
    "a line break": "\n",
    "a return": "\r",
    "a line separator": "\u2028",
    "delete": "\x7f",
    "half a surrogate pair": "\udcff",
}


@pytest.mark.parametrize("text", OBEYED.values(), ids=OBEYED)
def test_what_a_terminal_would_obey_is_written_as_an_escape(text):
    assert printable(f"a{text}b").startswith("a\\")
    assert printable(f"a{text}b").isprintable()


@given(st.text())
def test_whatever_comes_out_is_printable_and_what_was_printable_is_unchanged(text):
    assert printable(text).isprintable()
    assert printable("".join(filter(str.isprintable, text))) == "".join(filter(str.isprintable, text))


def test_what_is_kept_is_kept():
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"
