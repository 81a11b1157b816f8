"""The simulations that come with the package: specs by name, their questions, and the data that they read."""

import difflib
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path


@cache
def folder() -> Path:
    """Where the specs lie: in the package once it is installed, in sims/ beside it in a clone."""
    package = Path(str(files("fastlstm")))
    return next((place for place in (package / "sims", package.parent / "sims") if place.is_dir()), package / "sims")


def names() -> list[str]:
    """The names of all simulations, sorted."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def path_of(name: str) -> Path:
    """The spec of a simulation."""
    return folder() / f"{name}.toml"


def tables_of(name: str) -> dict[str, object]:
    """The tables of a simulation's spec, unchecked."""
    return tomllib.loads(path_of(name).read_text(encoding="utf-8"))


def question(name: str) -> str:
    """What a simulation asks."""
    return str(tables_of(name)["title"])


def data_of(name: str) -> list[str]:
    """The input file that a simulation reads, if it reads one, as its spec names it."""
    table = tables_of(name).get("input")
    return [str(table["file"])] if isinstance(table, dict) and "file" in table else []


def source(text: str) -> Path:
    """The spec that a command line names: a path, or the name of a simulation. Raises FileNotFoundError."""
    path = Path(text)
    if path.exists():
        return path
    if text in names():
        return path_of(text)
    guesses = difflib.get_close_matches(path.name.removesuffix(".toml"), names(), n=1)
    hint = f"did you mean {guesses[0]}?" if guesses else "`fastlstm sims` lists them"
    raise FileNotFoundError(f"{text}: no such file, and no simulation of that name; {hint}")
