"""What the figures should be: at least so, and better still so."""

from collections.abc import Mapping
from typing import NamedTuple


class Target(NamedTuple):
    """A figure by its key, what it is, two marks, and whether more is better."""

    key: str
    text: str
    at_least: float
    aim: float
    more_is_better: bool
    unit: str = "x"

    def verdict(self, value: float) -> str:
        """aim, at least, or short."""
        sign = 1 if self.more_is_better else -1
        if sign * value >= sign * self.aim:
            return "aim"
        return "at least" if sign * value >= sign * self.at_least else "short"


def _both(key: str, text: str, at_least: float, aim: float, more_is_better: bool, unit: str = "x") -> list[Target]:
    return [
        Target(f"{key}_{dtype}", f"{text}, {dtype}", at_least, aim, more_is_better, unit)
        for dtype in ("float32", "float64")
    ]


TARGETS = (
    Target("jax_float32", "gradients, T = 100, against JAX at its best, float32", 5, 8, True),
    Target("jax_float64", "gradients, T = 100, against JAX at its best, float64", 6, 8, True),
    Target("drjit_float32", "gradients, T = 100, against Dr.Jit at its best, float32", 3, 5, True),
    Target("drjit_float64", "gradients, T = 100, against Dr.Jit at its best, float64", 4, 5, True),
    Target("c_float32", "gradients, T = 100, against C, one thread, float32", 0.95, 1.2, True),
    Target("c_float64", "gradients, T = 100, against C, one thread, float64", 1.0, 1.2, True),
    Target("c_100_float32", "the same without dL/dx, float32", 1.05, 1.3, True),
    Target("c_100_float64", "the same without dL/dx, float64", 1.15, 1.3, True),
    *_both("c_10", "T = 10, without dL/dx, against C, one thread", 0.8, 1.2, True),
    *_both("c_1000", "T = 1000, without dL/dx, against C, one thread", 1.0, 1.2, True),
    Target("saturated_20", "biases +-20, float32 over float64, time", 1.5, 1.0, False),
    *_both("long", "T = 1000 against T = 100, time of a step", 1.15, 1.0, False),
    *_both("measured", "in-kernel draws and measures over bare gradients, time", 1.6, 1.3, False),
    *_both("parquet", "the whole job to Parquet over the same without rows, time", 2, 1.3, False),
    *_both("beyond", "processor time of a million draws, all rows, beyond the kernel", 0.35, 0.25, False, "s"),
    Target("script_float32", "the whole job against a script of JAX and pyarrow, float32", 6, 10, True),
    Target("script_float64", "the whole job against a script of JAX and pyarrow, float64", 9, 15, True),
    *_both("threads", "two threads over one", 1.85, 1.95, True),
    *_both("bound", "share of the vector-operation bound", 50, 75, True, "%"),
    Target("cached_start", "cached start of `fastlstm run` to the first block", 3, 2, False, "s"),
    Target("first_compile", "first compile of the default run, empty cache", 10, 6, False, "s"),
    Target("peak_memory", 'peak memory, 10^8 draws, rows "none"', 600, 400, False, "MB"),
)


def judged(figures: Mapping[str, float]) -> list[tuple[Target, float, str]]:
    """The targets whose figures are known, with the figure and the verdict."""
    return [
        (target, figures[target.key], target.verdict(figures[target.key]))
        for target in TARGETS
        if target.key in figures
    ]
