"""The errors of the elementary functions against mpmath, by function, dtype and range.

    python benchmarks/accuracy.py [--points N] [--write docs/accuracy.md]

The functions, their ranges and the bounds that the tests hold are declared in tests/elementary_truth.py.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from elementary_truth import CASES, Range

TEXT = """\
# Errors of the elementary functions

[Documentation](README.md) · Trust

In units of the last place (ulp) of the true value, which mpmath knows to 50 digits; also where that value is
subnormal, and with zeros, infinities and NaN tested apart (`tests/test_elementary.py`). The error that
rounding alone would make is at most 0.5 and on average 0.25. The bounds are those that the tests hold.

The slope of sigmoid is s(z) (1 - s(z)), that of tanh 1 - tanh(z)^2. A gate takes what the ranges say; a draw that may
go beyond is computed in float64, and beyond the range of that with wide numbers. sin and cos are of 2 pi u. The
quantile is the lower half of that of the standard normal distribution. "By size" means as many points in any binade as
in the next.

All 2^32 numbers of float32 went through exp, log, sigmoid, tanh and the slopes (`python benchmarks/float32_sweep.py`,
ten minutes): the largest errors are 0.90 for exp, 0.88 for log, 1.50 for sigmoid and what is left to 1, 3.00 for its
slope, 2.00 for tanh and 2.08 for its slope. The hashes of all outputs stand in `fastlstm/sweep/bits.py`.

{points:,} random points in each range. Made by `python benchmarks/accuracy.py --write docs/accuracy.md`.

"""


def table(points: int) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield f"| {'function':23} | dtype   | {'range':29} | max ulp | mean ulp | bound |"
    yield f"|{'-' * 25}|{'-' * 9}|{'-' * 31}|{'-' * 8}:|{'-' * 9}:|{'-' * 6}:|"
    for case in CASES:
        for dtype, ranges in case.ranges.items():
            for seed, within in enumerate(ranges):
                errors = case.errors(within.points(points, dtype, seed))
                yield (
                    f"| {case.name:23} | {dtype.__name__:7} | {_words(within):29} "
                    f"| {errors.max():7.2f} | {errors.mean():8.2f} | {case.bound[dtype]:5} |"
                )


def _words(within: Range) -> str:
    return f"{within.low:.4g} to {within.high:.4g}" + (", by size" if within.by_size else "")


def main() -> None:
    """Print the table, or write it with its explanation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=10_000, help="random points in each range")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write")
    arguments = parser.parse_args()
    lines = []
    for line in table(arguments.points):
        print(line, flush=True)
        lines.append(line)
    if arguments.write:
        text = TEXT.format(points=arguments.points) + "\n".join(lines) + "\n"
        arguments.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
