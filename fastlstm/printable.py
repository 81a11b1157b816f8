"""Text made safe to show: the one place that every text of a spec, record, journal or path goes through.

A terminal obeys escape sequences, the C1 controls and the marks that turn the direction of writing around; a line
break in a title would forge a line of ours.
"""


def printable(text: str, *, keep: str = "") -> str:
    """`text` with what cannot be printed written as escapes, but for the characters of `keep`."""
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
