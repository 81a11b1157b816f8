"""The elementary functions over floats of all sizes: the reduced form of benchmarks/float32_sweep.py."""

import sys
from pathlib import Path

import numpy as np
import pytest

from fastlstm.sweep.bits import FUNCTION_HASHES

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import float32_sweep
from float32_sweep import FUNCTIONS, SAMPLED_EVERY


@pytest.fixture(scope="module")
def swept():
    return float32_sweep.sweep(SAMPLED_EVERY)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_float_in_4099_keeps_the_promised_error_and_has_the_committed_bits(swept, name):
    assert swept[name].error <= FUNCTIONS[name].bound
    assert swept[name].digest == FUNCTION_HASHES[SAMPLED_EVERY][name]


def test_an_error_is_counted_in_ulp_and_a_nan_or_infinity_only_where_the_truth_is_one():
    value = np.array([1, 1 + 2**-22, 2**-149, np.nan, np.inf, np.inf, np.nan], np.float32)
    truth = np.array([1, 1, 0, np.nan, np.inf, 1, 1])
    with np.errstate(invalid="ignore"):
        errors = float32_sweep.errors(value, truth)
    np.testing.assert_array_equal(errors, [0, 2, 1, 0, 0, np.inf, np.nan])


def test_the_floats_are_those_of_every_so_many_patterns_up_to_the_last():
    every = 2**20 + 7
    floats = np.concatenate(list(float32_sweep.inputs(every)))
    np.testing.assert_array_equal(floats.view(np.uint32), np.arange(0, 2**32, every, np.uint64))
