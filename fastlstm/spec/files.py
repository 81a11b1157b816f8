"""Reads regular files whole: never a pipe or a device, and never more than a limit."""

import os
import stat
from pathlib import Path

from fastlstm.spec.toml import show


class FileError(Exception):
    """A file that cannot be read, in words that quote nothing of it."""


def read_regular(path: Path, limit: int) -> bytes:
    """The bytes of a regular file. Raises FileError, also if there are more than `limit`."""
    try:
        _refuse_other_kinds(path.stat())
        # without waiting, if the file has become a pipe meanwhile
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            _refuse_other_kinds(status)
            data = file.read(limit + 1) if status.st_size <= limit else None
    except FileNotFoundError:
        raise FileError("no such file") from None
    except (OSError, ValueError) as error:
        raise FileError(f"cannot be read: {show(error.strerror if isinstance(error, OSError) else error)}") from None
    if data is None or len(data) > limit:
        raise FileError(f"is larger than {limit >> 20:,} MiB, the limit")
    return data


def _refuse_other_kinds(status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise FileError(f"is not a file but {kinds.get(kind, 'a device')}")
