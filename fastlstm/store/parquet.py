"""Tables as bytes of Parquet files, and what can be told of their columns."""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fastlstm.store.journal import PartEntry

_WORTH_THREADS = 2**20  # bytes


def encode(table: pa.Table) -> memoryview:
    """The bytes of a Parquet file with page checksums; the same table gives the same bytes.

    Random floats hardly compress, so the point is to lose no time on them. Measured on one core (2^18 rows: 34 random
    float32 columns, 7 of few values such as shares of 100 steps, 3 regimes, 2 flags and the draw; best of 8,
    interleaved), in ns of processor time and bytes a row:

        as here                     228   142        nothing compressed           217   143
        floats split into streams   238   142        the same, and lz4            315   128

    pyarrow's defaults, which try a dictionary on every column, took ten times as long and made 219 bytes a row.
    """
    few = [name for name in table.column_names if _has_few_values(table[name])]
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type) and field.name not in few]
    integers = [field.name for field in table.schema if pa.types.is_integer(field.type) and field.name not in few]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression={name: "none" if name in floats else "lz4" for name in table.column_names},
        use_dictionary=few,
        column_encoding=dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
        write_statistics=[name for name in table.column_names if name not in floats],
        write_page_checksum=True,
    )
    return memoryview(sink.getvalue())


def _has_few_values(column: pa.ChunkedArray) -> bool:
    """Whether a dictionary pays: grid values, shares of the steps, labels. Judged by the first rows."""
    if pa.types.is_dictionary(column.type):
        return True
    return not pa.types.is_boolean(column.type) and len(pc.unique(column.slice(0, 4096))) <= 1024


def decode(data: bytes | memoryview, columns: list[str] | None = None) -> pa.Table:
    """The table in the bytes of a Parquet file.

    pq.read_table goes through the dataset layer: 1.3 ms of one core for a small file, against 0.16 ms here. For
    those, handing columns to threads costs more than it gains.
    """
    with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
        return file.read(columns=columns, use_threads=len(data) > _WORTH_THREADS)


def footer(data: memoryview) -> memoryview:
    """The end of a Parquet file: metadata, their length in 4 bytes, and the mark PAR1."""
    return data[-8 - int.from_bytes(data[-8:-4], "little") :]


def without_nulls(rows: pa.Table) -> pa.Table:
    """The same rows, declared to have no nulls, which saves a fifth of the encoding."""
    for name in rows.column_names:
        if rows[name].null_count:
            raise ValueError(f"column {name} has {rows[name].null_count} nulls")
    fields = [field.with_nullable(False) for field in rows.schema]
    return pa.Table.from_arrays(rows.columns, schema=pa.schema(fields, rows.schema.metadata))


def wrong_draws(column: pa.ChunkedArray, entry: PartEntry) -> str | None:
    """What is wrong with the draw ids of a part, if anything."""
    draws = column.to_numpy()
    if len(draws) != entry.kept:
        return f"has {len(draws)} rows instead of {entry.kept}"
    if np.any(np.diff(draws) <= 0):
        return "draw ids are not in increasing order"
    last = entry.first_draw + entry.draws - 1
    if len(draws) and not entry.first_draw <= draws[0] <= draws[-1] <= last:
        return f"draw ids {draws[0]} .. {draws[-1]} are not within {entry.first_draw} .. {last}"
    return None


class ColumnHash:
    """A hash of a column's values, however they are cut into chunks: numbers, booleans, or text."""

    def __init__(self) -> None:
        self.length = 0
        self.type = ""
        self.values, self.lengths, self.nulls = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()

    def take(self, column: pa.ChunkedArray) -> None:
        self.type = str(column.type.value_type if pa.types.is_dictionary(column.type) else column.type)
        for chunk in filter(len, column.chunks):
            values = chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk
            if values.null_count:
                where = np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False)) + self.length
                self.nulls.update(where.astype(np.int64).tobytes())
            if pa.types.is_string(values.type):
                values = values.cast(pa.large_binary()).fill_null(b"")
                self.lengths.update(pc.binary_length(values).to_numpy())
                _, offsets, text = values.buffers()
                start, end = np.frombuffer(offsets, np.int64)[[values.offset, values.offset + len(values)]]
                self.values.update(memoryview(text)[start:end])
            else:
                number = values.cast(pa.uint8()) if pa.types.is_boolean(values.type) else values
                self.values.update(number.fill_null(0).to_numpy())
            self.length += len(chunk)

    def digest(self) -> list[Any]:
        return [
            self.type,
            self.length,
            *(each.hexdigest() for each in (self.values, self.lengths, self.nulls)),
        ]
