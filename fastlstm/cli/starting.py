"""Commands to begin with: the simulations that come with the package, a spec of one's own, a kernel that is ready."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from fastlstm import store
from fastlstm.cli import options, simulations
from fastlstm.cli.exits import BAD_SPEC, errors, fail
from fastlstm.cli.options import AsJson, Quiet, complete_sources
from fastlstm.cli.output import answer, answer_json, tell


def sims(as_json: AsJson = False) -> None:
    """List the simulations that come with it."""
    questions = {name: simulations.question(name) for name in simulations.names()}
    if as_json:
        answer_json(questions)
        return
    width = max(map(len, questions))
    for name, question in questions.items():
        answer(f"{name:<{width}}  {question}")


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The spec to write, such as mine.toml.")],
    like: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="NAME", help="A simulation to begin with.", autocompletion=complete_sources
        ),
    ] = None,
) -> None:  # fmt: skip
    """Write a commented spec that runs.

    With --from it is that of a simulation, and the data that this reads come with it.
    """
    if like is not None and like not in simulations.names():
        options.spec_path(like)
        fail(BAD_SPEC, f"--from {like} is no simulation; `fastlstm sims` lists them")
    written: dict[Path, bytes] = {}
    if like is None:
        written[file] = (files("fastlstm.cli") / "template.toml").read_bytes()
    else:
        written[file] = simulations.path_of(like).read_bytes()
        for data in simulations.data_of(like):
            written[file.parent / data] = (simulations.folder() / data).read_bytes()
    with errors():
        for path in written:
            _refuse_to_replace(path, written[path], is_data=path != file)
        store.write_files({path: content for path, content in written.items() if not path.exists()})
    for path in written:
        answer(str(path))
    tell(f"To run it: fastlstm run {file}")


def _refuse_to_replace(path: Path, content: bytes, *, is_data: bool) -> None:
    """End the command if a file is there already, but for the same data."""
    if path.exists() and not (is_data and path.is_file() and path.read_bytes() == content):
        fail(BAD_SPEC, f"{path} is there already; give another name")


def schema() -> None:
    """Print the JSON Schema of specs, for editors."""
    import json

    from fastlstm import spec

    answer(json.dumps(spec.json_schema(), indent=2))


def warmup(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SPEC|NAME]...", help="What is going to be run [default: the commented spec of `new`]",
            autocompletion=complete_sources,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Compile kernels ahead of a run.

    They are kept on this machine, as for the image of a container or the nodes of a cluster.
    """
    paths = [options.spec_path(text) for text in sources or ()]
    with errors():
        from fastlstm.sweep.progress import show_progress
        from fastlstm.sweep.warm import warm

        with show_progress(not quiet) as display:
            for path in paths or list(_template()):
                warm(path, display)
    answer(f"compiled in {display.compiled_seconds:.0f} s" if display.compiled_seconds else "everything was compiled")


def _template() -> Iterator[Path]:
    yield Path(str(files("fastlstm.cli") / "template.toml"))
