"""The command line: a thin skin on the public functions.

Commands stand by subject in `running`, `reading`, `checking` and `starting`. Whatever they compute with is imported
when they are called, so that help, completion and mistakes are answered at once.
"""

from fastlstm.cli.app import app, entry

__all__ = ["app", "entry"]
