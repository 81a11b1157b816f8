"""The group `gate_lags`: log10 of |df|, |di|, |do| and |dg| at step T - lag, for the lags 1, 2, 5, 10, 20, 50, ..."""

from fastlstm.kernel.groups.lags import lag_place
from fastlstm.kernel.inner import load_inner
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import store
from fastlstm.kernel.lstm import gate_gradients
from fastlstm.kernel.scale import EXPONENT_OF_ZERO, log10_scaled, near_the_end

NEEDS = ("gate_grads",)


@inline
def start_back(last):
    """Where a lag is suspect: nowhere yet."""
    return last.dh < last.dh


@inline
def add_back(suspect_lag, p, seen, out):
    """Write the gradients of a step whose distance to T is one of the lags."""
    place = lag_place(seen.lag)
    if place >= 0:
        inner = load_inner(seen)
        gates = gate_gradients(inner, seen.a)
        for k in range(4):
            size = gates[k]
            store(out.columns.gate_lags, (4 * place + k, out.start), log10_scaled(size, seen.scale))
        # C_0 may be a true 0
        has_C = inner.C_before != 0.0 if seen.t == 0 else inner.C_before == inner.C_before
        lost = (has_C & near_the_end(gates.df)) | near_the_end(gates.di)
        lost = lost | near_the_end(gates.do) | near_the_end(gates.dg)
        suspect_lag = suspect_lag | ((seen.scale > EXPONENT_OF_ZERO(seen.scale)) & lost)
    return suspect_lag


@inline
def suspect(done):
    return done.back.tallies.gate_lags
