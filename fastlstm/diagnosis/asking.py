"""Call somebody's function on the probes, and read what it returns into columns of float64."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from fastlstm.diagnosis.layouts import Layout
from fastlstm.diagnosis.outputs import BY_STEP, OUTPUTS, SUMS, Kind, label
from fastlstm.diagnosis.probes import Probe, Takes
from fastlstm.oracles.naive import NAMES, Array

ARGUMENTS: dict[Kind, tuple[str, ...]] = {
    "gradients": ("params", "x", "dy", "h0", "C0"),
    "forward": ("params", "x", "h0", "C0"),
}
_WANTED: dict[Kind, str] = {
    "gradients": "the 14 gradients, or a mapping of names such as W_hi, dh, dC, dz_i, dx, h0, C0 to gradients",
    "forward": "a mapping of any of f, i, o, g, C, h, y to (draws, steps), or the loss: the sum of y_t",
}
_ALIASES = {"h_0": "h0", "C_0": "C0", "x": "dx"}


class NoAnswer(ValueError):
    """A function cannot be called, or what it returns cannot be read. The message is one sentence."""


class Misfit(NoAnswer):
    """An answer in a shape that another way of calling may mend."""


@dataclass(frozen=True)
class Way:
    """How a function is called: with all draws at once, one draw without its axis, or batches of one draw."""

    name: str
    batched: bool
    has_axis: bool


WAYS = (Way("batch", True, True), Way("one draw", False, False), Way("batch of one", False, True))


class Asker:
    """A function with the way in which it wants to be called.

    layout: the order of the 14 in the params that it reads and in an array that it returns.
    Raises NoAnswer if its signature does not fit.
    """

    def __init__(self, function: Callable[..., Any], kind: Kind, layout: Layout) -> None:
        self.name = getattr(function, "__name__", type(function).__name__)
        self._function, self._kind, self._layout = function, kind, layout
        self._positional, self._keywords = _signature(function, kind, self.name)
        self._way: Way | None = None
        self.names: tuple[str, ...] = ()
        self.in_one_array = False
        self.is_single = False  # whether it answers in float32

    @property
    def takes(self) -> Takes:
        """Which of the optional arguments it takes."""
        taken = {*self._positional, *self._keywords}
        return Takes(self._kind == "forward" or "dy" in taken, "h0" in taken, "C0" in taken)

    @property
    def batched(self) -> bool:
        """Whether it was called with all draws at once."""
        return self._way is not None and self._way.batched

    def ask(self, probe: Probe) -> Array:
        """(draws, columns) of one probe. Raises NoAnswer."""
        misfits: list[NoAnswer] = []
        for way in [self._way] if self._way else WAYS:
            try:
                names, values = self._answer(probe, way)
            except Misfit as misfit:
                misfits.append(misfit)
                continue
            if self._way and names != self.names:
                raise NoAnswer(f"{self.name} returns other names at T = {probe.steps} than before")
            self._way, self.names = way, names
            return values
        told = [misfit for misfit in misfits if misfit.__cause__ is None]  # a shape says more than an exception
        raise (told or misfits[1:] or misfits)[0]

    def _answer(self, probe: Probe, way: Way) -> tuple[tuple[str, ...], Array]:
        draws = len(probe.params)
        calls = [slice(None)] if way.batched else [slice(d, d + 1) for d in range(draws)]
        rows = [self._read(self._call(probe, rows, way), len(probe.params[rows]), probe.steps, way) for rows in calls]
        if len({names for names, _ in rows}) > 1:
            raise NoAnswer(f"{self.name} returns other names for one draw than for another")
        return rows[0][0], np.concatenate([values for _, values in rows])

    def _call(self, probe: Probe, rows: slice, way: Way) -> Any:
        arguments = probe._asdict() | {"params": probe.params[:, self._layout.places]}
        passed = {name: values[rows] if way.has_axis else values[rows][0] for name, values in arguments.items()}
        passed = {
            name: values.copy() if isinstance(values, np.ndarray) else float(values) for name, values in passed.items()
        }
        positional = [passed[name] for name in self._positional]
        try:
            with np.errstate(all="ignore"):
                return self._function(*positional, **{theirs: passed[ours] for ours, theirs in self._keywords.items()})
        except Exception as error:
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise Misfit(f"{self.name} raised {' '.join(text.split())}") from error

    def _read(self, result: Any, draws: int, steps: int, way: Way) -> tuple[tuple[str, ...], Array]:
        wanted = _WANTED[self._kind]
        if result is None:
            raise NoAnswer(f"{self.name} returns None; it must return {wanted}")
        if isinstance(result, str | bytes):
            raise NoAnswer(f"{self.name} returns text; it must return {wanted}")
        named = _as_mapping(result)
        if named is None:
            array = self._array("what it returns", result)
            if array.size == len(NAMES) * draws and self._kind == "gradients":
                self.in_one_array = True
                if array.shape[0] == len(NAMES) and way.has_axis:
                    array = array.reshape(len(NAMES), draws).T
                return NAMES, array.reshape(draws, len(NAMES))[:, np.argsort(self._layout.places)]
            if self._kind == "gradients":
                raise Misfit(f"{self.name} returns the shape {array.shape}; it must return {wanted}")
            named = {"y" if array.ndim == way.has_axis + 1 else "loss": array}
        names = self._names(named)
        if not names:
            raise NoAnswer(f"{self.name} returns no output; it must return {wanted}")
        columns = []
        for name in names:
            source = _source(name, named) or name
            array = self._array(name, named[source])
            if source == "params":
                array = array.reshape(draws, len(NAMES))[:, NAMES.index(name)] if array.size == draws * 14 else array
            width = steps if name in BY_STEP else 1
            if array.size != draws * width or (array.ndim > 1 and array.shape[0] != draws):
                right = "(draws, steps)" if name in BY_STEP else "(draws,)"
                called = f"{draws} draws of {steps} steps"
                raise Misfit(f"{self.name} returns {label(name)} of shape {array.shape} for {called}, not {right}")
            columns.append(array.reshape(draws, width))
        return names, np.concatenate(columns, axis=1)

    def _names(self, named: Mapping[str, Any]) -> tuple[str, ...]:
        """The outputs that a mapping has, in the order of the table."""
        outputs = OUTPUTS[self._kind]
        names = [name for name in outputs if _source(name, named) is not None]
        sources = {_source(name, named) for name in names}
        if unknown := [key for key in named if key not in sources]:
            nearest = difflib.get_close_matches(str(unknown[0]), [*outputs, *map(label, outputs)], 1)
            hint = f"; did you mean {nearest[0]}?" if nearest else f"; it may return {_WANTED[self._kind]}"
            raise NoAnswer(f"{self.name} returns {unknown[0]!r}, which is no known output{hint}")
        return tuple(names)

    def _array(self, what: str, values: Any) -> Array:
        try:
            array = np.asarray(values)
        except ValueError:
            array = np.array(None)
        except Exception as error:
            raise NoAnswer(f"{self.name} returns {what} as {type(values).__name__}, no array: {error}") from error
        if array.dtype.kind == "O":
            raise Misfit(f"{self.name} returns {what} as a ragged or mixed {type(values).__name__}, not as numbers")
        if array.dtype.kind not in "biuf":
            raise NoAnswer(f"{self.name} returns {what} of type {array.dtype}, not real numbers")
        self.is_single = self.is_single or (array.dtype.kind == "f" and array.dtype.itemsize < 8)
        return array.astype(np.float64)


def _as_mapping(result: Any) -> dict[str, Any] | None:
    """A mapping, named tuple or dataclass as a dictionary without what it leaves out; None for anything else."""
    if isinstance(result, Mapping):
        return dict(result)
    if hasattr(result, "_asdict"):
        named = dict(result._asdict())
    elif is_dataclass(result) and not isinstance(result, type):
        named = {field.name: getattr(result, field.name) for field in fields(result) if not field.name.startswith("_")}
    else:
        return None
    return {name: value for name, value in named.items() if value is not None}


def _source(name: str, named: Mapping[str, Any]) -> str | None:
    """The key under which a mapping has an output."""
    other = [key for key, ours in _ALIASES.items() if ours == name]
    for key in (name, f"d{name}", *other, *(f"d{alias}" for alias in other)):
        if key in named:
            return key
    return "params" if name in SUMS and "params" in named else None


def _signature(function: Callable[..., Any], kind: Kind, name: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """What to pass by position, and what by keyword: our name -> the function's.

    Required arguments are taken by their place. An optional one is passed where its name says what it is.
    """
    wanted = ARGUMENTS[kind]
    if not callable(function):
        raise NoAnswer(f"{name} is a {type(function).__name__}, no function of ({', '.join(wanted)})")
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin tells nothing
        return wanted, {}
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return wanted, {}
    by_place = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in by_place if p.default is p.empty]
    needless = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if not 2 <= len(required) <= len(wanted) or any(_ours(other) not in wanted for other in needless):
        raise NoAnswer(f"{name} takes ({', '.join(p.name for p in parameters)}); it must take ({', '.join(wanted)})")
    optional = [p for p in parameters if p not in required and p.kind not in (p.POSITIONAL_ONLY, p.VAR_KEYWORD)]
    keywords = {_ours(p.name): p.name for p in optional if _ours(p.name) in wanted[len(required) :]}
    return wanted[: len(required)], keywords


def _ours(argument: str) -> str:
    return {"h_0": "h0", "C_0": "C0", "c0": "C0", "c_0": "C0"}.get(argument, argument)
