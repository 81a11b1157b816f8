"""From the shares of a draw to its classes, its regime and its flags.

A draw's regime is the class of its three gates (left, mid or right each): 27 regimes.
"""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastlstm.measures import ADJOINTS


def classify(left: NDArray[Any], right: NDArray[Any], majority: float) -> NDArray[np.int8]:
    """0, 1, 2 for left, mid, right: saturated to one side at more than the share `majority` of the steps."""
    return (1 - (left > majority).astype(np.int8)) + (right > majority)


def regime_number(classes: Sequence[NDArray[np.int8]]) -> NDArray[np.uint8]:
    """One number 0..26 for the classes of f, i and o."""
    f, i, o = classes
    return ((f * 3 + i) * 3 + o).astype(np.uint8)


def _log10(value: float) -> float:
    # Correctly rounded, where the last bit of NumPy's and of libm's differs between processors
    return float(Context(prec=40).log10(Decimal(value)))


def flags(columns: Mapping[str, NDArray[Any]], *, exploded: float, vanished: float) -> dict[str, NDArray[np.bool_]]:
    """Whether the state adjoints passed `exploded` on their way back, and arrived below `vanished`."""
    dh0, dC0, dh_max, dC_max = (columns[measure.name] for measure in ADJOINTS)
    return {
        "exploded": np.maximum(dh_max, dC_max) > _log10(exploded),
        "vanished": np.maximum(dh0, dC0) < _log10(vanished),
    }
