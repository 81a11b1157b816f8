"""The input processes of a spec."""

import math
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, PrivateAttr, Tag, ValidationInfo, model_validator

from fastlstm.spec.distributions import (
    LARGEST,
    Choice,
    Constant,
    Distribution,
    Interval,
    LoneDistribution,
    Number,
    Positive,
    Uniform,
    Values,
)
from fastlstm.spec.grids import Griddable, Model, Text, members, rules_broken
from fastlstm.spec.series import CsvStyle, Recorded, Series, SeriesError, find, read_series


class Process(Model):
    """How the inputs x_1 .. x_T of a draw are made."""

    process: str

    def source(self, steps: int) -> dict[str, Any]:
        """What the kernel makes draws of so many steps from, of a process without grids: the arguments of its source.

        numbers       up to three, in declared order
        distribution  one by its name and its arguments
        series        one series after another, float64
        borders       for each series but the first, how many windows of `steps` rows begin before it
        """
        return {"numbers": self.numbers}

    @property
    def notes(self) -> tuple[str, ...]:
        """What about the inputs may be meant otherwise than it is read."""
        return ()

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


class ChoiceInput(Process):
    """Independent inputs from a list, each value equally likely."""

    process: Literal["choice"]
    values: Values = Field(description="The values; one that is listed twice is twice as likely.")

    support = Choice.support

    def source(self, steps: int) -> dict[str, Any]:
        return {"distribution": (Choice.name, self.values)}


class ConstantInput(Process):
    """The same input at every step."""

    process: Literal["constant"]
    value: Griddable[Number] = Field(description="The input.")

    support = Constant.support


class SineInput(Process):
    """x_t = amplitude sin 2 pi (phase + (t - 1) / period), with one phase for each draw."""

    process: Literal["sine"]
    amplitude: Griddable[Number] = Field(default=1.0, description="The largest input.")
    # of a million turns a step float64 keeps no more than four digits of the phase
    period: Griddable[Annotated[float, Field(ge=1e-6, le=LARGEST)]] = Field(
        description="The steps of a full turn, at least 1e-6."
    )
    phase: Griddable[LoneDistribution] = Field(
        default=Uniform(low=0.0, high=1.0),
        description="The phase of a draw in turns: a number or a distribution.",
    )

    @property
    def support(self) -> tuple[float, float]:
        amplitude = abs(self.numbers[0])
        return -amplitude, amplitude

    def source(self, steps: int) -> dict[str, Any]:
        assert isinstance(self.phase, Distribution)
        return {"numbers": self.numbers, "distribution": (self.phase.name, *self.phase.arguments)}


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


_Character = Annotated[str, Field(pattern=r"^[\t -!#-~]$")]


class FileInput(Process):
    """Windows of a recorded series: as many neighbouring rows as steps, the first of them drawn uniformly."""

    process: Literal["file"] = "file"
    file: Text = Field(
        description="A .csv, .csv.gz or .parquet file, or a folder of .parquet files, which follow each other in the "
        "order of their names; a relative path starts at the spec's folder."
    )
    column: Text = Field(description="The column that holds the series: a finite number in every row.")
    by: Text | None = Field(
        default=None,
        description="A column that names the series of each row, where several stand in one file; no window crosses "
        "from one to another.",
    )
    separator: _Character | None = Field(default=None, description='Between the cells of a CSV file; "," if left out.')
    decimal: Literal[".", ","] | None = Field(
        default=None, description='The decimal point of a CSV file; "." if left out.'
    )
    comment: _Character | None = Field(
        default=None, description="Lines of a CSV file that begin with this character are skipped."
    )
    standardize: bool = Field(
        default=False,
        description="Subtract the column's mean and divide by its population standard deviation.",
    )
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        default=None,
        description="SHA-256 of the file, in hexadecimal: filled in on reading; if it is there, it must agree. Of a "
        "folder it is that of the SHA-256 of its files.",
    )

    _values: bytes = PrivateAttr(default=b"")  # not an array, so that models compare with ==
    _lengths: tuple[int, ...] = PrivateAttr(default=())
    _notes: tuple[str, ...] = PrivateAttr(default=())

    @property
    def series(self) -> Series:
        """The column, standardized if asked for: float64, shape (rows,), read-only; with `by` series after series."""
        return np.frombuffer(self._values, dtype=np.float64)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The number of rows of each series."""
        return self._lengths

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    @property
    def recorded(self) -> Recorded:
        """What was read of the file."""
        return Recorded(self.series, self.lengths, self.sha256 or "", self.notes)

    @property
    def support(self) -> tuple[float, float]:
        return float(self.series.min()), float(self.series.max())

    def source(self, steps: int) -> dict[str, Any]:
        windows = np.array(self.lengths[:-1], np.int64) - (steps - 1)
        return {"series": self.series, "borders": np.cumsum(windows)}

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        if (recorded := (info.context or {}).get("recorded")) is not None:
            self._take(recorded)
            return self
        try:
            path = find(self.file, (info.context or {}).get("folder"))
            content = read_series(
                path,
                self.column,
                by=self.by,
                style=CsvStyle(self.separator, self.decimal, self.comment),
                sha256=self.sha256,
                standardize=self.standardize,
            )
            if np.abs(content.values).max() > LARGEST:
                raise SeriesError("column", f"has values beyond {LARGEST:g}; rescale or standardize it")
        except SeriesError as error:
            raise rules_broken([((error.key,), getattr(self, error.key), error.right)]) from None
        self._take(content)
        # frozen for everybody else; this completes the model before anyone has seen it
        self.__dict__.update(file=str(path), sha256=content.sha256)
        return self

    def _take(self, content: Recorded) -> None:
        self._values, self._lengths, self._notes = content.values.tobytes(), content.lengths, content.notes


def _name_of_process(table: Any) -> str | None:
    if isinstance(table, Process):
        return table.process
    if not isinstance(table, dict):
        return "normal"
    name = table.get("process", "file" if "file" in table else "normal")
    return name if isinstance(name, str) else None


AnyProcess = Annotated[
    Annotated[NormalInput, Tag("normal")]
    | Annotated[UniformInput, Tag("uniform")]
    | Annotated[ChoiceInput, Tag("choice")]
    | Annotated[ConstantInput, Tag("constant")]
    | Annotated[SineInput, Tag("sine")]
    | Annotated[AR1Input, Tag("ar1")]
    | Annotated[WalkInput, Tag("walk")]
    | Annotated[FileInput, Tag("file")],
    Discriminator(_name_of_process),
]

PROCESSES: dict[str, type[Process]] = members(AnyProcess)
