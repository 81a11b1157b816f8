"""Files that are cut, flipped, emptied, deleted or strange: no wrong number without a word, and all is made again."""

import random
import shutil

import pytest
from ledger import Fault
from small_run import TABLES

from fastlstm import store
from fastlstm.store.journal import Journal, PartId

pytestmark = pytest.mark.chaos

ROWS = "draws/point=0001/part-00000001.parquet"
COUNTS = "counts/point=0001/part-00000001.parquet"
RECORDS = ("_journal.jsonl", "_run.json", "_spec.toml")
FLIPS = 15  # of each kind of file


def footer_size(run):
    journal = Journal((run / "_journal.jsonl").read_bytes())
    return journal.parts[PartId(1, 1)].footer.size


def places_of_flips(run):
    """For each kind: files, and the part of the file that is meant."""
    footer = footer_size(run)
    return {
        Fault.FLIP_ROWS: ([ROWS], slice(None, -footer)),
        Fault.FLIP_FOOTER: ([ROWS], slice(-footer, None)),
        Fault.FLIP_COUNTS: ([COUNTS], slice(None)),
        Fault.FLIP_TABLE: ([f"{name}.parquet" for name in TABLES], slice(None)),
        Fault.FLIP_JOURNAL: (["_journal.jsonl"], slice(None)),
        Fault.FLIP_RECORD: (["_run.json"], slice(None)),
        Fault.FLIP_SPEC: (["_spec.toml"], slice(None)),
    }


def repair_and_go_on(bench, run, ledger, fault, told):
    """Nothing wrong is read before; then `verify --repair` and the same command make the run whole."""
    wrong = bench.wrong_numbers(run)
    store.verify(run, repair=True)
    ledger.enter(fault, bench.judge_after_going_on(run, wrong=wrong), told=told)


def names(run):
    return {problem.file for problem in store.verify(run)}


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault.name.startswith("FLIP")])
def test_flipped_bit_is_named_and_made_again(bench, ledger, some, fault):
    random_places = random.Random(fault.name)
    for _ in some(range(FLIPS), 1):
        run = bench.copy()
        files, region = places_of_flips(run)[fault]
        file = random_places.choice(files)
        data = bytearray((run / file).read_bytes())
        place = random_places.choice(range(len(data))[region])
        data[place] ^= 1 << random_places.randrange(8)
        (run / file).write_bytes(data)
        assert file in names(run), (file, place)
        repair_and_go_on(bench, run, ledger, fault, (file, place))


@pytest.mark.parametrize("file", [ROWS, COUNTS])
def test_part_cut_off_anywhere_is_named_and_made_again_without_repair(bench, ledger, some, file):
    size = (bench.whole / file).stat().st_size
    for length in some([*range(0, size, 1024), size - 1], 1):
        run = bench.copy()
        with (run / file).open("r+b") as opened:
            opened.truncate(length)
        assert file in names(run)
        wrong = bench.wrong_numbers(run)
        ledger.enter(Fault.TRUNCATED, bench.judge_after_going_on(run, wrong=wrong), told=(file, length))


def files_of(run):
    return sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())


@pytest.mark.parametrize("fault", [Fault.DELETED, Fault.EMPTY])
def test_file_that_is_gone_or_empty_is_made_again_without_repair(bench, ledger, some, fault):
    needed = [file for file in files_of(bench.whole) if not file.startswith("_lock")]
    for file in some(needed, 1):
        run = bench.copy()
        (run / file).unlink()
        if fault is Fault.EMPTY:
            (run / file).touch()
        assert names(run), file
        wrong = bench.wrong_numbers(run)
        ledger.enter(fault, bench.judge_after_going_on(run, wrong=wrong), told=file)


def test_whole_folder_that_is_gone_is_made_again(bench, ledger, some):
    for folder in some(["draws/point=0001", "draws", "counts"], 1):
        run = bench.copy()
        shutil.rmtree(run / folder)
        assert names(run)
        wrong = bench.wrong_numbers(run)
        ledger.enter(Fault.DELETED, bench.judge_after_going_on(run, wrong=wrong), told=folder)


OWN_STRAYS = {
    "draws/point=0001/.part-00000001.parquet.partial": b"half",
    "._run.json.partial": b"half",
    "counts/point=0002/part-00000099.parquet": ROWS,  # of a part that was not committed
    "draws/point=0002/part-00000099.parquet": ROWS,
    "draws/point=0007/part-00000000.parquet": ROWS,
}
FOREIGN_STRAYS = {
    "draws/point=0001/copy of part-00000001.parquet": ROWS,
    "draws/notes.txt": b"mine",
    "draws/point=0001/deeper/part-00000000.parquet": ROWS,
    "counts/.DS_Store": b"",
    "notes.txt": b"mine",
}


def test_stray_file_is_not_read_and_a_foreign_one_stays(bench, ledger, some):
    for file in some([*OWN_STRAYS, *FOREIGN_STRAYS], 2):
        run = bench.copy()
        content = (OWN_STRAYS | FOREIGN_STRAYS)[file]
        (run / file).parent.mkdir(exist_ok=True)
        (run / file).write_bytes(content if isinstance(content, bytes) else (run / content).read_bytes())
        wrong = bench.wrong_numbers(run)
        assert bench.go_on(run).code == 0
        assert (run / file).exists() == (file in FOREIGN_STRAYS)
        if (run / file).exists():
            if file.startswith("draws"):
                assert file in names(run)
            (run / file).unlink()  # by the user, who is told
        ledger.enter(Fault.STRAY, bench.judge_after_going_on(run, wrong=wrong), told=file)
