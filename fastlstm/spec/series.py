"""The recorded series that windows are taken from: one column of a file, as numbers that can be trusted.

Whatever is wrong with a file is told with its row and value; nothing is dropped, filled in or guessed.
"""

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fastlstm.spec.files import FileError, read_regular
from fastlstm.spec.series_columns import MAX_BYTES, MAX_ROWS, Numbers, SeriesError, Wanted
from fastlstm.spec.series_csv import CsvStyle, csv_columns
from fastlstm.spec.series_order import order_notes
from fastlstm.spec.series_parquet import parquet_columns
from fastlstm.spec.toml import show

__all__ = ["CsvStyle", "Recorded", "Series", "SeriesError", "find", "read_series"]

Series = np.ndarray[Any, np.dtype[np.float64]]
EXACT = 2**53  # up to this every whole number is a float64

_CSV = (".csv", ".csv.gz")
_PARQUET = ".parquet"


class Recorded(NamedTuple):
    """A column as it is fed in: its values, one series after another, and the number of rows of each series."""

    values: Series
    lengths: tuple[int, ...]
    sha256: str
    notes: tuple[str, ...]


def find(file: str, folder: Path | None) -> Path:
    """The absolute path of a file or a folder, through all links: a relative one starts at `folder`, the spec's.

    That of a spec without a folder, which was given as a mapping, starts at the working folder.
    """
    if "\0" in file:
        raise SeriesError("file", "must not hold a null character")
    place = ((folder or Path()) / file).absolute()
    try:
        path = place.resolve() if place.exists() else None
    except (OSError, RuntimeError) as error:
        right = f"cannot be read: {show(error.strerror if isinstance(error, OSError) else error)}"
        raise SeriesError("file", right) from None
    if path is None:
        whose = "the spec's" if folder else "the working"
        start = "" if Path(file).is_absolute() else f"; a relative path starts at {whose} folder"
        raise SeriesError("file", f"no such file: {show(str(place), 200)}{start}")
    # the kind goes by the name of the file itself: a link does not make a series of something else
    if not path.name.lower().endswith((*_CSV, _PARQUET)) and not path.is_dir():
        raise SeriesError("file", "must be a .csv, .csv.gz or .parquet file, or a folder of .parquet files")
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise SeriesError("file", "lies in a folder whose name is not UTF-8, which a spec cannot hold") from None
    return path


def read_series(
    path: Path, column: str, *, by: str | None, style: CsvStyle, sha256: str | None, standardize: bool
) -> Recorded:
    """Read a column. Raises SeriesError."""
    files = _files(path)
    digests, pieces, left = [], [], MAX_BYTES
    names = Wanted(column, by)
    for file in files:
        try:
            data = read_regular(file, left)
        except FileError as error:
            raise SeriesError("file", f"{_within(path, file)}{error}") from None
        left -= len(data)
        digests.append(hashlib.sha256(data).hexdigest())
        try:
            pieces.append(_columns(file, data, names, style))
        except SeriesError as error:
            raise SeriesError(error.key, f"{_within(path, file)}{error.right}") from None
    digest = digests[0] if files == [path] else hashlib.sha256("".join(digests).encode()).hexdigest()
    if sha256 not in (None, digest):
        raise SeriesError("sha256", f"the file has changed; its SHA-256 is now {digest}")
    columns, rows = pieces[0], sum(len(piece.numbers.values) for piece in pieces)
    if rows > MAX_ROWS:
        raise SeriesError("file", f"has {rows:,} rows; at most {MAX_ROWS:,} are possible")
    if rows == 0:
        raise SeriesError("file", "has no rows")
    numbers = columns.numbers if len(pieces) == 1 else Numbers.joined([piece.numbers for piece in pieces])
    values = _standardized(numbers) if standardize else numbers.values.astype(np.float64)
    if by is None:
        notes = order_notes(columns.others) if len(pieces) == 1 else ()
        return Recorded(values, (rows,), digest, notes)
    codes = _codes(pa.chunked_array([chunk for piece in pieces for chunk in piece.labels.chunks], pa.string()))
    return Recorded(values[np.argsort(codes, kind="stable")], tuple(np.bincount(codes).tolist()), digest, ())


def _files(path: Path) -> list[Path]:
    """The files that make up the series, in their order."""
    if not path.is_dir():
        return [path]
    inside = (file.relative_to(path) for file in path.rglob("*"))
    names = [name for name in inside if name.suffix.lower() == _PARQUET and not _hidden(name)]
    if not names:
        raise SeriesError("file", "is a folder without .parquet files")
    return [path / name for name in sorted(names, key=lambda name: name.parts)]


def _hidden(name: Path) -> bool:
    return any(part.startswith((".", "_")) for part in name.parts)


def _within(path: Path, file: Path) -> str:
    return "" if file == path else f"{show(str(file.relative_to(path)))}: "


def _columns(file: Path, data: bytes, names: Wanted, style: CsvStyle) -> Any:
    if not data:
        raise SeriesError("file", "is an empty file")
    if not file.name.lower().endswith(_PARQUET):
        return csv_columns(data, names, style, compressed=file.suffix.lower() == ".gz")
    for key in ("separator", "decimal", "comment"):
        if getattr(style, key) is not None:
            raise SeriesError(key, "is for CSV files; remove it")
    return parquet_columns(data, names)


def _codes(labels: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A number for the series of each row, counted from 0 in the order in which they begin."""
    missing = pc.is_null(labels)
    if pc.any(missing).as_py():
        raise SeriesError("by", f"row {pc.index(missing, True).as_py() + 1} is empty; every row must name its series")
    codes = labels.combine_chunks().dictionary_encode()
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    numbers: np.ndarray[Any, np.dtype[np.int64]] = codes.indices.to_numpy().astype(np.int64)
    return numbers


def _standardized(numbers: Numbers) -> Series:
    values = _from_zero(numbers)
    # fsum rounds once, so that mean and deviation are the same on every machine
    try:
        mean = math.fsum(values) / len(values)
        gaps = (value - mean for value in values.tolist())
        deviation = math.sqrt(math.fsum(gap * gap for gap in gaps) / len(values))  # ** 2 would be libm's pow
    except OverflowError:
        mean, deviation = 0.0, math.inf
    # the computed deviation of a constant column need not be exactly 0, so its range is asked too
    if values.min() == values.max() or not 0 < deviation < np.inf:
        raise SeriesError("standardize", "the column's standard deviation is 0 or too large; set this to false")
    standardized: Series = (values - mean) / deviation
    return standardized


def _from_zero(numbers: Numbers) -> Series:
    """The values, counted from the smallest of them where float64 does not hold each of these whole numbers."""
    values = numbers.values
    if values.dtype.kind == "f":
        if not numbers.as_stored and np.abs(values).max() > EXACT:
            right = "has values beyond 2^53, whose digits float64 does not hold; subtract a constant from them"
            raise SeriesError("column", right)
        return values.astype(np.float64)
    least, most = int(values.min()), int(values.max())
    if max(abs(least), abs(most)) <= EXACT:
        return values.astype(np.float64)
    # modulo 2^64, as unsigned numbers hold every distance
    return (values.astype(np.uint64) - np.uint64(least % 2**64)).astype(np.float64)
