"""The input processes of a spec, and the series that windows are taken from."""

import hashlib
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from pydantic import Discriminator, Field, PrivateAttr, Tag, ValidationInfo, model_validator

from fastlstm.spec.distributions import LARGEST, Constant, Interval, LoneDistribution, Number, Positive, Uniform
from fastlstm.spec.grids import Griddable, Model, Text, rules_broken, show

Series = np.ndarray[Any, np.dtype[np.float64]]


class Process(Model):
    """How the inputs x_1 .. x_T of a draw are made."""

    process: str

    @property
    def support(self) -> tuple[float, float]:
        """The ends of an interval that holds every input of this process, which has no grids."""
        return -math.inf, math.inf


class NormalInput(Process):
    """Independent normal inputs."""

    process: Literal["normal"] = "normal"
    mean: Griddable[Number] = Field(default=0.0, description="The mean.")
    std: Griddable[Positive] = Field(default=1.0, description="The standard deviation, above 0.")


class UniformInput(Process):
    """Independent inputs, equally likely everywhere between low and high."""

    process: Literal["uniform"]
    low: Griddable[Number] = Field(description="The lower end.")
    high: Griddable[Number] = Field(description="The upper end.")

    support = Interval.support
    rule = Interval.rule


class ConstantInput(Process):
    """The same input at every step."""

    process: Literal["constant"]
    value: Griddable[Number] = Field(description="The input.")

    support = Constant.support


class SineInput(Process):
    """x_t = amplitude sin 2 pi (phase + (t - 1) / period), with one phase for each draw."""

    process: Literal["sine"]
    amplitude: Griddable[Number] = Field(default=1.0, description="The largest input.")
    period: Griddable[Positive] = Field(description="The steps of a full turn, above 0.")
    phase: Griddable[LoneDistribution] = Field(
        default=Uniform(low=0.0, high=1.0),
        description="The phase of a draw in turns: a number or a distribution.",
    )

    @property
    def support(self) -> tuple[float, float]:
        amplitude = abs(self.numbers[0])
        return -amplitude, amplitude


class AR1Input(Process):
    """x_t - mean = phi (x_{t-1} - mean) + normal noise, stationary from the first step on."""

    process: Literal["ar1"]
    mean: Griddable[Number] = Field(default=0.0, description="The mean.")
    phi: Griddable[Annotated[float, Field(gt=-1, lt=1)]] = Field(
        description="The correlation of neighbouring inputs, between -1 and 1."
    )
    std: Griddable[Positive] = Field(
        default=1.0, description="The standard deviation of each input, which is not that of the noise."
    )


class WalkInput(Process):
    """A random walk from x_0 = start: each step adds a normal number to the input before."""

    process: Literal["walk"]
    start: Griddable[Number] = Field(default=0.0, description="The place from which the first step is taken, x_0.")
    std: Griddable[Positive] = Field(default=1.0, description="The standard deviation of one step, above 0.")


class FileInput(Process):
    """Windows of a recorded series: as many neighbouring rows as steps, the first of them drawn uniformly."""

    process: Literal["file"] = "file"
    file: Text = Field(description="A .csv or .parquet file; a relative path starts at the spec's folder, else here.")
    column: Text = Field(description="The column that holds the series: numbers, and none of them missing.")
    standardize: bool = Field(
        default=False,
        description="Subtract the column's mean and divide by its population standard deviation.",
    )
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        default=None,
        description="SHA-256 of the file, in hexadecimal: filled in on reading; if given, it must agree.",
    )

    _values: bytes = PrivateAttr(default=b"")  # not an array, so that models compare with ==

    @property
    def series(self) -> Series:
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
                raise _SeriesError("sha256", f"the file has changed; its SHA-256 is now {sha256}")
            values = _column(data, self.column, parquet=path.suffix.lower() == ".parquet")
            values = _standardized(values) if self.standardize else values
            if np.abs(values).max() > LARGEST:
                raise _SeriesError("column", f"has values beyond {LARGEST:g}; rescale or standardize it")
        except _SeriesError as error:
            raise rules_broken([((error.key,), getattr(self, error.key), error.right)]) from None
        except (pa.ArrowException, OSError, ValueError, NotImplementedError) as error:
            raise rules_broken([(("file",), self.file, f"cannot be read: {show(error, 200)}")]) from None
        self._values = values.tobytes()
        # frozen for everybody else; this completes the model before anyone has seen it
        self.__dict__.update(file=str(path), sha256=sha256)
        return self


class _SeriesError(Exception):
    """What is wrong with the file, at which key of [input]."""

    def __init__(self, key: str, right: str) -> None:
        super().__init__(right)
        self.key, self.right = key, right


def _find(file: str, folder: Path | None) -> Path:
    if not file.lower().endswith((".csv", ".parquet")):
        raise _SeriesError("file", "must be a .csv or a .parquet file")
    places = list(dict.fromkeys((start / file).absolute() for start in (folder or Path(), Path())))
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise _SeriesError(
            "file", f"no such file; looked for {' and '.join(show(str(place), 200) for place in places)}"
        )
    if path.stat().st_size == 0:
        raise _SeriesError("file", "is an empty file")
    return path.resolve()


_NUMERIC = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def _column(data: bytes, column: str, *, parquet: bool) -> Series:
    source = pa.BufferReader(data)
    table = pa.parquet.read_table(source) if parquet else pa.csv.read_csv(source)
    names = table.column_names
    if names.count(column) != 1:
        wrong = "several columns have this name" if column in names else "no such column"
        raise _SeriesError("column", f"{wrong}; the file has {show(names, 200)}")
    cells = table.column(column)
    if len(cells) == 0:
        raise _SeriesError("file", "has no rows")
    if not any(numeric(cells.type) for numeric in _NUMERIC):
        raise _SeriesError("column", f"must hold numbers only; it was read as {cells.type}")
    values: Series = np.array(cells.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    unusable = np.flatnonzero(~np.isfinite(values))
    if unusable.size:
        raise _SeriesError("column", f"row {unusable[0] + 1} is empty, NaN or infinite; each must be a number")
    return values


def _standardized(values: Series) -> Series:
    # fsum rounds once, so that mean and deviation are the same on every machine
    try:
        mean = math.fsum(values) / len(values)
        gaps = [value - mean for value in values.tolist()]  # ** 2 would be libm's pow
        deviation = math.sqrt(math.fsum(gap * gap for gap in gaps) / len(values))
    except OverflowError:
        mean, deviation = 0.0, math.inf
    # the computed deviation of a constant column need not be exactly 0, so its range is asked too
    if values.min() == values.max() or not 0 < deviation < np.inf:
        raise _SeriesError("standardize", "the column's standard deviation is 0 or too large; set this to false")
    standardized: Series = (values - mean) / deviation
    return standardized


def _name_of_process(given: Any) -> str | None:
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
    Discriminator(_name_of_process),
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
