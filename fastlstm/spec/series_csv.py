"""SeriesColumns of a CSV file: each cell of the series read as it is written, and named where it is no number."""

import gzip
import io
import re
import zlib
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv

from fastlstm.spec.series_columns import MAX_BYTES, MAX_ROWS, NO_LABELS, Numbers, SeriesColumns, SeriesError, Wanted
from fastlstm.spec.toml import show

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_WHOLE = r"^[+-]?\d{1,18}$"
_MOST_OTHERS, _MOST_BYTES_OF_OTHERS = 8, 2**26
_HEAD = 2**16  # bytes that are looked at for advice


class CsvStyle(NamedTuple):
    """How the file is written; None for what [input] leaves out."""

    separator: str | None
    decimal: str | None
    comment: str | None


def csv_columns(data: bytes, names: Wanted, style: CsvStyle, *, compressed: bool) -> SeriesColumns:
    """The wanted columns of the bytes of a file. Raises SeriesError."""
    if (style.decimal or ".") == (style.separator or ","):
        raise SeriesError("decimal", "must differ from separator, which is a comma if it is left out")
    data = (_unpacked(data) if compressed else data).removeprefix(b"\xef\xbb\xbf")
    if style.comment is not None:
        data = re.sub(rb"(?m)^[ \t]*" + re.escape(style.comment.encode()) + rb".*(?:\r?\n|\Z)", b"", data)
    data = _as_utf8(data.strip(b"\r\n") + b"\n")
    if data == b"\n":
        raise SeriesError("file", "has no rows")
    try:
        header = _header(data, style)
        names.check(header, _advice(data, names.column, style))
        others = [name for name in header if name not in names and header.count(name) == 1]
        others = others[:_MOST_OTHERS] if names.by is None and len(data) <= _MOST_BYTES_OF_OTHERS else []
        bad_rows: list[str] = []
        options = _options(style, len(data), bad_rows)
        options["convert_options"] = pc_csv.ConvertOptions(
            include_columns=[name for name in (*names, *others) if name is not None],
            column_types={name: pa.string() for name in names if name is not None},
            strings_can_be_null=False,
        )
        table = pc_csv.read_csv(pa.BufferReader(data), **options)
    except (pa.ArrowException, ValueError, KeyError):
        # without Arrow's words, which quote lines of the file
        raise SeriesError("file", "cannot be read as CSV") from None
    if bad_rows:
        raise SeriesError("file", f"cannot be read as CSV: {bad_rows[0]}")
    if table.num_rows == 0:
        raise SeriesError("file", "has no rows")
    if table.num_rows > MAX_ROWS:
        raise SeriesError("file", f"has {table.num_rows:,} rows; at most {MAX_ROWS:,} are possible")
    labels = NO_LABELS
    if names.by is not None:
        labels = table[names.by]
        labels = pc.if_else(pc.equal(labels, ""), None, labels)
    return SeriesColumns(_numbers(table[names.column], style), labels, {name: table[name] for name in others})


def _as_utf8(data: bytes) -> bytes:
    if b"\0" in data:
        raise SeriesError("file", "cannot be read: it is not text, or not UTF-8 text")
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError:
        # numbers and commas are the same in every code page; names of columns are taken as Latin-1
        return data.decode("latin-1").encode()
    return data


def _unpacked(data: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise SeriesError("file", "cannot be unpacked: it is not a whole gzip file") from None
    if len(content) > MAX_BYTES:
        raise SeriesError("file", f"holds more than {MAX_BYTES >> 20:,} MiB when it is unpacked")
    return content


def _header(data: bytes, style: CsvStyle) -> list[str]:
    """The names in the head of a file.

    Not by a streaming reader, whose thread ends the process (pyarrow 20 to 24) if it is still there at the end.
    """
    data += b"\n"  # an empty row, since there is none to skip in a file that has a head alone
    options = _options(style, len(data), [])
    options["read_options"].skip_rows_after_names = len(data)  # more than there are
    return list(pc_csv.read_csv(pa.BufferReader(data), **options).column_names)


def _options(style: CsvStyle, size: int, bad_rows: list[str]) -> dict[str, Any]:
    def note(row: pc_csv.InvalidRow) -> str:
        where = "a row" if row.number is None else f"row {row.number - 1}"
        bad_rows.append(f"{where} has {row.actual_columns} cells and the head has {row.expected_columns}")
        return "skip"

    return {
        # one block and one thread: rows keep their numbers, however long they are
        "read_options": pc_csv.ReadOptions(use_threads=False, block_size=max(size + 1, 1024)),
        "parse_options": pc_csv.ParseOptions(
            delimiter=style.separator or ",",
            newlines_in_values=True,
            # an empty line in a file of one column is an empty cell; between other rows it is a gap
            ignore_empty_lines=False,
            invalid_row_handler=note,
        ),
    }


def _numbers(cells: pa.ChunkedArray, style: CsvStyle) -> Numbers:
    texts = pc.utf8_trim_whitespace(cells)
    if style.decimal == ",":
        has_point = pc.match_substring(texts, ".")
        texts = pc.if_else(has_point, texts, pc.replace_substring(texts, ",", "."))
        is_number = pc.and_not(pc.match_substring_regex(texts, _NUMBER), has_point)
    else:
        is_number = pc.match_substring_regex(texts, _NUMBER)
    if not pc.all(is_number).as_py():
        row = pc.index(is_number, False).as_py()
        count = pc.sum(pc.invert(is_number)).as_py()
        raise SeriesError("column", _bad_cell(row, cells[row].as_py().strip(), style) + _more(count - 1))
    texts = pc.replace_substring_regex(texts, r"^\+", "")
    is_whole = pc.all(pc.match_substring_regex(texts, _WHOLE)).as_py()
    numbers = Numbers.of(texts.cast(pa.int64() if is_whole else pa.float64()))
    return Numbers(numbers.values, is_whole)


def _bad_cell(row: int, cell: str, style: CsvStyle) -> str:
    if not cell:
        return f"row {row + 1} is empty; every row must hold a finite number"
    right = "every row must hold a finite number"
    if style.decimal is None and re.fullmatch(r"[+-]?\d*,\d+", cell):
        right = 'write decimal = "," if the comma is the decimal point'
    elif re.fullmatch(r"[+-]?\d{1,3}([,.' ]\d{3})+([.,]\d*)?", cell):
        right = "write numbers without separators of thousands"
    return f"row {row + 1} is {show(cell, 40)}; {right}"


def _more(count: int) -> str:
    return f"; {count:,} more {'rows hold' if count > 1 else 'row holds'} no number" if count else ""


def _advice(data: bytes, column: str, style: CsvStyle) -> str:
    """What [input] would have to say for the column to be there, as far as the first lines tell."""
    head = data[:_HEAD].decode("utf-8", "replace").splitlines()
    first, rest = head[0], head[1:20]
    if style.comment is None and first[:1] in ("#", "%", "!"):
        return f"write comment = {show(first[0])} if lines that begin with it are to be skipped"
    for separator in (";", "\t", "|", " ", ","):
        cells = [cell.strip().strip('"') for cell in first.split(separator)]
        if separator != (style.separator or ",") and column in cells and len(cells) > 1:
            commas = separator != "," and any(re.search(r"\d,\d", line) for line in rest)
            return f"write separator = {show(separator)}" + (' and decimal = ","' if commas else "")
    return ""
