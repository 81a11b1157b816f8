"""What can go wrong with a run directory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class StoreError(Exception):
    """What can go wrong with a run directory."""


class DirectoryLocked(StoreError):
    """Another process is at work in the directory."""


class OtherSpec(StoreError):
    """The directory belongs to another spec; `stored_spec_text` is that spec ("" if it cannot be read).

    `differences` has a line for each key that differs, once somebody who knows specs has compared them.
    """

    def __init__(self, path: Path, stored_spec_text: str, differences: Sequence[str] = ()) -> None:
        right = "give another directory, or start over (--fresh)"
        super().__init__("\n".join([f"{path} belongs to another spec; {right}", *differences]))
        self.path = path
        self.stored_spec_text = stored_spec_text
        self.differences = tuple(differences)

    def with_differences(self, differences: Sequence[str]) -> "OtherSpec":
        """The same error, which says in what the specs differ."""
        return OtherSpec(self.path, self.stored_spec_text, differences)


class MixedRuns(StoreError):
    """The directory holds what belongs to another run."""


class OtherFormat(StoreError):
    """The directory is in a format that this version does not read."""


class NotReplaceable(StoreError):
    """What stands where a file is to be written is no file."""


class DiskError(StoreError):
    """The disk is full, failing, or may not be written; `errno` says which. What is committed stays."""

    def __init__(self, error: OSError) -> None:
        where = f": {error.filename}" if error.filename else ""
        super().__init__(f"{error.strerror or error}{where}")
        self.errno = error.errno


class Damaged(StoreError):
    """A file is missing or is not what was written."""


class NotARun(StoreError):
    """The folder is not a run directory."""


class NotThere(StoreError):
    """What is asked for is not in the run: rows that are not kept, or a table that is not made yet."""


@contextmanager
def disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskError(error) from error


def locked(path: Path) -> DirectoryLocked:
    return DirectoryLocked(
        f"another fastlstm process is at work in {path}; the lock is released when that process exits; "
        "there is no lock file to delete"
    )
