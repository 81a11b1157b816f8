"""Draws of a run made again, by the twin and by a replay, to be held against its rows."""

import numpy as np
import specs

import fastlstm
from fastlstm import replay
from fastlstm.oracles import naive
from fastlstm.oracles.naive import NAMES

MODES = ("full", "cec", "local", "window")
TWIN_DRAWS = 40  # of each point, every 37th


class Twin:
    """Some draws of a point made again by the twin: trace, loss and gradients of every mode."""

    def __init__(self, spec, rows, point):
        self.rows = rows[rows["point"] == point].iloc[::37].head(TWIN_DRAWS)
        self.replays = [replay(spec, point=point, draw=int(draw)) for draw in self.rows["draw"]]
        drawn = [replayed.drawn for replayed in self.replays]
        params, x, h0, C0, target = (
            np.array([np.longdouble(getattr(one, name)) for one in drawn])
            for name in ("params", "x", "h0", "C0", "target")
        )
        kind, first_loss_step = fastlstm.load(spec).loss.kind, drawn[0].first_loss_step
        if kind == "last":
            first_loss_step = 0
        elif kind != "sum":
            target = np.where(np.arange(x.shape[1]) < first_loss_step, 0, target)
        self.steps = x.shape[1]
        self.trace = naive.forward(params, x, h0, C0)
        self.jacobians = naive.jacobians(params, x, h0, C0)
        self.W_ho = params[:, 6:7]
        target = target if kind in ("mse", "bce") else 0
        self.loss = naive.loss_and_dy(kind, self.trace.y, target, self.trace.z_y, silent_steps=first_loss_step)
        self.full, self.cec, self.local, self.window = (
            naive.gradients(params, x, None, h0, C0, mode, delta=self.loss.delta, window=specs.WINDOW) for mode in MODES
        )

    def assert_columns(self, columns, *, rtol=1e-9, atol=1e-9):
        for name, true in columns.items():
            column = self.rows[name].to_numpy()
            np.testing.assert_allclose(column, np.asarray(true, float), rtol=rtol, atol=atol, err_msg=name)


def log10(values):
    with np.errstate(divide="ignore"):
        return np.log10(np.abs(values))


def log10_norm(gradients):
    return log10(np.sqrt((gradients**2).sum(axis=1)))


def assert_replay_is_the_row(replayed, row):
    stored = replayed.spec.store.dtype
    for name, value in (*zip(NAMES, replayed.drawn.params, strict=True), *replayed.drawn.measures.items()):
        if name in row:
            assert np.array_equal(np.dtype(stored).type(value), row[name], equal_nan=True), name
