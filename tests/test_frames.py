"""The rows on disk as pandas, polars, DuckDB and Dask read them: the same numbers, labels, units and provenance."""

import dask.dataframe
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import specs

import fastlstm
from fastlstm.kernel.random import STREAM_VERSION
from fastlstm.measures import DEFAULT_GROUPS, selected
from fastlstm.oracles.naive import NAMES
from fastlstm.tables.rows import Rows, points_table

LABELS = ["left", "mid", "right"]
REGIMES = ["regime_f", "regime_i", "regime_o"]
POINTS, DRAWS = 6, 2000


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fastlstm.run(specs.SHORT, tmp_path_factory.mktemp("frames") / "a run")


@pytest.fixture(scope="module")
def frame(run):
    """What a user gets: one line of pandas."""
    return pd.read_parquet(run.path / "draws")


def schema(**changes):
    return Rows(fastlstm.load(specs.WHOLE | changes), STREAM_VERSION).schema


# pandas


def test_every_draw_of_every_point_is_a_row(frame):
    assert len(frame) == POINTS * DRAWS
    assert frame["point"].cat.categories.tolist() == list(range(POINTS))
    for _, rows in frame.groupby("point", observed=True):
        assert rows["draw"].tolist() == list(range(DRAWS))


def test_regimes_are_ordered_categories_with_labels(frame):
    for name in REGIMES:
        column = frame[name]
        assert column.cat.ordered
        assert column.cat.categories.tolist() == LABELS
        assert (column.min(), column.max()) == ("left", "right")
        assert (column > "left").sum() == (column != "left").sum()


def test_one_line_sets_gradients_against_regimes(frame):
    table = frame.groupby(REGIMES, observed=True).log10_grad.describe()
    assert table["count"].sum() == len(frame)
    assert len(table) > 15
    assert table.index.is_monotonic_increasing  # left before mid before right, not by the alphabet


def test_values_on_axes_are_columns(frame, run):
    points = run.points().set_index("point")
    assert points["b_f"].tolist() == [-2.0, -2.0, 1.0, 1.0, 4.0, 4.0]
    assert points["b_i"].tolist() == ["normal(mean=0, std=1)", "uniform(low=-4, high=0)"] * 3
    assert points["steps"].tolist() == [10] * POINTS
    assert points["draws"].tolist() == [DRAWS] * POINTS
    for point, rows in frame.groupby("point", observed=True):
        assert set(rows["b_f"]) == {points.loc[point, "b_f"]}
        assert set(rows["b_i_law"]) == {points.loc[point, "b_i"]}
        assert rows["b_i"].nunique() == DRAWS
    assert isinstance(frame["b_i_law"].dtype, pd.CategoricalDtype)


def test_attributes_name_units_meanings_and_provenance(frame, run):
    attributes = frame.attrs
    assert attributes == run.draws().attrs
    assert attributes["fastlstm"] == {
        "spec_hash": fastlstm.load(specs.SHORT).hash,
        "stream_version": STREAM_VERSION,
        "seed": 11,
    }
    measured = selected(DEFAULT_GROUPS, 10)
    assert attributes["units"] == {measure.name: measure.unit for measure in measured}
    assert attributes["meanings"] == {measure.name: measure.meaning for measure in measured}
    assert set(attributes["units"]) <= set(frame.columns)


def test_measures_are_stored_in_the_type_that_the_spec_names(frame):
    measured = [measure.name for measure in selected(DEFAULT_GROUPS, 10)]
    assert {frame[name].dtype.name for name in (*NAMES, *measured)} == {"float32"}
    assert {frame[name].dtype.name for name in ("exploded", "vanished")} == {"bool"}
    assert frame["draw"].dtype == "int64"
    whole = schema()
    assert {str(whole.field(name).type) for name in (*NAMES, "log10_grad", "dW_hf")} == {"double"}


def test_a_frame_written_by_pandas_and_read_again_is_the_same(frame, tmp_path):
    frame = frame.astype({"point": int})  # pandas writes no categories that are numbers
    frame.to_parquet(tmp_path / "again.parquet")
    reread = pd.read_parquet(tmp_path / "again.parquet")
    pd.testing.assert_frame_equal(reread, frame)
    assert reread.attrs == frame.attrs


def test_rows_of_the_run_are_those_that_pandas_reads(frame, run):
    rows = run.draws()
    pd.testing.assert_frame_equal(
        rows.astype({"point": int}), frame.astype({"point": int}), check_like=True, check_column_type=False
    )
    some = run.draws(columns=["point", "draw", "log10_grad"], filters=[("b_f", ">", 0), ("draw", "<", 5)])
    assert list(some) == ["point", "draw", "log10_grad"]
    assert some["point"].tolist() == np.repeat([2, 3, 4, 5], 5).tolist()


def test_regimes_of_the_table_are_ordered_categories_too(run):
    table = pd.read_parquet(run.path / "regimes.parquet")
    pd.testing.assert_frame_equal(table, run.regimes())
    for name in REGIMES:
        assert table[name].cat.ordered
        assert table[name].cat.categories.tolist() == LABELS
    assert table["draws"].sum() == POINTS * DRAWS


# Other readers


def sums(frame):
    """Sums in double precision of what can be summed."""
    names = [name for name in frame if frame[name].dtype.kind in "fib"]
    return {name: float(frame[name].astype(float).sum()) for name in names}


def test_polars_reads_the_same_rows(frame, run):
    other = pl.read_parquet(run.path / "draws")
    assert other.height == len(frame)
    assert set(other.columns) == set(frame.columns)
    for name, total in sums(frame).items():
        assert other[name].cast(pl.Float64).sum() == pytest.approx(total, rel=1e-12), name
    for name in REGIMES:
        assert other[name].cast(pl.String).to_list() == frame[name].tolist()
    assert other["point"].to_list() == frame["point"].tolist()


def test_duckdb_reads_the_same_rows(frame, run):
    files = f"read_parquet('{run.path}/draws/*/*.parquet', hive_partitioning = true)"
    with duckdb.connect() as connection:
        assert connection.sql(f"select count(*) from {files}").fetchall() == [(len(frame),)]
        totals = sums(frame)
        listed = ", ".join(f'sum("{name}"::double)' for name in totals)
        (actual,) = connection.sql(f"select {listed} from {files}").fetchall()
        assert actual == pytest.approx(tuple(totals.values()), rel=1e-9)
        by_regime = connection.sql(
            f"select regime_f::varchar, count(*), avg(log10_grad::double) from {files} group by 1 order by 1"
        ).fetchall()
        by_point = connection.sql(f"select point, count(*) from {files} group by 1 order by 1").fetchall()
    groups = frame.astype({"log10_grad": float}).groupby("regime_f", observed=True)["log10_grad"]
    assert [(label, count) for label, count, _ in by_regime] == list(groups.size().items())
    assert [mean for *_, mean in by_regime] == pytest.approx(groups.mean().tolist())
    assert [(int(point), count) for point, count in by_point] == [(point, DRAWS) for point in range(POINTS)]


# Dask's own call of pandas, which will have to change
@pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index is deprecated")
def test_dask_reads_the_same_rows(frame, run):
    other = dask.dataframe.read_parquet(run.path / "draws").compute()
    assert set(other.columns) == set(frame.columns)
    for name, total in sums(frame).items():
        assert other[name].astype(float).sum() == pytest.approx(total, rel=1e-12), name
    assert other["regime_f"].tolist() == frame["regime_f"].tolist()
    assert other["point"].astype(int).tolist() == frame["point"].tolist()


def test_tables_are_read_by_all_three(run):
    for name in ("points", "regimes", "histograms"):
        file = run.path / f"{name}.parquet"
        rows = len(pd.read_parquet(file))
        assert rows > 0
        assert pl.read_parquet(file).height == rows
        assert duckdb.sql(f"select count(*) from '{file}'").fetchall() == [(rows,)]


# Schemas


def test_rows_are_ordered_from_draw_and_axes_to_measures():
    names = schema().names
    assert names[:3] == ["draw", "steps", "default_normal_std"]
    assert names[3:17] == list(NAMES)
    assert names[17:24] == ["h0", "C0", *REGIMES, "exploded", "vanished"]
    assert names[24:] == [measure.name for measure in selected([*specs.GROUPS, "window"], 33)]
    assert len(set(names)) == len(names)


def test_a_state_that_is_one_number_needs_no_column():
    names = schema(state={"h": 0.5, "C": {"uniform": {"low": 0.0, "high": 1.0}}}).names
    assert "h0" not in names
    assert "C0" in names
    names = schema(state={"h": {"grid": [0.0, 0.5]}}).names
    assert "h0" in names or "state_h" in names
    assert "C0" not in names


def test_rows_have_no_nulls_and_the_same_schema_in_every_part(run):
    parts = sorted((run.path / "draws").rglob("*.parquet"))
    assert len(parts) == POINTS
    first = pq.read_schema(parts[0])
    for part in parts:
        table = pq.read_table(part, partitioning=None)
        assert table.schema.equals(first, check_metadata=True)
        assert sum(column.null_count for column in table.columns) == 0


def test_axes_have_the_type_of_their_values():
    params = {"preset": {"grid": ["pytorch", "keras"]}, "W_y": {"grid": [{"normal": {}}, 0.5]}}
    inputs = {"mean": {"grid": [0, 1]}}
    spec = fastlstm.load({"draws": 1, "steps": {"grid": [5, 10]}, "params": params, "input": inputs})
    types = {field.name: field.type for field in Rows(spec, STREAM_VERSION).schema}
    assert pa.types.is_int64(types["steps"])
    assert pa.types.is_float64(types["input_mean"])
    assert pa.types.is_dictionary(types["preset"])
    assert pa.types.is_dictionary(types["W_y_law"])
    table = points_table(spec, [spec.draws] * len(spec.points()))
    assert table.num_rows == 16
    assert table["steps"].to_pylist() == [5] * 8 + [10] * 8
    assert table["preset"].to_pylist() == (["pytorch"] * 4 + ["keras"] * 4) * 2
    assert table["W_y"].to_pylist() == (["normal(mean=0, std=1)"] * 2 + ["0.5"] * 2) * 4
    assert table["input_mean"].to_pylist() == [0.0, 1.0] * 8
