"""Batch gradient simulator of the univariate LSTM. The rooms, in the order of the data's way:

    names, measures, printable           ground that all share: parameters, columns, texts made safe to show
    intervals, threads                   and confidence intervals, tasks on threads
    spec                                 what is asked: a TOML file, checked, expanded to points
    claims                               the language of predictions about the draws
    kernel                               what is computed: every equation in lstm.py, passes, draws, measures in groups/
    unit                                 the unit on arrays: forward, gradients
    interop                              weights from and to PyTorch and Keras
    tables                               rows, counts, regimes and tables from columns
    store                                the run directory: commits, journal, reading, bytes verified
    verdicts                             claims held against draws
    sweep, cluster                       from a spec to a run: plan, engine, shards, merge; on Dask workers
    runs, audit, oracles                 a run read; replayed, verified, checked; second opinions
    diagnosis                            the mistake in somebody's own gradients, named
    report, cli                          figures and one page; the command line

Where each equation, decision and error lives: docs/architecture.md.

The public names stand in `__init__.pyi`. Each is imported when it is first used, so that `import fastlstm`, and the
command line's help, wait for no compiler and no tables.
"""

from typing import Any

import lazy_loader

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("fastlstm")
    return _public(name)
