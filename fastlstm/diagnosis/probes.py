"""The draws that a function is asked about: few, short and ordinary, so that every mistake shows at its own length."""

from functools import cache
from typing import NamedTuple

import numpy as np

from fastlstm.oracles.naive import NAMES, Array

LENGTHS = (1, 2, 3, 5)  # T = 1 has no step to come back from; 2 and 3 tell the ways of truncating apart
DRAWS = 4


class Takes(NamedTuple):
    """Which of dy, h0 and C0 the function takes; where it does not, dy_t = 1, h_0 = 0 and C_0 = 0."""

    dy: bool = True
    h0: bool = True
    C0: bool = True


class Probe(NamedTuple):
    """Some draws: params (draws, 14), x and dy (draws, T), h0 and C0 (draws,), all float64."""

    params: Array
    x: Array
    dy: Array
    h0: Array
    C0: Array

    @property
    def steps(self) -> int:
        """T."""
        return int(self.x.shape[1])


def _probe(seed: int, steps: int, takes: Takes, *, draws: int = DRAWS, std: float = 1.0, std_dy: float = 1.0) -> Probe:
    random = np.random.default_rng([seed, steps])
    params = random.normal(size=(draws, len(NAMES))) * std
    x, dy = random.normal(size=(2, draws, steps))
    h0, C0 = random.uniform(-0.9, 0.9, draws), random.normal(size=draws)
    return Probe(
        params,
        x,
        dy * std_dy if takes.dy else np.ones_like(dy),
        h0 if takes.h0 else np.zeros(draws),
        C0 if takes.C0 else np.zeros(draws),
    )


@cache
def ordinary_probes(takes: Takes) -> tuple[Probe, ...]:
    """All N(0, 1), h_0 uniform in (-0.9, 0.9); the shortest first."""
    return tuple(_probe(1, steps, takes) for steps in LENGTHS)


@cache
def strong_probe(takes: Takes) -> Probe:
    """Parameters of standard deviation 4 and dy ten times larger: where clipping shows."""
    return _probe(2, LENGTHS[-1], takes, draws=16, std=4.0, std_dy=10.0)
