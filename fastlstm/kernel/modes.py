"""The modes of `gradients`: what follows the backward pass for each, and where its gradients are in the end."""

from collections import namedtuple

from fastlstm.kernel import suspicion
from fastlstm.kernel.gradient_rows import store_gradients
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lstm import carry_cec, carry_local, carry_window
from fastlstm.kernel.truncated import start_truncated, step_back

# start_back, add_back: as in groups/__init__.py; `finish(done)` leaves the gradients of the parameters in
# scratch.full and returns dh_0 and dC_0, times 2^-scale, with that scale; `suspect(done)` is asked before
Mode = namedtuple("Mode", "start_back add_back finish suspect")


def _full(write):
    @inline
    def start_back(last):
        return ()

    @inline
    def add_back(nothing, p, seen, out):
        write(p, seen, seen.a, seen.scale, out)
        return nothing

    @inline
    def finish(done):
        return done.back.full.carry, done.back.full.scale

    return Mode(start_back, add_back, finish, suspicion.suspect)


def _truncated(carry_of_mode, write):
    @inline
    def add_back(so_far, p, seen, out):
        a, so_far = step_back(carry_of_mode, so_far, p, seen)
        write(p, seen, a, seen.scale & 0, out)
        return so_far

    @inline
    def finish(done):
        so_far, unscaled = done.back.tallies.mode, done.back.full.scale & 0
        store_gradients(done.scratch.full, so_far.total, unscaled, done.ahead.readout)
        return so_far.carry, unscaled

    return Mode(start_truncated, add_back, finish, suspicion.suspect)


def _window(write):
    mode = _truncated(carry_window, write)

    @inline
    def suspect(done):
        return suspicion.suspect(done) | done.back.tallies.mode.suspect

    return mode._replace(suspect=suspect)


def build_mode(name, write):
    """A mode by its name; each step calls write(p, seen, a, scale, out) with the mode's adjoint times 2^-scale."""
    if name == "full":
        return _full(write)
    if name == "window":
        return _window(write)
    return _truncated({"cec": carry_cec, "local": carry_local}[name], write)
