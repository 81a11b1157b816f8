"""Base classes of the tables of a spec: strict models, and grids.

Where a field is `Griddable`, the table `{ grid = [...] }` may stand instead of a value. It makes an axis.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar, get_args

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
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError
from typing_extensions import TypeAliasType

from fastlstm.spec.toml import show

MAX_POINTS = 1_000_000

Place = tuple[str, ...]  # the keys that lead to a value, outermost first


def rule_broken(right: str) -> PydanticCustomError:
    """The error of a rule that is more than a field's own constraint."""
    return PydanticCustomError("rule", "{right}", {"right": right})


Broken = tuple[tuple[str | int, ...], Any, str]  # the place below a table, the value there, and what is right


def rules_broken(problems: Iterable[Broken]) -> ValidationError:
    """Several broken rules as one error."""
    errors: list[InitErrorDetails] = [
        {"type": rule_broken(right), "loc": place, "input": value} for place, value, right in problems
    ]
    return ValidationError.from_exception_data("spec", errors)


def _without_surrogates(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise rule_broken("holds half a surrogate pair; a text must be valid Unicode")
    return text


Text = Annotated[str, AfterValidator(_without_surrogates)]


class Model(BaseModel):
    """A TOML table: frozen, no unknown keys, no conversion but from int to float, no NaN, no infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @property
    def numbers(self) -> tuple[Any, ...]:
        """The fields that hold a float or a grid of them, in declared order; nothing can take a grid for a number."""
        return tuple(value for _, value in self if isinstance(value, float | Grid))

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
    def _take_out(cls, table: Any) -> Any:
        return table[cls.name] if isinstance(table, dict) and table.keys() == {cls.name} else table

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


def _grid_or_value(item: object) -> str:
    is_grid = isinstance(item, Grid) or (isinstance(item, dict) and "grid" in item)
    return "<grid>" if is_grid else "<value>"


# a value, or `{ grid = [...] }` of several
Griddable = TypeAliasType(
    "Griddable",
    Annotated[
        Annotated[Value, Tag("<value>")] | Annotated[Grid[Value], Tag("<grid>")],
        Discriminator(_grid_or_value),
    ],
    type_params=(Value,),
)


def members(union: Any) -> dict[str, Any]:
    """The classes of a discriminated union by their tags, in the order of its declaration."""
    alternatives = (get_args(member) for member in get_args(get_args(union)[0]))
    return {tag.tag: kind for kind, tag in alternatives}


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
