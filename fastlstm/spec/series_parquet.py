"""SeriesColumns of a Parquet file, its checksums checked, and no other column decoded."""

import pyarrow as pa
import pyarrow.parquet as pq

from fastlstm.spec.series_columns import MAX_BYTES, MAX_ROWS, NO_LABELS, Numbers, SeriesColumns, SeriesError, Wanted
from fastlstm.spec.toml import show

_MOST_OTHERS, _MOST_ROWS_OF_OTHERS = 8, 10**6


def parquet_columns(data: bytes, names: Wanted) -> SeriesColumns:
    """The wanted columns of the bytes of a file. Raises SeriesError."""
    try:
        # pages without a checksum are read as they are
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        rows = file.metadata.num_rows
        if rows > MAX_ROWS:
            raise SeriesError("file", f"has {rows:,} rows; at most {MAX_ROWS:,} are possible")
        schema = file.schema_arrow
        names.check(schema.names)
        numbers = Numbers.of(_column(file, names.column))
        if names.by is not None:
            return SeriesColumns(numbers, _column(file, names.by).cast(pa.string()))
        others = [each.name for each in schema if each.name != names.column and _tells_order(each.type)]
        if rows > _MOST_ROWS_OF_OTHERS or len(set(others)) < len(others):
            others = []
        return SeriesColumns(numbers, NO_LABELS, {name: _column(file, name) for name in others[:_MOST_OTHERS]})
    except (pa.ArrowException, OSError, ValueError, NotImplementedError, KeyError) as error:
        raise SeriesError("file", f"cannot be read: {show(str(error), 200)}") from None


def _column(file: pq.ParquetFile, name: str) -> pa.ChunkedArray:
    if (decoded := _decoded_bytes(file, name)) > MAX_BYTES:
        raise SeriesError(
            "file", f"holds {decoded >> 20:,} MiB in {show(name)}; at most {MAX_BYTES >> 20:,} are possible"
        )
    place = file.schema_arrow.get_field_index(name)
    chunks = [batch.column(0) for batch in file.iter_batches(columns=[name], use_threads=False)]
    return pa.chunked_array(chunks, file.schema_arrow.field(place).type)


def _decoded_bytes(file: pq.ParquetFile, name: str) -> int:
    groups = (file.metadata.row_group(number) for number in range(file.num_row_groups))
    columns = (group.column(number) for group in groups for number in range(group.num_columns))
    return sum(each.total_uncompressed_size for each in columns if each.path_in_schema.split(".")[0] == name)


def _tells_order(kind: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(kind) or pa.types.is_string(kind) or pa.types.is_integer(kind))
