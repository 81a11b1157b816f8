"""The group `gates`: shares of the steps at which a gate is saturated, and means of gates and slopes."""

from collections import namedtuple

from fastlstm import measures
from fastlstm.kernel.lanes.convert import one_if
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.registers import filled, mapped
from fastlstm.kernel.lanes.simd import absolute

Gates = namedtuple("Gates", [m.name for m in measures.group("gates")])


@inline
def start(zero):
    return filled(Gates, zero)


@inline
def add(sums, p, seen):
    """Count the saturated steps; add gates and slopes."""
    now, left, right = seen.now, seen.saturation, 1.0 - seen.saturation
    return Gates(
        f_left=sums.f_left + one_if(now.f.value < left, sums.f_left),
        f_right=sums.f_right + one_if(now.f.value > right, sums.f_left),
        i_left=sums.i_left + one_if(now.i.value < left, sums.f_left),
        i_right=sums.i_right + one_if(now.i.value > right, sums.f_left),
        o_left=sums.o_left + one_if(now.o.value < left, sums.f_left),
        o_right=sums.o_right + one_if(now.o.value > right, sums.f_left),
        f_mean=sums.f_mean + now.f.value,
        f_slope=sums.f_slope + now.f.slope,
        i_mean=sums.i_mean + now.i.value,
        i_slope=sums.i_slope + now.i.slope,
        o_mean=sums.o_mean + now.o.value,
        o_slope=sums.o_slope + now.o.slope,
        g_sat=sums.g_sat + one_if(absolute(now.g.value) > 0.9, sums.g_sat),
        g_slope=sums.g_slope + now.g.slope,
    )


@inline
def _divided(total, steps):
    return total / steps


@inline
def columns(done):
    """Shares of the steps, and means over them."""
    return mapped(_divided, (done.ahead.tallies.gates,), (done.terms.steps,))
