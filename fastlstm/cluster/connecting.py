"""From what a user gives to a Dask client: the address of a scheduler, its file, or two workers on this machine."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fastlstm.cluster.client import Client
from fastlstm.cluster.errors import NoAddress, NoDask, NoScheduler

LOCAL_WORKERS = 2
_CONNECT_S = 60.0  # also how long a scheduler may be away; 10 s were too short for one that came back
_LOOPBACK = "127.0.0.1"
# What Dask's processes take beside the work, which benchmarks/dask_cost.py measures: by default the calls of each
# worker are sampled 100 times a second for a dashboard, and each event loop looks 50 times whether it is late.
CALM = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s"}


@contextmanager
def connect(where: str, *, timeout: float = _CONNECT_S) -> Iterator[Client]:
    """A client of the scheduler at tcp://HOST:8786 (or tls://), or in a scheduler's file; "local" starts two workers.

    Those of "local" are processes of this machine, reached on its loopback alone, and end with the context.
    Certificates for tls:// come from Dask's own configuration. Raises NoAddress; NoDask; NoScheduler.
    """
    address = _options(where)
    try:
        import distributed
    except ModuleNotFoundError:
        raise NoDask("this needs Dask distributed: pip install 'fastlstm[dask]'") from None
    if where.startswith("tls://") and not distributed.Security().get_connection_args("client").get("ssl_context"):
        why = "Dask's configuration names no certificates (distributed.comm.tls)"
        raise NoScheduler(f"no Dask scheduler could be reached at {where}: {why}")
    with ExitStack() as stack:
        stack.enter_context(_quiet_logs())
        if where == "local":
            address = {"address": stack.enter_context(_local_cluster())}
        try:
            # results come straight from the workers where these can be reached, else through the scheduler
            client = distributed.Client(**address, timeout=timeout, set_as_default=False, direct_to_workers=True)
        except (OSError, TimeoutError, ValueError) as error:
            raise NoScheduler(f"no Dask scheduler could be reached at {where}: {error}") from None
        yield stack.enter_context(client)


def _options(where: str) -> dict[str, Any]:
    if where == "local":
        return {}
    if where.endswith(".json"):
        if not Path(where).is_file():
            raise NoAddress(f"{where}: no such file; give the one that dask scheduler --scheduler-file writes")
        return {"scheduler_file": where}
    if not where.startswith(("tcp://", "tls://")):
        raise NoAddress(f"{where!r} is no scheduler; give tcp://HOST:8786, tls://HOST:8786, a scheduler.json, or local")
    return {"address": where}


@contextmanager
def _local_cluster() -> Iterator[Any]:
    import dask
    from distributed import LocalCluster

    with dask.config.set(CALM), _interrupts_ignored():
        cluster = LocalCluster(
            n_workers=LOCAL_WORKERS,
            threads_per_worker=1,
            host=_LOOPBACK,
            dashboard_address=f"{_LOOPBACK}:0",  # one is made in any case; by default on all interfaces
            silence_logs=logging.CRITICAL,
        )
    with cluster:
        yield cluster


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started here are deaf to Ctrl-C, which reaches all of a terminal's: the driver still needs them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """What becomes of workers is told by errors; Dask's logs would tell it too, with tracebacks."""
    loggers = [logging.getLogger(name) for name in ("distributed", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
