"""A cluster of two worker processes for tests, a run in many small parts, and workers that a part kills."""

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster, WorkerPlugin

import fastlstm
from fastlstm import store
from fastlstm.runs import as_spec
from fastlstm.sweep import remote
from fastlstm.sweep.making import kernel
from fastlstm.sweep.opening import open_directory
from fastlstm.sweep.plan import Plan

POINTS, DRAWS, PART_DRAWS = 3, 1200, 100
SPEC: dict[str, Any] = {
    "seed": 5,
    "draws": DRAWS,
    "steps": 10,
    "params": {"default": {"normal": {"std": 2.0}}, "b_f": {"grid": [-2.0, 1.0, 4.0]}},
    # what the kernel is compiled for is that of sims/truncation.toml, which tests run too: once for all of them
    "loss": {"kind": "mse", "target": {"uniform": {"low": 0.0, "high": 1.0}}},
    "measure": {"groups": ["norms", "truncation"]},
}
LOOPBACK = "127.0.0.1"
# One death of a worker beside its own is enough to suspect a part; by default there are four, and it takes longer.
QUICK = {"distributed.scheduler.allowed-failures": 1, "distributed.worker.multiprocessing-method": "spawn"}


@contextmanager
def two_workers(**options: Any) -> Iterator[Client]:
    """A client of a new cluster; all of it ends with the context."""
    loggers = [logging.getLogger(name) for name in ("distributed", "asyncio")]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    cluster = {"n_workers": 2, "threads_per_worker": 1, "host": LOOPBACK, "dashboard_address": f"{LOOPBACK}:0"}
    with (
        dask.config.set(QUICK),
        LocalCluster(silence_logs=logging.CRITICAL, **(cluster | options)) as scheduler,
        Client(scheduler, set_as_default=False, direct_to_workers=True) as client,
    ):
        yield client


def begin(run: Path, spec: Any = SPEC, *, part_draws: int = PART_DRAWS) -> Path:
    """A run directory with small parts; whoever goes on with it keeps to the size."""
    open_directory(Plan(as_spec(spec), part_draws), run, made_by={}).close()
    return run


def local_hash(folder: Path, spec: Any = SPEC) -> str:
    return store.content_hash(fastlstm.run(spec, folder / "local", threads=1).path)


def parts_there(run: Path) -> int:
    return store.status(run).parts


@contextmanager
def once_begun(run: Path, act: Callable[[], object], *, parts: int = 3) -> Iterator[None]:
    """Act, in a thread, once some parts are committed; the context ends after the act."""
    over = threading.Event()

    def wait() -> None:
        while not over.is_set() and parts_there(run) < parts:
            time.sleep(0.005)
        if not over.is_set():
            act()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Poison(WorkerPlugin):
    """From now on a part kills every worker that makes it, also those that are started in place of the dead."""

    name = "poison"

    def __init__(self, point: int, draw: int) -> None:
        self.point, self.draw = point, draw

    def setup(self, worker: Any) -> None:
        def poisoned(spec: Any, point: Any) -> Any:
            compute = kernel(spec, point)

            def die_or_compute(first: int, draws: int) -> Any:
                if point.index == self.point and first <= self.draw < first + draws:
                    os._exit(1)
                return compute(first, draws)

            return die_or_compute

        remote._workshops.clear()
        remote.kernel = poisoned

    def teardown(self, worker: Any) -> None:
        remote._workshops.clear()
        remote.kernel = kernel


def other_package(folder: Path) -> Path:
    """A copy of fastlstm in which one line of the tables' sources differs, as a folder for PYTHONPATH."""
    package = Path(fastlstm.__path__[0])
    copy = Path(shutil.copytree(package, folder / "fastlstm", ignore=shutil.ignore_patterns("__pycache__")))
    with open(copy / "tables" / "regimes.py", "a", encoding="utf-8") as source:
        source.write("# another version\n")
    return folder


@contextmanager
def worker_process(
    address: str, *, path: Path | None = None, nanny: bool = False, name: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`dask worker` as a process of its own, which ends with the context."""
    own = Path(fastlstm.__path__[0]).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(path or own), str(Path(__file__).parent)])}
    command = ["worker", address, "--host", LOOPBACK, "--nthreads", "1", "--dashboard-address", f"{LOOPBACK}:0"]
    command += ["--name", name] if name else []  # a name must be of one worker only
    with started("dask", *command, "--nanny" if nanny else "--no-nanny", environment=environment) as process:
        yield process


def wait_for_worker(client: Client, name: str, *, patience: float = 300.0) -> None:
    """Wait for one worker by name: how many others there are is a matter of their nannies."""
    end = time.monotonic() + patience
    while name not in {worker["name"] for worker in client.scheduler_info()["workers"].values()}:
        assert time.monotonic() < end, f"no worker {name} came in {patience} s"
        time.sleep(0.05)


@contextmanager
def started(program: str, *arguments: str, environment: Any = None) -> Iterator[subprocess.Popen[bytes]]:
    """A program of this environment, killed at the end if it is still there."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()
