"""Counts of values in bins, class by class, in one pass over the values.

NumPy takes a pass each to sort by class, to find the extremes and to count: 110 ns a draw with the default measures,
which was most of what a draw of ten steps took.
"""

from functools import cache

import numpy as np
from numba import types, void
from numba.np.numpy_support import from_dtype

from fastlstm.kernel.lanes.jit import kernel


@cache
def build_tally(dtype):
    """The kernel that adds values (n,) of a type, with their classes and bins, to counts (classes, bins).

    The first column of `counts` is the bin `first`. The bins -1 - last and last, those of infinities, are counted in
    `infinite` (classes, 2); every other bin has a column. low and high (classes,) are the extremes. No value is NaN.
    """
    classes, bins = types.Array(types.uint8, 1, "A", readonly=True), types.Array(types.int32, 1, "A", readonly=True)
    values = types.Array(from_dtype(np.dtype(dtype)), 1, "A", readonly=True)
    counts, extremes = types.Array(types.int64, 2, "C"), types.Array(types.float64, 1, "C")

    @kernel(void(classes, values, bins, types.int64, types.int64, counts, counts, extremes, extremes), (dtype,))
    def tally(classes, values, bins, first, last, counts, infinite, low, high):
        for k in range(len(values)):
            row, place, value = classes[k], bins[k], values[k]
            if place == last:
                infinite[row, 1] += 1
            elif place == -1 - last:
                infinite[row, 0] += 1
            else:
                counts[row, place - first] += 1
            low[row] = min(low[row], value)
            high[row] = max(high[row], value)

    return tally
