"""Processor seconds of a sweep on two Dask workers of one thread, beside a local run of two threads.

    python benchmarks/dask_cost.py [--draws 2097152] [--repeats 3] [--as-dask-is]

Runs are interleaved: local, Dask, local, Dask ... Processor seconds are those of all processes that take part: this
one, the scheduler's, and the workers', counted from the first part to the end of the run; kernels are compiled before.
All traffic stays on the loopback. The parts of both runs are alike. Scheduler and workers have the settings that
`--dask local` gives its own, or with --as-dask-is those of Dask. The last line is what the processes of the cluster
take while nothing is computed, and take beside the work as well.
"""

import argparse
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
from distributed import Client

import fastlstm
from fastlstm import store
from fastlstm.cluster.connecting import CALM
from fastlstm.spec import Spec
from fastlstm.sweep.opening import open_directory
from fastlstm.sweep.plan import Plan

DASK = str(Path(sys.executable).with_name("dask"))
LOOPBACK = "127.0.0.1"
PART_DRAWS = 262_144
REST_S = 15
SPEC = {"seed": 1, "steps": 100, "params": {"default": {"normal": {}}}}
CASES = {
    "rows none, float64": {"store": {"rows": "none"}},
    "rows all, float64": {"store": {"rows": "all", "dtype": "float64"}},
    "rows all, float32": {"store": {"rows": "all"}, "dtype": "float32"},
}


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def variables(config: dict[str, object]) -> dict[str, str]:
    """The environment in which Dask has that configuration."""
    return {f"DASK_{key.upper().replace('.', '__')}": str(value) for key, value in config.items()}


def start(folder: Path, stack: ExitStack, config: dict[str, object]) -> tuple[Client, dict[str, list[psutil.Process]]]:
    """A scheduler and two workers as processes of their own, and a client."""
    file = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": os.environ | variables(config)}
    shared = ["--host", LOOPBACK, "--scheduler-file", str(file), "--dashboard-address", f"{LOOPBACK}:0"]

    def begin(*command: str) -> psutil.Process:
        process = stack.enter_context(subprocess.Popen([DASK, *command], **quiet))
        stack.callback(process.kill)
        return psutil.Process(process.pid)

    scheduler = begin("scheduler", "--port", "0", *shared)
    while not file.exists():
        time.sleep(0.1)
    workers = [begin("worker", "--nthreads", "1", "--no-nanny", *shared) for _ in range(2)]
    client = stack.enter_context(Client(scheduler_file=file, direct_to_workers=True, set_as_default=False))
    client.wait_for_workers(2, timeout=60)
    return client, {"driver": [psutil.Process()], "scheduler": [scheduler], "workers": workers}


def measure(spec: Spec, path: Path, processes: dict[str, list[psutil.Process]], **how: object) -> dict:
    """Run a spec into a new directory: processor seconds of each kind of process, wall seconds, and the hash."""
    shutil.rmtree(path, ignore_errors=True)
    open_directory(Plan(spec, PART_DRAWS), path, made_by={}).close()
    before = {name: sum(map(cpu_seconds, each)) for name, each in processes.items()}
    begun = time.perf_counter()
    fastlstm.run(spec, path, progress=False, **how)
    wall = time.perf_counter() - begun
    used = {name: sum(map(cpu_seconds, each)) - before[name] for name, each in processes.items()}
    return used | {"all": sum(used.values()), "wall": wall, "content": store.content_hash(path)}


def at_rest(processes: dict[str, list[psutil.Process]]) -> dict[str, float]:
    """Processor seconds a second of each kind of process, while there is nothing to do."""
    before = {name: sum(map(cpu_seconds, each)) for name, each in processes.items()}
    time.sleep(REST_S)
    return {name: (sum(map(cpu_seconds, each)) - before[name]) / REST_S for name, each in processes.items()}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=2**21)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--as-dask-is", action="store_true")
    options = arguments.parse_args()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    print("| | local, 2 threads | workers | driver | scheduler | Dask, in all | more, median | wall local, Dask |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        client, processes = start(folder, stack, {} if options.as_dask_is else CALM)
        for case, changes in CASES.items():
            draws = 4 * options.draws if "none" in case else options.draws
            spec = fastlstm.load(SPEC | {"draws": draws} | changes)
            few = fastlstm.load(SPEC | {"draws": 2 * PART_DRAWS} | changes)
            measure(few, folder / "warm", {}, threads=2)
            measure(few, folder / "warm", {}, client=client)
            pairs = []
            for _ in range(options.repeats):
                near = measure(spec, folder / "near", {"driver": processes["driver"]}, threads=2)
                far = measure(spec, folder / "far", processes, client=client)
                assert near["content"] == far["content"], f"{case}: the contents differ"
                pairs.append((near, far))
            near, far = (
                {
                    key: statistics.median(pair[side][key] for pair in pairs)
                    for key in pairs[0][side]
                    if key != "content"
                }
                for side in (0, 1)
            )
            more = statistics.median(far["all"] / near["all"] - 1 for near, far in pairs)
            print(
                f"| {case}, {draws:,} draws | {near['all']:.2f} | {far['workers']:.2f} | {far['driver']:.2f} "
                f"| {far['scheduler']:.2f} | {far['all']:.2f} | {more:+.0%} | {near['wall']:.1f}, {far['wall']:.1f} |",
                flush=True,
            )
        shares = ", ".join(f"{name} {1000 * share:.0f} ms" for name, share in at_rest(processes).items())
        print(f"\nAt rest, each second: {shares}")


if __name__ == "__main__":
    main()
