"""A spec gives the same bits however and wherever it is computed: the reduced form of `make identity`."""

import sys
from pathlib import Path

import pytest

import fastlstm
from fastlstm.kernel.lanes.simd import lanes_of
from fastlstm.store import content_hash, status
from fastlstm.sweep.bits import BITS_VERSION, HASHES

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import bit_identity
from bit_identity import HASWELL, OTHER_LIBRARIES, SPEC, VARIANTS

WAYS = bit_identity.in_this_process(quick=False)

# Little to compile, and draws that plain numbers can hold, so that there is one kernel only
TINY = SPEC | {
    "draws": 500,
    "steps": 9,
    "params": {"default": {"normal": {"mean": 0.0, "std": 1.0}}},
    "loss": {"kind": "sum"},
    "measure": {"groups": ["norms", "grads"]},
    "store": {"dtype": "float64"},
}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The run of the float64 variant as anyone would make it."""
    return fastlstm.run(VARIANTS["float64"], tmp_path_factory.mktemp("usual") / "run")


def test_the_spec_has_draws_that_leave_the_range_and_ends_within_a_register():
    spec = VARIANTS["float64"]
    assert 100 < bit_identity.suspect_draws(spec) < spec["draws"]
    assert spec["draws"] % lanes_of("float64")
    assert bit_identity.suspect_draws(TINY) == 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_kernel_computes_the_bits_of_the_version_that_runs_record(tmp_path, usual, variant):
    run = usual if variant == "float64" else fastlstm.run(VARIANTS[variant], tmp_path / "run")
    assert content_hash(run.path) == HASHES[variant], f"not the bits of version {BITS_VERSION}, see sweep/bits.py"
    (session,) = status(run.path).sessions
    assert session["provenance"]["bits_version"] == BITS_VERSION


@pytest.mark.parametrize("title", WAYS)
def test_every_way_to_compute_a_run_gives_the_same_content(tmp_path, usual, title):
    WAYS[title](VARIANTS["float64"], tmp_path / "run")
    assert content_hash(tmp_path / "run") == content_hash(usual.path)


@pytest.mark.skipif(not OTHER_LIBRARIES.runs_here(), reason="knows the instruction sets of x86-64 only")
def test_neither_instructions_that_numpy_uses_nor_libm_change_the_content(tmp_path, usual):
    tie = fastlstm.run(VARIANTS["float64, tie"], tmp_path / "tie")
    repeated = {tmp_path / "run again": VARIANTS["float64"], tmp_path / "tie again": VARIANTS["float64, tie"]}
    bit_identity.in_another_process(repeated, OTHER_LIBRARIES)
    assert list(bit_identity.differences(tie.path, tmp_path / "tie again")) == []
    assert [content_hash(path) for path in repeated] == [content_hash(usual.path), content_hash(tie.path)]


@pytest.mark.skipif(not HASWELL.runs_here(), reason="this processor cannot do what a Haswell can")
def test_a_kernel_compiled_for_another_processor_gives_the_same_content(tmp_path):
    here = fastlstm.run(TINY, tmp_path / "here")
    kept = Path(__file__).parent / "__pycache__" / "haswell"  # kernels there are of the same sources, or compiled anew
    bit_identity.in_another_process({tmp_path / "haswell": TINY}, HASWELL, cache=kept)
    assert list(bit_identity.differences(here.path, tmp_path / "haswell")) == []
    assert content_hash(tmp_path / "haswell") == content_hash(here.path)


def test_a_difference_is_named_by_column_and_draw(tmp_path, usual):
    spec = VARIANTS["float64"]
    other = fastlstm.run(spec | {"measure": spec["measure"] | {"saturation": 0.2}}, tmp_path / "run")
    assert content_hash(other.path) != content_hash(usual.path)
    lines = list(bit_identity.differences(usual.path, other.path))
    assert any(line.startswith("draws, f_left: ") and " at point 0, draw " in line for line in lines)
    assert not any(line.startswith(("draws, log10_grad", "points")) for line in lines)
