"""fastlstm run where not all of a run is made at once: shards, points that fail, and another kernel."""

import pytest
from commands import call_here, strict_json, succeed

import fastlstm
from fastlstm.store import content_hash
from fastlstm.sweep import session
from fastlstm.sweep.provenance import provenance
from fastlstm.sweep.simulation import Simulation


@pytest.fixture(scope="module")
def shards(folder):
    """A directory that lacks the second of two shards, and what the first said."""
    done = call_here("run", "short spec.toml", "--out", "in shards", "--shard", "1/2", folder=folder)
    assert done.returncode == 0, done.stderr
    return done


def test_shards_say_what_is_next_and_merge_ends_the_run(folder, run, shards):
    lines = shards.stdout.splitlines()
    assert lines[0] == "in shards: shard 1/2 is done; 6,144 of 12,000 draws of all shards are there"
    assert lines[1] == "When all are: fastlstm merge 'in shards'"
    refused = call_here("merge", "in shards", folder=folder)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "5,856 of 12,000 draws are missing, in 6 parts" in refused.stderr
    assert "of 2 shards these are not done: 2" in refused.stderr
    partly = succeed("merge", "in shards", "--incomplete", folder=folder, ask=call_here)
    assert "in shards: 6,144 of 12,000 draws, 6,144 rows" in partly
    told = call_here("regimes", "in shards", folder=folder)
    assert told.stderr == "Incomplete: 6,144 of 12,000 draws were counted.\n"
    assert "not finished" in succeed("status", "in shards", folder=folder, ask=call_here)
    other = ["run", "short spec.toml", "--out", "in shards", "--shard", "2/2", "--json"]
    facts = strict_json(succeed(*other, folder=folder, ask=call_here))
    assert facts == {"path": "in shards", "shard": [2, 2], "draws": 12_000, "of": 12_000}
    repeated = call_here(*other[:-1], folder=folder)
    assert "Nothing to do: all draws of this shard were there." in repeated.stderr
    merged = call_here("run", "short spec.toml", "--out", "in shards", folder=folder)  # as merge does
    assert merged.stderr == "All draws were there; no more than tables or verdicts were made.\n"
    undivided = succeed("run", "short spec.toml", "--out", "a run", folder=folder, ask=call_here)
    assert merged.stdout == undivided.replace("a run", "in shards")
    assert content_hash(folder / "in shards") == content_hash(run.path)
    repeated = call_here("merge", "in shards", "--json", folder=folder)
    assert repeated.stderr.startswith("Nothing to do: the run was finished")
    assert strict_json(repeated.stdout)["draws"] == 12_000


def test_points_that_fail_are_told_and_the_same_command_computes_them(folder, run, monkeypatch):
    columns = Simulation.columns

    def fail(self, *arguments):
        if self.point.index == 4:
            raise MemoryError("Unable to allocate 9 TiB")
        return columns(self, *arguments)

    command = ["run", "short spec.toml", "--out", "failing", "--keep-going"]
    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "columns", fail)
        done = call_here(*command, folder=folder)
        assert done.returncode == 1
        assert done.stdout == ""
        assert "point 4: MemoryError: Unable to allocate 9 TiB\n1 point failed; 10,000 of 12,000 draws" in done.stderr
        assert "same command" in done.stderr
        at_once = call_here(*command[:-1], folder=folder)
        assert at_once.returncode == 1
        assert "There is not enough memory (Unable to allocate 9 TiB)" in at_once.stderr
    succeed(*command, folder=folder, ask=call_here)
    assert content_hash(folder / "failing") == content_hash(run.path)


def test_another_kernel_is_refused_unless_mixed_and_then_told(folder, shards, monkeypatch):
    other = provenance("float64") | {"kernel": "f00d" * 16, "versions": {"fastlstm": "0.2.0"}}
    monkeypatch.setattr(session, "provenance", lambda dtype: dict(other))
    command = ["run", "short spec.toml", "--out", "mixed", "--set", "draws=2100"]
    succeed(*command, "--shard", "1/2", folder=folder, ask=call_here)
    monkeypatch.undo()
    refused = call_here(*command, folder=folder)
    assert refused.returncode == 3
    assert "fastlstm 0.2.0 (f00df00df00d)" in refused.stderr
    mixed = call_here(*command, "--mix-kernels", folder=folder)
    assert mixed.returncode == 0
    assert "computed by 2 kernels" in mixed.stderr
    assert "computed by 2 kernels" in succeed("status", "mixed", folder=folder, ask=call_here)
    facts = strict_json(succeed("status", "mixed", "--json", folder=folder, ask=call_here))
    assert list(facts["kernels"].values()) == ["0.2.0", fastlstm.__version__]
    verified = call_here("verify", "mixed", "--json", folder=folder)
    assert (verified.returncode, strict_json(verified.stdout)) == (0, [])
    assert "computed by 2 kernels" in verified.stderr
