"""Batch gradient simulator of the univariate LSTM."""

from importlib.metadata import version

from fastlstm.merging import merge
from fastlstm.names import PARAMETERS
from fastlstm.recount import verify
from fastlstm.replays import Replay, replay
from fastlstm.runs import Run, read, run, simulate
from fastlstm.spec import SpecError, load
from fastlstm.unit import Gradients, Trace, forward, gradients

__version__ = version("fastlstm")
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
