"""Batch gradient simulator of the univariate LSTM."""

from importlib.metadata import version

from fastlstm.names import PARAMETERS
from fastlstm.problems import SpecError
from fastlstm.replay import Replay, replay
from fastlstm.run import Run, read, run, simulate
from fastlstm.spec import load
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
    "read",
    "replay",
    "run",
    "simulate",
]
