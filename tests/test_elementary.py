"""The elementary functions: their errors, their edges, and what must hold exactly."""

import math
import re

import numba
import numpy as np
import pytest
from elementary_truth import CASES
from lanes import apply, assembly, compiled
from mpmath import exp, ldexp, mp, mpf

from fastlstm.kernel import elementary
from fastlstm.kernel.lanes.simd import fill, select

DTYPES = [np.float32, np.float64]
dtypes = pytest.mark.parametrize("dtype", DTYPES)
INF, NAN = np.inf, np.nan
FURTHEST = {np.float32: 87.0, np.float64: 708.0}  # |z| of a gate


def pre_activations(dtype):
    random = np.random.default_rng(5)
    sizes = np.ldexp(random.uniform(0.5, 1, 3000), random.integers(-30, 6, 3000))
    return (sizes * random.choice([-1, 1], 3000)).astype(dtype)


# --- errors --------------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_error_is_within_the_stated_bound(case, dtype):
    for seed, points in enumerate(case.ranges[dtype]):
        errors = case.errors(points.points(1000, dtype, seed))
        assert errors.max() <= case.bound[dtype], f"{points}"


@pytest.mark.parametrize(("dtype", "furthest"), [(np.float32, 2.0**21), (np.float64, 2.0**30)])
def test_exp_in_parts_reaches_far_beyond_the_range_of_exp(dtype, furthest):
    @compiled
    def parts(v):
        k, q = elementary.exp_in_parts(v)
        return elementary.as_float(k), q

    v = np.linspace(-furthest, furthest, 501).astype(dtype)
    k, q = apply(parts, v)
    k = k.view(np.int32 if dtype == np.float32 else np.int64)
    assert np.abs(q).max() < 0.5
    with mp.workdps(60):
        for x, exponent, rest in zip(v, k, q, strict=True):
            ratio = ldexp(1 + mpf(float(rest)), int(exponent)) / exp(mpf(float(x)))
            assert abs(ratio - 1) < np.finfo(dtype).eps


# --- edges ---------------------------------------------------------------------------------------

EDGES = {
    elementary.exp: [(0, 1), (-0.0, 1), (INF, INF), (-INF, 0), (1e30, INF), (-1e30, 0), (NAN, NAN)],
    elementary.log: [(1, 0), (0, -INF), (-0.0, -INF), (INF, INF), (-1, NAN), (-INF, NAN), (NAN, NAN)],
    elementary.log10: [(1, 0), (1000, 3), (0, -INF), (-0.0, -INF), (INF, INF), (-1, NAN), (NAN, NAN)],
    elementary.sigmoid: [(0, (0.5, 0.5, 0.25)), (-0.0, (0.5, 0.5, 0.25)), (NAN, (NAN, NAN, NAN))],
    elementary.tanh: [
        (0, (0, 1)),
        (-0.0, (-0.0, 1)),
        (NAN, (NAN, NAN)),
    ],
    elementary.log_sigmoid: [(NAN, NAN)],
    elementary.sin_cos_turns: [
        (0, (0, 1)),
        (-0.0, (-0.0, 1)),
        (0.25, (1, 0)),
        (0.5, (0, -1)),
        (0.75, (-1, 0)),
        (-0.25, (-1, 0)),
        (2.0**20 + 0.25, (1, 0)),
        (INF, (NAN, NAN)),
        (NAN, (NAN, NAN)),
    ],
    elementary.normal_quantile_lower: [(0.5, 0)],
}


@dtypes
@pytest.mark.parametrize("function", EDGES, ids=lambda function: function.__name__)
def test_edges_are_exact(function, dtype):
    points, values = zip(*EDGES[function], strict=True)
    expected = np.array(values, dtype).reshape(len(points), -1).T
    np.testing.assert_array_equal(apply(function, np.array(points, dtype)), expected)


@dtypes
def test_tanh_keeps_the_sign_of_zero(dtype):
    np.testing.assert_array_equal(np.signbit(apply(elementary.tanh, np.array([0.0, -0.0], dtype))[0]), [0, 1])


@dtypes
def test_subnormal_arguments_are_not_taken_for_zero(dtype):
    tiny = np.array([1, -1, 3, -5]).astype(dtype) * np.finfo(dtype).smallest_subnormal
    value, slope = apply(elementary.tanh, tiny)
    np.testing.assert_array_equal(value, tiny)
    np.testing.assert_array_equal(slope, 1)
    np.testing.assert_allclose(apply(elementary.log, abs(tiny))[0], np.log(abs(tiny)), rtol=1e-6)


# --- what must hold exactly ----------------------------------------------------------------------


@dtypes
def test_sigmoid_and_its_complement_add_up_to_one_and_change_places_with_the_sign(dtype):
    z = pre_activations(dtype)
    value, complement, slope = apply(elementary.sigmoid, z)
    mirrored, mirrored_complement, mirrored_slope = apply(elementary.sigmoid, -z)
    eps = np.finfo(dtype).eps
    assert np.abs(value.astype(np.longdouble) + complement - 1).max() <= eps
    np.testing.assert_allclose(complement, mirrored, rtol=4 * eps)
    np.testing.assert_allclose(value, mirrored_complement, rtol=4 * eps)
    np.testing.assert_allclose(slope, mirrored_slope, rtol=8 * eps)


@dtypes
def test_tanh_is_odd_and_its_slope_even(dtype):
    z = pre_activations(dtype)
    value, slope = apply(elementary.tanh, z)
    mirrored, mirrored_slope = apply(elementary.tanh, -z)
    np.testing.assert_array_equal(value, -mirrored)
    np.testing.assert_array_equal(slope, mirrored_slope)


@dtypes
def test_values_and_slopes_are_positive_wherever_gates_may_be(dtype):
    z = np.linspace(-FURTHEST[dtype], FURTHEST[dtype], 2001).astype(dtype)
    for result in apply(elementary.sigmoid, z):
        assert result.min() > 0
    assert apply(elementary.tanh, z / 2)[1].min() > 0


@dtypes
def test_tanh_of_any_size_is_one_with_a_slope_below_all_that_counts(dtype):
    z = np.array([FURTHEST[dtype], 1e30, INF], dtype)
    value, slope = apply(elementary.tanh, np.concatenate([z, -z]))
    np.testing.assert_array_equal(value, [1, 1, 1, -1, -1, -1])
    assert slope.min() > 0
    assert slope.max() < np.finfo(dtype).smallest_normal * 8


@dtypes
def test_middle_of_sigmoid_and_tanh_is_exact(dtype):
    z = np.array([0.0, 1e-30, -1e-30], dtype)
    for result, true in zip(apply(elementary.sigmoid, z), (0.5, 0.5, 0.25), strict=True):
        np.testing.assert_array_equal(result, true)
    for result, true in zip(apply(elementary.tanh, z), (z, 1.0), strict=True):
        np.testing.assert_array_equal(result, true)


@compiled
def gates_beside_ones(z):
    f, i, o, g = elementary.gates(z, fill(z, 1.0), z, fill(z, 1.0))
    return f.value, i.value, o.value, g.value


@dtypes
def test_a_gate_that_is_out_of_range_or_nan_leaves_the_others_alone(dtype):
    f, i, o, g = apply(gates_beside_ones, np.array([INF, -INF, 1e30, -1e30, 1, NAN], dtype))
    np.testing.assert_array_equal(o, f)
    assert np.isnan(f[5])
    assert np.ptp(i) == np.ptp(g) == 0


@compiled
def gates_and_one_by_one(z):
    f, i, _, g = elementary.gates(z, z - 2.0, 3.0 - z, z)
    differ = (f.value != elementary.sigmoid(z).value) | (f.slope != elementary.sigmoid(z).slope)
    differ = differ | (i.value != elementary.sigmoid(z - 2.0).value)
    differ = differ | (g.value != elementary.tanh(z).value) | (g.slope != elementary.tanh(z).slope)
    return select(differ, fill(z, 1.0), 0.0)


@dtypes
def test_gates_are_sigmoid_and_tanh_to_the_bit(dtype):
    assert not apply(gates_and_one_by_one, pre_activations(dtype))[0].any()


@dtypes
def test_turns_repeat_exactly(dtype):
    u = np.linspace(-0.5, 0.5, 4097).astype(dtype)
    for whole in (1, -3, 2**9):
        np.testing.assert_array_equal(apply(elementary.sin_cos_turns, u + whole), apply(elementary.sin_cos_turns, u))


@dtypes
def test_normal_quantile_rises_with_p(dtype):
    p = np.geomspace(2.0**-34 if dtype == np.float32 else 2.0**-66, 0.5, 100_001).astype(dtype)
    assert np.diff(apply(elementary.normal_quantile_lower, p)[0]).min() > 0


@dtypes
def test_nothing_is_left_to_the_c_library(dtype):
    of_the_library = re.compile(r"(?<![\w.])(?:exp|log|log10|sin|cos|tanh|rint|floor)f?\b")
    by_library = numba.njit("float64(float64)")(lambda x: math.exp(math.tanh(x)))
    assert of_the_library.search("".join(by_library.inspect_asm().values()))
    for function in {case.function for case in CASES}:
        assert not of_the_library.search(assembly(function, dtype))
