"""What a run directory says: spec, rows, tables, counts, and the hash of its content."""

import hashlib
import json
import os
from collections.abc import Collection, Container, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from fastlstm.store.disk import Disk, NotAFile
from fastlstm.store.errors import Damaged, NotThere, disk_errors
from fastlstm.store.folder import DISK, SPEC, read_journal, read_whole
from fastlstm.store.journal import CLAIMS_TABLE, COUNTS, ROWS, Journal, PartEntry, Stored, part_file, table_file
from fastlstm.store.parquet import ColumnHash, decode
from fastlstm.store.record import run_id
from fastlstm.store.state import record_of


def read_spec(path: str | os.PathLike[str], *, disk: Disk = DISK) -> str:
    """The normalised spec, as run. Raises NotARun, Damaged, DiskError."""
    with disk_errors():
        record = record_of(disk, Path(path))
        return read_whole(disk, Path(path), SPEC, Stored(*record["spec"])).decode()


def read_rows(
    path: str | os.PathLike[str],
    *,
    columns: list[str] | None = None,
    filters: list[Any] | None = None,
    disk: Disk = DISK,
) -> pd.DataFrame:
    """The committed rows by point and draw; every byte that counts is checked on the way.

    `columns` and `filters` are those of pandas.read_parquet. `point` is an integer column here, so that it
    can be compared; pandas.read_parquet makes it a categorical. Raises NotARun, NotThere, Damaged, DiskError,
    KeyError.
    """
    path = Path(path)
    with disk_errors():
        rows = dataset(path, disk=disk)
        names = rows.schema.names
        if unknown := set(columns or ()) - set(names):
            raise KeyError(f"no column {', '.join(sorted(unknown))}; there are {', '.join(names)}")
        # Made before anything is read, so that a filter that makes no sense is not taken for damage.
        scanner = rows.scanner(columns=columns, filter=None if filters is None else pq.filters_to_expression(filters))
        try:
            table = scanner.to_table()
        except (OSError, pa.ArrowInvalid) as error:
            if getattr(error, "errno", None) is not None:
                raise
            raise Damaged(f"rows in {path / ROWS} are not what was written ({error}); verify names the file") from error
    return _to_pandas(table, rows.schema.metadata)


def dataset(path: str | os.PathLike[str], *, disk: Disk = DISK) -> ds.Dataset:
    """The committed rows by point and draw, unread; the ends of their files are checked, and each page when it is read.

    Raises NotARun, NotThere, Damaged, DiskError.
    """
    path = Path(path)
    with disk_errors():
        entries = [entry for entry in journal_of(disk, path).in_order() if entry.rows is not None]
        if not entries:
            raise NotThere(f"{path} has no rows: none are committed yet, or its spec keeps none")
        files = [part_file(ROWS, entry.part) for entry in entries]
        for file, entry in zip(files, entries, strict=True):
            check_end(disk, path / file, entry)
        schema = pq.read_schema(path / files[0])
        options = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
        return ds.FileSystemDataset.from_paths(
            [str((path / file).absolute()) for file in files],
            schema=schema.insert(0, pa.field("point", pa.int32(), nullable=False)),
            format=ds.ParquetFileFormat(default_fragment_scan_options=options),
            filesystem=LocalFileSystem(),
            partitions=[ds.field("point") == pa.scalar(entry.part.point, pa.int32()) for entry in entries],
        )


def read_table(
    path: str | os.PathLike[str], name: str, *, needs: Collection[str] = (), disk: Disk = DISK
) -> pd.DataFrame:
    """A table such as `regimes`; `needs` are columns without which it is none of that name.

    Raises NotARun, NotThere, Damaged, DiskError.
    """
    path = Path(path)
    with disk_errors():
        stored = journal_of(disk, path).tables.get(name)
        if stored is None:
            raise NotThere(f"{path} has no table {name}: it is made when the run ends, or by merge")
        table = read_decoded(disk, path, table_file(name), stored, needs)
    return _to_pandas(table, table.schema.metadata)


def read_counts(
    path: str | os.PathLike[str], *, without: Container[int] = (), needs: Collection[str] = (), disk: Disk = DISK
) -> Iterator[tuple[PartEntry, pa.Table]]:
    """The counts of each committed part, by point and draw, one part at a time in memory.

    Points in `without` are left out; `needs` are columns without which they are no counts. Raises NotARun, Damaged,
    DiskError.
    """
    path = Path(path)
    with disk_errors():
        entries = journal_of(disk, path).in_order()
    for entry in entries:
        if entry.part.point not in without:
            with disk_errors():
                table = read_decoded(disk, path, part_file(COUNTS, entry.part), entry.counts, needs)
            yield entry, table


def journal_of(disk: Disk, path: Path) -> Journal:
    """What is committed. Raises NotARun, MixedRuns, OtherFormat, Damaged."""
    journal = read_journal(disk, path, run_id(record_of(disk, path)))
    if journal.damaged_lines:
        raise Damaged(f"{path} has damaged journal lines; run the spec again, which makes those parts anew")
    return journal


def read_decoded(disk: Disk, path: Path, file: str, stored: Stored, needs: Collection[str]) -> pa.Table:
    """The table in a file of a run. Raises Damaged if it is not what was written, or has not the columns needed."""
    table = decode(read_whole(disk, path, file, stored))
    check_columns(path / file, table.column_names, needs)
    return table


def check_columns(file: Path, names: Collection[str], needs: Collection[str]) -> None:
    """Raises Damaged if a file that is as it was written is none of the kind that its name says."""
    if lacking := [name for name in needs if name not in names]:
        raise Damaged(f"{file} has no column {', '.join(lacking)}: it was written by something else; remove it")


def check_end(disk: Disk, path: Path, entry: PartEntry) -> None:
    """Raises Damaged if a rows file is missing or does not end as it was written."""
    assert entry.footer is not None
    try:
        end = disk.read(path, last=entry.footer.size)
    except (FileNotFoundError, NotADirectoryError):
        raise Damaged(f"{path} is missing") from None
    except NotAFile:
        raise Damaged(f"{path} is not a regular file") from None
    if Stored.of(end) != entry.footer:
        raise Damaged(f"{path} is not what was written")


def _to_pandas(table: pa.Table, metadata: Mapping[bytes, bytes] | None) -> pd.DataFrame:
    try:
        # Page headers have no checksum: a dictionary that lost values there leaves stray indices.
        table.validate(full=True)
    except (pa.ArrowInvalid, pa.lib.ArrowIndexError) as error:
        raise Damaged(f"what was read is not what was written ({error}); verify names the file") from error
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    frame.attrs = json.loads((metadata or {}).get(b"PANDAS_ATTRS", b"{}"))
    return frame


def content_hash(path: str | os.PathLike[str], *, disk: Disk = DISK) -> str:
    """The SHA-256 of what the run says: its rows in the order of the draws, and its tables but the verdicts.

    The size of the parts, the encoding and the metadata do not enter. Raises NotARun, Damaged, DiskError.
    """
    path = Path(path)
    columns: dict[tuple[str, str], ColumnHash] = {}

    def take(owner: str, table: pa.Table) -> None:
        for name in table.column_names:
            columns.setdefault((owner, name), ColumnHash()).take(table[name])

    with disk_errors():
        journal = journal_of(disk, path)
        for entry in journal.in_order():
            if entry.rows is not None:
                file = part_file(ROWS, entry.part)
                take(f"point {entry.part.point}", decode(read_whole(disk, path, file, entry.rows)))
        for name, stored in journal.tables.items():
            if name == CLAIMS_TABLE:
                continue
            take(f"table {name}", decode(read_whole(disk, path, table_file(name), stored)))
    lines = [json.dumps([owner, name, columns[owner, name].digest()]) for owner, name in sorted(columns)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
