"""The spec of a simulation: its tables, the rules between them, its axes, its text and the hash of its content."""

import hashlib
import json
import math
import os
from collections import Counter
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from fastlstm.names import PARAMETERS
from fastlstm.spec.claims import Claim
from fastlstm.spec.grids import (
    MAX_POINTS,
    Grid,
    Griddable,
    Model,
    Place,
    Text,
    grids,
    rule_broken,
    rules_broken,
    variants,
)
from fastlstm.spec.layout import AxisValue, RowLayout, row_layout
from fastlstm.spec.parameters import Params
from fastlstm.spec.points import Axis, Points
from fastlstm.spec.presets import PRESETS
from fastlstm.spec.processes import AnyProcess, FileInput, NormalInput, Process
from fastlstm.spec.sections import Delay, Loss, Measuring, State, Store
from fastlstm.spec.series import Recorded, Series
from fastlstm.spec.toml import toml

MAX_STEPS = 10**6
_LONG = 1000  # characters of an entry


class Spec(Model):
    """A simulation: its seed and size, and what is drawn, fed in, measured and stored."""

    title: Text = Field(default="", description="A line for the reader; no part of the content.")
    seed: Annotated[int, Field(ge=0, le=2**64 - 1)] = Field(
        default=0, description="The key of the random streams, 0 to 2^64 - 1."
    )
    draws: Annotated[int, Field(ge=1, le=10**15)] = Field(description="The number of draws of each point, 1 to 10^15.")
    steps: Griddable[Annotated[int, Field(ge=1, le=MAX_STEPS)]] = Field(
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
    measure: Measuring = Field(default=Measuring(), description="What is measured of each draw.")
    store: Store = Field(default=Store(), description="What is written of each draw.")
    claim: Annotated[tuple[Claim, ...], Field(strict=False)] = Field(
        default=(), description="The claims that the draws are to judge; no part of the content."
    )

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
        if isinstance(process, FileInput) and (rows := min(process.lengths)) < longest:
            count = len(process.lengths)
            shortest = "has" if count == 1 else f"the shortest of the {count:,} series has"
            right = f"{shortest} {rows} rows, but windows of {longest} steps are asked for"
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
            sources = variants(loss.target if delay is None else info.data["input"])
            if any(source.support[0] < 0 or source.support[1] > 1 for source in sources):
                what = "targets" if delay is None else "inputs, which are the targets,"
                problems.append((("target",), loss.target, f"bce needs {what} between 0 and 1"))
        if problems:
            raise rules_broken(problems)
        return loss

    @field_validator("claim", mode="before")
    @classmethod
    def _check_claims(cls, claims: Any) -> Any:
        if not isinstance(claims, list | tuple):
            raise rule_broken("must be a list of tables; write [[claim]]")
        return claims

    @model_validator(mode="after")
    def _check_points(self) -> "Spec":
        axes = self._axes
        if (count := math.prod(len(axis.values) for axis in axes)) > MAX_POINTS:
            sizes = ", ".join(f"{axis.name} ({len(axis.values):_})" for axis in axes)
            raise rule_broken(f"the grids {sizes} make {count:_} points; at most {MAX_POINTS:_} are possible")
        return self

    @cached_property
    def _axes(self) -> tuple[Axis, ...]:
        """In the order in which this class and its tables declare their fields; the order of keys plays no part."""
        return tuple(Axis(place, grid.grid) for place, grid in grids(self))

    @cached_property
    def _points(self) -> Points:
        return Points(
            self._axes, steps=self.steps, params=self.params, state=self.state, process=self.input, loss=self.loss
        )

    def axes(self) -> dict[str, list[AxisValue]]:
        """The axes by name, the slowest first, each with its values; a distribution by its label.

        Their order is steps, the parameters in theirs, state, input, loss, whatever the order of keys in a file.
        """
        return {axis.name: axis.shown for axis in self._axes}

    def points(self) -> Points:
        """All points."""
        return self._points

    @property
    def single_steps(self) -> int | None:
        """The number of steps of every draw; None where steps is an axis."""
        return None if isinstance(self.steps, Grid) else self.steps

    @cached_property
    def row_layout(self) -> RowLayout:
        """The columns of the rows."""
        longest = max(self.steps.grid) if isinstance(self.steps, Grid) else self.steps
        return row_layout(self.axes(), state=self.state, groups=self.measure.computed, longest=longest)

    def series(self) -> Series | None:
        """The series of a file input as it is fed in: float64, shape (rows,), read-only; or None."""
        return self.input.series if isinstance(self.input, FileInput) else None

    def recorded(self) -> Recorded | None:
        """What was read of a file input, which `rebuild` takes in place of the file; or None."""
        return self.input.recorded if isinstance(self.input, FileInput) else None

    def normalised(self, *, folder: str | os.PathLike[str] | None = None) -> str:
        """TOML text with every default written out and the preset expanded; `load` of it gives an equal spec.

        An input file's path is absolute, or relative to `folder`, where the text is going to lie.
        """
        document = self.model_dump(mode="json", exclude_none=True)
        if folder is not None and isinstance(self.input, FileInput):
            document["input"]["file"] = os.path.relpath(self.input.file, os.path.abspath(folder))
        document["params"] = _long_entries_once(document["params"])
        claims = document.pop("claim")
        lines = [f"{key} = {toml(value)}" for key, value in document.items() if key not in SECTIONS]
        headed = [(f"[{name}]", document[name]) for name in SECTIONS] + [("[[claim]]", claim) for claim in claims]
        for heading, table in headed:
            lines += ["", heading, *(f"{key} = {toml(value)}" for key, value in table.items())]
        return "\n".join(lines) + "\n"

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of all that the results depend on.

        That is not the title, the claims, comments, the order of keys, or where an input file lies. It is the order
        of values in a grid, which numbers the points, and the bytes of an input file.
        """
        text = json.dumps(self._content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, other: "Spec") -> list[str]:
        """The keys in which two specs differ, a line each with both values; empty if the hashes agree."""
        here, there = self._rows(), other._rows()
        keys = [key for key in here | there if here.get(key) != there.get(key)]
        return [f"{key}: {here.get(key, 'absent')} here, {there.get(key, 'absent')} there" for key in keys]

    def _content(self) -> dict[str, Any]:
        cosmetic: Any = {"title": True, "claim": True, "input": {"file"}}
        content = self.model_dump(mode="json", exclude_none=True, exclude=cosmetic)
        if isinstance(self.params.preset, Grid):
            # what the presets say and not only their names
            content["params"]["preset"] = [
                {name: each.model_dump(mode="json", exclude_none=True) for name, each in PRESETS[preset].items()}
                for preset in self.params.preset.grid
            ]
        return content

    def _rows(self) -> dict[str, str]:
        rows: dict[str, str] = {}
        for key, value in self._content().items():
            if key in SECTIONS:
                rows |= {f"{key}.{inner}": toml(item) for inner, item in value.items()}
            else:
                rows[key] = toml(value)
        return rows


# the tables of a spec by their names, in their order; [[claim]] is a list
SECTIONS = ("params", "state", "input", "loss", "measure", "store")


def _long_entries_once(params: dict[str, Any]) -> dict[str, Any]:
    """[params] with the longest entry that several parameters share written once, as their default."""
    texts = {key: toml(value) for key, value in params.items() if key in PARAMETERS}
    shared = [text for text, count in Counter(texts.values()).items() if count > 1 and len(text) > _LONG]
    if "default" in params or not shared:
        return params
    text = max(shared, key=len)
    serves = [key for key in texts if texts[key] == text]
    return {"default": params[serves[0]]} | {key: value for key, value in params.items() if key not in serves}


def _step_numbers(info: ValidationInfo) -> tuple[int, ...]:
    """All numbers of steps that a spec asks for; none if they are not valid."""
    steps = info.data.get("steps")
    if steps is None:
        return ()
    return steps.grid if isinstance(steps, Grid) else (steps,)
