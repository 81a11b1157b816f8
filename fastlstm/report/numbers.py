"""Numbers as words of a title, a label or a table: written in one way everywhere."""

import math
from collections.abc import Sequence
from typing import Any

MINUS = "\N{MINUS SIGN}"


def number(value: float, *, digits: int = 3, plain: bool = False) -> str:
    """A number of so many digits: plain from 0.001 to below a million, else with an exponent; a real minus sign.

    plain: never with an exponent.
    """
    if not math.isfinite(value):
        return "?" if math.isnan(value) else "\N{INFINITY}" if value > 0 else f"{MINUS}\N{INFINITY}"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    size = int(exponent)
    if value == 0 or plain or -4 < size < 6:
        decimals = digits - 1 - size
        rounded = round(value, decimals) if value else 0.0
        text = f"{rounded:{',' if abs(rounded) >= 10_000 else ''}.{max(0, decimals)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{size}"
    return text.replace("-", MINUS)


def power(exponent: float) -> str:
    """10 to the exponent, also beyond what a float holds."""
    if not math.isfinite(exponent):
        return "0" if exponent < 0 else "\N{INFINITY}"
    return number(10.0**exponent) if -99 < exponent < 99 else f"10^{exponent:.0f}".replace("-", MINUS)


def label(value: object) -> str:
    """A value on an axis of the spec."""
    return value if isinstance(value, str) else number(float(str(value)), digits=6)


def percent(share: float) -> str:
    """A share as a percentage, in two digits of what is left to 0 or 100."""
    rest = 100 * min(share, 1 - share)
    decimals = max(0, 1 - math.floor(math.log10(rest))) if rest > 0 else 0
    return f"{100 * share:.{decimals}f}%"


def digits_apart(low: float, high: float) -> int:
    """Four digits, or the few more in which the ends of an interval can be told apart."""
    return next((digits for digits in range(4, 7) if number(low, digits=digits) != number(high, digits=digits)), 4)


def interval(low: float, high: float, *, share: bool = False) -> str:
    """The ends of an interval, those of a share as percentages and never with an exponent, as in percent."""
    low, high = (100 * low, 100 * high) if share else (low, high)
    first, last = (number(end, digits=digits_apart(low, high), plain=share) for end in (low, high))
    return f"{first} to {last}{'%' if share else ''}"


def count(draws: int) -> str:
    """A number of draws in few letters: 950, 12k, 1.2M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if draws >= size:
            return f"{draws / size:.2g}{letter}" if draws < 10 * size else f"{draws / size:.0f}{letter}"
    return str(draws)


def listed(words: Sequence[Any]) -> str:
    """a, b and c."""
    *first, last = map(str, words)
    return f"{', '.join(first)} and {last}" if first else last
