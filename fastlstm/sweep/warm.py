"""Kernels compiled ahead of a run, and kept on disk."""

import os

from fastlstm.kernel import arrays
from fastlstm.kernel.lanes.compiling import compilation
from fastlstm.kernel.step_gradients import build_step_gradients
from fastlstm.kernel.suspicion import from_type
from fastlstm.spec import load
from fastlstm.sweep.progress import Log
from fastlstm.sweep.simulation import Simulation


def warm(source: str | os.PathLike[str], display: Log) -> None:
    """Compile what a run of a spec, the replay of its draws, and `forward` and `gradients` in its type may ask for.

    That includes the kernels for draws that leave the range of plain numbers. Raises SpecError.
    """
    spec = load(source)
    with compilation(display.compiling, display.compiled):
        Simulation(spec, spec.points()[0]).compile()
        for arithmetic in from_type(spec.dtype):
            arrays.build_gradients(arithmetic, "full")
            build_step_gradients(arithmetic, "full")
            arrays.build_trace(arithmetic)
