"""Shards of one run: every part is in one of them, they work side by side, and merged they are the undisturbed run."""

import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import specs

import fastlstm
from fastlstm.store import DirectoryLocked, NotARun, NotThere, PartId, content_hash, status
from fastlstm.sweep.merge import Incomplete
from fastlstm.sweep.opening import open_directory
from fastlstm.sweep.plan import Plan, Shard
from fastlstm.sweep.stopping import Stopped, Stopper

LONG_AND_SHORT = specs.SHORT | {"steps": {"grid": [10, 1000]}}  # steps are the slowest axis
SHORT_AND_LONG = {key: specs.SHORT[key] for key in ("seed", "draws", "params")} | {"steps": {"grid": [10, 1000, 30]}}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return fastlstm.run(specs.SHORT, tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture(scope="module")
def undisturbed_hash(undisturbed):
    return content_hash(undisturbed.path)


@pytest.fixture(scope="module")
def two_of_three(tmp_path_factory):
    """A directory where the second of three shards is missing."""
    path = tmp_path_factory.mktemp("shards") / "run"
    for number in (3, 1):
        fastlstm.run(specs.SHORT, path, shard=(number, 3))
    return path


@pytest.fixture
def unfinished(two_of_three, tmp_path):
    return shutil.copytree(two_of_three, tmp_path / "run")


def files(path):
    return {file: file.read_bytes() for file in path.rglob("*.*") if file.is_file()}


def open_shard(path, shard):
    plan = Plan.of_new_run(fastlstm.load(specs.SHORT), shards=shard[1])
    return open_directory(plan, path, made_by={}, shard=Shard.of(*shard))


# Which parts are whose


@pytest.mark.parametrize("shards", [1, 2, 3, 5, 16, 40])
@pytest.mark.parametrize("spec", [specs.SHORT, LONG_AND_SHORT, SHORT_AND_LONG])
def test_every_part_belongs_to_one_shard(spec, shards):
    plan = Plan.of_new_run(fastlstm.load(spec), shards=shards)
    shares = [Shard.of(k, shards) for k in range(1, shards + 1)]
    assert sorted(part for shard in shares for part in plan.parts(shard)) == sorted(plan.parts())
    assert sum(plan.draws(shard) for shard in shares) == plan.draws() == plan.points * 2000
    assert all(plan.part(part.id) == part for part in plan.parts())


@pytest.mark.parametrize("name", [(6, 0), (-1, 0), (0, -1), (0, 2), (10**30, 10**30)])
def test_part_that_the_plan_does_not_have_is_none(name):
    assert Plan(fastlstm.load(specs.SHORT), 1024).part(PartId(*name)) is None


@pytest.mark.parametrize("shards", [2, 3, 4, 6, 7])
@pytest.mark.parametrize("spec", [LONG_AND_SHORT, SHORT_AND_LONG])
def test_shards_get_equal_numbers_of_parts_of_every_length(spec, shards):
    ready = fastlstm.load(spec)
    points = ready.points()
    for size in (2000, 1000, 300):
        dealt = Counter((shard, points[part.id.point].steps) for shard, part in Plan(ready, size).shares(shards))
        for steps in set(spec["steps"]["grid"]):
            numbers = [dealt[shard, steps] for shard in range(1, shards + 1)]
            assert max(numbers) - min(numbers) <= 1


@pytest.mark.parametrize("draws", [1, 1024, 1025, 2000, 262_145, 300_000, 10**6, 10**9 + 1])
def test_parts_of_a_point_are_alike(draws):
    ready = fastlstm.load(specs.SHORT | {"draws": draws})
    for shards in (1, 2, 7):
        plan = Plan.of_new_run(ready, shards=shards)
        sizes = [part.draws for part in plan.parts_of(0)]
        assert sum(sizes) == draws
        assert set(sizes[:-1]) <= {plan.part_draws}
        assert sizes[-1] > plan.part_draws - 1024 * len(sizes)
        assert plan.part_draws % 1024 == 0


def test_parts_are_small_enough_for_the_shards_and_large_enough_for_files():
    def plan(shards=1, **changes):
        return Plan.of_new_run(fastlstm.load(specs.SHORT | changes), shards=shards)

    assert plan(draws=100_000).part_draws == 100_352
    assert plan(draws=10**9).part_draws <= 262_144
    for shards in (2, 16, 40):
        assert len(list(plan(shards, draws=100_000).parts())) >= min(16 * shards, 6 * 97)
    assert plan(10**6, draws=100_000).part_draws == 1024
    many = plan(draws=10**14, store={"rows": "none"})
    assert many.total / many.part_draws > 2**16  # no more than 16 million draws in a part
    assert plan(draws=10**9, store={"rows": 1000}).part_draws > 2**23
    assert 6 * 10**9 / plan(draws=10**9, steps=10**6).part_draws <= 2**16 * 1.02
    assert plan(steps=10**6).part_draws == 1024


@pytest.mark.parametrize("text", ["0/16", "17/16", "3/0", "0/0"])
def test_shard_that_is_not_there_is_refused_with_those_that_are(text, tmp_path):
    with pytest.raises(ValueError, match=r"no such shard; (they are 1/16 \.\. 16/16|the second number is 1 or more)"):
        Shard.parse(text)
    number, total = map(int, text.split("/"))
    with pytest.raises(ValueError, match="no such shard"):
        fastlstm.run(specs.SHORT, tmp_path / "run", shard=(number, total))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "text", ["", "3", "3/", "/16", "3/16/2", "-1/16", "3 of 16", "a/b", "1.0/2", "٣/١٦", "9" * 99 + "/1"]
)
def test_what_is_no_shard_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="like 3/16"):
        Shard.parse(text)


# Side by side


def test_shards_at_the_same_time_and_merged_are_the_undisturbed_run(tmp_path, undisturbed_hash):
    path = tmp_path / "run"
    with ThreadPoolExecutor(3) as pool:
        work = [pool.submit(fastlstm.run, specs.SHORT, path, threads=1, shard=(k, 3)) for k in (1, 2, 3)]
        for shard in work:
            shard.result()
    actual = status(path)
    assert (actual.draws, actual.parts, actual.finished, actual.tables) == (12_000, 12, None, ())
    assert len(actual.sessions) == 3
    assert sum(session["draws"] for session in actual.sessions) == actual.draws
    merged = fastlstm.merge(path)
    assert merged.status().finished is not None
    assert content_hash(path) == undisturbed_hash
    assert fastlstm.verify(path) == []


def test_shard_that_was_stopped_goes_on_and_counts_its_own_draws_alone(tmp_path, undisturbed_hash):
    path, stopper, seen = tmp_path / "run", Stopper(), []

    def stop(done, total):
        seen.append((done, total))
        stopper.signal = 15 if done else 0

    fastlstm.run(specs.SHORT, path, shard=(1, 2), threads=1)
    with pytest.raises(Stopped, match="of 5,856 draws"):
        fastlstm.run(specs.SHORT, path, shard=(2, 2), threads=1, progress=stop, stopper=stopper)
    assert {total for _, total in seen} == {5856}  # the second half of each point
    first = []
    fastlstm.run(specs.SHORT, path, shard=(2, 2), progress=lambda done, total: first.append(done))
    assert 0 < first[0] < first[-1] == 5856
    fastlstm.merge(path)
    assert content_hash(path) == undisturbed_hash


def test_shard_may_come_to_a_directory_begun_in_larger_parts(tmp_path, undisturbed_hash):
    stopper = Stopper()

    def stop(done, total):
        stopper.signal = 2 if done else 0

    with pytest.raises(Stopped):
        fastlstm.run(specs.SHORT, tmp_path, progress=stop, stopper=stopper, threads=1)
    for number in (1, 2):
        fastlstm.run(specs.SHORT, tmp_path, shard=(number, 2))
    assert status(tmp_path).parts == 6
    fastlstm.merge(tmp_path)
    assert content_hash(tmp_path) == undisturbed_hash


def test_nobody_does_the_work_of_a_shard_that_is_at_work(unfinished):
    with open_shard(unfinished, (2, 3)):
        for refused in ({"shard": (2, 3)}, {"shard": (1, 2)}, {}):
            with pytest.raises(DirectoryLocked):
                fastlstm.run(specs.SHORT, unfinished, **refused)
        for incomplete in (False, True):
            with pytest.raises(DirectoryLocked):
                fastlstm.merge(unfinished, incomplete=incomplete)
        fastlstm.run(specs.SHORT, unfinished, shard=(1, 3))


def test_more_shards_than_parts_leave_some_with_nothing_to_do(tmp_path):
    fastlstm.run(specs.SHORT, tmp_path, shard=(13, 16))
    assert status(tmp_path).draws == 0
    fastlstm.run(specs.SHORT, tmp_path, shard=(12, 16))
    assert status(tmp_path).parts == 1


# Merge


def test_merge_names_what_is_missing_and_writes_nothing(unfinished):
    fastlstm.run(specs.SHORT, unfinished, shard=(1, 3))
    before = files(unfinished)
    with pytest.raises(Incomplete) as refused:
        fastlstm.merge(unfinished)
    text = str(refused.value)
    lost = 12_000 - status(unfinished).draws
    assert f"{lost:,} of 12,000 draws are missing, in 4 parts" in text
    for part in Plan.of_new_run(fastlstm.load(specs.SHORT), shards=3).parts(Shard.of(2, 3)):
        assert f"point {part.id.point}: {part.draws:,} draws in 1 part" in text
    assert "of 3 shards these are not done: 2" in text
    journals = {"_journal.jsonl", "_journal-1-of-3.jsonl", "_journal-3-of-3.jsonl"}
    same = {file: data for file, data in files(unfinished).items() if file.name not in journals}
    assert same == {file: data for file, data in before.items() if file.name not in journals}


def test_tables_of_an_incomplete_run_say_so_and_the_rest_completes_them(unfinished, undisturbed, undisturbed_hash):
    run = fastlstm.merge(unfinished, incomplete=True)
    counted = {"draws": run.status().draws, "of": 12_000}
    assert 0 < counted["draws"] < 12_000
    for table in (run.points(), run.regimes(), run.histograms(), run.overall()):
        assert table.attrs["incomplete"] == counted
    rows = run.draws()
    assert run.points()["draws"].tolist() == [(rows["point"] == point).sum() for point in range(6)]
    assert run.overall()["draws"].sum() == run.regimes()["draws"].sum() == counted["draws"]
    assert run.status().finished is None
    assert fastlstm.verify(unfinished) == []
    with pytest.raises(Incomplete):
        fastlstm.merge(unfinished)
    fastlstm.run(specs.SHORT, unfinished, shard=(2, 3))
    assert fastlstm.verify(unfinished) == []  # tables older than the draws are not held against them
    fastlstm.merge(unfinished)
    for table, right in ((run.points(), undisturbed.points()), (run.overall(), undisturbed.overall())):
        assert table.equals(right)
        assert "incomplete" not in table.attrs
    assert content_hash(unfinished) == undisturbed_hash


def test_run_without_shards_completes_what_shards_left(unfinished, undisturbed_hash):
    fastlstm.run(specs.SHORT, unfinished)
    assert content_hash(unfinished) == undisturbed_hash


def test_part_that_a_shard_lost_is_missing_from_the_merge(unfinished):
    fastlstm.run(specs.SHORT, unfinished, shard=(2, 3))
    sorted(unfinished.rglob("draws/point=0004/*.parquet"))[0].write_bytes(b"")
    with pytest.raises(Incomplete, match="point 4: 1,024 draws in 1 part"):
        fastlstm.merge(unfinished)


def test_merge_and_shards_of_a_finished_run_do_nothing(undisturbed):
    before = files(undisturbed.path)
    fastlstm.merge(undisturbed.path)
    assert files(undisturbed.path) == before
    reported = []
    fastlstm.run(specs.SHORT, undisturbed.path, shard=(2, 3), progress=lambda *told: reported.append(told))
    assert reported == [(4000, 4000)]
    assert undisturbed.status().finished is not None


def test_nothing_cannot_be_merged(tmp_path):
    with pytest.raises(NotARun):
        fastlstm.merge(tmp_path)
    open_shard(tmp_path / "run", (1, 3)).close()
    for incomplete in (False, True):
        with pytest.raises(NotThere, match="no draws yet"):
            fastlstm.merge(tmp_path / "run", incomplete=incomplete)
