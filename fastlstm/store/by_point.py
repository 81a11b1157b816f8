"""What a run says of one point at a time: some columns of its rows, and its counts."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fastlstm.store.disk import Disk
from fastlstm.store.errors import Damaged, disk_errors
from fastlstm.store.folder import DISK
from fastlstm.store.journal import COUNTS, ROWS, PartEntry, part_file
from fastlstm.store.reading import check_columns, check_end, journal_of, read_decoded


class PointReader:
    """Reads committed parts by point, a part at a time in memory; the journal is read once, on opening.

    Raises NotARun, Damaged, DiskError.
    """

    def __init__(self, path: str | os.PathLike[str], *, disk: Disk = DISK) -> None:
        self._path, self._disk = Path(path), disk
        self._parts: defaultdict[int, list[PartEntry]] = defaultdict(list)
        with disk_errors():
            for entry in journal_of(disk, self._path).in_order():
                self._parts[entry.part.point].append(entry)

    def rows(self, point: int, columns: Sequence[str]) -> Iterator[pa.Table]:
        """These columns of the rows of each part of a point, by draw; nothing if the run keeps no rows."""
        for entry in self._parts[point]:
            if entry.rows is not None:
                file = self._path / part_file(ROWS, entry.part)
                with disk_errors():
                    check_end(self._disk, file, entry)
                    try:
                        with file.open("rb") as source:
                            whole = pq.ParquetFile(source, page_checksum_verification=True)
                            check_columns(file, whole.schema_arrow.names, columns)
                            # one thread: a few columns of one part are too little to share
                            table = whole.read(list(columns), use_threads=False)
                        table.validate(full=True)
                    except (OSError, pa.ArrowInvalid, pa.lib.ArrowIndexError) as error:
                        if getattr(error, "errno", None) is not None:
                            raise
                        raise Damaged(f"{file} is not what was written ({error})") from error
                yield table

    def counts(self, point: int, needs: Collection[str] = ()) -> Iterator[pa.Table]:
        """The counts of each part of a point; `needs` are columns without which they are no counts."""
        for entry in self._parts[point]:
            with disk_errors():
                table = read_decoded(self._disk, self._path, part_file(COUNTS, entry.part), entry.counts, needs)
            yield table
