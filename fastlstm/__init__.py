"""Batch gradient simulator of the univariate LSTM. The rooms, in the order of the data's way:

    names, measures, intervals, threads  ground that all share: parameters, columns, intervals, threads
    spec                                 what is asked: a TOML file, checked, expanded to points
    claims                               the language of predictions about the draws
    kernel                               what is computed: the unit, both passes, draws; compiled by Numba
    unit                                 the unit on arrays: forward, gradients
    interop                              weights from and to PyTorch and Keras
    tables                               rows, counts, regimes and tables from columns
    store                                the run directory: commits, journal, reading, bytes verified
    verdicts                             claims held against draws
    sweep                                from a spec to a run: plan, engine, shards, merge
    runs, audit, oracles                 a run read; replayed, verified, checked; second opinions
    diagnosis                            the mistake in somebody's own gradients, named
    report, cli                          figures and one page; the command line

Where each equation, decision and error lives: docs/architecture.md.
"""

from importlib.metadata import version

from fastlstm.audit.replay import Replay, replay
from fastlstm.audit.verify import verify
from fastlstm.diagnosis import assert_gradients, diagnose
from fastlstm.interop import from_keras, from_torch, to_torch
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
    "assert_gradients",
    "diagnose",
    "forward",
    "from_keras",
    "from_torch",
    "gradients",
    "load",
    "merge",
    "read",
    "replay",
    "run",
    "simulate",
    "to_torch",
    "verify",
]
