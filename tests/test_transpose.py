"""Draws go into rows of lanes and out again unchanged, however their array lies in memory."""

import numpy as np
import pytest
from lanes import kept

from fastlstm.kernel.lanes.simd import lanes_of
from fastlstm.kernel.lanes.transpose import read_draws, write_draws


@kept()
def _read(rows, array, start):
    read_draws(rows, array, start)


@kept()
def _write(array, start, rows):
    write_draws(array, start, rows)


def in_memory(array, layout):
    """The same values, lying in memory in another way."""
    match layout:
        case "by draw":
            return np.ascontiguousarray(array)
        case "by step":
            return np.asfortranarray(array)
        case "backwards":
            return np.ascontiguousarray(array[:, ::-1])[:, ::-1]
        case _:
            spread = np.zeros((2 * array.shape[0], 3 * array.shape[1]), array.dtype)
            spread[::2, ::3] = array
            return spread[::2, ::3]


layouts = pytest.mark.parametrize("layout", ["by draw", "by step", "backwards", "spread"])
lengths = pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 16, 21])
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@dtypes
@layouts
@lengths
def test_rows_get_every_element_of_every_draw_and_the_last_draw_fills_the_lanes_left_over(n, layout, dtype):
    lanes = lanes_of(dtype)
    array = np.arange(1.0, 1 + (lanes + 5) * n).astype(dtype).reshape(lanes + 5, n)
    for start in (0, lanes):
        rows = np.zeros((n + 1, lanes), dtype)
        _read(rows, in_memory(array, layout), start)
        draws = np.minimum(np.arange(start, start + lanes), len(array) - 1)
        assert np.array_equal(rows[:n], array[draws].T)
        assert not rows[n].any(), "a row too many was written"


@dtypes
@layouts
@lengths
def test_arrays_get_every_lane_of_every_row_and_nothing_beyond_the_last_draw(n, layout, dtype):
    lanes = lanes_of(dtype)
    rows = np.arange(1.0, 1 + n * lanes).astype(dtype).reshape(n, lanes)
    for start, draws in ((0, lanes), (lanes, lanes), (0, 5)):
        array = in_memory(np.zeros((start + draws, n), dtype), layout)
        _write(array, start, rows)
        assert np.array_equal(array[start:], rows.T[:draws])
        assert not array[:start].any(), "draws before the register were written"


def test_one_sequence_serves_all_draws():
    lanes = lanes_of("float64")
    rows = np.zeros((21, lanes))
    _read(rows, np.broadcast_to(np.arange(21.0), (lanes, 21)), 0)
    assert np.array_equal(rows, np.tile(np.arange(21.0)[:, None], lanes))
