"""The spec of a simulation: read from TOML, checked whole, expanded to points, and known by its content.

`load` makes a `Spec`, or raises one `SpecError` that holds everything that is wrong. A `Spec` may carry grids; its
`points()` are what they expand to, with nothing left open. `Spec.hash` names the content: two specs with the same
hash describe the same numbers.
"""

import difflib
import hashlib
import json
import math
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args, overload

import numpy as np
from pydantic import (
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails, core_schema

from fastlstm.distributions import (
    DISTRIBUTIONS,
    MAX_POINTS,
    PARAMETERS,
    PROCESSES,
    AnyDistribution,
    AnyProcess,
    Chrono,
    Constant,
    Distribution,
    FileInput,
    Grid,
    Griddable,
    LoneDistribution,
    Model,
    NormalInput,
    OneKeyTable,
    Orthogonal,
    ParameterName,
    Place,
    Process,
    Tied,
    grids,
    resolve,
    rule_broken,
    rules_broken,
    show,
    variants,
)
from fastlstm.presets import PRESETS, PresetName

# ----------------------------------------------------------------------------------------------- the tables

Entry = Griddable[AnyDistribution]
HIDDEN_WEIGHTS: tuple[ParameterName, ...] = ("W_hf", "W_hi", "W_ho", "W_hc")


class Params(Model):
    """The fourteen parameters: for each a number, a distribution, or a grid of either."""

    preset: Griddable[PresetName] | None = None
    """A published initialisation scheme. It overrides `default`, and an entry for a parameter overrides it."""
    default: Entry | None = None
    """For every parameter that has neither an entry of its own nor one in the preset."""
    W_hf: Entry | None = None
    """Forget gate: weight of the hidden state."""
    W_xf: Entry | None = None
    """Forget gate: weight of the input."""
    b_f: Entry | None = None
    """Forget gate: bias."""
    W_hi: Entry | None = None
    """Memory (input) gate: weight of the hidden state."""
    W_xi: Entry | None = None
    """Memory (input) gate: weight of the input."""
    b_i: Entry | None = None
    """Memory (input) gate: bias."""
    W_ho: Entry | None = None
    """Output gate: weight of the hidden state."""
    W_xo: Entry | None = None
    """Output gate: weight of the input."""
    b_o: Entry | None = None
    """Output gate: bias."""
    W_hc: Entry | None = None
    """Candidate: weight of the hidden state."""
    W_xc: Entry | None = None
    """Candidate: weight of the input."""
    b_c: Entry | None = None
    """Candidate: bias."""
    W_y: Entry | None = None
    """Read-out: weight of the hidden state."""
    b_y: Entry | None = None
    """Read-out: bias."""

    @property
    def presets(self) -> tuple[PresetName | None, ...]:
        """The presets that points use; (None,) without one."""
        return self.preset.grid if isinstance(self.preset, Grid) else (self.preset,)

    def entry(self, name: ParameterName, preset: PresetName | None) -> tuple[str, Any]:
        """The key that decides on a parameter under a preset, and what it says (None if nothing does)."""
        if (own := getattr(self, name)) is not None:
            return name, own
        if preset is not None and name in PRESETS[preset]:
            return "preset", PRESETS[preset][name]
        return "default", self.default

    def problems(self, steps: int | None) -> list[tuple[Place, Any, str]]:
        """What is wrong between the entries; `steps` is the smallest number of steps, None if unknown."""
        found: dict[tuple[Place, str], tuple[Place, Any, str]] = {}

        def wrong(key: str, value: Any, right: str) -> None:
            found.setdefault(((key,), right), ((key,), value, right))

        uses_default = False
        for preset in self.presets:
            entries = {name: self.entry(name, preset) for name in PARAMETERS}
            uses_default |= any(key == "default" for key, _ in entries.values())
            possible = {name: list(variants(entry)) for name, (_, entry) in entries.items()}
            if without := [name for name, (_, entry) in entries.items() if entry is None]:
                scheme = f" and the preset {preset} leaves them open" if preset else ""
                wrong("default", None, f"is missing: {', '.join(without)} have no value{scheme}")
            for name, (key, entry) in entries.items():
                for value in possible[name]:
                    if isinstance(value, Tied) and value.to == name:
                        wrong(key, entry, f"would tie {name} to itself; tie it to another parameter")
                    elif isinstance(value, Tied) and any(isinstance(other, Tied) for other in possible[value.to]):
                        wrong(key, entry, f"must be tied to a parameter that is not tied itself, which {value.to} is")
                    elif isinstance(value, Orthogonal) and name not in HIDDEN_WEIGHTS:
                        wrong(key, entry, f"orthogonal is for {', '.join(HIDDEN_WEIGHTS)} together, not for {name}")
                    elif isinstance(value, Chrono) and value.t_max is None and steps is not None and steps <= 2:
                        wrong(key, entry, f"chrono needs more than 2 steps, or t_max above 2; steps is {steps}")
            hidden = [entries[name] for name in HIDDEN_WEIGHTS]
            laws = [value for name in HIDDEN_WEIGHTS for value in possible[name]]
            # four uses of one default move together, so they agree at every point
            if any(isinstance(law, Orthogonal) for law in laws) and len({id(entry) for _, entry in hidden}) > 1:
                if len(set(laws)) > 1:
                    key, entry = next(
                        pair for pair, name in zip(hidden, HIDDEN_WEIGHTS, strict=True)
                        if any(isinstance(value, Orthogonal) for value in possible[name])
                    )  # fmt: skip
                    together = ", ".join(HIDDEN_WEIGHTS)
                    wrong(key, entry, f"orthogonal must be given for {together} together, with the same gain")
        if not uses_default and any(grids(self.default)):
            wrong("default", self.default, "its grid has no effect: every parameter has a value of its own")
        return list(found.values())

    def completed(self, steps: int | None) -> "Params":
        """The same with preset and default written out for each parameter, as far as no grid hangs on them."""
        entries: dict[str, Any] = {name: getattr(self, name) for name in PARAMETERS}
        used = [self.entry(name, preset)[0] for name in PARAMETERS for preset in self.presets]
        default, preset = self.default if "default" in used else None, self.preset
        if not isinstance(preset, Grid):
            chosen = {name: self.entry(name, preset) for name in PARAMETERS}
            shared = any(grids(default))
            entries = {name: None if shared and key == "default" else value for name, (key, value) in chosen.items()}
            default, preset = default if shared else None, None
        filled = {name: _with_steps(entry, steps) for name, entry in (entries | {"default": default}).items()}
        return self.model_copy(update=filled | {"preset": preset})


def _with_steps(entry: Any, steps: int | None) -> Any:
    """`entry` with the number of steps written into every chrono that leaves t_max open."""
    if steps is None:
        return entry
    if isinstance(entry, Grid):
        return entry.model_copy(update={"grid": tuple(_with_steps(value, steps) for value in entry.grid)})
    if isinstance(entry, Chrono) and entry.t_max is None:
        return entry.model_copy(update={"t_max": float(steps)})
    return entry


class State(Model):
    """The state before the first step."""

    h: Griddable[LoneDistribution] = Constant(value=0.0)
    """Hidden state h_0: a number or a distribution."""
    C: Griddable[LoneDistribution] = Constant(value=0.0)
    """Cell C_0: a number or a distribution."""


class Delay(OneKeyTable):
    """The target is the input some steps ago; the steps before that carry no loss."""

    name = "delay"
    steps: Annotated[int, Field(ge=0, lt=10**6)]
    """How many steps ago; less than the number of steps."""


def _delay_or_distribution(given: Any) -> str:
    is_delay = isinstance(given, Delay) or (isinstance(given, dict) and given.keys() == {Delay.name})
    return "delay" if is_delay else "<distribution>"


class Loss(Model):
    """What the gradients are gradients of."""

    kind: Literal["sum", "last", "mse", "bce"] = "sum"
    """sum of the outputs, last output, mean squared error, or binary cross-entropy."""
    target: (
        Annotated[
            Annotated[LoneDistribution, Tag("<distribution>")] | Annotated[Delay, Tag("delay")],
            Discriminator(_delay_or_distribution),
        ]
        | None
    ) = None
    """For mse and bce: a number, a distribution, or `{ delay = { steps = k } }`."""

    def rule(self) -> str | None:
        if self.kind in ("mse", "bce"):
            return f"{self.kind} needs a target, for example target = 0.5" if self.target is None else None
        return f"{self.kind} takes no target; use kind mse or bce, or remove it" if self.target is not None else None


GroupName = Literal["norms", "gates", "grads", "carousel", "truncation", "jacobian", "lags"]


class Measure(Model):
    """What is measured of each draw."""

    groups: Annotated[tuple[GroupName, ...], Field(strict=False)] = ("norms", "gates", "carousel")
    """The groups of output columns."""
    saturation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """A gate value below this is left-saturated, above 1 minus this right-saturated."""
    majority: Annotated[float, Field(ge=0.5, lt=1)] = 0.5
    """A gate is left or right if more than this share of its steps is."""
    exploded: Annotated[float, Field(gt=0)] = 1e3
    """A draw exploded if |dh_t| or |dC_t| exceeds this at any step."""
    vanished: Annotated[float, Field(gt=0)] = 1e-6
    """A draw vanished if both |dh_0| and |dC_0| are below this."""

    @field_validator("groups")
    @classmethod
    def _in_their_own_order(cls, groups: tuple[GroupName, ...]) -> tuple[GroupName, ...]:
        if len(set(groups)) < len(groups):
            raise rule_broken("lists a group twice")
        return tuple(name for name in get_args(GroupName) if name in groups)

    def rule(self) -> str | None:
        return None if self.vanished < self.exploded else "vanished must be less than exploded"


class Store(Model):
    """What is written of each draw."""

    rows: Annotated[
        Annotated[Literal["all", "none"], Tag("<word>")] | Annotated[int, Field(ge=1, le=10**15), Tag("<number>")],
        Discriminator(lambda given: "<word>" if isinstance(given, str) else "<number>"),
    ] = "all"
    """"all", "none", or the number of rows to keep for each point, a uniform subsample."""
    dtype: Literal["float32", "float64"] = "float32"
    """The type of the stored measures."""


# ----------------------------------------------------------------------------------- the spec and its points


@dataclass(frozen=True)
class Point:
    """One combination of the values on a spec's axes: a distribution for everything, and no grid."""

    index: int
    """Its number, from 0; the last axis moves fastest."""
    axes: dict[str, float | int | str]
    """Its value on each axis; a distribution or preset by its label."""
    steps: int
    params: tuple[Distribution, ...]
    """The 14 distributions in the order of PARAMETERS."""
    h: Distribution
    C: Distribution
    input: Process
    loss: Loss


class _Axis(NamedTuple):
    place: Place
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        return "_".join(part for part in self.place if part != "params")

    @property
    def shown(self) -> list[float | int | str]:
        if not isinstance(self.values[0], Distribution):
            return list(self.values)
        # one column holds an axis, so numbers and labels do not mix
        if all(isinstance(value, Constant) for value in self.values):
            return [value.value for value in self.values]
        return [value.label for value in self.values]


class Spec(Model):
    """A simulation: seed, sizes, and what is drawn, fed in, measured and stored."""

    title: str = ""
    """A line for the reader; no part of the content."""
    seed: Annotated[int, Field(ge=0, le=2**64 - 1)] = 0
    """Key of the random streams, 0 to 2^64 - 1."""
    draws: Annotated[int, Field(ge=1, le=10**15)]
    """Number of draws for each point, 1 to 10^15."""
    steps: Griddable[Annotated[int, Field(ge=1, le=10**6)]]
    """Number of time steps T of a draw, 1 to 10^6; may be a grid."""
    dtype: Literal["float64", "float32"] = "float64"
    """Type that is computed in; float32 is about three times faster."""
    common: bool = True
    """Whether all points use the same underlying uniforms, so that they can be compared draw by draw."""
    params: Params
    """The fourteen parameters."""
    state: State = State()
    """The state before the first step."""
    input: AnyProcess = NormalInput()
    """How the inputs are made."""
    loss: Loss = Loss()
    """What the gradients are gradients of."""
    measure: Measure = Measure()
    """What is measured of each draw."""
    store: Store = Store()
    """What is written of each draw."""

    _axes: tuple[_Axis, ...] = PrivateAttr(default=())

    # `steps` is declared first so that these three can be held against it, and all found wrong at once

    @field_validator("params")
    @classmethod
    def _check_params(cls, params: Params, info: ValidationInfo) -> Params:
        steps = _step_numbers(info)
        if problems := params.problems(min(steps, default=None)):
            raise rules_broken(problems)
        return params.completed(None if isinstance(info.data.get("steps"), Grid) or not steps else steps[0])

    @field_validator("input")
    @classmethod
    def _check_input(cls, process: Process, info: ValidationInfo) -> Process:
        longest = max(_step_numbers(info), default=0)
        if isinstance(process, FileInput) and process.series.size < longest:
            right = f"has {process.series.size} rows; steps asks for windows of {longest}"
            raise rules_broken([(("file", "file"), process.file, right)])
        return process

    @field_validator("loss")
    @classmethod
    def _check_loss(cls, loss: Loss, info: ValidationInfo) -> Loss:
        shortest = min(_step_numbers(info), default=math.inf)
        problems: list[tuple[Place, Any, str]] = []
        if isinstance(loss.target, Delay) and loss.target.steps >= shortest:
            right = f"must be less than the number of steps, {shortest}"
            problems.append((("target", "delay", "steps"), loss.target.steps, right))
        if loss.kind == "bce":
            delayed = isinstance(loss.target, Delay)
            sources = variants(info.data.get("input", Constant(value=0.0))) if delayed else [loss.target]
            if any(low < 0 or high > 1 for low, high in (source.support for source in sources)):
                what = "the inputs, which are its targets," if delayed else "the targets"
                problems.append((("target",), loss.target, f"bce needs {what} to lie between 0 and 1"))
        if problems:
            raise rules_broken(problems)
        return loss

    @model_validator(mode="wrap")
    @classmethod
    def _number_points(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        spec = handler(given)
        if isinstance(given, dict):
            order = {place: position for position, place in enumerate(_grid_places(given))}
            found = sorted(grids(spec), key=lambda at: order.get(at[0], len(order)))
            spec._axes = tuple(_Axis(place, grid.grid) for place, grid in found)
            if (count := spec._count()) > MAX_POINTS:
                sizes = ", ".join(f"{axis.name} ({len(axis.values):_})" for axis in spec._axes)
                raise rule_broken(f"the grids {sizes} make {count:_} points; at most {MAX_POINTS:_} are possible")
        return spec

    def _count(self) -> int:
        return math.prod(len(axis.values) for axis in self._axes)

    def axes(self) -> dict[str, list[float | int | str]]:
        """The axes by name, the slowest first, each with its values; a distribution or preset by its label."""
        return {axis.name: axis.shown for axis in self._axes}

    def points(self) -> "Points":
        """All points, made when asked for."""
        return Points(self)

    def series(self) -> np.ndarray[Any, np.dtype[np.float64]] | None:
        """The series of a file input as it is fed in: float64, shape (rows,), read-only. None without a file."""
        return self.input.series if isinstance(self.input, FileInput) else None

    def normalised(self, *, folder: str | os.PathLike[str] | None = None) -> str:
        """TOML text with every default written out and presets expanded; `load` of it gives an equal spec.

        The path of an input file is absolute, or relative to `folder`, the one the text is going to lie in.
        """
        tables = _in_axis_order(self.model_dump(mode="json", exclude_none=True), [axis.place for axis in self._axes])
        if folder is not None and isinstance(self.input, FileInput):
            tables["input"]["file"] = os.path.relpath(self.input.file, os.path.abspath(folder))
        lines = [f"{key} = {_toml(value)}" for key, value in tables.items() if key not in _TABLES]
        for name in tables:
            if name in _TABLES:
                lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in tables[name].items())]
        return "\n".join(lines) + "\n"

    def _content(self) -> dict[str, Any]:
        content = self.model_dump(mode="json", exclude_none=True, exclude={"title": True, "input": {"file"}})
        if isinstance(self.params.preset, Grid):
            content["params"]["preset"] = {
                preset: {name: value.model_dump(mode="json", exclude_none=True) for name, value in scheme.items()}
                for preset, scheme in PRESETS.items()
                if preset in self.params.preset.grid
            }
        return content | {"axes": self.axes()}

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of all that the results depend on.

        Not of the title, of comments, of the order of keys, or of where an input file lies; but of the order of the
        grids, which numbers the points, and of an input file's bytes.
        """
        text = json.dumps(self._content(), sort_keys=True, separators=(",", ":"))
        # the axes are the one mapping whose order counts
        return hashlib.sha256((text + json.dumps(list(self.axes()))).encode()).hexdigest()

    def differences(self, other: "Spec") -> list[str]:
        """The keys in which the contents differ, one line each with both values; empty if the hashes are equal."""
        here, there = _flat(self._content()), _flat(other._content())
        keys = [key for key in here | there if here.get(key) != there.get(key)]
        lines = [f"{key}: {here.get(key, 'absent')} here, {there.get(key, 'absent')} there" for key in keys]
        mine, theirs = list(self.axes()), list(other.axes())
        if mine != theirs and sorted(mine) == sorted(theirs):
            lines.append(f"order of the grids: {', '.join(mine)} here, {', '.join(theirs)} there")
        return lines


_TABLES = ("params", "state", "input", "loss", "measure", "store")


class Points(Sequence[Point]):
    """The points of a spec in order; each is made when it is asked for."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._shown = spec.axes()
        self._count = spec._count()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> list[Point]: ...
    def __getitem__(self, index: int | slice) -> Point | list[Point]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        positions, rest = [], index
        for axis in reversed(self._spec._axes):
            rest, position = divmod(rest, len(axis.values))
            positions.insert(0, position)
        placed = list(zip(self._spec._axes, positions, strict=True))
        chosen = {axis.place: axis.values[position] for axis, position in placed}
        spec = self._spec
        steps: int = resolve(spec.steps, chosen, ("steps",))
        preset: PresetName | None = resolve(spec.params.preset, chosen, ("params", "preset"))
        params = []
        for name in PARAMETERS:
            key, entry = spec.params.entry(name, preset)
            params.append(_with_steps(resolve(entry, chosen, ("params", key)), steps))
        return Point(
            index=index,
            axes={name: shown[position] for (name, shown), position in zip(self._shown.items(), positions, strict=True)},
            steps=steps,
            params=tuple(params),
            h=resolve(spec.state.h, chosen, ("state", "h")),
            C=resolve(spec.state.C, chosen, ("state", "C")),
            input=resolve(spec.input, chosen, ("input",)),
            loss=spec.loss,
        )


def _step_numbers(info: ValidationInfo) -> tuple[int, ...]:
    """All numbers of steps a spec asks for; none if they are not valid."""
    steps = info.data.get("steps")
    return steps.grid if isinstance(steps, Grid) else () if steps is None else (steps,)


def _grid_places(table: Mapping[str, Any], place: Place = ()) -> Iterator[Place]:
    """The places of the grids in the order of the document; `steps`, which TOML has before its tables, first."""
    for key in sorted(table, key=lambda key: place == () and key != "steps"):
        if isinstance(table[key], Mapping):
            yield (*place, key)
            yield from _grid_places(table[key], (*place, key))


def _in_axis_order(table: dict[str, Any], places: Iterable[Place]) -> dict[str, Any]:
    """`table` with the keys that lead to `places` in their order, so that it reads back with the same axes."""
    places = [place for place in places if place]
    ordered = dict.fromkeys(place[0] for place in places if isinstance(table[place[0]], dict))
    return {
        key: _in_axis_order(table[key], [place[1:] for place in places if place[0] == key])
        if isinstance(table[key], dict)
        else table[key]
        for key in [*ordered, *(key for key in table if key not in ordered)]
    }


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dict():
            return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case _:
            return repr(value)


def _flat(content: dict[str, Any]) -> dict[str, str]:
    content = content | {"axes": None}
    rows = {key: value for key, value in content.items() if key not in _TABLES and value is not None}
    rows |= {f"{table}.{key}": value for table in _TABLES for key, value in content[table].items()}
    return {key: show(value, 200) for key, value in rows.items()}


class _JsonSchema(GenerateJsonSchema):
    """TOML has no null, and keys need no second name."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if key != "default" or value is not None}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a spec, for editors that check and complete TOML."""
    text = json.dumps(Spec.model_json_schema(schema_generator=_JsonSchema))
    names = dict.fromkeys(re.findall(r'"#/\$defs/(Grid[^"]*)"', text))
    for number, name in enumerate(names, start=1):
        text = text.replace(f'"#/$defs/{name}"', f'"#/$defs/Grid{number}"').replace(f'"{name}":', f'"Grid{number}":')
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **json.loads(text)}


# ------------------------------------------------------------------------------------- reading and complaints

MAX_SPEC_BYTES = 2**24


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a spec."""

    source: str
    """The spec's file, "--set" for an override, or "spec" for one that is no file."""
    key: str
    """The dotted key; empty if the whole file is meant."""
    value: str | None
    """What stands there, as TOML would write it; None if nothing does."""
    message: str
    """What is wrong, and what would be right."""

    def __str__(self) -> str:
        key = f"{self.key}: " if self.value is None else f"{self.key} = {self.value}: "
        return f"{self.source}: {key if self.key else ''}{self.message}"


class SpecError(Exception):
    """A spec that cannot be used; `problems` holds everything that is wrong with it, one line each in `str()`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def load(source: str | os.PathLike[str] | Mapping[str, Any], overrides: Iterable[str] = ()) -> Spec:
    """Read and check a spec.

    Parameters
    ----------
    source
        The path of a TOML file, or a mapping of the same shape.
    overrides
        "key.path=value" strings, applied in order before the check. The value is read as TOML, or taken as a string
        if it is none; missing tables are created.

    Raises
    ------
    SpecError
        Whatever is wrong, all at once.
    """
    name = show(source, 200)[1:-1] if isinstance(source, str) else "spec" if isinstance(source, Mapping) else show(source)
    problems: list[Problem] = []
    try:
        folder, given = _read(source)
        table = _plain(given)
        overridden = [place for text in overrides if (place := _override(table, text, problems))]
        try:
            spec = Spec.model_validate(table, context={"folder": folder})
        except ValidationError as error:
            for details in error.errors():
                key, value, message = _explain(details, table)
                is_overridden = any(_dotted(place) == key or key.startswith(f"{_dotted(place)}.") for place in overridden)
                problems.append(Problem("--set" if is_overridden else name, key, value, message))
        if problems:
            raise SpecError(dict.fromkeys(problems))
    except _Unreadable as unreadable:
        raise SpecError([Problem(name, "", None, str(unreadable))]) from None
    except RecursionError:
        raise SpecError([Problem(name, "", None, "tables or lists are nested too deeply")]) from None
    return spec


class _Unreadable(Exception):
    pass


def _read(source: object) -> tuple[Path | None, Mapping[str, Any]]:
    """The folder that relative paths start from, and the unchecked tables."""
    if isinstance(source, Mapping):
        return None, source
    if not isinstance(source, str | os.PathLike):
        raise _Unreadable("must be the path of a TOML file, or a mapping")
    try:
        path = Path(source)
        if not path.is_file():
            raise _Unreadable("is not a file" if path.exists() else "no such file")
        if path.stat().st_size > MAX_SPEC_BYTES:
            raise _Unreadable(f"is larger than {MAX_SPEC_BYTES >> 20} MiB, which no spec is")
        data = path.read_bytes()
    except (OSError, ValueError, TypeError) as error:
        raise _Unreadable(f"cannot be read: {show(str(error), 200)}") from None
    if not data.strip():
        raise _Unreadable("is empty; a spec has at least draws, steps and [params]")
    if b"\0" in data:
        raise _Unreadable("is a binary file; a spec is TOML text")
    try:
        return path.parent, tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _Unreadable(f"is not UTF-8 text: byte {data[error.start]:#04x} at position {error.start}") from None
    except ValueError as error:
        raise _Unreadable(f"is not valid TOML: {error}") from None


def _plain(node: Any) -> Any:
    """A copy of `node` in dicts, lists and Python's own numbers and strings, as tomllib would have made it."""
    match node:
        case Mapping():
            return {key if isinstance(key, str) and key.isprintable() else show(key): _plain(node[key]) for key in node}
        case list() | tuple():
            return [_plain(item) for item in node]
        case np.generic():
            return node.item()
        case os.PathLike():
            return os.fspath(node)
        case _:
            return node


def _override(table: dict[str, Any], text: object, problems: list[Problem]) -> Place | None:
    """Put one "key.path=value" into `table`; its place, or None and a problem more."""
    key, equals, written = text.partition("=") if isinstance(text, str) else (show(text), "", "")
    place = tuple(part.strip() for part in key.split("."))
    if not equals or not all(place):
        problems.append(Problem("--set", "", None, f"{show(text)} must have the form key.path=value"))
        return None
    for depth, part in enumerate(place[:-1], start=1):
        below = table.setdefault(part, {})
        if not isinstance(below, dict):
            right = f"is not a table, so {_dotted(place)} cannot be set"
            problems.append(Problem("--set", _dotted(place[:depth]), show(below), right))
            return None
        table = below
    try:
        parsed = tomllib.loads(f"value = {written}")
    except (ValueError, RecursionError):
        parsed = {}
    # more than one key: the text went on to a second line, so it was no single value
    table[place[-1]] = parsed["value"] if parsed.keys() == {"value"} else written.strip()
    return place


def _explain(error: ErrorDetails, table: dict[str, Any]) -> tuple[str, str | None, str]:
    """The dotted key of a validation error, the value there, and what is wrong and what would be right."""
    kind, loc, given, context = error["type"], error["loc"], error["input"], error.get("ctx", {})
    place = _place_in(table, loc)
    value = None if kind == "missing" or not place or (kind == "rule" and given is None) else show(given)
    if kind == "rule":
        return _dotted(place), value, context["right"]
    if kind == "extra_forbidden":
        return _dotted(place), value, _unknown_key(loc)
    if kind == "missing":
        field = (_table_at(loc[:-1]) or Spec).model_fields.get(str(loc[-1]))
        return _dotted(place), None, "is missing" + (f": {field.description}" if field and field.description else "")
    if kind == "union_tag_invalid":
        known = re.findall(r"'([^']*)'", str(context["expected_tags"]))
        tag = str(context["tag"])
        if place == ("input",):
            return "input.process", show(tag), _not_among(tag, known, "process")
        if tag == "grid":
            return _dotted(place), value, _NO_GRID
        return _dotted(place), value, _not_among(tag, [*known, *(["delay"] if place[0] == "loss" else [])], "distribution")
    if kind == "union_tag_not_found" and place == ("input",):
        return "input.process", show(given["process"]), f"must be one of {', '.join(PROCESSES)}"
    if isinstance(given, dict) and "grid" in given and kind != "union_tag_not_found":
        return _dotted(place), value, _NO_GRID
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", str(context["expected"]))
        return _dotted(place), value, _not_among(given, known, "word")
    return _dotted(place), value, _wrong_value(kind, given, context, error["msg"])


_NO_GRID = "a grid cannot stand here, only on steps and on values in [params], [state] and [input]"


def _wrong_value(kind: str, given: Any, context: dict[str, Any], otherwise: str) -> str:
    bounds = {
        "greater_than": "greater than",
        "greater_than_equal": "at least",
        "less_than": "less than",
        "less_than_equal": "at most",
    }
    match kind:
        case "float_type" if isinstance(given, int) and not isinstance(given, bool):
            return "is too large a number"
        case "float_type":
            return "must be a number"
        case "int_type" if isinstance(given, float) and given.is_integer() and abs(given) < 1e18:
            return f"must be a whole number; write {int(given)}"
        case "int_type":
            return "must be a whole number"
        case "finite_number":
            return "must be a finite number, not NaN and not infinite"
        case "bool_type":
            return "must be true or false"
        case "string_type" | "string_unicode":
            return "must be a string"
        case "tuple_type" | "list_type":
            return "must be a list in square brackets"
        case "too_short":
            return "must hold at least one value"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be a table"
        case "union_tag_not_found":
            return f"must be a number or a table with one key, one of {', '.join(DISTRIBUTIONS)}"
        case _ if kind in bounds:
            (bound,) = context.values()
            advice = "; for a fixed value give the plain number" if kind == "greater_than" and given == 0 else ""
            return f"must be {bounds[kind]} {f'{bound:_}' if isinstance(bound, int) else f'{bound:g}'}{advice}"
    return otherwise


def _not_among(given: Any, known: Iterable[str], what: str) -> str:
    known = list(known)
    guess = difflib.get_close_matches(given, known, n=1) if isinstance(given, str) else []
    return f"no such {what}; did you mean {guess[0]}?" if guess else f"must be one of {', '.join(known)}"


def _unknown_key(loc: tuple[int | str, ...]) -> str:
    table, key = _table_at(loc[:-1]), str(loc[-1])
    known = ["grid"] if table is None else list(table.model_fields)
    guess = difflib.get_close_matches(key, known, n=1)
    if guess:
        return f"no such key; did you mean {guess[0]}?"
    tables: dict[str, Any] = {"": Spec, "params": Params, "state": State, "loss": Loss, "measure": Measure, "store": Store}
    for name, model in tables.items():
        if key in model.model_fields and model is not table:
            return f"no such key here; it belongs {f'in [{name}]' if name else 'before the tables'}"
    return f"no such key; there is {', '.join(known)}"


def _table_at(loc: tuple[int | str, ...]) -> type[Model] | None:
    """The model whose keys stand at `loc`; None inside a grid's own table."""
    if not loc:
        return Spec
    if loc[-1] == "<grid>":
        return None
    path = [part for part in loc if isinstance(part, str) and not part.startswith("<")]
    if path[0] == "input" and len(path) == 2:
        return PROCESSES[path[1]]
    tables: dict[str, type[Model]] = {
        "params": Params, "state": State, "loss": Loss, "measure": Measure, "store": Store, "delay": Delay
    }  # fmt: skip
    return (tables | DISTRIBUTIONS)[path[-1]]


def _place_in(table: Any, loc: tuple[int | str, ...]) -> tuple[str | int, ...]:
    """`loc`, which also names the alternatives that pydantic chose, cut to the keys that the document has."""
    if loc[:1] == ("input",):
        loc = loc[:1] + loc[2:]
    place: list[str | int] = []
    for depth, part in enumerate(loc, start=1):
        inside = isinstance(table, dict) and part in table
        if inside or (isinstance(table, list) and isinstance(part, int)):
            table = table[part]
            place.append(part)
        elif depth == len(loc) and isinstance(table, dict) and not str(part).startswith("<"):
            place.append(part)
    return tuple(place)


def _dotted(place: Iterable[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
