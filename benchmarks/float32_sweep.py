"""All 2^32 numbers of float32 through exp, log, sigmoid and tanh and their slopes: the largest errors, and hashes.

    python benchmarks/float32_sweep.py [--every N]

The truth is computed in float64 with NumPy, by formulas of its own, so an error is known to 1e-8 ulp, or 1e-5 where
the truth is subnormal. A NaN is hashed as one pattern, and a gate only where a gate may be, |z| <= 87. All inputs take
ten minutes of one processor; with --every 4099, a prime, one in so many is taken, in seconds. Exit code 1 if a bound is
exceeded, or a hash is not the one that fastlstm/sweep/bits.py has for these two.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from lanes import apply

from fastlstm.kernel import elementary
from fastlstm.sweep.bits import BITS_VERSION, FUNCTION_HASHES

Single, Double = NDArray[np.float32], NDArray[np.float64]
CHUNK = 2**22  # inputs at once
SAMPLED_EVERY = 4099
FURTHEST = 87.0  # |z| of a gate; twice the largest |z| of a tanh whose slope counts


def _sigmoid(z: Double) -> Double:
    return 1.0 / (1.0 + np.exp(-z))


def _slope(z: Double) -> Double:
    e = np.exp(-np.abs(z))
    return e / (1.0 + e) ** 2


class Function(NamedTuple):
    """A result of a kernel's function, its truth, the largest error that is promised in ulp, and where it is."""

    function: Callable[..., object]
    place: int
    truth: Callable[[Double], Double]
    bound: float
    furthest: float = np.inf


FUNCTIONS = {
    "exp": Function(elementary.exp, 0, np.exp, 1.0),
    "log": Function(elementary.log, 0, np.log, 1.0),
    "sigmoid": Function(elementary.sigmoid, 0, _sigmoid, 2.0, FURTHEST),
    "1 - sigmoid": Function(elementary.sigmoid, 1, lambda z: _sigmoid(-z), 2.0, FURTHEST),
    "sigmoid, slope": Function(elementary.sigmoid, 2, _slope, 4.5, FURTHEST),
    "tanh": Function(elementary.tanh, 0, np.tanh, 2.5),
    "tanh, slope": Function(elementary.tanh, 1, lambda z: 4.0 * _slope(2.0 * z), 4.5, FURTHEST / 2),
}


class Swept(NamedTuple):
    """What became of a function: its largest error in ulp, the input that has it, and the hash of its outputs."""

    error: float
    worst: float
    digest: str


def inputs(every: int) -> Iterator[Single]:
    """The floats of the bit patterns 0, every, 2 every, ..."""
    for start in range(0, 2**32, CHUNK * every):
        yield np.arange(start, min(start + CHUNK * every, 2**32), every, np.uint64).astype(np.uint32).view(np.float32)


def errors(value: Single, truth: Double) -> Double:
    """In units of the last place of the truth; 0 where both are NaN, or the same infinity."""
    ulp = np.spacing(np.minimum(np.abs(truth), 2.0**127).astype(np.float32)).astype(np.float64)
    rounded = truth.astype(np.float32)
    same = (value == rounded) | (np.isnan(value) & np.isnan(truth))
    return np.where(same & ~np.isfinite(value), 0.0, np.abs(value - truth) / ulp)


def _error_first(worst: tuple[float, float]) -> float:
    """A NaN where there should be none is the largest error of all."""
    return np.inf if np.isnan(worst[0]) else worst[0]


def sweep(every: int) -> dict[str, Swept]:
    """Every so-many-th float through all functions."""
    digests = {name: hashlib.sha256() for name in FUNCTIONS}
    largest = dict.fromkeys(FUNCTIONS, (0.0, 0.0))
    with np.errstate(all="ignore"):
        for z in inputs(every):
            results = {f: apply(f, z) for f in {each.function for each in FUNCTIONS.values()}}
            exact = z.astype(np.float64)
            for name, (function, place, truth, _, furthest) in FUNCTIONS.items():
                value = results[function][place]
                if np.isfinite(furthest):
                    value, chosen = value[np.abs(z) <= furthest], exact[np.abs(exact) <= furthest]
                else:
                    value, chosen = np.where(np.isnan(value), np.float32(np.nan), value), exact
                digests[name].update(value.tobytes())
                if len(value):
                    error = errors(value, truth(chosen))
                    worst = int(np.argmax(error))
                    largest[name] = max(largest[name], (float(error[worst]), float(chosen[worst])), key=_error_first)
    return {name: Swept(*largest[name], digests[name].hexdigest()) for name in FUNCTIONS}


def main() -> int:
    """Print a table; 0 if all bounds are kept, and all hashes are the committed ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only the bit patterns 0, N, 2 N, ...")
    every = parser.parse_args().every
    right = True
    print(f"| {'function':14} | max ulp | bound | at                     | {'SHA-256 of the outputs':64} |")
    print(f"|{'-' * 16}|--------:|------:|-----------------------:|{'-' * 66}|")
    for name, swept in sweep(every).items():
        bound = FUNCTIONS[name].bound
        print(f"| {name:14} | {swept.error:7.4f} | {bound:5} | {swept.worst:22.15g} | {swept.digest} |", flush=True)
        right &= bool(swept.error <= bound)
        committed = FUNCTION_HASHES.get(every, {}).get(name, swept.digest)
        if swept.digest != committed:
            right = False
            print(f"not the hash of bits version {BITS_VERSION}: {committed}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
