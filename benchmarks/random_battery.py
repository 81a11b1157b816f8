"""The raw random words of fastlstm's streams, to standard output, for a battery of randomness tests.

    python benchmarks/random_battery.py --seed 1 | dieharder -g 200 -d 0

Words of 32 bits, low byte first, of the purpose INPUT for draws 0, 1, 2 and so on, where all points share
their uniforms. Each draw gives as many words as --words says, as a simulation of so many steps in float32
takes them; half as many steps in float64. The orders have the same words:

    draw    all words of a draw, then all of the next: what one simulation sees
    call    word by word: the first words of 32 adjacent draws, then their second words, and so on; then the
            next 32 draws. So the lanes of float32 take them, and neighbours differ by 1 in the counter

Endless, until the reader closes the pipe or --bytes are written.
"""

import argparse
import os
import sys
from collections.abc import Iterator

import numba
import numpy as np
from numba import uint64

from fastlstm.kernel import random
from fastlstm.kernel.lanes.convert import lane_numbers
from fastlstm.kernel.lanes.memory import store, uncounted
from fastlstm.kernel.lanes.simd import lanes_of

DRAWS = lanes_of("float32")  # side by side in a register
BLOCK_WORDS = 2**20  # 4 MiB: a block holds as many draws as fit, and at least one register of them


@numba.njit(error_model="numpy")  # not cached: Numba would not notice another philox
def _fill(out, seed, first):
    """The words of each group of draws, call and place in the call, by lane."""
    out = uncounted(out)
    for group in range(out.shape[0]):
        rows = uncounted(out[group])
        numbers = lane_numbers(uint64, DRAWS) + (first + uint64(group * DRAWS))
        for call in range(rows.shape[0] // 4):
            words = random.philox(seed, random.INPUT, numbers, call)
            for place in range(4):
                store(rows, (4 * call + place, 0), words[place])


def blocks(seed: int, order: str, words: int) -> Iterator[np.ndarray]:
    """The stream without end, in pieces of one size. An array is overwritten by the next."""
    out = np.empty((max(1, BLOCK_WORDS // (DRAWS * words)), words, DRAWS), np.dtype("<u4"))
    first = 0
    while True:
        _fill(out, np.uint64(seed), np.uint64(first))
        yield out if order == "call" else np.ascontiguousarray(out.transpose(0, 2, 1))
        first += out.shape[0] * DRAWS


def multiple_of_four(text: str) -> int:
    """A number of words that whole calls give."""
    number = int(text)
    if number <= 0 or number % 4:
        raise argparse.ArgumentTypeError(f"{number} is not a positive multiple of 4")
    return number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--order", choices=("draw", "call"), default="draw")
    parser.add_argument("--words", type=multiple_of_four, default=1024, help="of each draw (default: 1024)")
    parser.add_argument("--bytes", type=int, help="stop after so many (default: never)")
    arguments = parser.parse_args()
    if not 0 <= arguments.seed < 2**64:
        parser.error("the seed is not in 0..2^64 - 1")
    left = arguments.bytes
    try:
        for block in blocks(arguments.seed, arguments.order, arguments.words):
            piece = block.reshape(-1).view(np.uint8)[:left]
            sys.stdout.buffer.write(piece)
            if left is not None:
                left -= piece.size
                if left <= 0:
                    break
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader has enough; what is still buffered goes nowhere when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
