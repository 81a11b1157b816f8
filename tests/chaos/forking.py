"""A process that has done the imports and forks one command line for each order, so that faults come by the hundred.

An order is a line of JSON on stdin: the arguments, and what goes wrong. The answer is a line on stdout: the exit
code (minus the signal, if it was killed) and the number of file operations. Run as a program by `bench.py`.
"""

import errno
import faulthandler
import json
import os
import pickle
import resource
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from fastlstm import cli, load
from fastlstm.store import record
from fastlstm.store.disk import Disk
from fastlstm.sweep import plan, session
from fastlstm.sweep.provenance import provenance
from fastlstm.sweep.simulation import Simulation

STEPS = [name for name, member in vars(Disk).items() if callable(member) and not name.startswith("_")]
NEEDS_ROOM = {"lock", "create", "write", "make_folder", "sync", "rename"}
DIED = 137


class Faulty:
    """Counts the file operations, and lets the chosen one fail."""

    def __init__(self, number: int | None, kind: str) -> None:
        self.number, self.kind, self.count = number, kind, 0
        self.trace: list[tuple[str, tuple[Any, ...], Any]] = []

    def before(self, name: str, disk: Disk, arguments: tuple[Any, ...]) -> None:
        number, self.count = self.count, self.count + 1
        if self.number is None or number < self.number:
            return
        if self.kind == "ENOSPC":
            if name not in NEEDS_ROOM:
                return
        elif number > self.number:
            return
        if name == "write":
            descriptor, data = arguments
            os.write(descriptor, bytes(memoryview(data)[: len(data) // 2]))
        if self.kind == "die":
            os._exit(DIED)
        if name == "close":
            os.close(*arguments)
        raise OSError(getattr(errno, self.kind), os.strerror(getattr(errno, self.kind)))

    def install(self) -> None:
        for name in STEPS:
            setattr(Disk, name, self._around(name, getattr(Disk, name)))

    def _around(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def around(disk: Disk, *arguments: Any, **options: Any) -> Any:
            self.before(name, disk, arguments)
            # Syncing guards against a power cut, which no process can stage; without it a run takes 20 ms.
            result = None if name in ("sync", "sync_folder") else step(disk, *arguments, **options)
            if name not in ("names", "read"):
                kept = (bytes(each) if isinstance(each, memoryview) else each for each in arguments)
                self.trace.append((name, tuple(kept), result))
            return result

        return around


class GoesBack(datetime):
    """A clock that each look turns back by a day."""

    looks = 0

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        cls.looks += 1
        return datetime.now(tz) - timedelta(days=cls.looks)


def turn_clocks_back() -> None:
    record.datetime = GoesBack
    start = time.time()
    time.time = lambda: start - (time.monotonic_ns() % 10**9)


def pretend_to_be(*, version: str | None = None, kernel: str | None = None) -> None:
    """Write into the record what another fastlstm would, or one with another kernel."""
    plain = session.provenance

    def provenance(dtype: str) -> dict[str, Any]:
        actual = plain(dtype)
        if version is not None:
            actual["versions"] |= {"fastlstm": version}
        if kernel is not None:
            actual["kernel"] = kernel
        return actual

    session.provenance = provenance


def limit_memory(beyond: int) -> None:
    """Let the process have `beyond` bytes more address space than it has now."""
    with open("/proc/self/statm") as sizes:
        pages = int(sizes.read().split()[0])
    most = pages * resource.getpagesize() + beyond
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def obey(order: dict[str, Any], report: int) -> None:
    """In the forked process: prepare what goes wrong, then be the command line."""
    for descriptor, path in ((1, order["stdout"]), (2, order["stderr"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), descriptor)
    os.chdir(order["folder"])
    faulthandler.register(signal.SIGALRM, all_threads=True, chain=True)  # where it hangs
    signal.alarm(order["timeout"])
    faulty = Faulty(order.get("operation"), order.get("kind", ""))
    faulty.install()
    if order.get("clocks_go_back"):
        turn_clocks_back()
    if "version" in order or "kernel" in order:
        pretend_to_be(version=order.get("version"), kernel=order.get("kernel"))
    if "stream_version" in order:
        plan.STREAM_VERSION = order["stream_version"]
    if "file_size" in order:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does at its start; the write fails with EFBIG
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_size"],) * 2)
    if "user" in order:
        os.setgroups([])
        os.setgid(order["user"])
        os.setuid(order["user"])
    if "memory" in order:
        limit_memory(order["memory"])
    sys.argv = ["fastlstm", *order["arguments"]]
    code = 0
    try:
        cli.entry()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 as the interpreter would: a traceback and 1
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        os.write(report, str(faulty.count).encode())
        if "trace" in order:
            with open(order["trace"], "wb") as file:
                pickle.dump(faulty.trace, file)
        sys.stderr.flush()
        os._exit(code)


def carry_out(order: dict[str, Any]) -> dict[str, Any]:
    reading, writing_end = os.pipe()
    child = os.fork()
    if not child:
        obey(order, writing_end)
    os.close(writing_end)
    if "kill_after" in order:
        time.sleep(order["kill_after"])
        os.kill(child, signal.SIGKILL)
    counted = os.read(reading, 20)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "operations": int(counted or -1)}


def main() -> None:
    spec = load(sys.argv[1])
    for point in spec.points():
        Simulation(spec, point).columns(0, spec.draws)  # the kernels are in memory from here on
    provenance(spec.dtype)  # and so is what reads versions: a child without rights could not import it
    answers = os.fdopen(os.dup(1), "w")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(carry_out(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
