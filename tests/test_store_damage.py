"""Damage is named, dropped and made again, and never read without a word."""

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_store import (
    DRAWS,
    POINTS,
    assert_whole,
    begin,
    commit,
    do_all,
    plan,
    rows_of,
)

from fastlstm import store
from fastlstm.store import (
    Damaged,
    PartId,
    content_hash,
    read_counts,
    read_rows,
    status,
    verify,
)

# Damage


def truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def lose_last_byte(data: bytes) -> bytes:
    return data[:-1]


def empty(data: bytes) -> bytes:
    return b""


def flip_first(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def flip_middle(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1 :]


def grow(data: bytes) -> bytes:
    return data + b"\0"


DAMAGES = [truncate, lose_last_byte, empty, flip_first, flip_middle, grow, None]
FILES = [
    "draws/point=0001/part-00000000.parquet",
    "counts/point=0000/part-00000001.parquet",
    "regimes.parquet",
]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_named_repaired_and_made_again(done, undisturbed, file, damage):
    if damage is None:
        (done / file).unlink()
    else:
        (done / file).write_bytes(damage((done / file).read_bytes()))
    problems = verify(done)
    assert [problem.file for problem in problems] == [file]
    with pytest.raises(Damaged):
        read_all(done)
    assert verify(done, repair=True) == problems
    assert verify(done) == []
    assert status(done).finished is None
    do_all(done)
    assert_whole(done, undisturbed)


def read_all(path: Path) -> None:
    content_hash(path)
    list(read_counts(path))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", [truncate, empty, grow, None])
def test_file_of_the_wrong_size_is_made_again_without_verify(done, undisturbed, file, damage):
    if damage is None:
        (done / file).unlink()
    else:
        (done / file).write_bytes(damage((done / file).read_bytes()))
    with begin(done) as run:
        assert len(run.dropped) == 1
        assert not run.finished
    assert status(done).finished is None
    do_all(done)
    assert_whole(done, undisturbed)


def test_no_flipped_bit_of_a_part_is_read_without_a_word(tmp_path, some):
    """Of data pages, page headers and footer alike; pyarrow's page checksums alone let some through."""
    with begin(tmp_path, blocks_per_part=1) as run:
        entry = commit(run, PartId(0, 1), 8, 8)
    file = tmp_path / "draws/point=0000/part-00000001.parquet"
    data, right = file.read_bytes(), read_rows(tmp_path)
    regime = pq.read_metadata(file).row_group(0).column(3)
    labels = range(8 * regime.dictionary_page_offset, 8 * regime.data_page_offset)
    caught = harmless = 0
    last = 8 * len(data) - 1
    for bit in sorted({*some(sorted({*range(0, 8 * len(data), 17), *labels}), 300), last}):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        try:
            frame = read_rows(tmp_path)
        except Damaged:
            caught += 1
        else:
            pd.testing.assert_frame_equal(frame, right)
            harmless += 1
    assert caught > 5 * harmless
    assert bit // 8 > len(data) - entry.footer.size


def test_stray_files_are_named_and_only_own_ones_removed(done, undisturbed):
    foreign = ["draws/point=0000/copy of part.parquet", "draws/notes.txt", "counts/old/part-00000000.parquet"]
    own = ["draws/point=0000/part-00000009.parquet", "counts/point=0007/part-00000000.parquet"]
    for file in [*foreign, *own]:
        (done / file).parent.mkdir(exist_ok=True)
        (done / file).write_bytes(b"who knows")
    (done / "draws/.DS_Store").write_bytes(b"no reader sees this")
    (done / "notes.md").write_text("nor does this matter")
    assert {problem.file for problem in verify(done)} == {*foreign, *own}
    assert len(read_rows(done)) == POINTS * DRAWS
    assert content_hash(done) == undisturbed
    begin(done).close()
    assert {problem.file for problem in verify(done)} == set(foreign)
    assert {problem.file for problem in verify(done, repair=True)} == set(foreign)
    assert all((done / file).exists() for file in [*foreign, "draws/.DS_Store", "notes.md"])


def test_part_with_other_columns_is_named(tmp_path):
    with begin(tmp_path) as run:
        for part, first, draws in plan(3):
            rows = rows_of(part.point, first, draws)
            if part == PartId(0, 0):
                rows = rows.drop_columns(["exploded"])
            commit(run, part, first, draws, rows=rows)
    assert [problem.part for problem in verify(tmp_path)] == [PartId(0, 0)]


def test_draws_missing_from_a_finished_run_are_named(tmp_path):
    with begin(tmp_path) as run:
        commit(run, PartId(0, 1), 24, 24)
        assert verify_of_others_copy(tmp_path, tmp_path.with_name("copy")) == []
        run.finish()
    (problem,) = verify(tmp_path)
    assert "draws 0 .. 23 before it are missing" in str(problem)


def verify_of_others_copy(path: Path, copy: Path) -> list[store.Finding]:
    shutil.copytree(path, copy)
    return verify(copy)
