"""Files beside a run, such as a report: written whole or not at all, and never over what is no file."""

import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from fastlstm.store.disk import make_folders, put
from fastlstm.store.errors import NotReplaceable, disk_errors
from fastlstm.store.folder import DISK


def write_files(files: Mapping[Path, bytes], *, obsolete: Iterable[Path] = ()) -> None:
    """Write files, or replace them, all together, in folders that are made if need be; then remove the obsolete ones.

    Raises NotReplaceable, before anything is written, where a folder, a link, a device or a pipe stands in a file's
    place; DiskError.
    """
    with disk_errors():
        for path in files:
            check_replaceable(path)
        for folder in dict.fromkeys(path.parent for path in files):
            make_folders(DISK, folder)
        put(DISK, files, tag=f".{secrets.token_hex(4)}")  # others may write the same files just now
        for path in obsolete:
            DISK.remove(path)


def check_replaceable(path: Path) -> None:
    """Raises NotReplaceable where a folder, a link, a device or a pipe stands in a file's place."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a link" if stat.S_ISLNK(mode) else "a device or a pipe"
        raise NotReplaceable(f"{path} is {what}; give a new name, or a file to replace")
