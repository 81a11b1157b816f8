"""A sweep on a Dask cluster has the content of a local one, whatever becomes of its workers."""

import filecmp
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import dask_cluster as cluster
import psutil
import pytest
from dask_cluster import PART_DRAWS, SPEC, begin, local_hash, once_begun, two_workers

import fastlstm
from fastlstm import store
from fastlstm.cluster.errors import OtherWorker
from fastlstm.sweep.opening import open_directory
from fastlstm.sweep.plan import Plan, part_size
from fastlstm.sweep.stopping import PointsFailed

FASTLSTM = Path(sys.executable).with_name("fastlstm")


@pytest.fixture(scope="module")
def client():
    with two_workers() as client:
        yield client


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The content hash of the local run."""
    return local_hash(tmp_path_factory.mktemp("local"))


def same_files(one: Path, other: Path) -> bool:
    names = {path.relative_to(one) for path in one.rglob("*.parquet")}
    assert names == {path.relative_to(other) for path in other.rglob("*.parquet")}
    return len(names) > 0 and all(filecmp.cmp(one / name, other / name, shallow=False) for name in names)


def test_files_are_those_of_a_local_run_to_the_byte(client, tmp_path, content):
    far = fastlstm.run(SPEC, begin(tmp_path / "far"), client=client)
    near = fastlstm.run(SPEC, begin(tmp_path / "near"), threads=1)
    assert store.content_hash(far.path) == store.content_hash(near.path) == content
    assert far.status().parts == 3 * 12
    assert same_files(far.path, near.path)


def test_rows_of_a_few_draws_and_of_none(client, tmp_path):
    for rows in (100, "none"):
        spec = SPEC | {"store": {"rows": rows}}
        far = fastlstm.run(spec, begin(tmp_path / f"far-{rows}", spec), client=client)
        near = fastlstm.run(spec, begin(tmp_path / f"near-{rows}", spec), threads=1)
        assert same_files(far.path, near.path)


def test_recorded_series_travels_with_the_parts(client, tmp_path, monkeypatch):
    file = tmp_path / "series.csv"
    file.write_text("x\n" + "\n".join(str((n * 37 % 101) / 50) for n in range(500)))
    series = {"input": {"file": str(file), "column": "x", "standardize": True}}
    spec = SPEC | series
    near = fastlstm.run(spec, tmp_path / "near", threads=1)
    ready = fastlstm.load(spec)
    file.unlink()  # so that no worker can read it
    for limit in (2**20, 0):  # within each part, and as a result of its own
        monkeypatch.setattr("fastlstm.sweep.cluster_maker._EMBEDDED_BYTES", limit)
        far = fastlstm.run(ready, begin(tmp_path / f"far-{limit}", ready), client=client)
        assert store.content_hash(far.path) == store.content_hash(near.path)


def test_record_names_the_workers(client, tmp_path):
    far = fastlstm.run(SPEC, tmp_path / "run", client=client)
    (session,) = far.status().sessions
    (workers,) = session["provenance"]["workers"]
    assert workers["workers"] == 2
    for key in ("host", "cpu", "versions", "sources"):
        assert workers[key] == session["provenance"][key]


def test_progress_is_told_part_by_part(client, tmp_path):
    told = []
    fastlstm.run(SPEC, begin(tmp_path / "run"), client=client, progress=lambda done, total: told.append(done))
    assert told == list(range(0, 3601, PART_DRAWS))


def test_worker_killed_in_the_midst(client, tmp_path, content):
    run = begin(tmp_path / "run")
    victim = next(iter(client.run(os.getpid).values()))
    with once_begun(run, lambda: os.kill(victim, signal.SIGKILL)):
        fastlstm.run(SPEC, run, client=client)
    assert not psutil.pid_exists(victim)
    assert store.content_hash(run) == content


def test_part_that_kills_its_workers_is_named_and_made_afterwards(client, tmp_path, content):
    run = begin(tmp_path / "run")
    client.register_plugin(cluster.Poison(point=1, draw=777))
    try:
        with pytest.raises(
            PointsFailed, match=r"part 7 of point 1, draws 700 to 799: 2 workers died.*memory"
        ) as failed:
            fastlstm.run(SPEC, run, client=client, keep_going=True)
    finally:
        client.unregister_worker_plugin("poison")
    assert set(failed.value.errors) == {1}
    with open_directory(Plan(fastlstm.load(SPEC), PART_DRAWS), run, made_by={}) as directory:
        there = set(directory.committed)
    assert {(point, number) for point in (0, 2) for number in range(12)} <= there
    assert (1, 7) not in there
    fastlstm.run(SPEC, run, client=client)
    assert store.content_hash(run) == content


def test_worker_with_other_sources_is_refused_before_anything_is_written(client, tmp_path):
    spec = tmp_path / "small.toml"
    spec.write_text(fastlstm.load(SPEC).normalised(), encoding="utf-8")
    address = client.scheduler.address
    with cluster.worker_process(address, path=cluster.other_package(tmp_path / "other"), name="other"):
        cluster.wait_for_worker(client, "other")
        command = [FASTLSTM, "run", spec, "--out", tmp_path / "run", "--dask", address]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
        with pytest.raises(OtherWorker, match="install the same on all"):
            fastlstm.run(SPEC, tmp_path / "run", client=client)
    assert ended.returncode == 3, ended.stderr
    assert "has fastlstm 0.1.0 (" in ended.stderr
    assert not (tmp_path / "run").exists()


def test_command_with_local_workers_has_the_content_of_the_command_without(tmp_path):
    """Also all its sockets are on the loopback, and no process is left."""
    sim = Path(fastlstm.__path__[0]).parent / "sims" / "truncation.toml"
    small = ["--set", "draws=2000"]
    command = [FASTLSTM, "run", sim, "--out", tmp_path / "far", "--dask", "local", *small]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    sockets, children = set(), set()
    while process.poll() is None:
        try:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            children |= set(family[1:])
            sockets |= {link.laddr.ip for each in family for link in each.net_connections("inet")}
        except psutil.Error:
            pass
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    assert process.wait() == 0, process.communicate()
    assert sockets == {"127.0.0.1"}
    assert len(children) >= 2
    assert psutil.wait_procs(children, timeout=10)[1] == []
    process.communicate()
    subprocess.run([FASTLSTM, "run", sim, "--out", tmp_path / "near", *small], check=True, capture_output=True)
    assert store.content_hash(tmp_path / "far") == store.content_hash(tmp_path / "near")
    assert same_files(tmp_path / "far", tmp_path / "near")  # both have one part a point
    (session,) = json.loads((tmp_path / "far" / "_run.json").read_text())["sessions"]
    assert session["provenance"]["workers"][0]["workers"] == 2


def test_parts_for_a_cluster_are_many_but_not_small():
    def spec(**changes):
        return fastlstm.load(SPEC | {"draws": 10**8, "steps": 100} | changes)

    assert part_size(spec(), workers=1000) == 65_536  # rows at least
    assert part_size(spec(store={"rows": "none"}), workers=10) == 1_852_416  # 16 parts for each thread
    some = spec(store={"rows": 10**6})
    assert part_size(some, workers=1000) == part_size(some)  # which has fewer rows than that; never larger than here
    assert part_size(spec(), workers=1) == part_size(spec())


def test_client_excludes_threads_and_shards(tmp_path):
    for options in ({"threads": 2}, {"shard": (1, 2)}):
        with pytest.raises(ValueError, match="leave out threads and shard"):
            fastlstm.run(SPEC, tmp_path / "run", client=object(), **options)
