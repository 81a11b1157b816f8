"""Input processes and targets: each against its definition, made from the same normal or uniform numbers."""

import math

import numpy as np
import pytest
import streams
from scipy import stats

from fastlstm.kernel import random

DTYPES = ("float32", "float64")
EPS = {dtype: float(np.finfo(dtype).eps) for dtype in DTYPES}
SERIES = np.arange(100.0) ** 2
TURNS = random.distributions([("uniform", 0.0, 1.0)])

# Every process: what streams.fill is to run, and its numbers
PROCESSES = {
    "normal": (streams.NORMAL, (0.5, 2.0), {}),
    "uniform": (streams.UNIFORM, (-1.0, 3.0), {}),
    "choice": (streams.CHOICE, (), {"table": random.distributions([("choice", (-1.0, 0.5, 0.5, 2.0))])}),
    "constant": (streams.CONSTANT, (0.7,), {}),
    "sine": (streams.SINE, (2.0, 7.3), {"table": TURNS}),
    "ar1": (streams.AR1, (1.0, 0.8, 2.0), {}),
    "walk": (streams.WALK, (1.0, 0.5), {}),
    "window": (streams.WINDOW, (), {"series": SERIES}),
    "targets": (streams.TARGETS, (), {"table": TURNS}),
}


def make(process, dtype, draws, steps, **options):
    what, numbers, own = PROCESSES[process]
    return streams.fill(what, dtype, draws, steps, *numbers, **{**own, **options})


# --- what holds for all --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("process", PROCESSES)
def test_a_draw_is_the_same_whatever_lane_it_sits_in(process, dtype):
    together = make(process, dtype, 100, 6)
    for first in (1, 13, 32, 57):
        assert (make(process, dtype, 20, 6, first=first) == together[first : first + 20]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("process", sorted(PROCESSES.keys() - {"window"}))
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 33])
def test_a_shorter_sequence_is_the_beginning_of_a_longer_one(process, dtype, steps):
    actual = make(process, dtype, 40, steps)
    assert actual.dtype == dtype
    assert (actual == make(process, dtype, 40, 40)[:, :steps]).all()


@pytest.mark.parametrize("process", sorted(PROCESSES.keys() - {"constant"}))
def test_seed_and_stream_give_other_sequences(process):
    here = make(process, "float64", 40, 8)
    for options in ({"seed": 2027}, {"seed": 2026 + 2**32}, {"stream": 16}):
        assert (make(process, "float64", 40, 8, **options) != here).any(axis=1).sum() > 30


# --- each against its definition -----------------------------------------------------------------


def _standard_normals(dtype, draws, steps):
    return streams.fill(streams.NORMAL, dtype, draws, steps, 0.0, 1.0).astype(np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_inputs_have_their_mean_and_std(dtype):
    n = _standard_normals(dtype, 5000, 20)
    np.testing.assert_allclose(make("normal", dtype, 5000, 20), 0.5 + 2.0 * n, rtol=0, atol=20 * EPS[dtype])
    assert stats.kstest(n.ravel(), "norm").pvalue > 1e-3
    lagged = np.corrcoef(n[:, :-1].ravel(), n[:, 1:].ravel())[0, 1]
    assert abs(lagged) * math.sqrt(5000 * 19) < 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform_inputs_fill_their_interval(dtype):
    actual = make("uniform", dtype, 5000, 20)
    assert -1.0 <= actual.min() < -0.999
    assert 2.999 < actual.max() <= 3.0
    assert stats.kstest(actual.ravel(), stats.uniform(-1.0, 4.0).cdf).pvalue > 1e-3


@pytest.mark.parametrize("dtype", DTYPES)
def test_constant_inputs_are_the_number(dtype):
    assert (make("constant", dtype, 40, 9) == np.dtype(dtype).type(0.7)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sine_begins_at_its_phase_and_keeps_its_period(dtype):
    phase = streams.fill(streams.UNIFORMS, dtype, 500, 1, purpose=random.SEQUENCE).astype(np.float64)
    expected = 2.0 * np.sin(2 * math.pi * ((phase + np.arange(50) / 7.3) % 1.0))
    np.testing.assert_allclose(make("sine", dtype, 500, 50), expected, rtol=0, atol=40 * EPS[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sine_keeps_its_phase_over_a_long_sequence(dtype):
    quarter = random.distributions([("constant", 0.25)])
    actual = streams.fill(streams.SINE, dtype, 1, 100_001, 1.0, 10.0, table=quarter)[0]
    assert actual[::10] == pytest.approx(np.ones(10_001), abs=4 * EPS[dtype])
    assert actual[5::10] == pytest.approx(-np.ones(10_000), abs=4 * EPS[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("phi", [0.0, 0.8, -0.95, 0.9999])
def test_ar1_inputs_obey_their_recurrence_from_the_stationary_law_on(phi, dtype):
    mean, std = 1.0, 2.0
    actual = streams.fill(streams.AR1, dtype, 20_000, 30, mean, phi, std).astype(np.float64)
    n = _standard_normals(dtype, 20_000, 30)
    np.testing.assert_allclose(actual[:, 0], mean + std * n[:, 0], rtol=0, atol=40 * EPS[dtype])
    expected = mean + phi * (actual[:, :-1] - mean) + std * math.sqrt((1 - phi) * (1 + phi)) * n[:, 1:]
    np.testing.assert_allclose(actual[:, 1:], expected, rtol=0, atol=40 * EPS[dtype])
    for step in (0, 1, 29):
        assert stats.kstest(actual[:, step], stats.norm(mean, std).cdf).pvalue > 1e-3
    assert np.corrcoef(actual[:, 9], actual[:, 12])[0, 1] == pytest.approx(phi**3, abs=0.03)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_walk_adds_up_its_steps(dtype):
    expected = 1.0 + 0.5 * np.cumsum(_standard_normals(dtype, 1000, 50), axis=1)
    np.testing.assert_allclose(make("walk", dtype, 1000, 50), expected, rtol=0, atol=50 * 10 * EPS[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_window_is_consecutive_values_from_a_start_in_proportion_to_the_first_word(dtype):
    actual = make("window", dtype, 2000, 7)
    start = np.sqrt(actual[:, 0]).astype(int)
    assert (actual == SERIES[start[:, None] + np.arange(7)].astype(dtype)).all()
    for draw in range(100):
        first = streams.twin_bits(dtype, seed=2026, point=None, purpose=random.SEQUENCE, draw=draw, value=0)
        assert start[draw] == (first >> (0 if dtype == "float32" else 32)) * (100 - 7 + 1) >> 32


@pytest.mark.parametrize("steps", [1, 51, 99, 100])
def test_windows_begin_anywhere_with_equal_chance(steps):
    actual = streams.fill(streams.WINDOW, "float64", 100_000, steps, series=np.arange(100.0))[:, 0]
    counts = np.bincount(actual.astype(int), minlength=100 - steps + 1)
    assert counts.size == 100 - steps + 1
    assert steps == 100 or stats.chisquare(counts).pvalue > 1e-3


def test_windows_are_the_same_in_both_types():
    single, double = (make("window", dtype, 500, 3) for dtype in DTYPES)
    assert (single == double).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_targets_follow_their_distribution_apart_from_the_inputs(dtype):
    targets = make("targets", dtype, 5000, 20)
    assert stats.kstest(targets.ravel(), "uniform").pvalue > 1e-3
    inputs = streams.fill(streams.UNIFORM, dtype, 5000, 20, 0.0, 1.0)
    assert abs(np.corrcoef(targets.ravel(), inputs.ravel())[0, 1]) * math.sqrt(100_000) < 4
