"""The tables of a spec beside [input]: [params], [state], [loss], [measure] and [store]."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from fastlstm.measures import DEFAULT_GROUPS, GROUPS
from fastlstm.names import PARAMETERS
from fastlstm.spec.distributions import (
    AnyDistribution,
    Chrono,
    Constant,
    LoneDistribution,
    Orthogonal,
    ParameterName,
    Tied,
)
from fastlstm.spec.grids import Grid, Griddable, Model, OneKeyTable, Place, has_grid, rule_broken
from fastlstm.spec.presets import PRESETS, PresetName

if TYPE_CHECKING:
    GroupName = str
else:
    GroupName = Literal[GROUPS]

Entry = Griddable[AnyDistribution] | None
HIDDEN_WEIGHTS: tuple[ParameterName, ...] = ("W_hf", "W_hi", "W_ho", "W_hc")
_TOGETHER = f"{', '.join(HIDDEN_WEIGHTS)} together"


class Params(Model):
    """The fourteen parameters: for each a number, a distribution, or a grid of either."""

    preset: Griddable[PresetName] | None = Field(
        default=None,
        description="A published scheme. It overrides default, and a parameter's own entry overrides it.",
    )
    default: Entry = Field(
        default=None, description="For the parameters that have no entry, neither here nor in the preset."
    )
    W_hf: Entry = Field(default=None, description="Forget gate: weight of the hidden state.")
    W_xf: Entry = Field(default=None, description="Forget gate: weight of the input.")
    b_f: Entry = Field(default=None, description="Forget gate: bias.")
    W_hi: Entry = Field(default=None, description="Memory (input) gate: weight of the hidden state.")
    W_xi: Entry = Field(default=None, description="Memory (input) gate: weight of the input.")
    b_i: Entry = Field(default=None, description="Memory (input) gate: bias.")
    W_ho: Entry = Field(default=None, description="Output gate: weight of the hidden state.")
    W_xo: Entry = Field(default=None, description="Output gate: weight of the input.")
    b_o: Entry = Field(default=None, description="Output gate: bias.")
    W_hc: Entry = Field(default=None, description="Candidate: weight of the hidden state.")
    W_xc: Entry = Field(default=None, description="Candidate: weight of the input.")
    b_c: Entry = Field(default=None, description="Candidate: bias.")
    W_y: Entry = Field(default=None, description="Read-out: weight of the hidden state.")
    b_y: Entry = Field(default=None, description="Read-out: bias.")

    @property
    def presets(self) -> tuple[PresetName | None, ...]:
        """The presets that points use; (None,) without one."""
        return self.preset.grid if isinstance(self.preset, Grid) else (self.preset,)

    def entry(self, name: ParameterName, preset: PresetName | None) -> tuple[str, Any]:
        """The key that decides on a parameter under a preset, and the entry (None if nothing decides)."""
        own = getattr(self, name)
        if own is not None:
            return name, own
        if preset is not None and name in PRESETS[preset]:
            return "preset", PRESETS[preset][name]
        return "default", self.default

    def problems(self, fewest_steps: int | None) -> list[tuple[Place, Any, str]]:
        """What is wrong between the entries: place, value, and what is right.

        `fewest_steps` is the smallest number of steps of a point, None if that is not known.
        """
        found = [problem for preset in self.presets for problem in self._problems_under(preset, fewest_steps)]
        keys = {self.entry(name, preset)[0] for name in PARAMETERS for preset in self.presets}
        if "default" not in keys and has_grid(self.default):
            found.append(("default", "its grid has no effect, because every parameter has another entry"))
        return [((key,), getattr(self, key), right) for key, right in dict.fromkeys(found)]

    def _problems_under(self, preset: PresetName | None, fewest_steps: int | None) -> Iterator[tuple[str, str]]:
        entries = {name: self.entry(name, preset) for name in PARAMETERS}
        if missing := [name for name, (_, entry) in entries.items() if entry is None]:
            because = "" if preset is None else f", because the preset {preset} leaves them open"
            yield "default", f"is needed for {', '.join(missing)}{because}"
        laws = {name: _laws(entry) for name, (_, entry) in entries.items()}
        for name, (key, _) in entries.items():
            for law in laws[name]:
                if isinstance(law, Tied) and law.to == name:
                    yield key, f"ties {name} to itself; tie it to another parameter"
                elif isinstance(law, Tied) and any(isinstance(other, Tied) for other in laws[law.to]):
                    yield key, f"ties {name} to {law.to}, which is tied itself; tie it to an untied parameter"
                elif isinstance(law, Orthogonal) and name not in HIDDEN_WEIGHTS:
                    yield key, f"orthogonal is for {_TOGETHER}, not for {name}"
                elif isinstance(law, Chrono) and law.t_max is None and (fewest_steps or 3) <= 2:
                    yield (
                        key,
                        f"chrono needs more than 2 steps, or a t_max of its own; steps is {fewest_steps}",
                    )
        # one default that serves all four moves them together, whatever its grids are
        if len({id(entries[name][1]) for name in HIDDEN_WEIGHTS}) > 1:
            four = {law for name in HIDDEN_WEIGHTS for law in laws[name]}
            differ = len(four) > 1 or any(map(has_grid, four))
            for name in HIDDEN_WEIGHTS:
                if differ and any(isinstance(law, Orthogonal) for law in laws[name]):
                    yield entries[name][0], f"orthogonal is for {_TOGETHER}, with one gain and without a grid"

    def completed(self, steps: int | None) -> "Params":
        """The same with preset and default written out at each parameter, as far as no grid hangs on them."""
        used = {self.entry(name, preset)[0] for name in PARAMETERS for preset in self.presets}
        whole: dict[str, Any] = {"default": self.default if "default" in used else None}
        if not isinstance(self.preset, Grid):
            shared = has_grid(whole["default"])
            decided = {name: self.entry(name, self.preset) for name in PARAMETERS}
            whole |= {name: entry for name, (key, entry) in decided.items() if not (shared and key == "default")}
            whole |= {"preset": None} | ({} if shared else {"default": None})
        return self.model_copy(update={key: with_steps(entry, steps) for key, entry in whole.items()})


def _laws(entry: Any) -> set[Any]:
    """The distributions that an entry can stand for, as far as a rule between entries looks at them."""
    candidates = entry.grid if isinstance(entry, Grid) else (entry,)
    special = {law for law in candidates if isinstance(law, Tied | Orthogonal | Chrono)}
    return special if len(special) == len(candidates) else special | {None}


def with_steps(entry: Any, steps: int | None) -> Any:
    """`entry` with the steps, if they are known, written into every chrono that leaves t_max open."""
    if isinstance(entry, Grid):
        return entry.model_copy(update={"grid": tuple(with_steps(value, steps) for value in entry.grid)})
    if isinstance(entry, Chrono) and entry.t_max is None and steps is not None:
        return entry.model_copy(update={"t_max": float(steps)})
    return entry


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


def _delay_or_distribution(given: Any) -> str:
    is_delay = isinstance(given, Delay) or (isinstance(given, dict) and given.keys() == {Delay.name})
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

    def rule(self) -> str | None:
        if (self.kind in ("mse", "bce")) == (self.target is not None):
            return None
        if self.target is None:
            return f"{self.kind} needs a target, for example target = 0.5"
        return f"{self.kind} takes no target; remove it, or choose mse or bce"


class Measure(Model):
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

    @field_validator("groups")
    @classmethod
    def _in_declared_order(cls, groups: tuple[GroupName, ...]) -> tuple[GroupName, ...]:
        if len(set(groups)) < len(groups):
            raise rule_broken("lists a group twice; list every group once")
        return tuple(name for name in GROUPS if name in groups)

    def rule(self) -> str | None:
        return None if self.vanished < self.exploded else "vanished must be less than exploded"


class Store(Model):
    """What is written of each draw."""

    rows: Annotated[
        Annotated[Literal["all", "none"], Tag("<word>")] | Annotated[int, Field(ge=1, le=10**15), Tag("<number>")],
        Discriminator(lambda given: "<word>" if isinstance(given, str) else "<number>"),
    ] = Field(
        default="all",
        description='"all", "none", or how many rows to keep of each point, a uniform subsample.',
    )
    dtype: Literal["float32", "float64"] = Field(default="float32", description="The type of the stored measures.")


SECTIONS: dict[str, type[Model]] = {
    "params": Params,
    "state": State,
    "loss": Loss,
    "measure": Measure,
    "store": Store,
}
