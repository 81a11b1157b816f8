"""The narrow place through which every file operation of the run directory goes.

A method of `Disk` is one step, so that a test can stand in for it, write down the order of the steps, and
fail or cut off the N-th. The functions below put steps together into changes that are whole or not there.
Errors are OSErrors.
"""

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

TEMPORARY = re.compile(r"\..+\.partial")
"""What the name of a temporary looks like: no reader's glob matches it."""


class NotAFile(OSError):
    """A folder, a device or a pipe stands where a file should be."""


class Name(NamedTuple):
    """One name in a folder; size is in bytes, and 0 for a folder."""

    name: str
    is_folder: bool
    size: int


class Disk:
    """The file system, step by step."""

    def lock(self, path: Path, *, shared: bool = False, wait: bool = False) -> int:
        """Take a flock on `path`, made if missing, and return its descriptor; `close` gives the lock back.

        The kernel gives it back too when the process ends, however it ends. BlockingIOError: somebody else
        has it.
        """
        try:
            descriptor = _open_file(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or not path.exists():
                raise
            # Who may not write may still lock, and so verify, what others wrote.
            descriptor = _open_file(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def make_folder(self, path: Path) -> bool:
        """Make one folder in one that exists; False if it is there already, and no link."""
        try:
            path.mkdir()
        except FileExistsError:
            if path.is_symlink() or not path.is_dir():
                raise
            return False
        return True

    def names(self, folder: Path) -> list[Name]:
        """What stands in a folder, sorted by name."""
        names = []
        with os.scandir(folder) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                with suppress(FileNotFoundError):  # another shard has just renamed it
                    size = 0 if is_folder else entry.stat(follow_symlinks=False).st_size
                    names.append(Name(entry.name, is_folder, size))
        return sorted(names)

    def read(self, path: Path, *, first: int | None = None, last: int | None = None) -> bytes:
        """The bytes of a file, or at most its `first` or its `last` bytes. Raises NotAFile."""
        with os.fdopen(_open_file(path, os.O_RDONLY), "rb") as file:
            if last is not None:
                file.seek(max(0, os.fstat(file.fileno()).st_size - last))
            return file.read() if first is None else file.read(first)

    def create(self, path: Path) -> int:
        """Make an empty file and open it for writing; what stood under that name, a link too, is removed before."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            return _open_file(path, flags)
        except FileExistsError:
            path.unlink()
            return _open_file(path, flags)

    def open_at(self, path: Path, position: int) -> int:
        """Open a file, no link, for writing at its byte `position`, and cut off what stands after it."""
        descriptor = _open_file(path, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            os.ftruncate(descriptor, position)
            os.lseek(descriptor, position, os.SEEK_SET)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        """Write all of `data`."""
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]

    def sync(self, descriptor: int) -> None:
        """Bring a file's content to the device."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close a file, or give back a lock."""
        os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Move a file to another name in one step; what stood there is gone."""
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def sync_folder(self, folder: Path) -> None:
        """Bring a folder's names to the device."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _open_file(path: Path, flags: int) -> int:
    """Open a regular file, and wait for nothing. Raises NotAFile."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(errno.EINVAL, "Not a regular file", str(path))
    return descriptor


def put(disk: Disk, files: Mapping[Path, bytes | memoryview], *, tag: str = "") -> None:
    """Write whole files under temporary names beside their places, then move them in: all written, all synced,
    renamed, folders synced. The tag tells apart the temporaries of writers at work side by side.
    """
    temporaries = {path: path.with_name(f".{path.name}{tag}.partial") for path in files}
    try:
        _write_all(disk, {temporaries[path]: data for path, data in files.items()})
        for path, temporary in temporaries.items():
            disk.rename(temporary, path)
        for folder in dict.fromkeys(path.parent for path in files):
            disk.sync_folder(folder)
    except BaseException:
        remove_if_possible(disk, temporaries.values())
        raise


def _write_all(disk: Disk, files: Mapping[Path, bytes | memoryview]) -> None:
    """Write files, then sync them: while the first is synced the device may be at work on the others."""
    opened: list[int] = []
    try:
        for path, data in files.items():
            opened.append(disk.create(path))
            disk.write(opened[-1], data)
        for descriptor in opened:
            disk.sync(descriptor)
        while opened:
            disk.close(opened.pop())
    except BaseException:
        for descriptor in opened:
            with suppress(OSError):
                disk.close(descriptor)
        raise


def append(disk: Disk, path: Path, position: int, data: bytes) -> None:
    """Write and sync `data` at byte `position`, the end of what is whole; what a failure left there goes."""
    try:
        descriptor = disk.open_at(path, position)
        try:
            disk.write(descriptor, data)
            disk.sync(descriptor)
        finally:
            disk.close(descriptor)
    except BaseException:
        with suppress(OSError):
            disk.close(disk.open_at(path, position))
        raise


def make_folders(disk: Disk, path: Path) -> None:
    """Make a folder and its parents, each synced into the one above; links to folders are followed here."""
    if path.is_dir():
        return
    try:
        made = disk.make_folder(path)
    except FileNotFoundError:
        make_folders(disk, path.parent)
        made = disk.make_folder(path)
    if made:
        disk.sync_folder(path.parent)


def remove_if_possible(disk: Disk, paths: Iterable[Path]) -> None:
    """Remove what is there and can be removed, after another failure, which is the one to report."""
    for path in paths:
        with suppress(OSError):
            disk.remove(path)


def walk(disk: Disk, root: Path, folder: str) -> dict[str, int]:
    """All files under a folder of `root`, as paths within `root`, and their sizes; none if it is missing."""
    try:
        names = disk.names(root / folder)
    except FileNotFoundError:
        return {}
    files: dict[str, int] = {}
    for name, is_folder, size in names:
        path = f"{folder}/{name}"
        files |= walk(disk, root, path) if is_folder else {path: size}
    return files
