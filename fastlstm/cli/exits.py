"""How commands end: exit codes, errors as messages, and what signals do."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from fastlstm import spec, store
from fastlstm.audit.replay import NoSuchDraw
from fastlstm.cluster.errors import ClusterError, OtherWorker
from fastlstm.sweep.merge import Incomplete
from fastlstm.sweep.session import OtherKernel
from fastlstm.sweep.stopping import Stopper

FAILED, BAD_SPEC, NOT_OURS, NOT_VERIFIED, DISK = 1, 2, 3, 4, 74


def fail(code: int, message: str) -> NoReturn:
    """End the command."""
    print(message, file=sys.stderr)
    raise typer.Exit(code)


@contextmanager
def errors() -> Iterator[None]:
    """The exit code of each kind of error, and its message without a traceback."""
    try:
        yield
    except (spec.SpecError, NoSuchDraw) as error:
        fail(BAD_SPEC, str(error))
    except (
        store.DirectoryLocked,
        store.OtherSpec,
        store.MixedRuns,
        store.OtherFormat,
        OtherKernel,
        OtherWorker,
    ) as error:
        fail(NOT_OURS, str(error))
    except store.DiskError as error:
        fail(DISK, str(error))
    except (store.StoreError, ClusterError, Incomplete, ValueError) as error:
        fail(FAILED, str(error))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "can't start new thread" not in str(error):
            raise
        fail(FAILED, f"There is not enough memory ({str(error) or 'malloc failed'}). What is committed stays.")


@contextmanager
def signals() -> Iterator[Stopper]:
    """The first SIGINT or SIGTERM asks the run to finish the part in hand; the second ends the process."""
    stopper = Stopper()

    def stop(number: int, frame: FrameType | None) -> None:
        if stopper.signal:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stopper.signal = number
        print("Stopping: the part in hand is being finished. Once more stops at once.", file=sys.stderr)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
