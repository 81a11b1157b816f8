"""The spec of a simulation: read from TOML, checked whole, expanded to points, and known by its content.

`load` makes a `Spec`, or raises one `SpecError` with everything that is wrong. A `Spec` may carry grids; its
points are what they expand to, with nothing left open. `Spec.hash` names the content.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Self, overload

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails, core_schema

from fastlstm.names import PARAMETERS
from fastlstm.printable import printable
from fastlstm.spec.claims import Claim, broken_at_points, broken_names, vocabulary
from fastlstm.spec.columns import AxisValue
from fastlstm.spec.distributions import Constant, Distribution
from fastlstm.spec.grids import (
    MAX_POINTS,
    Grid,
    Griddable,
    Model,
    Place,
    Text,
    grids,
    resolve,
    rule_broken,
    rules_broken,
    variants,
)
from fastlstm.spec.presets import PRESETS, PresetName
from fastlstm.spec.problems import Problem, SpecError, dotted, explain
from fastlstm.spec.processes import AnyProcess, FileInput, NormalInput, Process, Series
from fastlstm.spec.sections import Delay, Loss, Measure, Params, State, Store, with_steps
from fastlstm.spec.sources import ReadError, key_and_value, override, plain, read

TABLE_NAMES = ("params", "state", "input", "loss", "measure", "store")
_NAMED_BY_CLAIMS = {"steps", "params", "state", "input", "measure", "store"}


@dataclass(frozen=True)
class Point:
    """One combination of the values on a spec's axes: a distribution for everything, and no grid.

    index   its number, from 0; the last axis moves fastest
    axes    its value on each axis; a distribution by its label, a preset by its name
    steps   the number of time steps T
    params  14 distributions, in the order of PARAMETERS
    h, C    the distributions of h_0 and C_0
    """

    index: int
    axes: dict[str, AxisValue]
    steps: int
    params: tuple[Distribution, ...]
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
    def shown(self) -> list[AxisValue]:
        if not isinstance(self.values[0], Distribution):
            return list(self.values)
        # an axis becomes one column, so numbers and labels do not mix
        if all(isinstance(value, Constant) for value in self.values):
            return [value.value for value in self.values]
        return [value.label for value in self.values]


class Spec(Model):
    """A simulation: its seed and size, and what is drawn, fed in, measured and stored."""

    title: Text = Field(default="", description="A line for the reader; no part of the content.")
    seed: Annotated[int, Field(ge=0, le=2**64 - 1)] = Field(
        default=0, description="The key of the random streams, 0 to 2^64 - 1."
    )
    draws: Annotated[int, Field(ge=1, le=10**15)] = Field(description="The number of draws of each point, 1 to 10^15.")
    steps: Griddable[Annotated[int, Field(ge=1, le=10**6)]] = Field(
        description="The number of time steps of a draw, 1 to 10^6; may be a grid."
    )
    dtype: Literal["float64", "float32"] = Field(
        default="float64", description="The type that is computed in; float32 is about three times faster."
    )
    common: bool = Field(
        default=True, description="Whether all points use the same uniforms, to be compared draw by draw."
    )
    params: Params = Field(description="The fourteen parameters: default, a preset, or each of them.")
    state: State = Field(default=State(), description="The state before the first step.")
    input: AnyProcess = Field(default=NormalInput(), description="How the inputs are made.")
    loss: Loss = Field(default=Loss(), description="What the gradients are the gradients of.")
    measure: Measure = Field(default=Measure(), description="What is measured of each draw.")
    store: Store = Field(default=Store(), description="What is written of each draw.")
    claim: Annotated[tuple[Claim, ...], Field(strict=False)] = Field(
        default=(), description="What the draws are to judge; no part of the content."
    )

    _axes: tuple[_Axis, ...] = PrivateAttr(default=())

    # A rule between tables hangs on the later one and not on the whole spec, so that it is tested, and its
    # problem told, while another table is still wrong.

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
            right = f"has {process.series.size} rows, but windows of {longest} steps are asked for"
            raise rules_broken([(("file", "file"), process.file, right)])
        return process

    @field_validator("loss")
    @classmethod
    def _check_loss(cls, loss: Loss, info: ValidationInfo) -> Loss:
        problems: list[tuple[Place, Any, str]] = []
        delay = loss.target if isinstance(loss.target, Delay) else None
        shortest = min(_step_numbers(info), default=math.inf)
        if delay and delay.steps >= shortest:
            right = f"must be less than the {shortest} steps of a draw"
            problems.append((("target", "delay", "steps"), delay.steps, right))
        if loss.kind == "bce" and (delay is None or "input" in info.data):
            sources: Iterable[Any] = [loss.target] if delay is None else variants(info.data["input"])
            if any(source.support[0] < 0 or source.support[1] > 1 for source in sources):
                what = "targets" if delay is None else "inputs, which are the targets,"
                problems.append((("target",), loss.target, f"bce needs {what} between 0 and 1"))
        if problems:
            raise rules_broken(problems)
        return loss

    @field_validator("claim", mode="wrap")
    @classmethod
    def _check_claims(
        cls, given: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> tuple[Claim, ...]:
        if not isinstance(given, list | tuple):
            raise rule_broken("must be a list of tables; write [[claim]]")
        claims: dict[int, Claim] = {}
        errors: list[ErrorDetails] = []
        for number, table in enumerate(given):
            try:
                (claims[number],) = handler([table])
            except ValidationError as error:
                errors += [{**each, "loc": (number, *each["loc"][1:])} for each in error.errors()]
        tables, problems = info.data, []
        if claims and tables.keys() >= _NAMED_BY_CLAIMS:
            found = (_Axis((key, *place), grid.grid) for key in tables for place, grid in grids(tables[key]))
            axes = {axis.name: axis.shown for axis in found}
            known = vocabulary(axes, **{key: tables[key] for key in ("steps", "state", "measure", "store")})
            problems = list(broken_names(claims, known, axes))
        if problems or errors:
            raise rules_broken(problems, others=errors)
        return tuple(claims.values())

    @model_validator(mode="wrap")
    @classmethod
    def _find_axes(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        spec = handler(given)
        if spec is given:
            return spec
        order = {place: position for position, place in enumerate(_tables_in(given))}
        axes = sorted(grids(spec), key=lambda axis: order.get(axis[0], len(order)))
        spec._axes = tuple(_Axis(place, grid.grid) for place, grid in axes)
        if len(spec.points()) > MAX_POINTS:
            sizes = ", ".join(f"{axis.name} ({len(axis.values):_})" for axis in spec._axes)
            count = len(spec.points())
            raise rule_broken(f"the grids {sizes} make {count:_} points; at most {MAX_POINTS:_} are possible")
        steps = None if isinstance(spec.steps, Grid) else spec.steps
        if spec.claim and (problems := list(broken_at_points(spec.claim, spec.axes(), steps))):
            raise rules_broken((("claim", *place), value, right) for place, value, right in problems)
        return spec

    def axes(self) -> dict[str, list[AxisValue]]:
        """The axes by name, the slowest first, each with its values; a distribution by its label."""
        return {axis.name: axis.shown for axis in self._axes}

    def points(self) -> "Points":
        """All points."""
        return Points(self)

    def series(self) -> Series | None:
        """The series of a file input as it is fed in: float64, shape (rows,), read-only; or None."""
        return self.input.series if isinstance(self.input, FileInput) else None

    def normalised(self, *, folder: str | os.PathLike[str] | None = None) -> str:
        """TOML text with every default written out and the preset expanded; `load` of it gives an equal spec.

        An input file's path is absolute, or relative to `folder`, where the text is going to lie.
        """
        document = self.model_dump(mode="json", exclude_none=True)
        document = _with_axes_in_order(document, [axis.place for axis in self._axes if len(axis.place) > 1])
        if folder is not None and isinstance(self.input, FileInput):
            document["input"]["file"] = os.path.relpath(self.input.file, os.path.abspath(folder))
        tables = [name for name in document if name in TABLE_NAMES]
        claims = document.pop("claim")
        lines = [f"{key} = {_toml(value)}" for key, value in document.items() if key not in tables]
        headed = [(f"[{name}]", document[name]) for name in tables] + [("[[claim]]", claim) for claim in claims]
        for heading, table in headed:
            lines += ["", heading, *(f"{key} = {_toml(value)}" for key, value in table.items())]
        return "\n".join(lines) + "\n"

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of all that the results depend on.

        That is not the title, comments, the order of keys, or where an input file lies. It is the order of
        the grids, which numbers the points, and the bytes of an input file.
        """
        text = json.dumps(self._content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, other: "Spec") -> list[str]:
        """The keys in which two specs differ, a line each with both values; empty if the hashes agree."""
        here, there = self._rows(), other._rows()
        keys = [key for key in here | there if here.get(key) != there.get(key)]
        lines = [f"{key}: {here.get(key, 'absent')} here, {there.get(key, 'absent')} there" for key in keys]
        mine, theirs = list(self.axes()), list(other.axes())
        if mine != theirs and sorted(mine) == sorted(theirs):
            lines.append(f"order of the grids: {', '.join(mine)} here, {', '.join(theirs)} there")
        return lines

    def _content(self) -> dict[str, Any]:
        cosmetic: Any = {"title": True, "claim": True, "input": {"file"}}
        content = self.model_dump(mode="json", exclude_none=True, exclude=cosmetic)
        if isinstance(self.params.preset, Grid):
            # what the presets say and not only their names
            content["params"]["preset"] = [
                {name: law.model_dump(mode="json", exclude_none=True) for name, law in PRESETS[preset].items()}
                for preset in self.params.preset.grid
            ]
        return content | {"axes": [axis.name for axis in self._axes]}

    def _rows(self) -> dict[str, str]:
        rows: dict[str, str] = {}
        for key, value in self._content().items():
            if key in TABLE_NAMES:
                rows |= {f"{key}.{inner}": _toml(item) for inner, item in value.items()}
            elif key != "axes":
                rows[key] = _toml(value)
        return rows


class Points(Sequence[Point]):
    """The points of a spec; each is made when it is asked for."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._shown = list(spec.axes().values())

    def __len__(self) -> int:
        return math.prod(map(len, self._shown))

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> list[Point]: ...
    def __getitem__(self, index: int | slice) -> Point | list[Point]:
        numbers = range(len(self))[index]
        return self._point(numbers) if isinstance(numbers, int) else [self._point(number) for number in numbers]

    def _point(self, index: int) -> Point:
        spec, shown, chosen, rest = self._spec, {}, {}, index
        for axis, labels in zip(reversed(spec._axes), reversed(self._shown), strict=True):
            rest, position = divmod(rest, len(labels))
            chosen[axis.place] = axis.values[position]
            shown[axis.name] = labels[position]
        steps: int = resolve(spec.steps, chosen, ("steps",))
        preset: PresetName | None = resolve(spec.params.preset, chosen, ("params", "preset"))
        params = []
        for name in PARAMETERS:
            key, entry = spec.params.entry(name, preset)
            params.append(with_steps(resolve(entry, chosen, ("params", key)), steps))
        return Point(
            index=index,
            axes=dict(reversed(shown.items())),
            steps=steps,
            params=tuple(params),
            h=resolve(spec.state.h, chosen, ("state", "h")),
            C=resolve(spec.state.C, chosen, ("state", "C")),
            input=resolve(spec.input, chosen, ("input",)),
            loss=spec.loss,
        )


def _step_numbers(info: ValidationInfo) -> tuple[int, ...]:
    """All numbers of steps that a spec asks for; none if they are not valid."""
    steps = info.data.get("steps")
    if steps is None:
        return ()
    return steps.grid if isinstance(steps, Grid) else (steps,)


def _tables_in(document: Any, place: Place = ()) -> Iterator[Place]:
    """The places of all tables in the document's order; `steps` first, as TOML has it before its tables."""
    if isinstance(document, Mapping):
        for key in sorted(document, key=lambda key: place == () and key != "steps"):
            yield (*place, key)
            yield from _tables_in(document[key], (*place, key))


def _with_axes_in_order(table: dict[str, Any], places: Iterable[Place]) -> dict[str, Any]:
    """`table` with its keys so ordered that it reads back with the grids at `places` in that order."""
    below = [place for place in places if place]
    first = dict.fromkeys(place[0] for place in below)
    return {
        key: _with_axes_in_order(table[key], [place[1:] for place in below if place[0] == key])
        if key in first
        else table[key]
        for key in [*first, *(key for key in table if key not in first)]
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


class _JsonSchema(GenerateJsonSchema):
    """TOML has no null, and a key needs no second name."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if key != "default" or value is not None}

    def encode_default(self, dft: Any) -> Any:
        value = super().encode_default(dft)
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a spec, for editors that check and complete TOML."""
    text = json.dumps(Spec.model_json_schema(schema_generator=_JsonSchema))
    for number, name in enumerate(dict.fromkeys(re.findall(r"#/\$defs/(Grid[^\"]*)", text)), start=1):
        # pydantic names a grid by all of its type
        text = text.replace(f'/{name}"', f'/Grid{number}"').replace(f'"{name}":', f'"Grid{number}":')
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **json.loads(text)}


def load(source: str | os.PathLike[str] | Mapping[str, Any], overrides: Mapping[str, Any] | Iterable[str] = ()) -> Spec:
    """Read and check a spec.

    Parameters
    ----------
    source
        The path of a TOML file, or a mapping of the same shape.
    overrides
        {"key.path": value}, or "key.path=value" strings, applied in order before the check. The value in a string is
        read as TOML, and taken for a string if it is none. Tables that do not exist are made.

    Raises
    ------
    SpecError
        For everything that is wrong, all at once.
    """
    name = printable(str(source)) if isinstance(source, str | os.PathLike) else "spec"
    problems: list[Problem] = []
    try:
        folder, given = read(source)
        document = plain(given)
        changes = overrides.items() if isinstance(overrides, Mapping) else map(key_and_value, overrides)
        overridden = [place for change in changes if (place := override(document, change, problems))]
        try:
            spec = Spec.model_validate(document, context={"folder": folder})
        except ValidationError as error:
            for details in error.errors():
                if details["type"] == "too_short" and details["input"]:
                    continue  # its values are wrong, and each of them has an error of its own
                key, value, message = explain(details, document, Spec)
                is_overridden = any(f"{key}.".startswith(f"{dotted(place)}.") for place in overridden)
                if overridden and key.startswith("claim["):
                    message += '; --set "claim=[]" leaves all claims out'
                problems.append(Problem("--set" if is_overridden else name, key, value, message))
        if problems:
            raise SpecError(dict.fromkeys(problems))
    except ReadError as error:
        raise SpecError([Problem(name, "", None, str(error))]) from None
    except RecursionError:
        raise SpecError([Problem(name, "", None, "tables or lists are nested too deeply")]) from None
    return spec
