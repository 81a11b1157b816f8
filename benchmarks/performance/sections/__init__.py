"""What is measured, one file a section; each has TITLE, TEXT and `measure`."""

from typing import NamedTuple


class Effort(NamedTuple):
    """How long to look: seconds of interleaved runs for each contest, and whether to try everything."""

    seconds: float
    thorough: bool


THOROUGH = Effort(4.0, True)
QUICK = Effort(1.0, False)
