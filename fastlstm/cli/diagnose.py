"""The command `fastlstm diagnose`: somebody's function out of a file, and the verdict on it."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from fastlstm.cli.exits import BAD_SPEC, NOT_VERIFIED, fail
from fastlstm.cli.options import AsJson
from fastlstm.cli.output import answer, answer_json, tell


def diagnose(
    source: Annotated[str, typer.Argument(metavar="FILE:FUNCTION", help="Such as mine.py:gradients.")],
    order: Annotated[
        str | None, typer.Option(metavar="GATES", help="Of its parameters, such as ifgo [default: found out]")
    ] = None,
    forward: Annotated[bool, typer.Option("--forward", help="It is a forward pass.")] = False,
    as_json: AsJson = False,
) -> None:
    """Name the mistake in your own LSTM gradients.

    FUNCTION is called: a function of (params, x, dy, h0, C0), or fewer.
    """
    from fastlstm import diagnosis

    function = _function(source)
    try:
        verdict = diagnosis.diagnose(function, kind="forward" if forward else "gradients", order=order, progress=tell)
    except (diagnosis.NoAnswer, ValueError) as error:
        fail(BAD_SPEC, str(error))
    if as_json:
        answer_json(verdict.as_dict())
    else:
        answer(str(verdict))
    if not verdict.right:
        raise typer.Exit(NOT_VERIFIED)


def _function(source: str) -> Callable[..., Any]:
    """The function of a file, which is run as a module beside the files that it imports."""
    text, _, name = source.rpartition(":")
    path = Path(text)
    if not text or not name.isidentifier():
        fail(BAD_SPEC, f"{source} names no function; give FILE:FUNCTION, such as mine.py:gradients")
    if not path.is_file():
        fail(BAD_SPEC, f"{path} is no file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        fail(BAD_SPEC, f"{path} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    sys.modules[path.stem] = module  # dataclasses and pickles look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever somebody's file raises is told in a sentence
        fail(BAD_SPEC, f"{path} cannot be run: {type(error).__name__}: {error}")
    function: Callable[..., Any] | None = getattr(module, name, None)
    if function is None:
        functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        fail(BAD_SPEC, f"{path} has no {name}; it has {', '.join(functions) or 'no functions'}")
    return function
