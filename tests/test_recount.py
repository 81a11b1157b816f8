"""verify against the run itself: tables that do not follow from the counts, counts that do not follow from the rows.

What is forged here has the right hashes, as if another program, or a defect, had written it.
"""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import specs

import fastlstm
from fastlstm.store import PartId, content_hash, encode_part, status
from fastlstm.store import verify as verify_files
from fastlstm.sweep.opening import open_directory
from fastlstm.sweep.plan import Plan, run_key
from fastlstm.tables.rows import Rows

SPEC = specs.SHORT | {"draws": 900, "params": specs.SHORT["params"] | {"b_i": 0.0}}  # three points
PART = PartId(1, 0)
COUNTS, ROWS = (f"{kind}/point=0001/part-00000000.parquet" for kind in ("counts", "draws"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fastlstm.run(SPEC, tmp_path_factory.mktemp("runs") / "run").path


@pytest.fixture(scope="module")
def run_hash(run):
    return content_hash(run)


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


def opened(path, spec=SPEC):
    return open_directory(Plan.of_new_run(fastlstm.load(spec)), path, made_by={})


def unchanged(table):
    return table


def forge_part(path, *, rows=unchanged, counts=unchanged, spec=SPEC, **entry):
    """Commit a part anew with other rows or counts."""
    made = {kind: pq.read_table(path / file, partitioning=None) for kind, file in (("rows", ROWS), ("counts", COUNTS))}
    for file in (COUNTS, ROWS):
        (path / file).unlink()
    with opened(path, spec) as directory:
        whole = {"first_draw": 0, "draws": 900, "rows": rows(made["rows"]), "counts": counts(made["counts"])}
        directory.commit(encode_part(PART, **whole | entry))
        directory.finish()


def forge_table(path, name, change):
    table = pq.read_table(path / f"{name}.parquet", partitioning=None)
    with opened(path) as directory:
        directory.write_table(name, change(table))
        directory.finish()


def replaced(name, value, row=2):
    """A change of one value of a column."""

    def change(table):
        place = table.column_names.index(name)
        values = table[name].to_pylist()
        values[row] = value(values[row]) if callable(value) else value
        return table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))

    return change


def assert_named(path, *files, says):
    assert verify_files(path) == []  # nothing is damaged
    problems = fastlstm.verify(path)
    assert [problem.file for problem in problems] == list(files)
    assert says in str(problems[0])


# What is sound


def test_sound_runs_have_no_problem_whichever_rows_they_keep(run, tmp_path):
    assert fastlstm.verify(run) == []
    for rows in ("none", 77):
        path = tmp_path / str(rows)
        fastlstm.run(SPEC | {"store": {"rows": rows}}, path)
        assert fastlstm.verify(path) == []


def test_unfinished_run_has_no_problem(tmp_path):
    fastlstm.run(SPEC, tmp_path, shard=(2, 2))
    assert 0 < status(tmp_path).draws < 2700
    assert fastlstm.verify(tmp_path) == []


# Tables against counts


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("regimes", "log10_grad_q50", lambda old: np.nextafter(old, 9)),
        ("regimes", "regime_f", None),
        ("histograms", "count", lambda old: old + 1),
        ("points", "b_f", 1.5),
    ],
)
def test_table_with_one_wrong_value_is_named_with_its_column_and_made_again(copy, run_hash, name, column, value):
    forge_table(copy, name, relabelled if column == "regime_f" else replaced(column, value))
    assert_named(copy, f"{name}.parquet", says=f"disagrees with the counts of the parts in {column}")
    fastlstm.verify(copy, repair=True)
    assert name not in status(copy).tables
    fastlstm.run(SPEC, copy)
    assert content_hash(copy) == run_hash
    assert fastlstm.verify(copy) == []


def relabelled(table):
    labels = table["regime_f"].cast(pa.string()).to_pylist()
    labels[3] = "left" if labels[3] != "left" else "right"
    place = table.column_names.index("regime_f")
    return table.set_column(place, "regime_f", pa.array(labels).dictionary_encode())


def test_table_that_lacks_a_row_or_a_column_is_named(copy):
    forge_table(copy, "regimes", lambda table: table.slice(1))
    forge_table(copy, "points", lambda table: table.drop_columns(["steps"]))
    assert_named(copy, "points.parquet", "regimes.parquet", says="in steps")


def test_table_that_a_finished_run_lacks_is_named(copy):
    (copy / "points.parquet").unlink()
    with opened(copy) as directory:
        directory.finish()
    assert_named(copy, "points.parquet", says="is missing")
    assert fastlstm.verify(copy, repair=True) != []
    fastlstm.run(SPEC, copy)
    assert fastlstm.verify(copy) == []


# Counts against rows, rows against the spec


def flipped(name):
    return replaced(name, lambda old: not old)


def other_regime(rows):
    codes = rows["regime_i"].combine_chunks().indices.to_numpy().copy()
    codes[5] = (codes[5] + 1) % 3
    labels = pa.DictionaryArray.from_arrays(codes, pa.array(["left", "mid", "right"]), ordered=True)
    return rows.set_column(rows.column_names.index("regime_i"), rows.schema.field("regime_i"), labels)


def of_seed(seed):
    """The rows of another run say so in their metadata."""

    def change(rows):
        other = fastlstm.load(SPEC | {"seed": seed})
        return rows.replace_schema_metadata(Rows(other, 1).schema.metadata)

    return change


def of_part(point, first_draw):
    """So do the counts of another part."""

    def change(counts):
        about = {"run": run_key(fastlstm.load(SPEC)), "point": point, "first_draw": first_draw, "draws": 900}
        return counts.replace_schema_metadata({"fastlstm": json.dumps(about)})

    return change


FORGERIES = {
    "rows of another run": ({"rows": of_seed(12)}, 'says that its rows are of another run: {"seed": 12'),
    "counts of another part": ({"counts": of_part(2, 0)}, "says that its counts are of another run or part"),
    "counts of nobody": ({"counts": lambda counts: counts.replace_schema_metadata()}, "run or part: nothing"),
    "counts of other columns": ({"counts": lambda counts: counts.drop_columns(["low"])}, "has other columns"),
    "a measure": ({"rows": replaced("log10_grad", lambda old: old + 1)}, "disagrees with the rows of the part in"),
    "a regime": ({"rows": other_regime}, "regime_i in the rows does not follow from i_left and i_right"),
    "a share": ({"rows": replaced("o_left", lambda old: 0.0 if old > 0.5 else 1.0)}, "regime_o in the rows does not"),
    "a flag": ({"rows": flipped("exploded")}, "exploded in the rows does not follow from log10_dh0"),
    "a count": ({"counts": replaced("count", lambda old: old + 1, -1)}, "disagrees with the rows of the part in count"),
    "a bin": ({"counts": replaced("bin", lambda old: old + 1, -1)}, "disagrees with the rows of the part in bin"),
    "an extreme": ({"counts": replaced("low", lambda old: old - 1, -1)}, "disagrees with the rows of the part in low"),
    "a lost draw": ({"counts": replaced("count", lambda old: old - 1, 0)}, "counts 899 draws instead of 900"),
    "a lost row": ({"rows": lambda rows: rows.slice(1)}, "other draws have rows than the spec says"),
    "a short part": (
        {
            "rows": lambda rows: rows.slice(0, 800),
            "counts": unchanged,
            "draws": 800,
        },
        "has draws from 0, 800 of them, instead of from 0, 900",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_part_that_contradicts_itself_is_named(copy, name):
    changes, says = FORGERIES[name]
    forge_part(copy, **changes)
    problems = fastlstm.verify(copy)
    assert [(problem.file, problem.part) for problem in problems] == [(COUNTS, PART)]
    assert says in str(problems[0])


def test_part_that_contradicts_itself_is_dropped_by_repair_and_made_again(copy, run_hash):
    forge_part(copy, **FORGERIES["a measure"][0])
    (problem,) = fastlstm.verify(copy, repair=True)
    assert problem.part == PART
    assert status(copy).finished is None
    assert status(copy).draws == 1800
    fastlstm.run(SPEC, copy)
    assert content_hash(copy) == run_hash


def test_part_that_is_none_of_the_spec_is_named(copy, run_hash):
    shutil.copy(copy / ROWS, copy / "rows")
    shutil.copy(copy / COUNTS, copy / "counts_of_part")
    with opened(copy) as directory:
        rows, counts = (pq.read_table(copy / name, partitioning=None) for name in ("rows", "counts_of_part"))
        directory.commit(encode_part(PartId(3, 0), first_draw=0, draws=900, rows=rows, counts=counts))
    (problem,) = fastlstm.verify(copy)
    assert problem.part == PartId(3, 0)
    assert "is no part of the spec" in str(problem)
    fastlstm.verify(copy, repair=True)
    fastlstm.run(SPEC, copy)
    assert content_hash(copy) == run_hash


def test_damage_is_named_once_and_its_tables_are_not_blamed(copy):
    data = (copy / ROWS).read_bytes()
    (copy / ROWS).write_bytes(data[:-1] + b"x")
    assert [problem.file for problem in fastlstm.verify(copy)] == [ROWS]


def test_codes_of_labels_are_read_by_their_text(copy):
    """A file written anew may number its labels in another order."""

    def renumbered(rows):
        labels = pc.dictionary_encode(rows["regime_f"].cast(pa.string()))
        return rows.set_column(rows.column_names.index("regime_f"), "regime_f", labels)

    forge_part(copy, rows=renumbered)
    problems = fastlstm.verify(copy)
    assert all("other columns" in str(problem) for problem in problems)  # the type is not ordered any more
