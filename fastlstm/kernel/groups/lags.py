"""The group `lags`: log10 |dh_{T-lag}| and log10 |dC_{T-lag}| for the lags 1, 2, 5, 10, 20, 50, ...

How many there are depends on the steps, so they are written during the backward pass.
"""

from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import store
from fastlstm.kernel.scale import log10_scaled
from fastlstm.kernel.suspicion import suspect_adjoint


@inline
def start_back(last):
    """Where a lag is suspect: nowhere yet."""
    return last.dh < last.dh


@inline
def add_back(suspect_lag, p, seen, out):
    """Write the adjoints of a step whose distance to T is one of the lags."""
    place = lag_place(seen.lag)
    if place >= 0:
        suspect_lag = suspect_lag | suspect_adjoint(p, seen.a, seen.scale)
        store(out.columns.lags, (2 * place, out.start), log10_scaled(seen.a.dh, seen.scale))
        store(out.columns.lags, (2 * place + 1, out.start), log10_scaled(seen.a.dC, seen.scale))
    return suspect_lag


@inline
def lag_place(lag):
    """The place of a lag in 1, 2, 5, 10, 20, 50, ..., or -1."""
    place = 0
    while lag >= 10 and lag % 10 == 0:
        lag //= 10
        place += 3
    if lag == 1:
        return place
    if lag == 2:
        return place + 1
    return place + 2 if lag == 5 else -1


@inline
def suspect(done):
    return done.back.tallies.lags
