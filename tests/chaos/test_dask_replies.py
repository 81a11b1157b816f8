"""What a cluster may deliver besides the right thing, from a client that is made up."""

import itertools
import signal
import threading
from collections import Counter

import pytest
from distributed import KilledWorker
from ledger import Fault

import fastlstm
from fastlstm.cluster.errors import NoScheduler, NoWorkers, OtherWorker, ResultLost, WorkersDied
from fastlstm.sweep import cluster_maker
from fastlstm.sweep.provenance import installation, provenance
from fastlstm.sweep.remote import make_part
from fastlstm.sweep.session import execute
from fastlstm.sweep.stopping import PointsFailed, Stopped, Stopper

pytestmark = pytest.mark.chaos


class Promise:
    """A future that is done, or is never going to be."""

    def __init__(self, key, status, value):
        self.key, self.status, self.value = key, status, value
        self.tell = []

    def result(self, timeout):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def exception(self, timeout):
        return self.value

    def add_done_callback(self, fn):
        self.tell.append(fn)


class FakeClient:
    """Does each task at once, in this process; `deliver(client, promise, number)` says what arrives of it."""

    def __init__(self, deliver, workers=2):
        self.status = "running"
        self.deliver = deliver
        self.present = {f"fake://{number}": 1 for number in range(workers)}
        self.kept = []
        self.over = threading.Event()
        self.made = Counter()
        self.most = self.flying = 0
        self._numbers = itertools.count()

    def nthreads(self, callback_timeout):
        return self.present

    def submit(self, work, *arguments, key=None, **options):
        if work is not make_part:
            return Promise(key, "finished", work(*arguments))
        self.made[arguments[1].id] += 1
        promise = Promise(key, "finished", work(*arguments))
        number = next(self._numbers)
        self.flying += 1
        self.most = max(self.most, self.flying)

        def arrive(fn):
            self.flying -= 1
            promise.tell.append(fn)
            self.deliver(self, promise, number)

        promise.add_done_callback = arrive
        return promise

    def cancel(self, futures):
        self.cancelled = list(futures)


def tell(promise):
    for fn in promise.tell:
        fn(promise)


def twice(client, promise, number):
    tell(promise)
    tell(promise)


def late(client, promise, number):
    """Each result comes after the next one, and once more at the very end."""
    client.kept.append(promise)
    if number % 2 or number == 35:
        for kept in reversed(client.kept[-4:]):
            tell(kept)


def damaged(client, promise, number):
    if number % 7 == 3:
        rows = bytearray(promise.value.rows)
        rows[len(rows) // 2] ^= 1
        promise.value = promise.value._replace(rows=memoryview(rows))
    tell(promise)


def damaged_counts(client, promise, number):
    if number % 7 == 3:
        promise.value = promise.value._replace(counts=bytes(len(promise.value.counts)))
    tell(promise)


def unasked(client, promise, number):
    """The right bytes of another part, under the name of this one; and a result of no task at all."""
    client.kept.append(promise.value)
    if number % 7 == 3:
        promise.value = client.kept[number - 1]
    tell(Promise("nobody's", "finished", promise.value))
    for fn in promise.tell:
        fn(Promise("nobody's", "finished", client.kept[0]))
        fn(promise)


def of_another_run(client, promise, number):
    if number % 7 == 3:
        promise.value = promise.value._replace(run_key="another")
    tell(promise)


def lost(client, promise, number):
    """The worker is gone when the result is fetched, or the connection is."""
    if number % 7 == 1:
        promise.value = TimeoutError("no worker has it")
    if number % 7 == 2:
        promise.status = "cancelled"
    tell(promise)


def hangs(client, promise, number):
    """One result does not come through before all others have been made: nobody waits for it."""
    client.kept.append(promise)
    if number == 3:

        def result(timeout):
            if not client.over.wait(timeout / 10):
                raise TimeoutError("all waited")
            return promise.value

        promise.result = result
    if number == 35:
        client.over.set()
    tell(promise)


CASES = [
    (Fault.TWICE, twice), (Fault.LATE, late), (Fault.LATE, hangs), (Fault.DAMAGED_RESULT, damaged),
    (Fault.DAMAGED_RESULT, damaged_counts), (Fault.UNASKED, unasked), (Fault.UNASKED, of_another_run),
    (Fault.RESULT_LOST, lost),
]  # fmt: skip


ONLY_ALL = pytest.mark.chaos(only_all=True)
CREWS = [pytest.param(1, marks=ONLY_ALL), 2, pytest.param(5, marks=ONLY_ALL)]


@pytest.mark.parametrize(("fault", "deliver"), CASES, ids=[case[1].__name__ for case in CASES])
@pytest.mark.parametrize("workers", CREWS)
def test_results_that_go_astray(bench, ledger, fault, deliver, workers):
    run = bench.run_with_parts_of(20, name="run")  # 36 parts
    client = FakeClient(deliver, workers)
    fastlstm.run(bench.spec, run, client=client)
    assert client.most <= 2 * workers, "more in flight than twice the threads"
    if deliver is hangs:
        assert client.made.total() == 36
    ledger.enter(fault, bench.judge(run), told=deliver.__name__)


def always(change):
    def deliver(client, promise, number):
        change(promise)
        tell(promise)

    return deliver


def fails_with(error):
    def change(promise):
        promise.status, promise.value = "error", error

    return change


def test_damage_that_does_not_end_is_told_and_nothing_is_committed(bench):
    run = bench.run_with_parts_of(20, name="run")

    def change(promise):
        promise.value = promise.value._replace(counts=b"")

    with pytest.raises(ResultLost, match=r"in 5 tries: the counts .* are not the bytes that were made"):
        fastlstm.run(bench.spec, run, client=FakeClient(always(change)))
    assert fastlstm.read(run).status().parts == 0


def test_result_of_other_sources_is_never_committed(bench):
    run = bench.run_with_parts_of(20, name="run")

    def change(promise):
        promise.value = promise.value._replace(sources="0" * 64)

    with pytest.raises(OtherWorker, match="other sources"):
        fastlstm.run(bench.spec, run, client=FakeClient(always(change)))
    assert fastlstm.read(run).status().parts == 0


def test_part_is_blamed_only_when_it_had_the_workers_for_itself(bench):
    """Of two parts that a dying worker had, Dask blames both."""
    run = bench.run_with_parts_of(20, name="run")
    blamed = Counter()

    def deliver(client, promise, number):
        part = promise.value.entry.part
        if part in ((0, 1), (0, 2)):
            blamed[part] += 1
            if part == (0, 1) or blamed[part] == 1:
                promise.status, promise.value = "error", KilledWorker("key", None, 3)
        tell(promise)

    client = FakeClient(deliver)
    with pytest.raises(PointsFailed) as failed:
        fastlstm.run(bench.spec, run, client=client, keep_going=True)
    assert "part 1 of point 0, draws 20 to 39: 4 workers died over it" in str(failed.value)
    assert client.made[0, 2] == 2
    with pytest.raises(WorkersDied, match="part 1 of point 0"):
        fastlstm.run(bench.spec, run, client=client)
    assert bench.judge_after_going_on(run).clean


def test_no_worker_and_no_scheduler_for_a_while(bench):
    run = bench.run_with_parts_of(20, name="run")

    def go(client):
        crew = cluster_maker.crew_of(client, patience=0.3)
        execute(fastlstm.load(bench.spec), run, made_by=provenance("float64"), threads=1, stopper=Stopper(), crew=crew)

    with pytest.raises(NoWorkers, match="there has been no Dask worker for"):
        go(FakeClient(twice, workers=0))

    def all_leave(client, promise, number):
        if number == 6:
            client.present = {}
        if number < 6:
            tell(promise)

    with pytest.raises(NoWorkers, match="there has been no Dask worker for"):
        go(FakeClient(all_leave))
    assert 0 < fastlstm.read(run).status().parts <= 6

    def connection_closes(client, promise, number):
        client.status = "closed"

    with pytest.raises(NoScheduler, match="did not come back"):
        go(FakeClient(connection_closes))
    assert bench.judge_after_going_on(run).clean


def test_stopping_run_waits_for_what_is_in_flight_and_asks_a_hanging_scheduler_nothing(bench, monkeypatch):
    run = bench.run_with_parts_of(20, name="run")
    monkeypatch.setattr("fastlstm.cluster.crew._LOOK_S", 0.0)
    stopper = Stopper()

    def stopped_at_the_seventh(client, promise, number):
        if number == 6:
            stopper.signal = signal.SIGINT
            client.nthreads = lambda callback_timeout: pytest.fail("the scheduler was asked")
        tell(promise)

    crew = cluster_maker.crew_of(FakeClient(stopped_at_the_seventh), patience=0.3)
    spec = fastlstm.load(bench.spec)
    with pytest.raises(Stopped, match="all of them committed"):
        execute(spec, run, made_by=provenance("float64"), threads=1, stopper=stopper, crew=crew)
    assert 7 <= fastlstm.read(run).status().parts < 36
    assert bench.judge_after_going_on(run).clean


def test_other_packages_are_warned_of_once_and_on_record(bench):
    run = bench.run_with_parts_of(120, name="run")
    client = FakeClient(twice)
    whole = client.submit

    def submit(work, *arguments, **options):
        promise = whole(work, *arguments, **options)
        if work is installation:
            promise.value = promise.value | {"versions": promise.value["versions"] | {"pyarrow": "1.2.3"}}
        return promise

    client.submit = submit
    with pytest.warns(cluster_maker.OtherPackages, match=r"pyarrow 1\.2\.3 \(.* here\)") as told:
        fastlstm.run(bench.spec, run, client=client)
    assert len(told) == 1
    (workers,) = fastlstm.read(run).status().sessions[-1]["provenance"]["workers"]
    assert workers["versions"]["pyarrow"] == "1.2.3"
