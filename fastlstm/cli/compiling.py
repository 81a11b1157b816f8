"""The line that says why a command that shows no progress takes longer the first time."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastlstm.cli.output import tell


@contextmanager
def compile_notice() -> Iterator[None]:
    """Within it, a kernel that is compiled is announced on stderr."""
    from fastlstm.kernel.lanes.compiling import compilation
    from fastlstm.sweep.progress import COMPILING

    with compilation(lambda: tell(COMPILING), lambda seconds: None):
        yield
