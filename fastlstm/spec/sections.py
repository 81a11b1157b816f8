"""The tables [state], [loss], [measure] and [store] of a spec."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from fastlstm.measures import CHOICES, DEFAULT_GROUPS, GROUPS
from fastlstm.spec.distributions import Constant, LoneDistribution
from fastlstm.spec.grids import Griddable, Model, OneKeyTable, rule_broken

if TYPE_CHECKING:
    GroupName = str
else:
    GroupName = Literal[CHOICES]


class State(Model):
    """The state before the first step."""

    h: Griddable[LoneDistribution] = Field(
        default=Constant(value=0.0), description="The hidden state h_0: a number or a distribution."
    )
    C: Griddable[LoneDistribution] = Field(
        default=Constant(value=0.0), description="The cell C_0: a number or a distribution."
    )


class Delay(OneKeyTable):
    """The target is the input some steps ago; the steps before that carry no loss."""

    name = "delay"
    steps: Annotated[int, Field(ge=0, lt=10**6)] = Field(
        description="How many steps ago; less than the number of steps."
    )


def _delay_or_distribution(item: Any) -> str:
    is_delay = isinstance(item, Delay) or (isinstance(item, dict) and item.keys() == {Delay.name})
    return "delay" if is_delay else "<distribution>"


Target = Annotated[
    Annotated[LoneDistribution, Tag("<distribution>")] | Annotated[Delay, Tag("delay")],
    Discriminator(_delay_or_distribution),
]


class Loss(Model):
    """What the gradients are the gradients of."""

    kind: Literal["sum", "last", "mse", "bce"] = Field(
        default="sum", description="Sum of the outputs, last output, squared error or binary cross-entropy."
    )
    target: Target | None = Field(
        default=None, description="For mse and bce: a number, a distribution, or { delay = { steps = k } }."
    )
    readout: Literal["sigmoid", "linear"] = Field(
        default="sigmoid", description="The output y_t: s(W_y h_t + b_y), or W_y h_t + b_y itself."
    )

    def rule(self) -> str | None:
        if self.kind == "bce" and self.readout == "linear":
            return 'bce needs outputs between 0 and 1; choose readout = "sigmoid", or mse'
        if (self.kind in ("mse", "bce")) == (self.target is not None):
            return None
        if self.target is None:
            return f"{self.kind} needs a target, for example target = 0.5"
        return f"{self.kind} takes no target; remove it, or choose mse or bce"


class Measuring(Model):
    """What is measured of each draw."""

    groups: Annotated[tuple[GroupName, ...], Field(strict=False)] = Field(
        default=DEFAULT_GROUPS, description="The groups of output columns."
    )
    saturation: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        default=0.1,
        description="A gate is left-saturated below this, and right-saturated above 1 minus this.",
    )
    majority: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        default=0.5,
        description="A gate is left or right in a draw if it is at more than this share of steps.",
    )
    exploded: Annotated[float, Field(gt=0)] = Field(
        default=1e3, description="A draw exploded if |dh_t| or |dC_t| exceeds this at any step."
    )
    vanished: Annotated[float, Field(gt=0)] = Field(
        default=1e-6, description="A draw vanished if |dh_0| and |dC_0| are both below this."
    )

    window: Annotated[int, Field(ge=1, lt=10**6)] | None = Field(
        default=None, description="The group truncation also compares windows of so many steps, counted from the first."
    )

    @field_validator("groups")
    @classmethod
    def _in_declared_order(cls, groups: tuple[GroupName, ...]) -> tuple[GroupName, ...]:
        if len(set(groups)) < len(groups):
            raise rule_broken("lists a group twice; list every group once")
        return tuple(name for name in GROUPS if name in groups)

    @property
    def computed(self) -> tuple[str, ...]:
        """The groups, and with a window that of its columns, in declared order."""
        return tuple(name for name in GROUPS if name in self.groups or (name == "window" and self.window is not None))

    def rule(self) -> str | None:
        if self.window is not None and "truncation" not in self.groups:
            return 'window is for the group truncation; add "truncation" to groups, or remove window'
        return None if self.vanished < self.exploded else "vanished must be less than exploded"


class Store(Model):
    """What is written of each draw."""

    rows: Annotated[
        Annotated[Literal["all", "none"], Tag("<word>")] | Annotated[int, Field(ge=1, le=10**15), Tag("<number>")],
        Discriminator(lambda item: "<word>" if isinstance(item, str) else "<number>"),
    ] = Field(
        default="all",
        description='"all", "none", or how many rows to keep of each point, a uniform subsample.',
    )
    dtype: Literal["float32", "float64"] = Field(default="float32", description="The type of the stored measures.")
