"""Batch gradient simulator of the univariate LSTM.

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
