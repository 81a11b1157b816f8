"""Simulators and makers that stand in for the kernel and the threads, so that orchestration is tested by itself."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fastlstm
from fastlstm.names import PARAMETERS, STATE
from fastlstm.spec import Point, Spec
from fastlstm.sweep.making import Advance, Compute, FailedPart, LocalMaker, MadePart, Simulator
from fastlstm.sweep.plan import Part, Plan
from fastlstm.sweep.provenance import provenance
from fastlstm.sweep.session import execute
from fastlstm.sweep.simulation import Columns
from fastlstm.sweep.stopping import Stopper


def made_up(spec: Spec, point: Point) -> Compute:
    """Columns that follow from point and draw, at no cost; all lie between 0 and 1."""
    names = [*PARAMETERS, *STATE, *(measure.name for measure in spec.row_layout.measures)]

    def compute(first: int, draws: int) -> Columns:
        ids = np.arange(first, first + draws)
        return {
            name: ((ids * 0.6180339887 * (place + 1) + point.index / 7) % 1).astype(spec.store.dtype)
            for place, name in enumerate(names)
        }

    return compute


def failing(what: Exception, at: Iterable[int], *, from_draw: int = 0, prepared: bool = True) -> Simulator:
    """The same, but for some points: they fail from a draw on, or when they are to be prepared."""
    bad = set(at)

    def simulator(spec: Spec, point: Point) -> Compute:
        compute = made_up(spec, point)
        if point.index in bad and not prepared:
            raise what

        def fail(first: int, draws: int) -> Columns:
            if point.index in bad and first + draws > from_draw:
                raise what
            return compute(first, draws)

        return fail

    return simulator


def run(spec: Any, path: Path, *, simulator: Simulator = made_up, threads: int = 2, **options: Any) -> fastlstm.Run:
    """`fastlstm.run` with a simulator that is made up."""
    ready = fastlstm.load(spec)
    told = {"made_by": provenance(ready.dtype), "stopper": Stopper(), "threads": threads} | options
    return execute(ready, path, simulator=simulator, **told)


class Unordered:
    """A maker whose parts come in any order, as from many machines."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self._make = LocalMaker(plan, threads=1, simulator=made_up)
        self._seed = seed

    def __call__(self, wanted: Iterable[Part], advance: Advance) -> Iterator[MadePart | FailedPart]:
        parts = list(self._make(list(wanted), advance))
        random.Random(self._seed).shuffle(parts)
        yield from parts
