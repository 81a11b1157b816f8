"""Batch gradient simulator of the univariate LSTM."""

from importlib.metadata import version

from fastlstm.audit.replay import Replay, replay
from fastlstm.audit.verify import verify
from fastlstm.diagnosis import assert_gradients, diagnose
from fastlstm.names import PARAMETERS
from fastlstm.runs import Run, read
from fastlstm.spec import SpecError, load
from fastlstm.sweep.merge import merge
from fastlstm.sweep.session import run, simulate
from fastlstm.unit import Gradients, Trace, forward, gradients

__version__ = version("fastlstm")
__all__ = [
    "PARAMETERS",
    "Gradients",
    "Replay",
    "Run",
    "SpecError",
    "Trace",
    "assert_gradients",
    "diagnose",
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
