"""The modes of `gradients`: what follows the backward pass for each, and where its gradients are in the end."""

from collections import namedtuple

from fastlstm.kernel.gradient_rows import store_gradients
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.memory import ask_for_part, store
from fastlstm.kernel.lanes.simd import LANES
from fastlstm.kernel.lstm import carry_cec, carry_local, input_gradient
from fastlstm.kernel.scale import times_power_of_two
from fastlstm.kernel.truncated import start_truncated, step_back

# start_back, add_back: as in groups/__init__.py; `finish(done)` leaves the gradients of the parameters in
# scratch.full and returns dh_0 and dC_0, times 2^-scale, with that scale
Mode = namedtuple("Mode", "start_back add_back finish")


# Where dL/dx goes, rows of lanes; the arrays that are read and written next; and the first draw of the register
Out = namedtuple("Out", "dx x out_x start")


@inline
def ask_ahead(out, t):
    """Ask memory for the next draws' inputs, and where dL/dx of these goes: 6.1 ns a step, not 6.6 (float32)."""
    ask_for_part(out.x, out.start + LANES, t, 0)
    ask_for_part(out.out_x, out.start, t, 1)


@inline
def _start_full(zero):
    return ()


@inline
def _add_full(nothing, p, seen, out):
    store(out.dx, (seen.t,), times_power_of_two(input_gradient(p, seen.a), seen.scale))
    ask_ahead(out, seen.t)
    return nothing


@inline
def _finish_full(done):
    return done.back.full.carry, done.back.full.scale


def _truncated(carry_of_mode):
    @inline
    def add_back(so_far, p, seen, out):
        a, so_far = step_back(carry_of_mode, so_far, p, seen)
        store(out.dx, (seen.t,), input_gradient(p, a))
        ask_ahead(out, seen.t)
        return so_far

    @inline
    def finish(done):
        so_far, unscaled = done.back.tallies.mode, done.back.full.scale & 0
        store_gradients(done.scratch.full, so_far.total, unscaled, done.ahead.readout)
        return so_far.carry, unscaled

    return Mode(start_truncated, add_back, finish)


MODES = {
    "full": Mode(_start_full, _add_full, _finish_full),
    "cec": _truncated(carry_cec),
    "local": _truncated(carry_local),
}
