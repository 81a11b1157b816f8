"""Exit codes, and how errors and signals are reported."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from fastlstm.cli.output import tell
from fastlstm.sweep.stopping import Stopper

FAILED, BAD_SPEC, NOT_OURS, NOT_VERIFIED, CLAIM_FAILS, DISK = 1, 2, 3, 4, 5, 74

# By name, so that no command imports what it does not need. The first that an error is an instance of decides.
CODES = {
    "fastlstm.spec.problems.SpecError": BAD_SPEC,
    "fastlstm.audit.replay.NoSuchDraw": BAD_SPEC,
    "fastlstm.store.errors.DirectoryLocked": NOT_OURS,
    "fastlstm.store.errors.OtherSpec": NOT_OURS,
    "fastlstm.store.errors.MixedRuns": NOT_OURS,
    "fastlstm.store.errors.OtherFormat": NOT_OURS,
    "fastlstm.sweep.session.OtherKernel": NOT_OURS,
    "fastlstm.cluster.errors.OtherWorker": NOT_OURS,
    "fastlstm.cluster.errors.NoAddress": BAD_SPEC,
    "fastlstm.cluster.errors.ClusterError": FAILED,
    "fastlstm.store.errors.DiskError": DISK,
    "fastlstm.store.errors.StoreError": FAILED,
    "fastlstm.sweep.merge.Incomplete": FAILED,
    "fastlstm.kernel.lanes.jit.NotCompiled": FAILED,
    "builtins.ValueError": FAILED,
}


def fail(code: int, message: str) -> NoReturn:
    """End the command."""
    tell(message)
    raise typer.Exit(code)


def exit_code(error: BaseException) -> int | None:
    """The exit code of an error that a message explains; None for a defect."""
    for kind in type(error).__mro__:
        if (code := CODES.get(f"{kind.__module__}.{kind.__qualname__}")) is not None:
            return code
    return None


@contextmanager
def errors() -> Iterator[None]:
    """The exit code of each kind of error, and its message without a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        fail(128 + signal.SIGINT, "Interrupted.")
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        where = f": {error.filename}" if error.filename else ""
        fail(DISK, f"{error.strerror or error}{where}")
    except (MemoryError, RuntimeError) as error:
        if (code := exit_code(error)) is not None:
            fail(code, str(error))
        if isinstance(error, RuntimeError) and "can't start new thread" not in str(error):
            raise
        fail(FAILED, f"There is not enough memory ({str(error) or 'malloc failed'}). What is committed stays.")
    except Exception as error:
        if isinstance(error, typer.Exit) or (code := exit_code(error)) is None:
            raise
        fail(code, str(error))


@contextmanager
def signals() -> Iterator[Stopper]:
    """The first SIGINT, SIGTERM or SIGHUP asks the run to finish the part in hand; the second ends the process.

    A signal that was ignored when the command began, as by nohup or a shell's `&`, stays ignored.
    """
    stopper = Stopper()

    def stop(number: int, frame: FrameType | None) -> None:
        if stopper.signal:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stopper.signal = number
        tell("Stopping: the part in hand is being finished. A second signal stops at once.")

    heeded = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = {number: signal.getsignal(number) for number in heeded if signal.getsignal(number) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
