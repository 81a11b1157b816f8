"""Texts of specs and runs, as they may stand in a page."""

import html

from fastlstm.printable import printable


def escape(text: str, *, keep: str = "") -> str:
    """The text as HTML, with what cannot be printed written as escapes, but for the characters of `keep`."""
    return html.escape(printable(text, keep=keep))
