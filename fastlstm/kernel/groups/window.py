"""The group `window`: truncated backpropagation in windows of k steps, held against the full gradient."""

from collections import namedtuple

from fastlstm import measures
from fastlstm.kernel.gradient_rows import ALL, norm, scale_rows, store_gradients
from fastlstm.kernel.groups.truncation import compare
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lstm import carry_window
from fastlstm.kernel.truncated import start_truncated, step_back

Windowed = namedtuple("Windowed", [m.name for m in measures.group("window")])


@inline
def start_back(last):
    return start_truncated(last)


@inline
def add_back(so_far, p, seen, out):
    """One step back, and nothing across the border of a window."""
    _, so_far = step_back(carry_window, so_far, p, seen)
    return so_far


@inline
def suspect(done):
    return done.back.tallies.window.suspect


@inline
def columns(done):
    """The windows against the full gradient; leaves the rows of the full one scaled."""
    scratch = done.scratch
    _, k = norm(scratch.full, 0, ALL)
    scale_rows(scratch.full, k)
    store_gradients(scratch.truncated, done.back.tallies.window.total, k & 0, done.ahead.readout)
    gap = compare(scratch.full, scratch.truncated, scratch.gap)
    return Windowed(
        window_rel_error=gap.rel_error, window_cosine=gap.cosine, window_W_hi_sign=gap.W_hi_sign,
    )  # fmt: skip
