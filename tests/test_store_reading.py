"""What is read is what was written; the content does not depend on parts or encoding."""

import errno
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_store import (
    DRAWS,
    LABELS,
    POINTS,
    Stage,
    assert_whole,
    begin,
    commit,
    counts_of,
    do_all,
    plan,
    rows_of,
)

from fastlstm import store
from fastlstm.store import (
    DiskError,
    NotARun,
    NotThere,
    PartId,
    content_hash,
    read_counts,
    read_rows,
    read_spec,
    read_table,
    status,
    verify,
)

# Reading


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A run under a path with spaces, unicode, and what looks like a partition."""
    path = tmp_path / "seed=7" / "Tür und Tor ∂h"
    do_all(path)
    return path


def test_pandas_polars_and_duckdb_read_the_folder(odd):
    frame = pd.read_parquet(odd / "draws")
    assert len(frame) == POINTS * DRAWS
    assert frame.attrs == {"title": "a test"}
    assert frame.regime_f.cat.ordered
    assert frame.regime_f.cat.categories.tolist() == LABELS
    assert frame.regime_f.max() == "right"
    assert frame.groupby("point", observed=True).draw.nunique().tolist() == [DRAWS] * POINTS
    other = pl.read_parquet(odd / "draws")
    assert other["draw"].to_list() == frame.draw.tolist()
    assert other["regime_f"].cast(pl.String).to_list() == frame.regime_f.tolist()
    files = f"{odd}/draws/*/*.parquet"
    query = f"select sum(draw), avg(log10_grad), count(*) filter (regime_f = 'mid') from '{files}'"
    ((total, mean, mid),) = duckdb.sql(query).fetchall()
    assert total == frame.draw.sum()
    assert mean == pytest.approx(frame.log10_grad.astype(float).mean())
    assert mid == (frame.regime_f == "mid").sum()


def test_pandas_reads_each_table_and_the_folder_draws_but_no_run_directory_as_a_whole(odd):
    with pytest.raises(pa.ArrowException):
        pd.read_parquet(odd)
    assert pd.read_parquet(odd / "points.parquet")["draws"].tolist() == [DRAWS] * POINTS
    assert len(pd.read_parquet(odd / "draws")) == POINTS * DRAWS


def test_duckdb_compares_points_as_numbers_when_told_their_type(odd):
    rows = f"read_parquet('{odd}/draws/*/*.parquet', hive_types = {{'point': INT}})"
    assert duckdb.sql(f"select count(*) from {rows} where point between 1 and 9").fetchall() == [(DRAWS,)]
    assert duckdb.sql(f"select count(*) from {rows} where point < 1").fetchall() == [(DRAWS,)]


def test_read_rows_is_pandas_read_parquet_with_a_point_to_compare(odd):
    frame = read_rows(odd)
    assert frame.columns[0] == "point"
    assert frame.attrs == {"title": "a test"}
    plain = pd.read_parquet(odd / "draws").astype({"point": "int32"})
    pd.testing.assert_frame_equal(frame, plain[frame.columns])
    assert (frame.point > 0).sum() == DRAWS


def test_read_rows_takes_columns_and_filters(odd):
    frame = read_rows(odd, columns=["regime_f", "draw"], filters=[("point", "==", 1), ("regime_f", "==", "right")])
    assert frame.columns.tolist() == ["regime_f", "draw"]
    assert frame.regime_f.cat.categories.tolist() == LABELS
    assert frame.draw.tolist() == [draw for draw in range(8, DRAWS) if draw % 3 == 2]
    with pytest.raises(KeyError, match=r"log10_grat.*log10_grad"):
        read_rows(odd, columns=["log10_grat"])
    with pytest.raises(pa.ArrowInvalid, match="nowhere"):
        read_rows(odd, filters=[("nowhere", "==", 1)])


def test_counts_come_back_part_by_part(done):
    actual = {entry.part: table for entry, table in read_counts(done)}
    assert list(actual) == [part for part, _, _ in plan(3)]
    for part, first, draws in plan(3):
        assert actual[part].equals(counts_of(part.point, first, draws))


def test_table_comes_back_and_is_replaced_in_one_step(done):
    assert read_table(done, "points").draws.tolist() == [DRAWS, DRAWS]
    with begin(done) as run:
        run.write_table("points", pa.table({"point": [5]}))
        assert read_table(done, "points").point.tolist() == [5]
        assert not run.finished
    assert status(done).finished is None
    assert status(done).tables == ("points", "regimes")


def test_run_without_rows_has_counts_and_no_draws(tmp_path):
    with begin(tmp_path) as run:
        for part, first, draws in plan(3):
            commit(run, part, first, draws, keep_rows=False)
        run.finish()
    assert not (tmp_path / "draws").exists()
    assert verify(tmp_path) == []
    assert len(list(read_counts(tmp_path))) == len(list(plan(3)))
    assert (status(tmp_path).draws, status(tmp_path).rows) == (POINTS * DRAWS, 0)
    with pytest.raises(NotThere, match="no rows"):
        read_rows(tmp_path)
    with pytest.raises(NotThere, match="no table regimes"):
        read_table(tmp_path, "regimes")


def test_sample_of_the_rows_is_kept_as_it_is(tmp_path):
    with begin(tmp_path) as run:
        rows = rows_of(0, 0, 24).take([1, 5, 23])
        commit(run, PartId(0, 0), 0, 24, rows=rows)
    assert read_rows(tmp_path).draw.tolist() == [1, 5, 23]
    assert verify(tmp_path) == []
    assert (status(tmp_path).draws, status(tmp_path).rows) == (24, 3)


@pytest.mark.parametrize("read", [status, read_spec, read_rows, content_hash, verify])
def test_folder_that_is_no_run_is_refused(tmp_path, read):
    (tmp_path / "file").write_text("no folder at all")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(NotARun):
            read(path)


def test_unwritable_directory_can_be_read_and_verified_but_not_continued(done):
    def before(step: int, name: str) -> None:
        if name in ("create", "open_at", "remove", "rename", "make_folder"):
            raise OSError(errno.EROFS, "Read-only file system")

    assert verify(done, disk=Stage(before)) == []
    (done / "_lock").unlink()

    def before_lock(step: int, name: str) -> None:
        if name == "lock":
            raise OSError(errno.EROFS, "Read-only file system")

    assert verify(done, disk=Stage(before_lock)) == []
    with pytest.raises(DiskError, match="Read-only") as caught:
        begin(done, disk=Stage(before_lock))
    assert caught.value.errno == errno.EROFS


# Content


@pytest.mark.parametrize("blocks_per_part", [1, 2, 4, 6])
def test_content_does_not_depend_on_the_size_of_the_parts(tmp_path, undisturbed, blocks_per_part):
    do_all(tmp_path, blocks_per_part=blocks_per_part)
    assert_whole(tmp_path, undisturbed)


def test_content_does_not_depend_on_the_encoding(tmp_path, undisturbed, monkeypatch):
    def plain(table: pa.Table) -> memoryview:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="gzip", row_group_size=5)
        return memoryview(sink.getvalue())

    monkeypatch.setattr(store.writing, "encode", plain)
    do_all(tmp_path)
    assert content_hash(tmp_path) == undisturbed


CHANGES = {
    "a value": lambda rows: rows.set_column(1, "log10_grad", pa.array([9.0] * len(rows), pa.float32())),
    "a label": lambda rows: rows.set_column(
        3, "regime_f", pa.DictionaryArray.from_arrays(pa.array([2] * len(rows), pa.int8()), pa.array(LABELS))
    ),
    "a name": lambda rows: rows.rename_columns(["draw", "log10_grad", "b_f", "regime_f", "vanished"]),
    "a type": lambda rows: rows.set_column(1, "log10_grad", rows["log10_grad"].cast(pa.float64())),
    "fewer rows": lambda rows: rows.slice(0, len(rows) - 1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_content_depends_on_every_column_of_the_rows(tmp_path, change):
    for path, rows in ((tmp_path / "a", rows_of(0, 0, 24)), (tmp_path / "b", change(rows_of(0, 0, 24)))):
        with begin(path) as run:
            commit(run, PartId(0, 0), 0, 24, rows=rows)
    assert content_hash(tmp_path / "a") != content_hash(tmp_path / "b")


def test_content_tells_texts_and_nulls_of_tables_apart(tmp_path):
    texts = [[], [None], [""], ["ab", "c"], ["a", "bc"], ["", None], [None, ""], ["", ""]]
    numbers = [[], [None], [0], [0, None], [None, 0], [0, 0]]
    columns = [pa.array(text, pa.string()) for text in texts] + [pa.array(n, pa.int64()) for n in numbers]
    hashes = []
    for number, column in enumerate(columns):
        with begin(tmp_path / str(number)) as run:
            run.write_table("points", pa.table({"column": column}))
        hashes.append(content_hash(tmp_path / str(number)))
    assert len(set(hashes)) == len(columns)
