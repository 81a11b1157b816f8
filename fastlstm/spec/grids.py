"""The ground that every table of a spec stands on: strict models, and grids in place of values.

Where a field is `Griddable`, the table `{ grid = [...] }` may stand instead of a value. It makes an axis.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Self, TypeVar, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError

from fastlstm.printable import printable

MAX_POINTS = 1_000_000

Place = tuple[str, ...]  # the keys that lead to a value, outermost first


def rule_broken(right: str) -> PydanticCustomError:
    """The error of a rule that is more than a field's own constraint."""
    return PydanticCustomError("rule", "{right}", {"right": right})


Broken = tuple[tuple[str | int, ...], Any, str]  # the place below a table, the value there, and what is right


def rules_broken(problems: Iterable[Broken], *, others: Iterable[ErrorDetails] = ()) -> ValidationError:
    """Several broken rules, and errors that were found before, as one error."""
    found: list[InitErrorDetails] = [
        {"type": rule_broken(right), "loc": place, "input": value} for place, value, right in problems
    ]
    for error in others:
        kind, context = error["type"], error.get("ctx", {})
        again = rule_broken(context["right"]) if kind == "rule" else kind
        found.append({"type": again, "loc": error["loc"], "input": error["input"], "ctx": context})
    return ValidationError.from_exception_data("spec", found)


def _without_surrogates(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise rule_broken("holds half a surrogate pair, which is no text")
    return text


Text = Annotated[str, AfterValidator(_without_surrogates)]


class Model(BaseModel):
    """A TOML table: frozen, no unknown keys, no conversion but from int to float, no NaN, no infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The fields that hold a float, in declared order; without grids these are all its real numbers."""
        return tuple(value for _, value in self if isinstance(value, float))

    def rule(self) -> str | None:
        """What is wrong between the fields of this table, or None; only asked of a table without grids."""
        return None

    @model_validator(mode="after")
    def _obey_rule(self) -> Self:
        if type(self).rule is not Model.rule:
            for variant in variants(self):
                if wrong := variant.rule():
                    raise rule_broken(wrong)
        return self


class OneKeyTable(Model):
    """A table inside a table whose only key is its name: `{ name = { ... } }`."""

    name: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _take_out(cls, given: Any) -> Any:
        return given[cls.name] if isinstance(given, dict) and given.keys() == {cls.name} else given

    @model_serializer(mode="wrap")
    def _put_in(self, dump: SerializerFunctionWrapHandler) -> Any:
        return {self.name: dump(self)}

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


Value = TypeVar("Value")


class Grid(Model, Generic[Value]):
    """The values that an axis takes, in this order."""

    grid: Annotated[tuple[Value, ...], Field(min_length=1, strict=False)] = Field(
        description="The values of the axis, in this order; no value twice."
    )

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        return "Grid"

    @field_validator("grid", mode="before")
    @classmethod
    def _not_too_many(cls, values: Any) -> Any:
        # here and not as a constraint, which would look at every value first
        if isinstance(values, list | tuple) and len(values) > MAX_POINTS:
            raise rule_broken(f"holds {len(values):_} values; at most {MAX_POINTS:_} points are possible")
        return values

    @field_validator("grid")
    @classmethod
    def _no_value_twice(cls, values: tuple[Value, ...]) -> tuple[Value, ...]:
        seen = set()
        for value in values:
            if value in seen:
                raise rule_broken(f"has {show(value)} twice; list every value once")
            seen.add(value)
        return values


if TYPE_CHECKING:
    Griddable = Union[Value, Grid[Value]]  # noqa: UP007 - an alias that takes an argument
else:

    class Griddable:
        """`Griddable[T]`: a T, or `{ grid = [...] }` of several T."""

        def __class_getitem__(cls, value_type):
            return Annotated[
                Annotated[value_type, Tag("<value>")] | Annotated[Grid[value_type], Tag("<grid>")],
                Discriminator(_grid_or_value),
            ]


def _grid_or_value(given: object) -> str:
    is_grid = isinstance(given, Grid) or (isinstance(given, Mapping) and "grid" in given)
    return "<grid>" if is_grid else "<value>"


def grids(node: Any, place: Place = ()) -> Iterator[tuple[Place, Grid[Any]]]:
    """Every grid at or below `node`, with its place as the TOML document writes it."""
    if isinstance(node, Grid):
        yield place, node
    elif isinstance(node, Model):
        inside = (*place, node.name) if isinstance(node, OneKeyTable) else place
        for key, value in node:
            yield from grids(value, (*inside, key))


def has_grid(node: Any) -> bool:
    """Whether there is a grid at or below `node`."""
    return next(grids(node), None) is not None


def resolve(node: Any, chosen: Mapping[Place, Any], place: Place = ()) -> Any:
    """`node` with every grid at or below it replaced by the value chosen for its place."""
    if isinstance(node, Grid):
        return chosen[place]
    if not isinstance(node, Model):
        return node
    inside = (*place, node.name) if isinstance(node, OneKeyTable) else place
    resolved = {key: (value, resolve(value, chosen, (*inside, key))) for key, value in node}
    changed = {key: after for key, (before, after) in resolved.items() if after is not before}
    return node.model_copy(update=changed) if changed else node


def variants(node: Any) -> Iterator[Any]:
    """`node` once for each combination of the values on the grids at or below it."""
    axes = dict(grids(node))
    count = math.prod(len(axis.grid) for axis in axes.values())
    if count > MAX_POINTS:
        raise rule_broken(f"its grids make {count:_} combinations; at most {MAX_POINTS:_} are possible")
    for values in product(*(axis.grid for axis in axes.values())):
        yield resolve(node, dict(zip(axes, values, strict=True)))


def show(value: object, length: int = 80) -> str:
    """`value` as TOML would write it, for a message: printable, and cut to `length` characters."""
    try:
        text = _written(value)
    except (ValueError, RecursionError):  # an int with too many digits to print, a list that holds itself
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= length else text[: length - 3] + "..."


def _written(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return printable(json.dumps(value, ensure_ascii=False))
        case Model():
            return _written(value.model_dump(exclude_none=True))
        case Mapping():
            return "{" + ", ".join(f"{key} = {_written(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_written, value)) + "]"
        case _:
            return printable(str(value))
