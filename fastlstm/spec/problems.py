"""What is wrong with a spec, in words: the key, the value that stands there, and what would be right."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from fastlstm.printable import printable
from fastlstm.spec.claims import Claim
from fastlstm.spec.distributions import DISTRIBUTIONS, Distribution
from fastlstm.spec.document import SECTIONS, Spec
from fastlstm.spec.grids import Model
from fastlstm.spec.processes import PROCESSES
from fastlstm.spec.sections import Delay
from fastlstm.spec.toml import shortened, show


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a spec.

    source   the spec's file, "--set" for an override, or "spec" for a mapping
    key      the dotted key; empty if the whole spec is meant
    value    what stands there, as TOML would write it; None if nothing does
    message  what is wrong, and what would be right
    """

    source: str
    key: str
    value: str | None
    message: str

    def __str__(self) -> str:
        key = self.key if self.value is None else f"{self.key} = {self.value}"
        return ": ".join(filter(None, (self.source, key, self.message)))


class SpecError(Exception):
    """A spec that cannot be used; `problems` holds all that is wrong with it, `str()` a line for each.

    Examples
    --------
    >>> import fastlstm
    >>> try:
    ...     fastlstm.load({"draws": -1, "step": 10, "params": {"default": 0.5}})
    ... except fastlstm.SpecError as error:
    ...     print([problem.key for problem in error.problems])
    ['draws', 'steps', 'step']
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def dotted(place: Iterable[str | int]) -> str:
    """A place as TOML writes it, with list positions in brackets: `params.b_f.grid[2]`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{shortened(printable(part))}" for part in place)
    return "".join(parts).removeprefix(".")


NO_GRID = "a grid cannot stand here, only on steps and on the values of [params], [state] and [input]"
BOUNDS = {
    "greater_than": "greater than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}


def explain(error: ErrorDetails, document: dict[str, Any]) -> tuple[str, str | None, str]:
    """Key, value and message of one of pydantic's errors about `document`."""
    kind, value = error["type"], error["input"]
    place = _place_in(document, error["loc"])
    if kind == "missing":
        return dotted(place), None, _missing(error["loc"])
    if place == ("input",) and kind.startswith("union_tag"):
        name = value["process"]
        return "input.process", show(name), _not_among(name, PROCESSES, "process")
    nothing = not place or (kind == "rule" and value is None)
    return dotted(place), None if nothing else show(value), _message(error, place)


def _message(error: ErrorDetails, place: tuple[str | int, ...]) -> str:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    match kind:
        case "rule":
            return str(context["right"])
        case "extra_forbidden":
            return _unknown_key(error["loc"])
        case "union_tag_invalid" if context["tag"] != "grid":
            names = [*DISTRIBUTIONS, *([Delay.name] if place[0] == "loss" else [])]
            return _not_among(context["tag"], names, "distribution")
        case "union_tag_not_found":
            return f"must be a number, or a table with one key, one of {', '.join(DISTRIBUTIONS)}"
        case _ if isinstance(value, dict) and "grid" in value:
            return NO_GRID
        case "literal_error":
            return _not_among(value, re.findall(r"'([^']*)'", str(context["expected"])), "word")
        case "float_type" if isinstance(value, str) and (names := difflib.get_close_matches(value, DISTRIBUTIONS, n=1)):
            return f"must be a number or a table; did you mean {_example(DISTRIBUTIONS[names[0]])}?"
        case "model_type" if place == ("input",) and isinstance(value, str) and value in PROCESSES:
            return f"must be a table; write process = {show(value)} in [input]"
        case "float_type" if isinstance(value, int) and not isinstance(value, bool):
            return "is too large a number"
        case "float_type":
            return "must be a number"
        case "int_type" if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
            return f"must be a whole number; write {int(value)}"
        case "int_type":
            return "must be a whole number"
        case "finite_number":
            return "must be a finite number, not NaN and not infinite"
        case "bool_type":
            return "must be true or false"
        case "string_type" | "string_unicode":
            return "must be a string"
        case "tuple_type":
            return "must be a list in square brackets"
        case "too_short":
            return "must hold at least one value"
        case "model_type":
            return "must be a table"
        case "greater_than" if value == 0 and place[-1] == "std":
            return "must be greater than 0; for a value that never varies, use the constant"
        case _ if kind in BOUNDS:
            (bound,) = context.values()
            return f"must be {BOUNDS[kind]} {f'{bound:_}' if isinstance(bound, int) else f'{bound:g}'}"
    return error["msg"]


def _example(distribution: type[Distribution]) -> str:
    """A distribution as it is written, with dots for the numbers that it needs."""
    needed = (f"{key} = ..." for key, field in distribution.model_fields.items() if field.is_required())
    inner = ", ".join(needed)
    return f"{{ {distribution.name} = {{ {inner} }} }}" if inner else f"{{ {distribution.name} = {{}} }}"


def _missing(loc: tuple[int | str, ...]) -> str:
    field = (_model_at(loc[:-1]) or Spec).model_fields[str(loc[-1])]
    return f"is missing. {field.description}"


def _not_among(value: object, names: Iterable[str], what: str) -> str:
    guess = difflib.get_close_matches(value, names, n=1) if isinstance(value, str) else []
    return f"no such {what}; did you mean {guess[0]}?" if guess else f"must be one of {', '.join(names)}"


def _unknown_key(loc: tuple[int | str, ...]) -> str:
    model, key = _model_at(loc[:-1]), str(loc[-1])
    names = ["grid"] if model is None else list(model.model_fields)
    guess = difflib.get_close_matches(key, names, n=1)
    if guess:
        return f"no such key; did you mean {guess[0]}?"
    for name, table in _TABLES.items():
        if key in table.model_fields:
            return f"no such key here; it belongs in [{name}]"
    if key in Spec.model_fields:
        return "no such key here; it belongs before or beside the tables, not in one"
    return f"no such key; the keys are {', '.join(names)}"


_TABLES: dict[str, type[Model]] = {
    name: model for name in SECTIONS if isinstance(model := Spec.model_fields[name].annotation, type)
}
_MODELS: dict[str, type[Model]] = {**_TABLES, **DISTRIBUTIONS, Delay.name: Delay, "claim": Claim}


def _model_at(loc: tuple[int | str, ...]) -> type[Model] | None:
    """The model of the table at `loc`; None for the table of a grid."""
    if not loc:
        return Spec
    if loc[-1] == "<grid>":
        return None
    if loc[0] == "input" and len(loc) == 2:
        return PROCESSES[str(loc[1])]
    return _MODELS[[part for part in loc if isinstance(part, str) and not part.startswith("<")][-1]]


def _place_in(document: Any, loc: tuple[int | str, ...]) -> tuple[str | int, ...]:
    """`loc` without the names of the alternatives that pydantic chose, which the document does not have."""
    if loc[:1] == ("input",):
        loc = loc[:1] + loc[2:]
    place: list[str | int] = []
    for depth, part in enumerate(loc, start=1):
        if isinstance(document, dict):
            is_last_key = depth == len(loc) and not str(part).startswith("<")
            if part in document or is_last_key:
                place.append(part)
                document = document.get(part)
        elif isinstance(document, list) and isinstance(part, int):
            place.append(part)
            document = document[part]
    return tuple(place)
