"""One row of a run, again: its spec, its parameters and sequence, the whole trace, its gradients."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastlstm.runs import Run, SpecSource, as_spec
from fastlstm.spec import Spec
from fastlstm.sweep.simulation import Draw, Simulation
from fastlstm.unit import Gradients, Trace, forward, retraced, run_again, run_gradients, unit_inputs


class NoSuchDraw(ValueError):
    """The spec has no such point, or the point no such draw."""


@dataclass(frozen=True)
class Replay:
    """A draw made again; unpacks as `spec, trace, grads`.

    drawn: its parameters, h0, C0, inputs and targets; drawn.measures: all columns of its row, before they are stored.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 1000, "steps": 10, "params": {"default": {"normal": {"std": 2.0}}}}
    >>> replayed = fastlstm.replay(spec, point=0, draw=17)
    >>> replayed.drawn.params.shape, replayed.drawn.x.shape
    ((14,), (10,))
    """

    spec: Spec
    trace: Trace
    grads: Gradients
    drawn: Draw

    def __iter__(self) -> Iterator[Any]:
        return iter((self.spec, self.trace, self.grads))


def replay(source: SpecSource, *, point: int, draw: int) -> Replay:
    """Make one draw of a run directory or spec again, to the same bits; the run's rows are not needed.

    Raises NoSuchDraw, a ValueError; NotARun; SpecError.

    Examples
    --------
    >>> import fastlstm
    >>> spec = {"draws": 1000, "steps": 10, "params": {"default": {"normal": {"std": 2.0}}}}
    >>> spec, trace, grads = fastlstm.replay(spec, point=0, draw=17)
    >>> trace.C.shape, grads.params.shape
    ((1, 10), (1, 14))
    """
    match source:
        case str() | os.PathLike() if Path(source).is_dir():
            spec = Run(source).spec()
        case _:
            spec = as_spec(source)
    points = spec.points()
    if not 0 <= point < len(points):
        count = "there is 1 point" if len(points) == 1 else f"there are {len(points)} points"
        raise NoSuchDraw(f"point {point}: {count}; the points are 0 .. {len(points) - 1}")
    if not 0 <= draw < spec.draws:
        raise NoSuchDraw(f"draw {draw}: each point has {spec.draws}; the draws of a point are 0 .. {spec.draws - 1}")
    return make(spec, Simulation(spec, points[point]), draw)


def make(spec: Spec, simulation: Simulation, draw: int) -> Replay:
    """One draw of a simulation, with its trace and gradients."""
    drawn = simulation.make(draw)
    units = unit_inputs(drawn.params, drawn.x, drawn.h0, drawn.C0)
    run, target = run_again if drawn.strained else run_gradients, np.atleast_2d(drawn.target)
    grads = run(units, target, "full", loss=spec.loss.kind, first_loss_step=drawn.first_loss_step)
    trace = Trace(*retraced(units)) if drawn.strained else forward(drawn.params, drawn.x, h0=drawn.h0, C0=drawn.C0)
    return Replay(spec, trace, grads, drawn)
