"""The command line."""

from fastlstm.cli.commands import app, entry
from fastlstm.cli.diagnose import diagnose_command

app.command("diagnose")(diagnose_command)

__all__ = ["app", "entry"]
