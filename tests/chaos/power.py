"""What a disk may hold after a power cut: what was synced, and of the rest anything or nothing.

A file's bytes are sure once the file was synced, a name once its folder was. Between the two a file system may
have brought to the device the one and not the other: a name without its bytes, or bytes without their name.
"""

import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Step = tuple[str, tuple[Any, ...], Any]
"""A file operation: its name, its arguments and its result, as forking.py writes them down."""


@dataclass
class _File:
    sure: bytes = b""
    now: bytes = b""


@dataclass
class _Name:
    """A change of names in a folder that is not sure yet: these go, and then this one leads to the file."""

    folder: Path
    gone: Path | None
    path: Path | None
    file: "_File | None"  # none for a folder


@dataclass
class PowerCut:
    """The state of a folder through a number of steps."""

    root: Path
    sure: dict[Path, _File | None] = field(default_factory=dict)
    now: dict[Path, _File | None] = field(default_factory=dict)
    unsure: list[_Name] = field(default_factory=list)
    opened: dict[int, tuple[_File, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in self.root.rglob("*"):
            content = path.read_bytes() if path.is_file() else None
            self.sure[path] = self.now[path] = None if content is None else _File(content, content)

    def _rename(self, gone: Path | None, path: Path | None, file: _File | None) -> None:
        place = path or gone
        assert place is not None
        self.unsure.append(_Name(place.parent, gone, path, file))
        _apply(self.unsure[-1], self.now)

    def take(self, step: Step) -> None:
        name, arguments, result = step
        match name:
            case "make_folder" if result:
                self._rename(None, arguments[0], None)
            case "lock" if arguments[0] not in self.now:
                self._rename(None, arguments[0], _File())
            case "create":
                file = _File()  # a new one, whatever stood there
                self._rename(arguments[0] if arguments[0] in self.now else None, arguments[0], file)
                self.opened[result] = (file, 0)
            case "open_at":
                file = self.now[arguments[0]]
                assert file is not None
                file.now = file.now[: arguments[1]]
                self.opened[result] = (file, arguments[1])
            case "write":
                file, position = self.opened[arguments[0]]
                file.now = file.now[:position] + arguments[1]
                self.opened[arguments[0]] = (file, len(file.now))
            case "sync":
                file, _ = self.opened[arguments[0]]
                file.sure = file.now
            case "rename":
                self._rename(arguments[0], arguments[1], self.now[arguments[0]])
            case "remove":
                self._rename(arguments[0], None, None)
            case "sync_folder":
                for change in self.unsure:
                    if change.folder == arguments[0]:
                        _apply(change, self.sure)
                self.unsure = [change for change in self.unsure if change.folder != arguments[0]]

    def leave(self, choices: random.Random | None) -> None:
        """Bring the folder to what is sure; with `choices`, by chance some of the rest is there too."""
        names = dict(self.sure)
        for change in self.unsure:
            if choices is not None and choices.random() < 0.5:
                _apply(change, names)
        shutil.rmtree(self.root)
        self.root.mkdir()
        for path in sorted(names):
            if not path.parent.is_dir():
                continue  # the name of its folder is lost
            file = names[path]
            if file is None:
                path.mkdir()
            else:
                path.write_bytes(_content(file, choices))


def _apply(change: _Name, names: dict[Path, _File | None]) -> None:
    if change.gone is not None:
        names.pop(change.gone, None)
    if change.path is not None:
        names[change.path] = change.file


def _content(file: _File, choices: random.Random | None) -> bytes:
    if choices is None or file.sure == file.now:
        return file.sure
    reached = file.now[: choices.randrange(len(file.now) + 1)]
    return choices.choice([file.sure, file.now, reached, reached.ljust(len(file.now), b"\0")])
