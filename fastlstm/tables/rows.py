"""Columns to Arrow tables: the rows of draws as they are stored, and the table of the points."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastlstm import measures
from fastlstm.measures import CLASSES, FLAGS, REGIME_COLUMNS
from fastlstm.names import PARAMETERS
from fastlstm.spec import Point, Spec
from fastlstm.spec import columns as spec_columns

_CLASS_TYPE = pa.dictionary(pa.int8(), pa.string(), ordered=True)


def _axis_type(values: list[Any]) -> pa.DataType:
    if isinstance(values[0], str):
        return pa.dictionary(pa.int32(), pa.string())
    return pa.int64() if all(isinstance(value, int) for value in values) else pa.float64()


def axis_columns(spec: Spec) -> dict[str, str]:
    """The axes that need a column of their own, by its name: a parameter's own column holds its numbers."""
    return spec_columns.axis_columns(spec.axes())


def chosen_measures(spec: Spec) -> tuple[measures.Measure, ...]:
    """The measures that rows of the spec have; the longest draws decide which lags there are."""
    return spec_columns.chosen_measures(spec.measure, spec.steps)


def attributes(spec: Spec, stream_version: int) -> dict[str, Any]:
    """What a data frame says of itself in `attrs`: the spec's hash and seed, units and meanings of the measures."""
    chosen = chosen_measures(spec)
    return {
        "fastlstm": {"spec_hash": spec.hash, "stream_version": stream_version, "seed": spec.seed},
        "units": {measure.name: measure.unit for measure in chosen},
        "meanings": {measure.name: measure.meaning for measure in chosen},
    }


def row_schema(spec: Spec, stream_version: int) -> pa.Schema:
    """The schema of stored rows: draw, axes, parameters, regimes, flags, measures; provenance in its metadata."""
    real = pa.float32() if spec.store.dtype == "float32" else pa.float64()
    fields = [("draw", pa.int64())]
    fields += [(column, _axis_type(spec.axes()[name])) for column, name in axis_columns(spec).items()]
    fields += [(name, real) for name in (*PARAMETERS, *spec_columns.drawn_state(spec.state))]
    fields += [(name, _CLASS_TYPE) for name in REGIME_COLUMNS]
    fields += [(name, pa.bool_()) for name in FLAGS]
    fields += [(measure.name, real) for measure in chosen_measures(spec)]
    # pandas restores DataFrame.attrs from this key
    text = json.dumps(attributes(spec, stream_version), sort_keys=True)
    return pa.schema(fields, metadata={"PANDAS_ATTRS": text})


def _axis_column(kind: pa.DataType, values: list[Any], value: Any, count: int) -> pa.Array:
    if pa.types.is_dictionary(kind):
        place = np.full(count, values.index(value), np.int32)
        return pa.DictionaryArray.from_arrays(place, pa.array(values))
    return pa.array(np.full(count, value), kind)


def rows(
    spec: Spec,
    schema: pa.Schema,
    point: Point,
    draws: NDArray[np.int64],
    columns: Mapping[str, NDArray[Any]],
    classes: Mapping[str, NDArray[np.int8]],
    marks: Mapping[str, NDArray[np.bool_]],
) -> pa.Table:
    """The rows of some draws of a point; a measure that the point does not have (a lag beyond its T) is NaN."""
    axes = {column: (spec.axes()[name], point.axes[name]) for column, name in axis_columns(spec).items()}
    arrays = []
    for field in schema:
        name = field.name
        if name == "draw":
            arrays.append(pa.array(draws))
        elif name in classes:
            arrays.append(pa.DictionaryArray.from_arrays(classes[name], pa.array(CLASSES), ordered=True))
        elif name in marks:
            arrays.append(pa.array(marks[name]))
        elif name in columns:
            arrays.append(pa.array(columns[name]))
        elif name in axes:
            arrays.append(_axis_column(field.type, *axes[name], len(draws)))
        else:
            arrays.append(pa.array(np.full(len(draws), np.nan), field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def points_table(spec: Spec, draws: Sequence[int]) -> pa.Table:
    """One row for each point: its number, its value on each axis, T and the number of draws that were counted."""
    points = spec.points()
    axes = spec.axes()
    names = [name for name in axes if name != "steps"]
    kept = [(point.index, point.steps, point.axes) for point in points]
    return pa.table(
        {
            "point": pa.array([index for index, _, _ in kept], pa.int32()),
            **{name: pa.array([values[name] for _, _, values in kept]) for name in names},
            "steps": pa.array([steps for _, steps, _ in kept], pa.int64()),
            "draws": pa.array(draws, pa.int64()),
        }
    )
