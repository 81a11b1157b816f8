"""How a scheduler is reached: the first recipe of the page, TLS, and what is told where that cannot be."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import dask
import pytest
from dask_cluster import LOOPBACK, SPEC, two_workers
from distributed.security import Security
from pages import PAGES

import fastlstm
from fastlstm.cli.exits import BAD_SPEC, exit_code
from fastlstm.cluster.connecting import connect
from fastlstm.cluster.errors import NoAddress, NoDask, NoScheduler

BIN = Path(sys.executable).parent
PATIENCE = 600  # seconds in which every command ends that does not hang


def recipes():
    """The recipes of the page, by their heading."""
    page = PAGES["docs/cluster.md"]
    section = page[page.index("## Recipes") : page.index("## Security")]
    return dict(re.findall(r"^### (.*?)\n.*?```\w+\n(.*?)```", section, flags=re.MULTILINE | re.DOTALL))


def test_every_recipe_has_under_eight_lines():
    assert len(recipes()) == 5
    assert all(recipe.count("\n") < 8 for recipe in recipes().values())


def test_the_recipe_for_a_laptop_runs(tmp_path):
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    shell = subprocess.Popen(
        ["bash", "-c", recipes()["Laptop"]], cwd=tmp_path, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert shell.wait(PATIENCE) == 0
    finally:
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(shell.pid, signal.SIGKILL)
    run = fastlstm.read(tmp_path / "results" / "far")
    assert run.status().finished
    assert run.status().sessions[0]["provenance"]["workers"][0]["workers"] == 2


@pytest.fixture
def certificates(tmp_path):
    """Dask's configuration with a certificate and key that are made here; for every role the same."""
    made = Security.temporary()
    config = {"distributed.comm.require-encryption": True}
    for name, text in {"ca-file": made.tls_ca_file, "key": made.tls_client_key, "cert": made.tls_client_cert}.items():
        file = tmp_path / f"{name}.pem"
        file.write_text(text)
        roles = [""] if name == "ca-file" else ["scheduler.", "worker.", "client."]
        config |= {f"distributed.comm.tls.{role}{name}": str(file) for role in roles}
    return config


def test_tls_with_certificates_and_not_without(certificates, tmp_path):
    with dask.config.set(certificates), two_workers(protocol="tls", security=Security()) as client:
        address = client.scheduler.address
        assert address.startswith(f"tls://{LOOPBACK}:")
        with connect(address) as own:
            far = fastlstm.run(SPEC, tmp_path / "run", client=own)
        without = dict.fromkeys(certificates, None) | {"distributed.comm.require-encryption": False}
        with dask.config.set(without):
            for stranger in (address, address.replace("tls://", "tcp://")):
                with pytest.raises(NoScheduler, match="no Dask scheduler could be reached"):
                    connect(stranger, timeout=2).__enter__()
    assert far.status().finished


def test_address_that_is_none_is_told():
    for address, told in (("example:8786", "give tcp://HOST:8786"), ("/nowhere/scheduler.json", "no such file")):
        with pytest.raises(NoAddress, match=told) as error:
            connect(address).__enter__()
        assert exit_code(error.value) == BAD_SPEC


def test_scheduler_that_is_not_there_is_told():
    with pytest.raises(NoScheduler, match=r"no Dask scheduler could be reached at tcp://127\.0\.0\.1:9"):
        connect(f"tcp://{LOOPBACK}:9", timeout=0.5).__enter__()


def test_without_distributed_one_sentence_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NoDask, match=r"pip install 'fastlstm\[dask\]'"):
        connect("local").__enter__()
    assert fastlstm.load(SPEC)


def test_command_refuses_threads_and_shards_beside_dask(tmp_path):
    for options in (["--threads", "2"], ["--shard", "1/2"]):
        command = [BIN / "fastlstm", "run", "truncation", "--out", tmp_path / "run", "--dask", "local", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "takes the place of --threads and --shard" in " ".join(done.stderr.split())


def test_dask_is_not_imported_without_need():
    code = "import sys, fastlstm, fastlstm.cli.running, fastlstm.sweep.session; print('distributed' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
