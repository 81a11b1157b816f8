"""Reads a spec from a TOML file or a mapping, and checks it whole."""

import os
import tomllib
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from fastlstm.printable import printable
from fastlstm.spec.document import Spec
from fastlstm.spec.grids import rules_broken
from fastlstm.spec.problems import Problem, SpecError, dotted, explain
from fastlstm.spec.series import Recorded
from fastlstm.spec.sources import MAX_SPEC_BYTES, ReadError, key_and_value, override, plain, read
from fastlstm.spec.vocabulary import broken_claims

MOST_TOLD = 20  # problems of one kind


class SpecWarning(UserWarning):
    """A spec that can be used, and may be meant otherwise than it reads."""


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

    Examples
    --------
    >>> import fastlstm
    >>> document = {"draws": 1000, "steps": 10, "params": {"default": {"normal": {}}, "b_f": {"grid": [0, 2]}}}
    >>> spec = fastlstm.load(document, ["draws=50"])
    >>> spec.draws, len(spec.points())
    (50, 2)
    """
    name = printable(str(source)) if isinstance(source, str | os.PathLike) else "spec"
    problems: list[Problem] = []
    try:
        folder, tables = read(source)
        document = plain(tables)
        changes = overrides.items() if isinstance(overrides, Mapping) else map(key_and_value, overrides)
        places = [place for change in changes if (place := override(document, change, problems))]
        try:
            spec = Spec.model_validate(document, context={"folder": folder})
            if broken := list(broken_claims(spec)):
                raise rules_broken(broken)
        except ValidationError as error:
            problems += _problems(error, document, name, [dotted(place) for place in places])
        if problems:
            raise SpecError(dict.fromkeys(problems))
        size = len(spec.normalised().encode("utf-8"))
    except ReadError as error:
        raise SpecError([Problem(name, "", None, str(error))]) from None
    except RecursionError:
        raise SpecError([Problem(name, "", None, "tables or lists are nested too deeply")]) from None
    if size > MAX_SPEC_BYTES:
        right = f"takes {size >> 20} MiB with every entry written out; at most {MAX_SPEC_BYTES >> 20} MiB are possible"
        raise SpecError([Problem(name, "", None, right)])
    for note in spec.input.notes:
        warnings.warn(f"{name}: input.file: {note}", SpecWarning, stacklevel=2)
    return spec


def rebuild(text: str, recorded: Recorded | None) -> Spec:
    """A spec from its normalised text, with what was read of its input file, which need not be there."""
    return Spec.model_validate(tomllib.loads(text), context={"recorded": recorded})


def _problems(
    error: ValidationError, document: dict[str, Any], name: str, overridden: Collection[str]
) -> Iterator[Problem]:
    """The problems that pydantic found: of each kind the first twenty, and how many more there are."""
    kinds: Counter[str] = Counter()
    for details in error.errors(include_url=False):
        kind = details["type"]
        if kind == "too_short" and details["input"]:
            continue  # its values are wrong, and each of them has an error of its own
        kinds[kind] += 1
        if kinds[kind] > MOST_TOLD:
            continue
        key, value, message = explain(details, document)
        is_overridden = any(f"{key}.".startswith(f"{place}.") for place in overridden)
        if overridden and key.startswith("claim["):
            message += '; --set "claim=[]" leaves all claims out'
        yield Problem("--set" if is_overridden else name, key, value, message)
    for kind, count in kinds.items():
        if count > MOST_TOLD:
            what = "unknown keys" if kind == "extra_forbidden" else "problems like the ones before"
            yield Problem(name, "", None, f"has {count - MOST_TOLD:,} more {what}")
