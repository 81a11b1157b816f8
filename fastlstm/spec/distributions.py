"""The distributions of a spec.

A distribution is a table with one key, its name: `{ normal = { mean = 0.0, std = 1.0 } }`. A plain number
stands for the constant. Every class is the model of the inner table.
"""

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from fastlstm.names import PARAMETERS
from fastlstm.spec.grids import Griddable, OneKeyTable, members, rule_broken

if TYPE_CHECKING:
    ParameterName = str
else:
    ParameterName = Literal[PARAMETERS]

LARGEST = 1e9  # three decades above the largest weight that is promised to work

Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Positive = Annotated[float, Field(gt=0, le=LARGEST)]
Share = Annotated[float, Field(ge=0, le=1)]
Values = Annotated[tuple[Number, ...], Field(min_length=1, strict=False)]


class Distribution(OneKeyTable):
    """The distribution of one random number, drawn as a monotone function of one uniform.

    `name` and `arguments` are what the kernel's table of distributions takes.
    """

    @property
    def label(self) -> str:
        """A short name for tables and figures: `normal(mean=0, std=1)`; a constant is just its number."""
        arguments = ", ".join(f"{key}={short(value)}" for key, value in self if value is not None)
        return f"{self.name}({arguments})"

    @property
    def support(self) -> tuple[float, float]:
        """The ends of an interval that holds every value of this distribution, which has no grids."""
        return -math.inf, math.inf

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What kernel/random.py takes for this distribution, which has no grids."""
        return self.numbers


def short(value: object) -> str:
    """A number, a word or a tuple of numbers without superfluous zeros, and exact."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(short, value)) + "]"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


class Constant(Distribution):
    """Always the same value; a plain number means this."""

    name = "constant"
    value: Griddable[Number] = Field(description="The value.")

    @property
    def label(self) -> str:
        return short(self.value)

    @property
    def support(self) -> tuple[float, float]:
        (value,) = self.numbers
        return value, value

    @model_validator(mode="before")
    @classmethod
    def _take_number(cls, item: Any) -> Any:
        return item if isinstance(item, dict | Constant) else {"value": item}

    @model_serializer(mode="wrap")
    def _put_in(self, dump: SerializerFunctionWrapHandler) -> Any:
        return self.value if isinstance(self.value, float) else {self.name: dump(self)}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        number = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST, "description": "Always this."}
        return {"anyOf": [number, super().__get_pydantic_json_schema__(schema, handler)]}


class Normal(Distribution):
    """The normal distribution."""

    name = "normal"
    mean: Griddable[Number] = Field(default=0.0, description="The mean.")
    std: Griddable[Positive] = Field(default=1.0, description="The standard deviation, above 0.")


class Interval(Distribution):
    """Values between low and high."""

    low: Griddable[Number] = Field(description="The lower end.")
    high: Griddable[Number] = Field(description="The upper end.")

    @property
    def support(self) -> tuple[float, float]:
        low, high = self.numbers
        return low, high

    def rule(self) -> str | None:
        low, high = self.numbers
        return None if low < high else f"low ({short(low)}) must be less than high ({short(high)})"


class Uniform(Interval):
    """Equally likely everywhere between low and high."""

    name = "uniform"


class Triangular(Interval):
    """A symmetric triangle between low and high: the sum of two equal uniforms, as PyTorch's b_ih + b_hh."""

    name = "triangular"


class LogUniform(Interval):
    """The logarithm is equally likely everywhere between those of low and high."""

    name = "loguniform"
    low: Griddable[Positive] = Field(description="The lower end, above 0.")
    high: Griddable[Positive] = Field(description="The upper end.")


class LogitUniform(Interval):
    """The sigmoid of the value is equally likely everywhere between low and high."""

    name = "logit_uniform"
    low: Griddable[Share] = Field(default=0.0, description="The lowest gate value, from 0.")
    # smaller ones times a uniform would leave float32
    high: Griddable[Annotated[float, Field(ge=1e-25, le=1)]] = Field(
        default=1.0, description="The highest gate value, from 1e-25 to 1."
    )

    @property
    def support(self) -> tuple[float, float]:
        low, high = self.numbers
        return (
            math.log(low / (1 - low)) if low > 0 else -math.inf,
            math.log(high / (1 - high)) if high < 1 else math.inf,
        )


class Choice(Distribution):
    """One of the listed values, each equally likely."""

    name = "choice"
    values: Values = Field(description="The values; one that is listed twice is twice as likely.")

    @property
    def numbers(self) -> tuple[float, ...]:
        return self.values

    @property
    def arguments(self) -> tuple[Any, ...]:
        return (self.values,)

    @property
    def support(self) -> tuple[float, float]:
        return min(self.values), max(self.values)


class Chrono(Distribution):
    """Chrono initialisation: log u with u uniform on (1, t_max - 1). Tallec and Ollivier 2018."""

    name = "chrono"
    t_max: Griddable[Annotated[float, Field(gt=2, le=LARGEST)]] | None = Field(
        default=None,
        description="The longest expected memory, above 2 steps; if left out, the steps of the point.",
    )

    @property
    def arguments(self) -> tuple[Any, ...]:
        (t_max,) = self.numbers
        return 1.0, t_max - 1.0


class Orthogonal(Distribution):
    """For the four W_h together: a uniformly random unit vector times gain. Keras' recurrent default."""

    name = "orthogonal"
    gain: Griddable[Positive] = Field(default=1.0, description="The length of the vector.")


class Tied(Distribution):
    """The value drawn for another parameter of the same draw, times factor."""

    name = "tied"
    to: ParameterName = Field(description="The other parameter, which must not be tied itself.")
    factor: Griddable[Number] = Field(default=1.0, description="What its value is multiplied with.")

    @property
    def arguments(self) -> tuple[Any, ...]:
        return PARAMETERS.index(self.to), *self.numbers


def _name_of(item: Any) -> str | None:
    if isinstance(item, Distribution):
        return item.name
    if not isinstance(item, dict):
        return Constant.name
    (name,) = item if len(item) == 1 else (None,)
    return name


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
    Discriminator(_name_of),
]


def _stands_alone(distribution: Distribution) -> Distribution:
    if isinstance(distribution, Chrono | Orthogonal | Tied):
        raise rule_broken(f"{distribution.name} is for [params] only; give a number or another distribution")
    return distribution


# one that needs neither the other parameters nor the steps of the point
LoneDistribution = Annotated[AnyDistribution, AfterValidator(_stands_alone)]

DISTRIBUTIONS: dict[str, type[Distribution]] = members(AnyDistribution)
