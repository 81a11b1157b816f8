"""The adjoints of one draw, at every step of the orbit that was computed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlstm.audit.replay import Replay
from fastlstm.unit import StepGradients


class Adjoints(NamedTuple):
    """log10 of |dL/dh_t| and |dL/dC_t|, t = 0..T, each (T + 1,); beyond the range of floats too."""

    dh: NDArray[np.float64]
    dC: NDArray[np.float64]


def adjoints(replayed: Replay) -> Adjoints:
    """The adjoints of a draw (B2, B3), with those of its initial state in front."""
    grads = replayed.grads
    assert isinstance(grads, StepGradients), "only `replay` makes gradients of every step"
    dh, dC = (
        np.concatenate([grads.log10(initial), grads.log10(of_steps)[0]])
        for initial, of_steps in (("h0", "dh"), ("C0", "dC"))
    )
    return Adjoints(dh, dC)
