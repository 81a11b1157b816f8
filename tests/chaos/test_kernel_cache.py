"""A kernel cache that is damaged, mixed up, full or not writable costs time, and never gives another kernel."""

import os
import random
import shutil

import numba.core.config
import pytest
from bench import Verdict
from ledger import Fault
from numba import float64
from small_run import write_spec
from tiny_disk import NoMounting, tiny_disk

import fastlstm
from fastlstm.kernel.lanes.jit import kernel

pytestmark = pytest.mark.chaos


def times(factor):
    """A kernel; like the real ones, all of them share one index and differ in their options."""

    @kernel(float64(float64), (factor,))
    def product(number):
        return number * factor

    return product


def hits(function):
    return sum(function.stats.cache_hits.values())


def verdict_of(function, factor):
    right = function(3.0) == 3.0 * factor
    return Verdict(survived=right, wrong=not right)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A folder that Numba caches in."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(folder))
    return folder


def files_in(cache):
    return sorted(path for path in cache.rglob("*") if path.is_file())


def flipped(data, random_places):
    changed = bytearray(data)
    changed[random_places.randrange(len(data))] ^= 1 << random_places.randrange(8)
    return bytes(changed)


DAMAGES = {
    "flipped": flipped,
    "cut off": lambda data, random_places: data[: random_places.randrange(len(data))],
    "empty": lambda data, random_places: b"",
    "of Numba's own form": lambda data, random_places: data[32:],
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_damaged_cache_is_compiled_again_and_mended(cache, ledger, some, damage, suffix):
    times(2.0)
    assert hits(times(2.0)) == 1
    (file,) = [file for file in files_in(cache) if file.suffix == suffix]
    whole = file.read_bytes()
    random_places = random.Random(f"{damage} {suffix}")
    for _ in some(range(20 if damage in ("flipped", "cut off") else 1), 1):
        file.write_bytes(DAMAGES[damage](whole, random_places))
        recompiled = times(2.0)
        assert hits(recompiled) == 0
        ledger.enter(Fault.CACHE_DAMAGED, verdict_of(recompiled, 2.0))
        assert hits(times(2.0)) == 1


def test_kernel_of_another_process_is_not_taken_for_ones_own(cache, tmp_path, ledger):
    """Both begin with an empty cache and write file number 1; index and file may then come from different ones."""
    times(2.0)
    own = files_in(cache)
    kept = {file: file.read_bytes() for file in own}
    shutil.rmtree(cache)
    times(3.0)
    assert files_in(cache) == own
    (number_1,) = [file for file in own if file.suffix == ".nbc"]
    (index,) = [file for file in own if file.suffix == ".nbi"]
    index.write_bytes(kept[index])
    ledger.enter(Fault.CACHE_SHARED, verdict_of(times(2.0), 2.0))
    number_1.write_bytes(kept[number_1])
    ledger.enter(Fault.CACHE_SHARED, verdict_of(times(2.0), 2.0))
    ledger.enter(Fault.CACHE_SHARED, verdict_of(times(3.0), 3.0))


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_cache_that_others_may_write_to_is_not_read(cache, ledger, suffix, mode):
    times(2.0)
    (file,) = [file for file in files_in(cache) if file.suffix == suffix]
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(mode)
    compiled_anew = times(2.0)
    assert hits(compiled_anew) == 0
    ledger.enter(Fault.CACHE_DAMAGED, verdict_of(compiled_anew, 2.0))
    assert hits(times(2.0)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_cache_of_another_user_is_not_read(cache, ledger, suffix):
    times(2.0)
    (file,) = [file for file in files_in(cache) if file.suffix == suffix]
    os.chown(file, 65534, -1)
    compiled_anew = times(2.0)
    assert hits(compiled_anew) == 0
    ledger.enter(Fault.CACHE_DAMAGED, verdict_of(compiled_anew, 2.0))


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_link_in_a_cache_is_not_followed(cache, ledger, tmp_path, suffix):
    times(2.0)
    (file,) = [file for file in files_in(cache) if file.suffix == suffix]
    elsewhere = file.rename(tmp_path / "elsewhere")
    file.symlink_to(elsewhere)
    compiled_anew = times(2.0)
    assert hits(compiled_anew) == 0
    ledger.enter(Fault.CACHE_DAMAGED, verdict_of(compiled_anew, 2.0))


def test_full_cache_is_no_error(tmp_path, monkeypatch, ledger):
    try:
        with tiny_disk(tmp_path / "tiny", "size=8k") as disk:
            monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(disk))
            ledger.enter(Fault.CACHE_READ_ONLY, verdict_of(times(2.0), 2.0))
            assert not [file for file in files_in(disk) if file.suffix == ".nbc"]  # there was no room
    except NoMounting as error:
        pytest.skip(f"no tmpfs can be mounted: {error}")


def test_no_folder_for_a_cache_is_no_error(tmp_path, monkeypatch, ledger):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(blocked / "cache"))
    monkeypatch.setattr(numba.core.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator", raising=False)
    ledger.enter(Fault.CACHE_READ_ONLY, verdict_of(times(2.0), 2.0))


# --- the real command, which compiles the real kernel: seconds each -----------------------------------


@pytest.mark.chaos(only_all=True)
def test_command_with_a_damaged_cache(bench, ledger):
    cache = bench.folder / "numba"
    environment = bench.environment | {"NUMBA_CACHE_DIR": str(cache)}
    random_places = random.Random(9)
    for suffixes in ((), (".nbc", ".nbi")):  # once to fill it
        for file in files_in(cache) if cache.exists() else []:
            if file.suffix in suffixes:
                file.write_bytes(flipped(file.read_bytes(), random_places))
        run = bench.run_with_parts_of(120, name="run")
        ended = bench.call("run", bench.spec, "--out", run, env=environment)
        ledger.enter(Fault.CACHE_DAMAGED, bench.judge(run, survived=ended.code == 0), told=ended)


@pytest.mark.chaos(only_all=True)
def test_command_with_a_cache_that_is_read_only(bench, ledger, tmp_path):
    try:
        with tiny_disk(tmp_path / "tiny", "ro") as disk:
            environment = bench.environment | {"NUMBA_CACHE_DIR": str(disk)}
            environment |= {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}  # and nowhere else
            run = bench.run_with_parts_of(120, name="run")
            ended = bench.call("run", bench.spec, "--out", run, env=environment)
            ledger.enter(Fault.CACHE_READ_ONLY, bench.judge(run, survived=ended.code == 0), told=ended)
            assert not any(disk.iterdir())
    except NoMounting as error:
        pytest.skip(f"no tmpfs can be mounted: {error}")


@pytest.mark.chaos(only_all=True)
def test_commands_that_fill_an_empty_cache_together(bench, ledger):
    environment = bench.environment | {"NUMBA_CACHE_DIR": str(bench.folder / "shared cache")}
    other_folder = bench.folder / "last"
    other_folder.mkdir()
    other_spec = write_spec(other_folder, bench.spec.read_text() + '[loss]\nkind = "last"\n')
    other_truth = fastlstm.simulate(other_spec)
    for _ in range(2):  # while it is filled, and after
        run = bench.run_with_parts_of(120, name="run")
        other = other_folder / "run"
        shutil.rmtree(other, ignore_errors=True)
        pair = [
            bench.start("run", spec, "--out", out, env=environment)
            for spec, out in ((bench.spec, run), (other_spec, other))
        ]
        told = [process.communicate(timeout=600) for process in pair]
        assert [process.returncode for process in pair] == [0, 0], told
        ledger.enter(Fault.CACHE_SHARED, bench.judge(run), told=told)
        assert fastlstm.read(other).draws()[other_truth.columns].equals(other_truth)
