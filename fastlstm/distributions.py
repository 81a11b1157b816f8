"""What a spec may vary or leave to chance: numbers, grids, distributions and input processes.

Every class is the model of one TOML table. A distribution is a table with one key, its name:
`{ normal = { mean = 0.0, std = 1.0 } }`; a plain number stands for the constant. Where a field is `Griddable`, the
table `{ grid = [...] }` may stand instead of a value and makes an axis of the spec.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar, Union, get_args

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

ParameterName = Literal[
    "W_hf", "W_xf", "b_f", "W_hi", "W_xi", "b_i", "W_ho", "W_xo", "b_o", "W_hc", "W_xc", "b_c", "W_y", "b_y"
]  # fmt: skip
PARAMETERS: tuple[ParameterName, ...] = get_args(ParameterName)

MAX_POINTS = 1_000_000
LARGEST = 1e9  # three decades above the largest legal weight; keeps every product of two numbers far from overflow

Place = tuple[str, ...]  # the keys that lead to a value, outermost first


def rule_broken(what_is_right: str) -> PydanticCustomError:
    """The error of a rule that is not a field's own constraint."""
    return PydanticCustomError("rule", "{right}", {"right": what_is_right})


def rules_broken(problems: list[tuple[Place, Any, str]]) -> ValidationError:
    """Several broken rules at once, each a place below the validated table, the value found there and what is right."""
    return ValidationError.from_exception_data(
        "spec", [{"type": rule_broken(right), "loc": place, "input": value} for place, value, right in problems]
    )


class Model(BaseModel):
    """A TOML table: frozen, no unknown keys, no conversions but from int to float, no NaN, no infinity."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numeric fields in declared order; of a resolved model (see `resolve`) these are all its numbers."""
        return tuple(value for _, value in self if isinstance(value, float))

    def rule(self) -> str | None:
        """What is wrong between the fields of this table, or None. Only asked of a table without grids."""
        return None

    @model_validator(mode="after")
    def _obey_rule(self) -> Self:
        if type(self).rule is not Model.rule:
            for variant in variants(self):
                if wrong := variant.rule():
                    raise rule_broken(wrong)
        return self


# ------------------------------------------------------------------------------------------------------ grids

Value = TypeVar("Value")


class Grid(Model, Generic[Value]):
    """The values that an axis takes, in this order."""

    grid: Annotated[tuple[Value, ...], Field(min_length=1, strict=False)]
    """The values of the axis, in this order; no value twice."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[type[Any], ...]) -> str:
        return "Grid"

    @field_validator("grid")
    @classmethod
    def _no_value_twice(cls, values: tuple[Value, ...]) -> tuple[Value, ...]:
        seen = set()
        for value in values:
            if value in seen:
                raise rule_broken(f"has {show(value)} twice; list every value once")
            seen.add(value)
        return values


def _grid_or_value(given: object) -> str:
    is_grid = isinstance(given, Grid) or (isinstance(given, Mapping) and "grid" in given)
    return "<grid>" if is_grid else "<value>"


if TYPE_CHECKING:
    Griddable = Union[Value, Grid[Value]]  # noqa: UP007 - an alias that takes an argument
else:

    class Griddable:
        """`Griddable[T]`: a T, or `{ grid = [...] }` of several T."""

        def __class_getitem__(cls, value_type: Any) -> Any:
            return Annotated[
                Annotated[value_type, Tag("<value>")] | Annotated[Grid[value_type], Tag("<grid>")],
                Discriminator(_grid_or_value),
            ]


def grids(node: Any, place: Place = ()) -> Iterator[tuple[Place, Grid[Any]]]:
    """Every grid at or below `node`, with its place as the TOML document writes it."""
    if isinstance(node, Grid):
        yield place, node
    elif isinstance(node, Model):
        inside = (*place, node.name) if isinstance(node, OneKeyTable) else place
        for key, value in node:
            yield from grids(value, (*inside, key))


def resolve(node: Any, chosen: Mapping[Place, Any], place: Place = ()) -> Any:
    """`node` with every grid at or below it replaced by the value chosen for its place."""
    if isinstance(node, Grid):
        return chosen[place]
    if isinstance(node, Model):
        inside = (*place, node.name) if isinstance(node, OneKeyTable) else place
        resolved = {key: resolve(value, chosen, (*inside, key)) for key, value in node}
        changed = {key: value for key, value in resolved.items() if value is not getattr(node, key)}
        return node.model_copy(update=changed) if changed else node
    return node


def variants(node: Any) -> Iterator[Any]:
    """`node` once for each combination of the values on the grids at or below it."""
    axes = dict(grids(node))
    count = math.prod(len(axis.grid) for axis in axes.values())
    if count > MAX_POINTS:
        raise rule_broken(f"its grids make {count:_} combinations; at most {MAX_POINTS:_} points are possible")
    for values in product(*(axis.grid for axis in axes.values())):
        yield resolve(node, dict(zip(axes, values, strict=True)))


def show(value: object, length: int = 80) -> str:
    """`value` as a reader of TOML would write it, cut to `length` characters; works for any object."""
    try:
        text = _written(value)
    except Exception:
        # an int too long to print, a list that holds itself, an object that cannot show itself
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= length else text[: length - 3] + "..."


def _written(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.encode("unicode_escape").decode().replace('"', '\\"') + '"'
        case Model():
            return _written(value.model_dump(exclude_none=True))
        case Mapping():
            return "{" + ", ".join(f"{key} = {_written(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_written, value)) + "]"
        case _:
            return str(value)


# ---------------------------------------------------------------------------------------------- distributions

Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Positive = Annotated[float, Field(gt=0, le=LARGEST)]
Share = Annotated[float, Field(ge=0, le=1)]


class OneKeyTable(Model):
    """A table inside a table whose only key is its name: `{ name = { ... } }`."""

    name: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _take_out(cls, given: Any) -> Any:
        return given[cls.name] if isinstance(given, dict) and given.keys() == {cls.name} else given

    @model_serializer(mode="wrap")
    def _put_in(self, dump: SerializerFunctionWrapHandler) -> Any:
        return self.value if isinstance(self, Constant) and isinstance(self.value, float) else {self.name: dump(self)}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        inner = handler.resolve_ref_schema(handler(schema)).copy()
        return {
            "title": inner.pop("title", cls.__name__),
            "description": inner.pop("description", ""),
            "type": "object",
            "properties": {cls.name: inner},
            "required": [cls.name],
            "additionalProperties": False,
        }


class Distribution(OneKeyTable):
    """The law of one random number, drawn as a monotone function of one uniform."""

    @property
    def label(self) -> str:
        """A short name for tables and figures: `normal(mean=0, std=1)`; a constant is just its number."""
        arguments = ", ".join(f"{key}={_short(value)}" for key, value in self if value is not None)
        return f"{self.name}({arguments})"

    @property
    def support(self) -> tuple[float, float]:
        """The smallest interval that holds every value of this (grid-free) distribution."""
        return -math.inf, math.inf


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_short, value)) + "]"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


class Constant(Distribution):
    """Always the same value. A plain number means this."""

    name = "constant"
    value: Griddable[Number]
    """The value."""

    @property
    def label(self) -> str:
        return _short(self.value)

    @property
    def support(self) -> tuple[float, float]:
        (value,) = self.numbers
        return value, value

    @model_validator(mode="before")
    @classmethod
    def _take_plain_number(cls, given: Any) -> Any:
        return given if isinstance(given, dict | Constant) else {"value": given}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        number = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST, "description": "Always this number."}
        return {"anyOf": [number, super().__get_pydantic_json_schema__(schema, handler)]}


class Normal(Distribution):
    """The normal distribution."""

    name = "normal"
    mean: Griddable[Number] = 0.0
    """The mean."""
    std: Griddable[Positive] = 1.0
    """The standard deviation; for a fixed value write the plain number instead."""


class _Interval(Distribution):
    """Values between low and high."""

    low: Griddable[Number]
    """The lower end."""
    high: Griddable[Number]
    """The upper end."""

    @property
    def support(self) -> tuple[float, float]:
        low, high = self.numbers
        return low, high

    def rule(self) -> str | None:
        low, high = self.numbers
        return None if low < high else f"low ({_short(low)}) must be less than high ({_short(high)})"


class Uniform(_Interval):
    """Equally likely everywhere between low and high."""

    name = "uniform"


class Triangular(_Interval):
    """Symmetric triangle between low and high: the sum of two equal uniforms, as PyTorch's b_ih + b_hh."""

    name = "triangular"


class LogUniform(_Interval):
    """The logarithm is uniform between those of low and high."""

    name = "loguniform"
    low: Griddable[Positive]
    """The lower end, above 0."""
    high: Griddable[Positive]
    """The upper end."""


class LogitUniform(_Interval):
    """A pre-activation whose sigmoid is uniform between low and high."""

    name = "logit_uniform"
    low: Griddable[Share] = 0.0
    """The lowest gate value, from 0."""
    high: Griddable[Share] = 1.0
    """The highest gate value, to 1."""

    @property
    def support(self) -> tuple[float, float]:
        low, high = (math.inf * (2 * p - 1) if p in (0, 1) else math.log(p / (1 - p)) for p in self.numbers)
        return low, high


class Choice(Distribution):
    """One of the listed values, each equally likely."""

    name = "choice"
    values: Annotated[tuple[Number, ...], Field(min_length=1, strict=False)]
    """The values; one that is listed twice is twice as likely."""

    @property
    def numbers(self) -> tuple[float, ...]:
        return self.values

    @property
    def support(self) -> tuple[float, float]:
        return min(self.values), max(self.values)


class Chrono(Distribution):
    """Chrono initialisation: log u with u uniform on (1, t_max - 1). Tallec and Ollivier, ICLR 2018, section 2."""

    name = "chrono"
    t_max: Griddable[Annotated[float, Field(gt=2, le=LARGEST)]] | None = None
    """The longest expected memory in steps, above 2; left out, the steps of the point."""


class Orthogonal(Distribution):
    """For the four W_h together: a uniformly random unit vector of four numbers, times gain. Keras' recurrent default."""

    name = "orthogonal"
    gain: Griddable[Positive] = 1.0
    """The length of the vector."""


class Tied(Distribution):
    """The value drawn for another parameter of the same draw, times factor."""

    name = "tied"
    to: ParameterName
    """The other parameter, which must not be tied itself."""
    factor: Griddable[Number] = 1.0
    """What its value is multiplied with."""


def _distribution_name(given: Any) -> str | None:
    if isinstance(given, Distribution):
        return given.name
    if not isinstance(given, dict):
        return Constant.name
    (name,) = given if len(given) == 1 else (None,)
    return name if isinstance(name, str) else None


AnyDistribution = Annotated[
    Annotated[Constant, Tag("constant")]
    | Annotated[Normal, Tag("normal")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("loguniform")]
    | Annotated[Choice, Tag("choice")]
    | Annotated[LogitUniform, Tag("logit_uniform")]
    | Annotated[Triangular, Tag("triangular")]
    | Annotated[Chrono, Tag("chrono")]
    | Annotated[Orthogonal, Tag("orthogonal")]
    | Annotated[Tied, Tag("tied")],
    Discriminator(_distribution_name),
]


def _stands_alone(distribution: Distribution) -> Distribution:
    if isinstance(distribution, Chrono | Orthogonal | Tied):
        raise rule_broken(f"{distribution.name} is for [params] only; use a number or another distribution")
    return distribution


LoneDistribution = Annotated[AnyDistribution, AfterValidator(_stands_alone)]

DISTRIBUTIONS: dict[str, type[Distribution]] = {
    kind.name: kind
    for kind in (
        Constant, Normal, Uniform, LogUniform, Choice, LogitUniform, Triangular, Chrono, Orthogonal, Tied
    )
}  # fmt: skip


# ------------------------------------------------------------------------------------------- input processes


class Process(Model):
    """How the inputs x_1 .. x_T of a draw are made."""

    process: str

    @property
    def support(self) -> tuple[float, float]:
        """An interval that holds every input of this (grid-free) process."""
        return -math.inf, math.inf


class NormalInput(Process):
    """Independent normal inputs."""

    process: Literal["normal"] = "normal"
    mean: Griddable[Number] = 0.0
    """The mean."""
    std: Griddable[Positive] = 1.0
    """The standard deviation; for a fixed input use process "constant"."""


class UniformInput(Process):
    """Independent inputs, equally likely everywhere between low and high."""

    process: Literal["uniform"]
    low: Griddable[Number]
    """The lower end."""
    high: Griddable[Number]
    """The upper end."""

    support = _Interval.support
    rule = _Interval.rule


class ConstantInput(Process):
    """The same input at every step."""

    process: Literal["constant"]
    value: Griddable[Number]
    """The input."""

    support = Constant.support


class SineInput(Process):
    """x_t = amplitude sin(2 pi (t / period + phase)), with one phase for each draw."""

    process: Literal["sine"]
    amplitude: Griddable[Number] = 1.0
    """The largest input."""
    period: Griddable[Positive]
    """Steps for a full turn, above 0."""
    phase: Griddable[LoneDistribution] = Field(default=Uniform(low=0.0, high=1.0), validate_default=False)
    """The phase of a draw in turns: a number or a distribution."""

    @property
    def support(self) -> tuple[float, float]:
        amplitude = abs(self.numbers[0])
        return -amplitude, amplitude


class AR1Input(Process):
    """x_t - mean = phi (x_{t-1} - mean) + noise, stationary from the first step on."""

    process: Literal["ar1"]
    mean: Griddable[Number] = 0.0
    """The mean."""
    phi: Griddable[Annotated[float, Field(gt=-1, lt=1)]]
    """The correlation of neighbouring inputs, between -1 and 1."""
    std: Griddable[Positive] = 1.0
    """The standard deviation of each x_t (not of the noise)."""


class WalkInput(Process):
    """A random walk: x_1 = start, and each later input adds a normal step."""

    process: Literal["walk"]
    start: Griddable[Number] = 0.0
    """The first input."""
    std: Griddable[Positive] = 1.0
    """The standard deviation of one step."""


class FileInput(Process):
    """Windows of a recorded series: `steps` neighbouring rows, the first of them drawn uniformly."""

    process: Literal["file"] = "file"
    file: str
    """A .csv or .parquet file; a relative path starts at the spec's folder, else at the current folder."""
    column: str
    """The column of the file that holds the series, numbers only."""
    standardize: bool = False
    """Subtract the mean of the whole column and divide by its (population) standard deviation."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the file's bytes, in hexadecimal. Filled in when the file is read; if given, the file must match."""

    _values: bytes = PrivateAttr(default=b"")  # bytes, not an array, so that models compare with ==

    @property
    def series(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The column, standardized if asked for: float64, shape (rows,), read-only."""
        return np.frombuffer(self._values, dtype=np.float64)

    @property
    def support(self) -> tuple[float, float]:
        return float(self.series.min()), float(self.series.max())

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        try:
            path = _find(self.file, (info.context or {}).get("folder"))
            data = path.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            if self.sha256 not in (None, sha256):
                raise _UnusableSeries("sha256", f"the file has changed: its SHA-256 is now {sha256}")
            values = _column(data, self.column, parquet=path.suffix.lower() == ".parquet")
            self._values = _standardized(values).tobytes() if self.standardize else values.tobytes()
            if max(map(abs, self.support)) > LARGEST:
                raise _UnusableSeries("column", f"holds values beyond {LARGEST:g}; rescale it or set standardize = true")
        except _UnusableSeries as unusable:
            raise rules_broken([((unusable.key,), getattr(self, unusable.key), unusable.right)]) from None
        except (pa.ArrowException, OSError, ValueError, NotImplementedError) as error:
            raise rules_broken([(("file",), self.file, f"cannot be read: {show(str(error), 200)}")]) from None
        # the model is frozen for everybody else; what is filled in here only completes it
        self.__dict__.update(file=str(path), sha256=sha256)
        return self


class _UnusableSeries(Exception):
    def __init__(self, key: str, right: str) -> None:
        self.key, self.right = key, right


def _find(file: str, folder: Path | None) -> Path:
    if not file.lower().endswith((".csv", ".parquet")):
        raise _UnusableSeries("file", "must be a .csv or a .parquet file")
    places = dict.fromkeys((base / file).absolute() for base in (folder or Path(), Path()))
    for path in places:
        if path.is_file():
            if path.stat().st_size == 0:
                raise _UnusableSeries("file", "is an empty file")
            return path
    raise _UnusableSeries("file", "no such file; looked for " + " and ".join(map(str, places)))


def _column(data: bytes, column: str, *, parquet: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    source = pa.BufferReader(data)
    table = pa.parquet.read_table(source) if parquet else pa.csv.read_csv(source)
    names = table.column_names
    if names.count(column) != 1:
        fault = "is the name of several columns" if column in names else "no such column"
        raise _UnusableSeries("column", f"{fault}; the file has {show(names, 200)}")
    cells = table.column(column)
    if len(cells) == 0:
        raise _UnusableSeries("file", "has no rows")
    if not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type) or pa.types.is_decimal(cells.type)):
        raise _UnusableSeries("column", f"must hold numbers only; it was read as {cells.type}")
    values = np.ascontiguousarray(cells.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise _UnusableSeries("column", f"must be finite everywhere; row {bad[0] + 1} is empty, NaN or infinite")
    return values


def _standardized(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    with np.errstate(all="ignore"):
        standardized: np.ndarray[Any, np.dtype[np.float64]] = (values - values.mean()) / values.std()
    # a constant column can have a tiny computed deviation, so ask for the range too
    if values.min() == values.max() or not np.isfinite(standardized).all():
        raise _UnusableSeries("standardize", "the column has no usable standard deviation; set standardize = false")
    return standardized


def _process_name(given: Any) -> str | None:
    if isinstance(given, Process):
        return given.process
    if not isinstance(given, dict):
        return "normal"
    name = given.get("process", "file" if "file" in given else "normal")
    return name if isinstance(name, str) else None


AnyProcess = Annotated[
    Annotated[NormalInput, Tag("normal")]
    | Annotated[UniformInput, Tag("uniform")]
    | Annotated[ConstantInput, Tag("constant")]
    | Annotated[SineInput, Tag("sine")]
    | Annotated[AR1Input, Tag("ar1")]
    | Annotated[WalkInput, Tag("walk")]
    | Annotated[FileInput, Tag("file")],
    Discriminator(_process_name),
]

PROCESSES: dict[str, type[Process]] = {
    "normal": NormalInput,
    "uniform": UniformInput,
    "constant": ConstantInput,
    "sine": SineInput,
    "ar1": AR1Input,
    "walk": WalkInput,
    "file": FileInput,
}
