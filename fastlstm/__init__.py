"""Batch gradient simulator of the univariate LSTM. The rooms, in the order of the data's way:

    names, measures, intervals, threads  ground that all share: parameters, columns, intervals, threads
    spec                                 what is asked: a TOML file, checked, expanded to points
    claims                               the language of predictions about the draws
    kernel                               what is computed: the unit, both passes, draws; compiled by Numba
    unit                                 the unit on arrays: forward, gradients
    tables                               rows, counts, regimes and tables from columns
    store                                the run directory: commits, journal, reading, bytes verified
    verdicts                             claims held against draws
    sweep                                from a spec to a run: plan, engine, shards, merge
    runs, audit, oracles                 a run read; replayed, verified, checked; second opinions
    report, cli                          figures and one page; the command line

Where each equation, decision and error lives: docs/architecture.md.
"""

from importlib.metadata import version

from fastlstm.audit.replay import Replay, replay
from fastlstm.audit.verify import verify
from fastlstm.interop import from_keras, from_torch, to_torch
from fastlstm.names import PARAMETERS
from fastlstm.runs import Run, read
from fastlstm.spec import SpecError, load
from fastlstm.sweep.merge import merge
from fastlstm.sweep.session import run, simulate
from fastlstm.unit import Gradients, StepGradients, Trace, forward, gradients

__version__ = version("fastlstm")
__all__ = [
    "PARAMETERS",
    "Gradients",
    "Replay",
    "Run",
    "SpecError",
    "StepGradients",
    "Trace",
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
