"""Files that are written otherwise, damaged, hostile or too large: read right, or refused in one sentence."""

import gzip
import os
import socket
import tomllib
import warnings
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_specs import reload

from fastlstm.spec import SpecError, load
from fastlstm.spec.loading import SpecWarning

VALUES = [1.5, -2.25, 3.0, 4.5, 1e-3, 7.0]


def spec(file, column="x", steps=3, **options):
    tables = {"draws": 1, "steps": steps, "params": {"default": 0}}
    return load(tables | {"input": {"file": str(file), "column": column} | options})


def refusal(file, column="x", **options):
    with pytest.raises(SpecError) as caught:
        spec(file, column, **options)
    (problem,) = caught.value.problems
    assert str(problem).isprintable()
    return f"{problem.key.removeprefix('input.')}: {problem.message}"


def written(folder, content, name="a.csv"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parquet(path, **columns):
    pq.write_table(pa.table(columns), path, write_page_checksum=True)
    return path


# --- CSV: gaps and bad cells -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("x\n1\n2\n\n4\n", "row 3 is empty; every row must hold a finite number"),
        ("x\n\n1\n2\n", "row 1 is empty"),
        ("x\r\n1\r\n\r\n2\r\n", "row 2 is empty"),
        ("x\n1\n  \n2\n", "row 2 is empty"),
        ('x\n1\n""\n2\n', "row 2 is empty"),
        ("x\n\n\n\n1\n", "row 1 is empty; every row must hold a finite number; 2 more rows hold no number"),
        ("x\n1\n?0.2\n3\n", 'row 2 is "?0.2"; every row must hold a finite number'),
        ("x\n1\nNA\n3\n", 'row 2 is "NA"'),
        ("x\n1\nnan\n-Inf\n", 'row 2 is "nan"; every row must hold a finite number; 1 more row holds no number'),
        ("x\n1\n1e999\n3\n", "row 2 is infinite"),
        ("x\n12%\n3\n", 'row 1 is "12%"'),
        ('x\n"1,234.5"\n3\n', 'row 1 is "1,234.5"; write numbers without separators of thousands'),
        ('x\n"1,5"\n3\n', 'row 1 is "1,5"; write decimal = "," if the comma is the decimal point'),
        ("x\n1_000\n", 'row 1 is "1_000"'),
        ("x\n0x10\n", 'row 1 is "0x10"'),
        ("x\n1\n\x1b]0;t\x07\n", "row 2 is "),
    ],
)
def test_a_cell_that_is_no_number_is_named_with_row_and_value(tmp_path, content, told):
    assert refusal(written(tmp_path, content)).startswith(f"column: {told}")


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\r\n\r\n"])
@pytest.mark.parametrize("start", ["", "\n\n", "\ufeff"])
def test_empty_lines_before_the_head_and_at_the_end_are_harmless(tmp_path, start, end):
    made = spec(written(tmp_path, f"{start}x\n1\n2\n3{end}"))
    assert made.series().tolist() == [1, 2, 3]


def test_an_empty_line_between_rows_of_several_columns_is_refused_too(tmp_path):
    told = refusal(written(tmp_path, "a,x\n1,2\n\n3,4\n"))
    assert told == "column: row 2 is empty; every row must hold a finite number"


def test_a_row_of_another_length_is_named_and_not_quoted(tmp_path):
    told = refusal(written(tmp_path, "a,x\n1,2\nsecret,4,5\n"))
    assert told == "file: cannot be read as CSV: row 2 has 3 cells and the head has 2"


@pytest.mark.parametrize("text", ["+1.5", " 1.5 ", "15e-1", ".15e1", '"1.5"', "1.50000"])
def test_every_way_to_write_a_number_is_read(tmp_path, text):
    assert spec(written(tmp_path, f"x\n{text}\n2\n3\n")).series()[0] == 1.5


def test_numbers_of_a_csv_file_are_those_that_python_reads(tmp_path):
    scales = 10.0 ** np.arange(-20, 0).repeat(100)
    texts = [repr(value) for value in (np.random.default_rng(1).normal(size=2000) * scales).tolist()]
    made = spec(written(tmp_path, "x\n" + "\n".join(texts)))
    assert made.series().tolist() == [float(text) for text in texts]


# --- CSV: other ways to write it -------------------------------------------------------------------

SEMICOLON = "day;x;\n" + "".join(f"{k};{str(v).replace('.', ',')};\n" for k, v in enumerate(VALUES))


def test_separator_and_decimal_are_proposed_and_read(tmp_path):
    path = written(tmp_path, SEMICOLON)
    assert refusal(path) == 'column: no such column; write separator = ";" and decimal = ","'
    made = spec(path, separator=";", decimal=",")
    assert made.series().tolist() == VALUES
    assert reload(made) == made
    assert refusal(path, separator=";").endswith(
        'write decimal = "," if the comma is the decimal point; 5 more rows hold no number'
    )


@pytest.mark.parametrize(("separator", "shown"), [("\t", '"\\t"'), ("|", '"|"'), (" ", '" "')])
def test_other_separators_are_proposed_and_read(tmp_path, separator, shown):
    path = written(tmp_path, f"t{separator}x\n" + "".join(f"{k}{separator}{v}\n" for k, v in enumerate(VALUES)))
    assert refusal(path) == f"column: no such column; write separator = {shown}"
    assert spec(path, separator=separator).series().tolist() == VALUES


def test_comments_are_proposed_and_skipped(tmp_path):
    path = written(tmp_path, "# made by hand\nx\n1\n  # a note, with commas\n2\n#\n3\n# end")
    assert refusal(path) == 'column: no such column; write comment = "#" if lines that begin with it are to be skipped'
    assert spec(path, comment="#").series().tolist() == [1, 2, 3]


def test_a_compressed_file_is_read_and_bounded(tmp_path, monkeypatch):
    text = b"x\n" + b"".join(b"%r\n" % value for value in VALUES)
    path = written(tmp_path, gzip.compress(text), "a.csv.gz")
    assert spec(path).series().tolist() == VALUES
    assert refusal(written(tmp_path, gzip.compress(text)[:-9], "b.csv.gz")).endswith("it is not a whole gzip file")
    monkeypatch.setattr("fastlstm.spec.series_csv.MAX_BYTES", 10)
    assert refusal(path).endswith("holds more than 0 MiB when it is unpacked")


def test_a_file_of_another_code_page_is_read_where_its_numbers_are(tmp_path):
    assert spec(written(tmp_path, "x,ort\n1,Köln\n2,é\n3,ß\n".encode("latin-1"))).series().tolist() == [1, 2, 3]
    assert refusal(written(tmp_path, "x\n1\n2\n".encode("utf-16"))).startswith("file: cannot be read: it is not text")


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"separator": ";;"}, "separator"),
        ({"separator": "\n"}, "separator"),
        ({"separator": '"'}, "separator"),
        ({"decimal": "x"}, "decimal"),
        ({"comment": ""}, "comment"),
        ({"separator": ".", "decimal": "."}, "decimal"),
    ],
)
def test_characters_that_cannot_separate_are_refused(tmp_path, options, key):
    assert refusal(written(tmp_path, "x\n1\n2\n3\n"), **options).startswith(key)


def test_how_a_csv_file_is_written_is_no_question_for_parquet(tmp_path):
    path = parquet(tmp_path / "a.parquet", x=VALUES)
    assert refusal(path, decimal=",") == "decimal: is for CSV files; remove it"


# --- several series in one file --------------------------------------------------------------------


def stacked(order):
    rows = [("A", 1.0), ("A", 2.0), ("A", 3.0), ("B", 10.0), ("B", 20.0), ("B", 30.0), ("B", 40.0)]
    return "symbol,x\n" + "".join(f"{rows[number][0]},{rows[number][1]}\n" for number in order)


@pytest.mark.parametrize("order", [range(7), [0, 3, 1, 4, 2, 5, 6]], ids=["stacked", "interleaved"])
def test_series_are_told_apart_by_a_column(tmp_path, order):
    made = spec(written(tmp_path, stacked(order)), by="symbol")
    assert made.series().tolist() == [1, 2, 3, 10, 20, 30, 40]
    assert made.input.lengths == (3, 4)
    assert reload(made) == made
    assert made.hash != spec(written(tmp_path, "x\n1\n2\n3\n")).hash
    path = parquet(tmp_path / "a.parquet", id=pa.array([7, 7, 7, 9, 9, 9, 9]), x=[1.0, 2, 3, 10, 20, 30, 40])
    assert spec(path, by="id").input.lengths == (3, 4)


def test_windows_must_fit_into_every_series(tmp_path):
    path = written(tmp_path, stacked(range(7)))
    assert refusal(path, steps=4, by="symbol").endswith(
        "the shortest of the 2 series has 3 rows, but windows of 4 steps are asked for"
    )
    assert refusal(path, by="symbl").startswith("by: no such column")
    assert refusal(written(tmp_path, "symbol,x\nA,1\n,2\n"), by="symbol", steps=1).startswith("by: row 2 is empty")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (stacked(range(7)), "symbol"),
        ("date,x\n" + "".join(f"2020-01-{1 + k % 15:02},{k}\n" for k in range(30)), "date"),
        ("year,x\n" + "".join(f"{1900 + k % 15},{k}\n" for k in range(30)), "year"),
    ],
)
def test_a_file_that_seems_to_hold_several_series_is_read_with_a_warning(tmp_path, content, name):
    with pytest.warns(SpecWarning, match=rf"the column {name} suggests that another series begins at row"):
        assert len(spec(written(tmp_path, content)).input.lengths) == 1


@pytest.mark.parametrize(
    "content",
    [
        "date,x\n" + "".join(f"2020-01-{1 + k:02},{k}\n" for k in range(30)),
        "day,x\n" + "".join(f"{'MTWTFSS'[k % 7]}{k % 7},{k}\n" for k in range(30)),
        "other,x\n" + "".join(f"{(k * 7919) % 31},{k}\n" for k in range(30)),
        "word,x\n" + "".join(f"w{k},{k}\n" for k in range(30)),
        "word,x\n" + "same,1\n" * 30,
    ],
)
def test_an_ordinary_file_is_read_without_a_warning(tmp_path, content):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert spec(written(tmp_path, content)).series().size == 30


# --- Parquet ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(22, 3), pa.dictionary(pa.int8(), pa.int32())],
)
def test_every_type_of_number_is_read(tmp_path, kind):
    if pa.types.is_dictionary(kind):
        column = pa.array([1, 2, 4], pa.int32()).dictionary_encode()
    else:
        column = pa.array(np.array([1, 2, 4], np.float16)) if kind == pa.float16() else pa.array([1, 2, 4]).cast(kind)
    assert spec(parquet(tmp_path / "a.parquet", x=column)).series().tolist() == [1, 2, 4]


def test_decimals_are_rounded_once(tmp_path):
    texts = ["0.1", "123456789.123", "2.675", "-1.005", "999999999.999"]
    column = pa.array([Decimal(text) for text in texts], pa.decimal128(30, 12))
    made = spec(parquet(tmp_path / "a.parquet", x=column))
    assert made.series().tolist() == [float(text) for text in texts]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.array([1.0, None, 2.0]), "row 2 is empty"),
        (pa.array([1.0, 2.0, np.nan]), "row 3 is NaN"),
        (pa.array([1.0, -np.inf]), "row 2 is infinite"),
        (pa.array(["1", "2"]), "must hold numbers only; it was read as string"),
        (pa.array([True, False]), "must hold numbers only; it was read as bool"),
        (pa.array([0, 1], pa.timestamp("ms")), "must hold numbers only; it was read as timestamp[ms]"),
        (pa.array([[1.0], [2.0]]), "must hold numbers only; it was read as list<"),
        (pa.array([{"a": 1.0}]), "must hold numbers only; it was read as struct<"),
    ],
)
def test_a_parquet_column_that_is_no_series_is_refused(tmp_path, column, told):
    assert refusal(parquet(tmp_path / "a.parquet", x=column)).startswith(f"column: {told}")


def test_a_flipped_bit_of_a_page_is_seen(tmp_path):
    path = parquet(tmp_path / "a.parquet", x=np.random.default_rng(1).normal(size=5000))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    assert "cannot be read" in refusal(path)


def test_only_the_one_column_is_decoded_and_no_more_rows_than_are_possible(tmp_path, monkeypatch):
    path = parquet(tmp_path / "a.parquet", x=VALUES, large=["x" * 10_000] * 6)
    monkeypatch.setattr("fastlstm.spec.series_parquet.MAX_BYTES", 1000)
    monkeypatch.setattr("fastlstm.spec.series_parquet._tells_order", lambda kind: False)
    assert spec(path).series().tolist() == VALUES
    assert "MiB in" in refusal(path, column="large")
    monkeypatch.setattr("fastlstm.spec.series_parquet.MAX_ROWS", 5)
    assert refusal(path) == "file: has 6 rows; at most 5 are possible"


def test_a_folder_of_parts_is_one_series_in_the_order_of_their_names(tmp_path):
    folder = tmp_path / "parts"
    (folder / "b").mkdir(parents=True)
    (folder / "_hidden").mkdir()
    parquet(folder / "part-1.parquet", x=[3.0, 4.0])
    parquet(folder / "part-0.parquet", x=[1.0, 2.0])
    parquet(folder / "b" / "part-0.parquet", x=[0.0])
    parquet(folder / ".part.parquet", x=[9.0])
    parquet(folder / "_hidden" / "part.parquet", x=[9.0])
    (folder / "_SUCCESS").touch()
    made = spec(folder)
    assert made.series().tolist() == [0, 1, 2, 3, 4]
    assert reload(made) == made
    parquet(folder / "part-1.parquet", x=[3.0, 5.0])
    assert spec(folder).hash != made.hash
    with pytest.raises(SpecError, match="the file has changed"):
        reload(made)
    parquet(folder / "part-2.parquet", y=[3.0])
    assert refusal(folder).startswith('column: "part-2.parquet": no such column')


# --- whole numbers that float64 does not hold -------------------------------------------------------


@pytest.mark.parametrize("first", [2**53 + 1, 1_700_000_000_000_000_001, -(2**62) - 1])
def test_whole_numbers_beyond_2_to_the_53_are_standardized_without_loss(tmp_path, first):
    offsets = [0, 1, 2, 3, 5, 8, 13, 21]
    small = spec(written(tmp_path, "x\n" + "".join(f"{k}\n" for k in offsets), "small.csv"), standardize=True)
    text = "x\n" + "".join(f"{first + k}\n" for k in offsets)
    if abs(first) < 10**18:
        assert spec(written(tmp_path, text), standardize=True).series().tolist() == small.series().tolist()
    path = parquet(tmp_path / "a.parquet", x=pa.array([first + k for k in offsets], pa.int64()))
    assert spec(path, standardize=True).series().tolist() == small.series().tolist()


def test_digits_that_would_be_lost_are_refused(tmp_path):
    path = written(tmp_path, "x\n9007199254740993.5\n9007199254740994.5\n9007199254740995.5\n")
    assert refusal(path, standardize=True).startswith("column: has values beyond 2^53")


# --- what is no file -------------------------------------------------------------------------------


def test_pipes_sockets_and_devices_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    assert refusal(tmp_path / "pipe.csv") == "file: is not a file but a pipe"
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(str(tmp_path / "socket.csv"))
        assert refusal(tmp_path / "socket.csv") == "file: is not a file but a socket"
    os.mkfifo(tmp_path / "pipe.toml")
    for path, kind in ((tmp_path / "pipe.toml", "a pipe"), ("/dev/zero", "a device"), (tmp_path, "a folder")):
        with pytest.raises(SpecError, match=f"is not a file but {kind}"):
            load(path)


def test_a_link_does_not_make_a_series_of_something_else(tmp_path):
    target = written(tmp_path, "user:secret\n1\n", "passwords")
    (tmp_path / "link.csv").symlink_to(target)
    told = refusal(tmp_path / "link.csv")
    assert told == "file: must be a .csv, .csv.gz or .parquet file, or a folder of .parquet files"
    assert spec_with_a_link_to_csv(tmp_path).series().tolist() == [1, 2, 3]
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    assert refusal(tmp_path / "loop.csv").startswith("file: ")


def spec_with_a_link_to_csv(folder):
    (folder / "good.csv").symlink_to(written(folder, "x\n1\n2\n3\n"))
    return spec(folder / "good.csv")


def test_a_file_that_may_not_be_read_or_is_too_large_is_refused(tmp_path):
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(2**40)
    assert refusal(path) == "file: is larger than 2,047 MiB, the limit"
    assert refusal("a\0.csv") == "file: must not hold a null character"


def test_a_folder_whose_name_no_spec_can_hold_is_refused(tmp_path, monkeypatch):
    folder = os.path.join(os.fsencode(tmp_path), b"\xff")
    os.mkdir(folder)
    with open(os.path.join(folder, b"a.csv"), "w") as file:
        file.write("x\n1\n2\n3\n")
    monkeypatch.chdir(os.fsdecode(folder))
    assert refusal("a.csv") == "file: lies in a folder whose name is not UTF-8, which a spec cannot hold"


# --- whatever is accepted can be read back ----------------------------------------------------------


def test_a_long_entry_of_many_parameters_is_written_once(tmp_path):
    values = [0.1 + k / 9973 for k in range(70_000)]
    tables = {"draws": 1, "steps": 1, "params": {"default": {"choice": {"values": values}}, "b_f": 1.0}}
    made = load(tables)
    text = made.normalised()
    assert len(text) < 2**21
    assert set(tomllib.loads(text)["params"]) == {"default", "b_f"}
    (tmp_path / "spec.toml").write_text(text)
    assert load(tmp_path / "spec.toml") == made
    assert load(tmp_path / "spec.toml").hash == made.hash


def test_a_spec_that_could_not_be_read_back_is_refused(monkeypatch):
    tables = {"draws": 1, "steps": 1, "title": "x" * 5000, "params": {"default": 0}}
    assert load(tables)
    monkeypatch.setattr("fastlstm.spec.loading.MAX_SPEC_BYTES", 5000)
    with pytest.raises(SpecError, match="MiB with every entry written out"):
        load(tables)
