"""The table [params] of a spec: from a preset, a default, groups and own entries to fourteen parameters."""

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from fastlstm.names import PARAMETERS
from fastlstm.spec.distributions import AnyDistribution, Chrono, Orthogonal, ParameterName, Tied
from fastlstm.spec.grids import Grid, Griddable, Model, Place, has_grid
from fastlstm.spec.presets import PRESETS, PresetName

Entry = Griddable[AnyDistribution] | None
GROUPS: dict[str, tuple[ParameterName, ...]] = {
    "W_h": ("W_hf", "W_hi", "W_ho", "W_hc"),
    "W_x": ("W_xf", "W_xi", "W_xo", "W_xc"),
    "b": ("b_f", "b_i", "b_o", "b_c"),
}
HIDDEN_WEIGHTS = GROUPS["W_h"]
_GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
_SHARED = ("default", *GROUPS)  # the keys that may serve several parameters
_TOGETHER = f"{', '.join(HIDDEN_WEIGHTS)} together; write W_h"


class Params(Model):
    """The fourteen parameters: for each a number, a distribution, or a grid of either."""

    preset: Griddable[PresetName] | None = Field(
        default=None,
        description="A published scheme. It overrides default; groups and a parameter's own entry override it.",
    )
    default: Entry = Field(
        default=None, description="For the parameters that have no entry, neither here nor in the preset."
    )
    W_h: Entry = Field(default=None, description="For W_hf, W_hi, W_ho and W_hc; an entry of their own overrides it.")
    W_x: Entry = Field(default=None, description="For W_xf, W_xi, W_xo and W_xc; an entry of their own overrides it.")
    b: Entry = Field(default=None, description="For b_f, b_i, b_o and b_c; an entry of their own overrides it.")
    W_hf: Entry = Field(default=None, description="Forget gate: weight of the hidden state.")
    W_xf: Entry = Field(default=None, description="Forget gate: weight of the input.")
    b_f: Entry = Field(default=None, description="Forget gate: bias.")
    W_hi: Entry = Field(default=None, description="Input gate: weight of the hidden state.")
    W_xi: Entry = Field(default=None, description="Input gate: weight of the input.")
    b_i: Entry = Field(default=None, description="Input gate: bias.")
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
        for key in (name, _GROUP_OF.get(name)):
            if key is not None and getattr(self, key) is not None:
                return key, getattr(self, key)
        if preset is not None and name in PRESETS[preset]:
            return "preset", PRESETS[preset][name]
        return "default", self.default

    def problems(self, fewest_steps: int | None) -> list[tuple[Place, Any, str]]:
        """What is wrong between the entries: place, value, and what is right.

        `fewest_steps` is the smallest number of steps of a point, None if that is not known.
        """
        problems = [problem for preset in self.presets for problem in self._problems_under(preset, fewest_steps)]
        for key in _SHARED:
            if key not in self._deciding_keys and has_grid(getattr(self, key)):
                problems.append((key, "its grid has no effect, because every parameter has another entry"))
        return [((key,), getattr(self, key), right) for key, right in dict.fromkeys(problems)]

    @property
    def _deciding_keys(self) -> set[str]:
        return {self.entry(name, preset)[0] for name in PARAMETERS for preset in self.presets}

    def _problems_under(self, preset: PresetName | None, fewest_steps: int | None) -> Iterator[tuple[str, str]]:
        entries = {name: self.entry(name, preset) for name in PARAMETERS}
        if missing := [name for name, (_, entry) in entries.items() if entry is None]:
            because = "" if preset is None else f", because the preset {preset} leaves them open"
            yield "default", f"is needed for {', '.join(missing)}{because}"
        special = {name: _special(entry) for name, (_, entry) in entries.items()}
        for name, (key, _) in entries.items():
            for distribution in special[name]:
                match distribution:
                    case Tied(to=other) if other == name:
                        yield key, f"ties {name} to itself; tie it to another parameter"
                    case Tied(to=other) if any(isinstance(candidate, Tied) for candidate in special[other]):
                        yield key, f"ties {name} to {other}, which is tied itself; tie it to an untied parameter"
                    case Orthogonal() if name not in HIDDEN_WEIGHTS:
                        yield key, f"orthogonal is for {_TOGETHER}, not for {name}"
                    case Chrono(t_max=None) if (fewest_steps or 3) <= 2:
                        right = f"chrono needs more than 2 steps, or a t_max of its own; steps is {fewest_steps}"
                        yield key, right
        # one entry that serves all four moves them together, whatever its grids are
        if len({id(entries[name][1]) for name in HIDDEN_WEIGHTS}) > 1:
            four = {distribution for name in HIDDEN_WEIGHTS for distribution in special[name]}
            differ = len(four) > 1 or any(map(has_grid, four))
            for name in HIDDEN_WEIGHTS:
                if differ and any(isinstance(distribution, Orthogonal) for distribution in special[name]):
                    yield entries[name][0], f"orthogonal is for {_TOGETHER}; one gain serves all four"

    def completed(self, steps: int | None) -> "Params":
        """The same with preset, default and groups written out at each parameter, as far as no grid hangs on them."""
        whole: dict[str, Any] = {key: getattr(self, key) if key in self._deciding_keys else None for key in _SHARED}
        if not isinstance(self.preset, Grid):
            # a grid stays where it stands, because it is one axis
            stay = {key for key in _SHARED if has_grid(whole[key])}
            decided = {name: self.entry(name, self.preset) for name in PARAMETERS}
            whole |= {key: None for key in ("preset", *_SHARED) if key not in stay}
            whole |= {name: entry for name, (key, entry) in decided.items() if key not in stay}
        return self.model_copy(update={key: with_steps(entry, steps) for key, entry in whole.items()})


def _special(entry: Any) -> set[Any]:
    """The distributions that an entry can stand for, as far as rules between entries look at them; else None."""
    candidates = entry.grid if isinstance(entry, Grid) else (entry,)
    special = {each for each in candidates if isinstance(each, Tied | Orthogonal | Chrono)}
    return special if len(special) == len(candidates) else special | {None}


def with_steps(entry: Any, steps: int | None) -> Any:
    """`entry` with the steps, if they are known, written into every chrono that leaves t_max open."""
    if isinstance(entry, Grid):
        return entry.model_copy(update={"grid": tuple(with_steps(value, steps) for value in entry.grid)})
    if isinstance(entry, Chrono) and entry.t_max is None and steps is not None:
        return entry.model_copy(update={"t_max": float(steps)})
    return entry
