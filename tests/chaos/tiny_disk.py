"""A small file system in memory, which is gone with whoever asked for it, however that ends."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NoMounting(Exception):
    """This system lets nobody mount a tmpfs, not even in a namespace of its own."""


@contextmanager
def tiny_disk(folder: Path, options: str) -> Iterator[Path]:
    """Mount a tmpfs with `options` in a mount namespace of its own, and give the path that leads into it.

    The namespace lives as long as a process that waits for its stdin to close, which the kernel does if need be.
    Its mounts end with it. Raises NoMounting.
    """
    folder.mkdir(exist_ok=True)
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    mount = 'mount -t tmpfs -o "$1" none "$0" && echo mounted && exec cat'
    command = ["unshare", *user, "--mount", "sh", "-c", mount, str(folder), options]
    try:
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError as error:
        raise NoMounting(str(error)) from None
    try:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"mounted\n":
            raise NoMounting(holder.communicate()[1].decode())
        yield Path(f"/proc/{holder.pid}/root{folder}")
    finally:
        holder.communicate()
