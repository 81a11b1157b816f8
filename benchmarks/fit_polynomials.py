"""Finds the coefficients in fastlstm/kernel/coefficients.py, at 50 digits. Takes a minute.

    python benchmarks/fit_polynomials.py

prints each table for float32 and for float64, with the largest weighted error that it leaves before its
coefficients are rounded. Coefficients run from the lowest power up.
"""

from collections.abc import Callable

import numpy as np
from mpmath import cos, erfc, exp, expm1, log, log1p, matrix, mp, mpf, pi, sin, sqrt

mp.dps = 50
Function = Callable[[mpf], mpf]
LN_2 = log(mpf(2))


def remez(function: Function, weight: Function, low: mpf, high: mpf, degree: int) -> tuple[list[mpf], mpf]:
    """The polynomial with the least largest |weight (polynomial - function)|, by exchange on a grid."""
    places = 1501  # odd, so that no point falls on a weight of 0 in the middle
    middle, half = (low + high) / 2, (high - low) / 2
    grid = [-cos(pi * place / places) for place in range(places + 1)]
    weights = [weight(middle + half * x) for x in grid]
    values = [function(middle + half * x) for x in grid]
    chosen = [round(places * number / (degree + 1)) for number in range(degree + 2)]
    for _ in range(30):
        system, right = matrix(degree + 2, degree + 2), matrix(degree + 2, 1)
        for row, at in enumerate(chosen):
            for power in range(degree + 1):
                system[row, power] = weights[at] * grid[at] ** power
            system[row, degree + 1] = (-1) ** row
            right[row] = weights[at] * values[at]
        scaled = list(mp.lu_solve(system, right))[: degree + 1]
        errors = [w * (_value(scaled, x) - y) for w, x, y in zip(weights, grid, values, strict=True)]
        chosen = _alternating_extremes(errors, degree + 2)
        sizes = [abs(errors[at]) for at in chosen]
        if max(sizes) < mpf("1.001") * min(sizes):
            break
    return _in_x(scaled, middle, half), max(sizes)


def rational(function: Function, low: mpf, high: mpf, top: int, bottom: int) -> tuple[list[list[mpf]], mpf]:
    """Numerator and denominator with nearly the least relative error: Lawson's reweighted least squares."""
    middle, half = (low + high) / 2, (high - low) / 2
    grid = [cos(pi * (number + 0.5) / 200) for number in range(200)]
    values = [function(middle + half * x) for x in grid]
    weights, below = [mpf(1)] * 200, [mpf(1)] * 200
    best: tuple[list[list[mpf]], mpf] = ([], mp.inf)
    for _ in range(40):
        system, right = matrix(200, top + bottom + 1), matrix(200, 1)
        for row, (x, y, w, d) in enumerate(zip(grid, values, weights, below, strict=True)):
            scale = sqrt(w) / (y * d)
            for power in range(top + 1):
                system[row, power] = scale * x**power
            for power in range(1, bottom + 1):
                system[row, top + power] = -scale * y * x**power
            right[row] = scale * y
        solution = list(mp.lu_solve(system.T * system, system.T * right))
        numerator, denominator = solution[: top + 1], [mpf(1), *solution[top + 1 :]]
        below = [_value(denominator, x) for x in grid]
        errors = [_value(numerator, x) / d / y - 1 for x, d, y in zip(grid, below, values, strict=True)]
        worst = max(map(abs, errors))
        if worst < best[1]:
            best = [_in_x(part, middle, half) for part in (numerator, denominator)], worst
        weights = [w * (abs(error) / worst + mpf("0.001")) for w, error in zip(weights, errors, strict=True)]
    parts = best[0]
    return [[coefficient / parts[1][-1] for coefficient in part] for part in parts], best[1]


def _value(coefficients: list[mpf], x: mpf) -> mpf:
    return mp.polyval(coefficients[::-1], x)


def _alternating_extremes(errors: list[mpf], count: int) -> list[int]:
    places: list[int] = []
    for at, error in enumerate(errors):
        if not places or (errors[places[-1]] > 0) != (error > 0):
            places.append(at)
        elif abs(error) > abs(errors[places[-1]]):
            places[-1] = at
    while len(places) > count:
        places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
    return places


def _in_x(scaled: list[mpf], middle: mpf, half: mpf) -> list[mpf]:
    """The coefficients in x of a polynomial in (x - middle) / half."""
    result = [mpf(0)] * len(scaled)
    for coefficient in scaled[::-1]:
        result = [(before - middle * same) / half for before, same in zip([mpf(0), *result[:-1]], result, strict=True)]
        result[0] += coefficient
    return result


def _normal_quantile(p: mpf) -> mpf:
    z = -sqrt(-2 * log(p)) if p < 0.1 else mpf(-0.5)
    step = mpf(1)
    while abs(step) > mpf(10) ** -40:
        below = erfc(-z / sqrt(mpf(2))) / 2
        step = log(below / p) * below * sqrt(2 * pi) * exp(z * z / 2)  # Newton's method on log p
        z -= step
    return z


def _quantile_over_log(t: mpf) -> mpf:
    p = exp(-t * t)
    return _normal_quantile(p) / log(2 * p)


def _exp(r: mpf) -> mpf:
    return (expm1(r) - r) / r**2


def _log(f: mpf) -> mpf:
    return (log1p(f) - f + f**2 / 2) / f**3


def _sin(square: mpf) -> mpf:
    return (sin(2 * pi * sqrt(square)) / sqrt(square) - 2 * pi) / square if square else -4 * pi**3 / 3


def _cos(square: mpf) -> mpf:
    return (cos(2 * pi * sqrt(square)) - 1) / square if square else -2 * pi**2


# name, function, weight, interval, degree for float32 and for float64
POLYNOMIALS = [
    ("EXP", _exp, lambda r: r**2 / exp(r), (-LN_2 / 2, LN_2 / 2), (4, 9)),
    ("LOG", _log, lambda f: abs(f**3 / log1p(f)), (sqrt(mpf(0.5)) - 1, sqrt(mpf(2)) - 1), (7, 18)),
    ("SIN", _sin, lambda square: square / (2 * pi), (mpf(0), mpf(1) / 64), (3, 5)),
    ("COS", _cos, lambda square: square, (mpf(0), mpf(1) / 64), (3, 6)),
]


def _show(name: str, coefficients: list[mpf], error: mpf, dtype: type) -> None:
    rounded = [float(dtype(float(coefficient))) for coefficient in coefficients]
    print(f"{name} {dtype.__name__}, error 2^{float(log(error, 2)):.2f}\n    {rounded}")


def main() -> None:
    """Print all tables."""
    for name, function, weight, (low, high), degrees in POLYNOMIALS:
        for dtype, degree in zip((np.float32, np.float64), degrees, strict=True):
            _show(name, *remez(function, weight, low, high, degree), dtype)
    for dtype, smallest, top, bottom in ((np.float32, 34, 3, 4), (np.float64, 66, 7, 8)):
        interval = sqrt(LN_2 * (1 + mpf(2) ** -12)), sqrt(smallest * LN_2)
        parts, error = rational(_quantile_over_log, *interval, top, bottom)
        for part, coefficients in zip("ND", parts, strict=True):
            _show(f"QUANTILE_{part}", coefficients, error, dtype)


if __name__ == "__main__":
    main()
