"""Arrays (draws, n) of any strides to and from rows of lanes (n, lanes): row k holds element k of each draw.

Tiles of 8 by 8 are transposed in registers where the elements of a draw lie side by side; rows are copied whole where
the draws do, and filled where all draws share an element. Element by element, what goes in and out of a gradient took
as long as its arithmetic.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import load_lanes, store
from fastlstm.kernel.lanes.simd import Vec

SIDE = 8  # of a tile


@intrinsic
def transpose(typingctx, tile):
    """Lane j of register k becomes lane k of register j, of as many registers as one has lanes, a power of two."""
    if not isinstance(tile, types.UniTuple) or not isinstance(tile.dtype, Vec) or tile.dtype.lanes != len(tile):
        return None
    side = len(tile)
    # Three times (log2 of the side) each register is interleaved with the one half a tile away.
    halves = [
        ir.Constant(ir.VectorType(ir.IntType(32), side), [first + k // 2 + k % 2 * side for k in range(side)])
        for first in (0, side // 2)
    ]

    def codegen(context, builder, signature, arguments):
        registers = [builder.extract_value(arguments[0], k) for k in range(side)]
        for _ in range(side.bit_length() - 1):
            registers = [
                builder.shuffle_vector(registers[k], registers[k + side // 2], half)
                for k in range(side // 2)
                for half in halves
            ]
        return context.make_tuple(builder, tile, registers)

    return tile(tile), codegen


@inline
def copy_tile(source, i, k, target, row, column):
    """target[row : row + SIDE, column : column + SIDE] = source[i : i + SIDE, k : k + SIDE].T"""
    a, b, c, d, e, f, g, h = transpose(
        (
            load_lanes(source, (i, k), SIDE), load_lanes(source, (i + 1, k), SIDE),
            load_lanes(source, (i + 2, k), SIDE), load_lanes(source, (i + 3, k), SIDE),
            load_lanes(source, (i + 4, k), SIDE), load_lanes(source, (i + 5, k), SIDE),
            load_lanes(source, (i + 6, k), SIDE), load_lanes(source, (i + 7, k), SIDE),
        )
    )  # fmt: skip
    store(target, (row, column), a)
    store(target, (row + 1, column), b)
    store(target, (row + 2, column), c)
    store(target, (row + 3, column), d)
    store(target, (row + 4, column), e)
    store(target, (row + 5, column), f)
    store(target, (row + 6, column), g)
    store(target, (row + 7, column), h)


@inline
def read_draws(rows, array, start):
    """Row k becomes array[start : start + lanes, k]; lanes beyond the last draw repeat it."""
    n, lanes = array.shape[1], rows.shape[1]
    whole = start + lanes <= len(array)
    if whole and array.strides[1] == array.itemsize and n >= SIDE:
        for lane in range(0, lanes, SIDE):
            for tile in range(0, n, SIDE):
                k = min(tile, n - SIDE)  # the last tile may overlap the one before
                copy_tile(array, start + lane, k, rows, k, lane)
    elif whole and array.strides[0] == array.itemsize:
        for k in range(n):
            for lane in range(0, lanes, SIDE):
                store(rows, (k, lane), load_lanes(array, (start + lane, k), SIDE))
    elif array.strides[0] == 0:
        for k in range(n):
            for lane in range(lanes):
                rows[k, lane] = array[0, k]
    else:
        for k in range(n):
            for lane in range(lanes):
                rows[k, lane] = array[min(start + lane, len(array) - 1), k]


@inline
def write_draws(array, start, rows):
    """The inverse of `read_draws`; what is in lanes beyond the last draw goes nowhere."""
    n, lanes = array.shape[1], rows.shape[1]
    whole = start + lanes <= len(array)
    if whole and array.strides[1] == array.itemsize and n >= SIDE:
        for lane in range(0, lanes, SIDE):
            for tile in range(0, n, SIDE):
                k = min(tile, n - SIDE)
                copy_tile(rows, k, lane, array, start + lane, k)
    elif whole and array.strides[0] == array.itemsize:
        for k in range(n):
            for lane in range(0, lanes, SIDE):
                store(array, (start + lane, k), load_lanes(rows, (k, lane), SIDE))
    else:
        for k in range(n):
            for lane in range(min(lanes, len(array) - start)):
                array[start + lane, k] = rows[k, lane]
