"""Columns to Arrow tables: the rows of draws as they are stored, and the table of the points."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastlstm.measures import CLASSES, FLAGS, REGIME_COLUMNS, STORED
from fastlstm.spec import Point, Spec

_CLASS_TYPE = pa.dictionary(pa.int8(), pa.string(), ordered=True)


def _axis_type(values: list[Any]) -> pa.DataType:
    if isinstance(values[0], str):
        return pa.dictionary(pa.int32(), pa.string())
    return pa.int64() if all(isinstance(value, int) for value in values) else pa.float64()


def _axis_column(kind: pa.DataType, values: list[Any], value: Any, count: int) -> pa.Array:
    if pa.types.is_dictionary(kind):
        place = np.full(count, values.index(value), np.int32)
        return pa.DictionaryArray.from_arrays(place, pa.array(values))
    return pa.array(np.full(count, value), kind)


class Rows:
    """Makes the stored rows of a spec: the columns of its `row_layout` as Arrow tables.

    attributes  what a data frame of them has in `attrs`: the spec's hash and seed, units and meanings of the measures
    schema      the types of the columns, and the attributes as metadata from which pandas restores them
    """

    def __init__(self, spec: Spec, stream_version: int) -> None:
        layout, axes = spec.row_layout, spec.axes()
        self.attributes: dict[str, Any] = {
            "fastlstm": {"spec_hash": spec.hash, "stream_version": stream_version, "seed": spec.seed},
            "units": {measure.name: measure.unit for measure in layout.measures},
            "meanings": {measure.name: measure.meaning for measure in layout.measures},
        }
        self._axes = {column: (name, axes[name]) for column, name in layout.axes.items()}
        real = pa.float32() if spec.store.dtype == "float32" else pa.float64()
        types: dict[str, pa.DataType] = {"draw": pa.int64()}
        types |= {column: _axis_type(values) for column, (_, values) in self._axes.items()}
        types |= dict.fromkeys(REGIME_COLUMNS, _CLASS_TYPE) | dict.fromkeys(FLAGS, pa.bool_())
        own = {m.name: pa.type_for_alias(STORED[m.group]) for m in layout.measures if m.group in STORED}
        fields = [(name, types.get(name, own.get(name, real))) for name in layout.names]
        self.schema = pa.schema(fields, metadata={"PANDAS_ATTRS": json.dumps(self.attributes, sort_keys=True)})

    def table(
        self,
        point: Point,
        draws: NDArray[np.int64],
        columns: Mapping[str, NDArray[Any]],
        classes: Mapping[str, NDArray[np.int8]],
        marks: Mapping[str, NDArray[np.bool_]],
    ) -> pa.Table:
        """The rows of some draws of a point; a measure that the point does not have (a lag beyond its T) is NaN."""
        arrays = []
        for field in self.schema:
            name = field.name
            if name == "draw":
                arrays.append(pa.array(draws))
            elif name in classes:
                arrays.append(pa.DictionaryArray.from_arrays(classes[name], pa.array(CLASSES), ordered=True))
            elif name in marks:
                arrays.append(pa.array(marks[name]))
            elif name in columns:
                arrays.append(pa.array(columns[name]))
            elif name in self._axes:
                axis, values = self._axes[name]
                arrays.append(_axis_column(field.type, values, point.axes[axis], len(draws)))
            else:
                arrays.append(pa.array(np.full(len(draws), np.nan), field.type))
        return pa.Table.from_arrays(arrays, schema=self.schema)


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
