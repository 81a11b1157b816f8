"""What the elementary functions should give, in mpmath's arithmetic, and how far they may be from it.

The tests try a few points of every range; benchmarks/accuracy.py tries many and writes docs/accuracy.md.
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from lanes import apply, compiled
from mpmath import cospi, erfc, exp, ldexp, log, log1p, mp, mpf, pi, sech, sinpi, sqrt, tanh
from numpy.typing import NDArray

from fastlstm.kernel import elementary

Array = NDArray[Any]


class Range(NamedTuple):
    """Points from low to high: uniform, or (positive ones) as many in any binade as in the next."""

    low: float
    high: float
    by_size: bool = False

    def points(self, count: int, dtype: type, seed: int) -> Array:
        """Random points of the range, and its ends."""
        random = np.random.default_rng(seed)
        if self.by_size:
            exponents = np.frexp([self.low, self.high])[1]
            exponents = random.integers(*exponents, count, endpoint=True)
            values = np.ldexp(random.uniform(0.5, 1, count), exponents)
        else:
            values = random.uniform(self.low, self.high, count)
        values[:2] = self.low, self.high
        return np.clip(values, self.low, self.high).astype(dtype)


class Case(NamedTuple):
    """One result of a function of lanes: its place among the results, its truth and its bound in ulp."""

    name: str
    function: Callable[..., Any]
    place: int
    truth: Callable[[mpf], mpf]
    bound: dict[type, float]
    ranges: dict[type, list[Range]]

    def errors(self, points: Array) -> Array:
        """The errors at the points, in ulp of the true values."""
        values = apply(self.function, points)[self.place]
        with mp.workdps(50):
            return np.array([_ulp(value, self.truth(mpf(float(x)))) for x, value in zip(points, values, strict=True)])


def _ulp(value: np.floating[Any], true: mpf) -> float:
    """The error of a value in units of the last place of the true one, subnormal or not."""
    info = np.finfo(value.dtype)
    exponent = max(mp.frexp(true)[1] - 1, info.minexp) if true else info.minexp
    return float(ldexp(abs(mpf(float(value)) - true), info.nmant - exponent))


@compiled
def gates(z):  # type: ignore[no-untyped-def]
    """The values and slopes of f and g among gates that have different pre-activations."""
    f, _, _, g = elementary.gates(z, 0.3 * z, 1.0 - z, z)
    return f.value, f.slope, g.value, g.slope


def _sigmoid(z: mpf) -> mpf:
    return 1 / (1 + exp(-z))


def _sigmoid_slope(z: mpf) -> mpf:
    return sech(z / 2) ** 2 / 4


def _log_sigmoid(z: mpf) -> mpf:
    return min(z, mpf(0)) - log1p(exp(-abs(z)))


def _normal_quantile(p: mpf) -> mpf:
    """One step of Newton's method from a result in double precision doubles its digits."""
    z = mpf(NormalDist().inv_cdf(float(p)))
    return z - (erfc(-z / sqrt(mpf(2))) / 2 - p) * sqrt(2 * pi) * exp(z * z / 2)


def _both(single: Any, double: Any) -> dict[type, Any]:
    return {np.float32: single, np.float64: double}


def _gate_ranges(scale: float) -> dict[type, list[Range]]:
    """Small pre-activations, ordinary ones, and all that a gate takes."""
    return {
        dtype: [
            Range(1e-30, 0.1 * scale, by_size=True),
            Range(-1 * scale, 1 * scale),
            Range(-20 * scale, 20 * scale),
            Range(-furthest * scale, furthest * scale),
        ]
        for dtype, furthest in ((np.float32, 87.0), (np.float64, 708.0))
    }


_SIGMOID, _TANH = _gate_ranges(1.0), _gate_ranges(0.5)
_LOG = _both(
    [Range(0.4, 2.5), Range(1e-37, 1e38, True), Range(1e-45, 1e-38, True)],
    [Range(0.4, 2.5), Range(1e-307, 1e308, True), Range(5e-324, 2e-308, True)],
)
_TURNS = _both(
    [Range(1e-30, 0.1, True), Range(-1, 1), Range(-(2.0**20), 2.0**20)],
    [Range(1e-30, 0.1, True), Range(-1, 1), Range(-(2.0**20), 2.0**20)],
)
_EXP = _both(
    [Range(-1, 1), Range(-87, 88.7), Range(-103.9, -87)],
    [Range(-1, 1), Range(-708, 709.7), Range(-745, -708)],
)
_PROBABILITY = _both(
    [Range(0.01, 0.5), Range(2.0**-34, 0.5, True)],
    [Range(0.01, 0.5), Range(2.0**-66, 0.5, True)],
)

CASES = [
    Case("exp", elementary.exp, 0, exp, _both(1, 1), _EXP),
    Case("log", elementary.log, 0, log, _both(1, 1), _LOG),
    Case("log10", elementary.log10, 0, mp.log10, _both(1.1, 1.1), _LOG),
    Case("sigmoid", elementary.sigmoid, 0, _sigmoid, _both(2, 2), _SIGMOID),
    Case("1 - sigmoid", elementary.sigmoid, 1, lambda z: _sigmoid(-z), _both(2, 2), _SIGMOID),
    Case("sigmoid, slope", elementary.sigmoid, 2, _sigmoid_slope, _both(3.5, 3.5), _SIGMOID),
    Case("tanh", elementary.tanh, 0, tanh, _both(2.1, 2.1), _TANH),
    Case("tanh, slope", elementary.tanh, 1, lambda z: sech(z) ** 2, _both(3.5, 3.5), _TANH),
    Case("sigmoid in gates", gates, 0, _sigmoid, _both(2, 2), _SIGMOID),
    Case("sigmoid in gates, slope", gates, 1, _sigmoid_slope, _both(3.5, 3.5), _SIGMOID),
    Case("tanh in gates", gates, 2, tanh, _both(2.1, 2.1), _TANH),
    Case("tanh in gates, slope", gates, 3, lambda z: sech(z) ** 2, _both(3.5, 3.5), _TANH),
    Case("log_sigmoid", elementary.log_sigmoid, 0, _log_sigmoid, _both(2, 2), _SIGMOID),
    Case("sin", elementary.sin_cos_turns, 0, lambda u: sinpi(2 * u), _both(1.5, 1.5), _TURNS),
    Case("cos", elementary.sin_cos_turns, 1, lambda u: cospi(2 * u), _both(1.5, 1.5), _TURNS),
    Case("quantile", elementary.normal_quantile_lower, 0, _normal_quantile, _both(6, 10), _PROBABILITY),
]
