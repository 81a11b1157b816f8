"""Schedulers, workers and drivers of a Dask cluster that stop, die and come back, each a process of its own."""

import os
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager

import pytest
from bench import FASTLSTM, Verdict
from dask_cluster import LOOPBACK, begin, local_hash, once_begun, other_package, parts_there, started, worker_process
from ledger import Fault

import fastlstm
from fastlstm import store
from fastlstm.audit.verify import verify
from fastlstm.cluster.connecting import connect
from fastlstm.cluster.errors import NoScheduler, OtherWorker

pytestmark = pytest.mark.chaos(only_all=True)

SPEC = {
    "seed": 5,
    "draws": 30_000,
    "steps": 100,
    "params": {"default": {"normal": {"std": 2.0}}, "b_f": {"grid": [-2.0, 1.0, 4.0]}},
}
PART_DRAWS = 1024
PARTS = 90
PATIENCE = 300  # seconds


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return local_hash(tmp_path_factory.mktemp("local"), SPEC)


@pytest.fixture
def run(tmp_path):
    return begin(tmp_path / "run", SPEC, part_draws=PART_DRAWS)


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(fastlstm.load(SPEC).normalised(), encoding="utf-8")
    return file


def free_port():
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


@contextmanager
def scheduler(port, *, ttl="300s"):
    """A scheduler that forgets workers it has not heard of for `ttl`; its address and process."""
    environment = os.environ | {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": ttl}
    options = ["--host", LOOPBACK, "--port", str(port), "--dashboard-address", f"{LOOPBACK}:0"]
    with started("dask", "scheduler", *options, environment=environment) as process:
        address = f"tcp://{LOOPBACK}:{port}"
        wait_until(lambda: answers(port))
        yield address, process


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def wait_until(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def cluster():
    """A scheduler and two workers."""
    with ExitStack() as stack:
        address, _ = stack.enter_context(scheduler(free_port()))
        for _ in range(2):
            stack.enter_context(worker_process(address))
        yield address


def judge(run, content, *, survived=True):
    rows = store.read_rows(run)
    there = rows.groupby(["point", "draw"], observed=True).size()
    return Verdict(
        survived=survived and verify(run) == [] and store.content_hash(run) == content,
        lost=3 * SPEC["draws"] - len(there),
        doubled=int((there > 1).sum()),
    )


def start_driver(spec, run, address):
    command = [FASTLSTM, "run", spec, "--out", run, "--dask", address]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish_locally(run, content):
    fastlstm.run(SPEC, run, threads=2)
    return judge(run, content)


def test_worker_stopped_beyond_its_time_to_live_and_woken(run, content, ledger):
    """The zombie: its parts were done by the other; what it still sends is nobody's."""
    with ExitStack() as stack:
        # a worker is given ten of its heartbeats, of half a second, whatever the time to live
        address, _ = stack.enter_context(scheduler(free_port(), ttl="3s"))
        zombie = stack.enter_context(worker_process(address))
        stack.enter_context(worker_process(address))
        client = stack.enter_context(connect(address))
        client.wait_for_workers(2, timeout=PATIENCE)
        with once_begun(run, lambda: zombie.send_signal(signal.SIGSTOP)):
            fastlstm.run(SPEC, run, client=client)
        missing = len(client.nthreads())
        zombie.send_signal(signal.SIGCONT)
    assert missing == 1
    ledger.enter(Fault.STOPPED_WORKER, judge(run, content))


@contextmanager
def one_worker():
    """The address of a scheduler, its only worker, and a client of it."""
    with scheduler(free_port()) as (address, _), worker_process(address) as worker, connect(address) as client:
        client.wait_for_workers(1, timeout=PATIENCE)
        yield address, worker, client


def test_worker_joins_and_the_first_is_killed(run, content, ledger):
    with ExitStack() as stack:
        address, first, client = stack.enter_context(one_worker())

        def replace():
            stack.enter_context(worker_process(address))
            client.wait_for_workers(2, timeout=PATIENCE)
            first.kill()

        with once_begun(run, replace):
            fastlstm.run(SPEC, run, client=client)
        assert len(client.nthreads()) == 1
    ledger.enter(Fault.JOINING, judge(run, content))
    (session,) = store.status(run).sessions
    assert sum(each["workers"] for each in session["provenance"]["workers"]) == 2


def test_worker_with_other_sources_joins_midway(run, content, ledger, tmp_path):
    other = other_package(tmp_path / "other")
    with ExitStack() as stack:
        address, first, client = stack.enter_context(one_worker())

        def add_stranger():
            first.send_signal(signal.SIGSTOP)  # so that the run is not over before the stranger is there
            stack.enter_context(worker_process(address, path=other))

        with once_begun(run, add_stranger), pytest.raises(OtherWorker, match="install the same on all"):
            fastlstm.run(SPEC, run, client=client)
    assert 0 < parts_there(run) < PARTS
    ledger.enter(Fault.OTHER_WORKER, finish_locally(run, content))


def test_scheduler_killed_for_good(run, content, ledger):
    with ExitStack() as stack:
        address, process = stack.enter_context(scheduler(free_port()))
        stack.enter_context(worker_process(address))
        client = stack.enter_context(connect(address, timeout=5))
        client.wait_for_workers(1, timeout=PATIENCE)
        with once_begun(run, process.kill), pytest.raises(NoScheduler):
            fastlstm.run(SPEC, run, client=client)
    assert 0 < parts_there(run) < PARTS
    ledger.enter(Fault.SCHEDULER_KILLED, finish_locally(run, content))


def test_scheduler_killed_and_another_comes_in_its_place(run, content, ledger):
    port = free_port()
    with ExitStack() as stack:
        address, process = stack.enter_context(scheduler(port))
        stack.enter_context(worker_process(address))
        client = stack.enter_context(connect(address))
        client.wait_for_workers(1, timeout=PATIENCE)

        def replace():
            process.kill()
            process.wait()
            stack.enter_context(scheduler(port))
            stack.enter_context(worker_process(address))

        with once_begun(run, replace):
            fastlstm.run(SPEC, run, client=client)
    assert process.returncode == -signal.SIGKILL
    ledger.enter(Fault.SCHEDULER_BACK, judge(run, content))


@pytest.mark.parametrize("parts", [3, 45])
def test_driver_killed(run, spec, parts, cluster, content, ledger):
    driver = start_driver(spec, run, cluster)
    wait_until(lambda: parts_there(run) > parts)
    driver.kill()
    driver.communicate()
    assert parts_there(run) < PARTS
    ended = start_driver(spec, run, cluster)
    _, stderr = ended.communicate(timeout=PATIENCE)
    ledger.enter(Fault.DRIVER_KILLED, judge(run, content, survived=ended.returncode == 0), told=stderr)


@pytest.mark.parametrize("parts", [3, 45])
def test_driver_stopped_by_a_signal_ends_within_seconds(run, spec, parts, cluster, content, ledger):
    driver = start_driver(spec, run, cluster)
    wait_until(lambda: parts_there(run) > parts)
    driver.send_signal(signal.SIGINT)
    _, stderr = driver.communicate(timeout=60)
    assert driver.returncode == 128 + signal.SIGINT, stderr
    there = store.status(run)
    assert there.parts < PARTS
    assert f"Stopped after {there.draws:,} of 90,000 draws, all of them committed" in stderr
    ended = start_driver(spec, run, cluster)
    _, stderr = ended.communicate(timeout=PATIENCE)
    ledger.enter(Fault.DRIVER_STOPPED, judge(run, content, survived=ended.returncode == 0), told=stderr)


def test_terminal_interrupts_the_local_workers_too(run, spec, content, ledger):
    """Ctrl-C reaches all processes of a terminal's group: the workers of --dask local as well as the driver."""
    command = [FASTLSTM, "run", spec, "--out", run, "--dask", "local"]
    driver = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_until(lambda: parts_there(run) > 3)
    os.killpg(driver.pid, signal.SIGINT)
    _, stderr = driver.communicate(timeout=60)
    assert driver.returncode == 128 + signal.SIGINT, stderr
    assert "Traceback" not in stderr
    ledger.enter(Fault.DRIVER_STOPPED, finish_locally(run, content), told=stderr)
