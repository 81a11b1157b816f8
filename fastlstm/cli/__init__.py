"""The command line."""

from fastlstm.cli.commands import app, entry

__all__ = ["app", "entry"]
