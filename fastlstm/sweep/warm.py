"""Kernels compiled ahead of a run, and kept on disk."""

import os

from fastlstm.kernel import arrays, widened
from fastlstm.kernel.lanes.compiling import compilation
from fastlstm.spec import load
from fastlstm.sweep.progress import Log
from fastlstm.sweep.simulation import Simulation


def warm(source: str | os.PathLike[str], display: Log) -> None:
    """Compile what a run of a spec, the replay of its draws, and `forward` and `gradients` in its type may ask for.

    That includes the kernel for draws that leave the range of plain numbers. Raises SpecError.
    """
    spec = load(source)
    kinds = {point.input.process: point for point in spec.points()}  # a kernel for each process of a grid
    with compilation(display.compiling, display.compiled):
        for point in kinds.values():
            Simulation(spec, point).compile()
        for build in (arrays.build_gradients, widened.build_gradients):
            build(spec.dtype, "full", "given")
            build(spec.dtype, "full", spec.loss.kind)
        arrays.build_trace(spec.dtype)
