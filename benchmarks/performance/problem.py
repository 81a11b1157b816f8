"""Gradients from given arrays: the problem that all peers solve, and the check that they solve it."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastlstm

Array = NDArray[Any]

# The error of a draw is that of its worst component, relative to its largest one. A wrong term gives 0.01 and more in
# the median draw; a few draws amplify rounding, in any arithmetic.
TOLERANCE = {"float32": {0.5: 1e-5, 0.98: 1e-3}, "float64": {0.5: 1e-13, 0.98: 1e-10}}


class WrongGradients(Exception):
    """A peer computes something else than fastlstm."""


class Problem:
    """Draws with all parameters and inputs N(0, 1), from h_0 = C_0 = 0; the loss is the sum of the outputs."""

    def __init__(self, dtype: str, draws: int, steps: int) -> None:
        self.dtype, self.draws, self.steps = dtype, draws, steps
        random = np.random.default_rng(1)
        self.params: Array = random.standard_normal((draws, 14), dtype)
        self.x: Array = random.standard_normal((draws, steps), dtype)
        self.dy: Array = np.ones(steps, dtype)

    def solve(self, *, inputs: bool = True, out: fastlstm.Gradients | None = None) -> Array:
        """By fastlstm: (draws, 14)."""
        return fastlstm.gradients(self.params, self.x, self.dy, inputs=inputs, out=out).params

    @cached_property
    def filled(self) -> fastlstm.Gradients:
        """Gradients without dL/dx, in arrays that may be filled again."""
        return fastlstm.gradients(self.params, self.x, self.dy, inputs=False)

    @cached_property
    def solution(self) -> Array:
        return self.solve()

    def check(self, name: str, gradients: Array) -> float:
        """The median error of a peer's gradients of the first draws. Raises WrongGradients."""
        if gradients.dtype != self.dtype:
            raise WrongGradients(f"{name} computed in {gradients.dtype} instead of {self.dtype}")
        truth = self.solution[: len(gradients)].astype(np.float64)
        errors = np.abs(gradients - truth).max(axis=1) / np.abs(truth).max(axis=1)
        for share, most in TOLERANCE[self.dtype].items():
            error = np.quantile(errors, share)
            if not error < most:
                raise WrongGradients(
                    f"{name}, {self.dtype}, {self.steps} steps: {share:.0%} of the draws are within {error:.1e} of "
                    f"fastlstm's gradients; that should be {most:.0e}"
                )
        return float(np.median(errors))
