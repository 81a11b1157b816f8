"""Batch gradient simulator of the univariate LSTM."""

from importlib.metadata import version

from fastlstm.audit.replay import Replay, replay
from fastlstm.audit.verify import verify
from fastlstm.names import PARAMETERS
from fastlstm.report.plot import ReplayPlot, RunPlot
from fastlstm.runs import Run, read
from fastlstm.spec import SpecError, load
from fastlstm.sweep.merge import merge
from fastlstm.sweep.session import run, simulate
from fastlstm.unit import Gradients, Trace, forward, gradients

__version__ = version("fastlstm")
Run.plot = property(RunPlot)
Replay.plot = property(ReplayPlot)
__all__ = [
    "PARAMETERS",
    "Gradients",
    "Replay",
    "Run",
    "SpecError",
    "Trace",
    "forward",
    "gradients",
    "load",
    "merge",
    "read",
    "replay",
    "run",
    "simulate",
    "verify",
]
