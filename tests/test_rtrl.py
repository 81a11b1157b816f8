"""Two algorithms that run forward in time give the backward modes: RTRL is `full`, e-prop is `cec`.

Both are written here as forward sensitivities: beside the state they carry what the state so far owes to each
parameter, and at each step add the product with the gradient of that step's own output.
"""

import numpy as np
import pytest

import fastlstm
from fastlstm.oracles import naive

DRAWS = 500
GATES = "fioc"


def problem(steps, std=0.5):
    """params, x, dy, h0, C0; dy is of one sign, since a sum that cancels would leave only rounding."""
    random = np.random.default_rng([1, steps])
    params = std * random.standard_normal((DRAWS, 14))
    x, dy = random.standard_normal((DRAWS, steps)), random.uniform(0, 1, (DRAWS, steps))
    return params, x, dy, random.uniform(-1, 1, DRAWS), random.standard_normal(DRAWS)


def steps_forward(params, x, h0, C0):
    """For each step its trace, a_t, b_t, kappa_t, what C_t (for o: h_t) gets from each z^k_t, and h_{t-1}."""
    p, trace = naive.Parameters(*params.T), naive.forward(params, x, h0, C0)
    h_before, C_before = h0, C0
    for t in range(x.shape[1]):
        now = naive.Trace(*(column[:, t] for column in trace))
        by_z = {
            "f": C_before * naive.sigmoid_slope(now.z_f),
            "i": now.g * naive.sigmoid_slope(now.z_i),
            "c": now.i * naive.tanh_slope(now.z_c),
            "o": np.tanh(now.C) * naive.sigmoid_slope(now.z_o),  # of h_t, at fixed C_t
        }
        a = by_z["f"] * p.W_hf + by_z["i"] * p.W_hi + by_z["c"] * p.W_hc  # J1
        b = by_z["o"] * p.W_ho  # J2
        kappa = now.o * naive.tanh_slope(now.C)  # J3
        yield now, a, b, kappa, by_z, h_before
        h_before, C_before = now.h, now.C


def rtrl(params, x, dy, h0, C0):
    """The 14 gradients, and those by h_0 and C_0, by real-time recurrent learning (Williams and Zipser 1989)."""
    W_y = params[:, 12]
    sensitivities = np.zeros((2, DRAWS, 14))  # of C_t and of h_t, by what is not in the read-out: 12, h_0, C_0
    sensitivities[1, :, 12] = sensitivities[0, :, 13] = 1
    total, readout = np.zeros((DRAWS, 14)), np.zeros((DRAWS, 2))
    for t, (now, a, b, kappa, by_z, h_before) in enumerate(steps_forward(params, x, h0, C0)):
        of_C, of_h = sensitivities
        direct = np.stack([h_before, x[:, t], np.ones(DRAWS)], 1)
        C_direct, h_direct = np.zeros((2, DRAWS, 14))
        for place, k in enumerate(GATES):
            (h_direct if k == "o" else C_direct)[:, 3 * place : 3 * place + 3] = by_z[k][:, None] * direct
        new_C = now.f[:, None] * of_C + a[:, None] * of_h + C_direct  # J6, with what step t adds
        new_h = kappa[:, None] * new_C + b[:, None] * of_h + h_direct
        sensitivities = new_C, new_h
        delta = dy[:, t] * naive.sigmoid_slope(now.z_y)
        total += (delta * W_y)[:, None] * new_h
        readout += np.stack([delta * now.h, delta], 1)
    return np.concatenate([total[:, :12], readout], axis=1), total[:, 12], total[:, 13]


def e_prop(params, x, dy, h0, C0):
    """The 14 gradients by e-prop (Bellec et al. 2020), its feedback weight being W_y itself: symmetric feedback.

    A parameter's eligibility vector is what C_t owes to it along the cell alone; its eligibility trace is what h_t
    does through that vector, or, for the output gate, at this step; the learning signal is W_y delta_t.
    """
    W_y = params[:, 12]
    vectors = {k: np.zeros((DRAWS, 3)) for k in "fic"}
    total, readout = np.zeros((4, DRAWS, 3)), np.zeros((DRAWS, 2))
    for t, (now, _, _, kappa, by_z, h_before) in enumerate(steps_forward(params, x, h0, C0)):
        learning_signal = W_y * dy[:, t] * naive.sigmoid_slope(now.z_y)
        direct = np.stack([h_before, x[:, t], np.ones(DRAWS)], 1)
        for k in vectors:
            vectors[k] = now.f[:, None] * vectors[k] + by_z[k][:, None] * direct
        traces = {k: kappa[:, None] * vectors[k] for k in vectors} | {"o": by_z["o"][:, None] * direct}
        total += np.stack([learning_signal[:, None] * traces[k] for k in GATES])
        delta = dy[:, t] * naive.sigmoid_slope(now.z_y)
        readout += np.stack([delta * now.h, delta], 1)
    return np.concatenate([*total, readout], axis=1)


def relative_error(values, true):
    """The largest error of each draw, relative to its largest component."""
    return np.max(np.abs(values - true).max(axis=1) / np.abs(true).max(axis=1))


@pytest.mark.parametrize("steps", [1, 2, 33])
def test_real_time_recurrent_learning_is_the_full_gradient_to_1e_14(steps):
    params, x, dy, h0, C0 = problem(steps)
    learned, dh0, dC0 = rtrl(params, x, dy, h0, C0)
    grads = fastlstm.gradients(params, x, dy, h0=h0, C0=C0, mode="full")
    assert relative_error(grads.params, learned) < 1e-14
    assert relative_error(np.stack([grads.h0, grads.C0], 1), np.stack([dh0, dC0], 1)) < 1e-14


@pytest.mark.parametrize("steps", [1, 2, 33])
def test_e_prop_with_symmetric_feedback_is_the_truncation_of_1997_to_1e_14(steps):
    params, x, dy, h0, C0 = problem(steps)
    grads = fastlstm.gradients(params, x, dy, h0=h0, C0=C0, mode="cec")
    assert relative_error(grads.params, e_prop(params, x, dy, h0, C0)) < 1e-14


def test_the_two_differ_where_the_hidden_state_is_fed_back():
    params, x, dy, h0, C0 = problem(33)
    apart = np.linalg.norm(e_prop(params, x, dy, h0, C0) - rtrl(params, x, dy, h0, C0)[0], axis=1)
    assert np.all(apart > 1e-6)
    params[:, [0, 3, 6, 9]] = 0  # W_hk
    assert relative_error(e_prop(params, x, dy, h0, C0), rtrl(params, x, dy, h0, C0)[0]) < 1e-14
