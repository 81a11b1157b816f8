"""Compiled kernels on disk, none of which is ever taken for another or run when damaged.

Numba's own cache (as of 0.68, numba/core/caching.py) has no checksums: a damaged index or file is a traceback, or
machine code with another bit. Its index is read, changed and written back without a lock, and numbers the files:
of two processes that begin with an empty cache, both write number 1, and the one kernel is then found under the
key of the other. And a cache that cannot be written ends the program. So a file here begins with its digest and
holds its own key, and whatever fails to load or to save is compiled again.

The files are pickles and machine code: who can write them can run code as whoever reads them, and a digest is no
guard against that. So each user has files of his own, written for his eyes alone, and a file that is another user's,
or that others may write, is not read, wherever it lies.
"""

import contextlib
import hashlib
import os
import pickle
import stat

from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache

_DIGEST = hashlib.sha256().digest_size


def cache_of(function, identity):
    """The cache of a function; one that keeps nothing where no folder can be written.

    Numba tells functions of one name apart by what they close over, pickled; functions among that are pickled with
    the number of their process. Here `identity`, which can be pickled and compared, tells them apart.
    """
    try:
        return _KernelCache(function, identity)
    except (RuntimeError, OSError):  # Numba: "no locator available"
        return NullCache()


class _KernelCache(FunctionCache):
    """Numba's, over checked files; what cannot be saved is compiled again next time."""

    def __init__(self, function, identity):
        super().__init__(function)
        self._identity = identity
        plain = self._cache_file
        own_name = f"{self._impl.filename_base}.user{os.geteuid()}"
        self._cache_file = _CheckedFiles(self._cache_path, own_name, plain._source_stamp)

    def _index_key(self, sig, codegen):
        return sig, codegen.magic_tuple(), self._identity

    def save_overload(self, sig, data):
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


class _CheckedFiles(IndexDataCacheFile):
    """An index and its files, each with a digest first."""

    def save(self, key, data):
        super().save(key, (key, data))

    def load(self, key):
        stored = super().load(key)
        if stored is None:
            return None
        stored_key, data = stored
        return data if stored_key == key else None

    def _load_index(self):
        version, stamp, overloads = self._read(self._index_path) or (None, None, {})
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads):
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name):
        return self._read(self._data_path(name))

    def _save_data(self, name, data):
        self._write(self._data_path(name), data)

    def _read(self, path):
        """What `_write` was given; None if it is not there, bit for bit, or of sources whose classes are gone."""
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                if not _is_ours(os.fstat(file.fileno())):
                    return None
                content = file.read()
        except OSError:
            return None
        digest, dumped = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(dumped).digest() != digest:
            return None
        try:
            return pickle.loads(dumped)
        except (ImportError, AttributeError):  # keys name the classes of the arguments
            return None

    def _write(self, path, content):
        dumped = self._dump(content)
        with self._open_for_write(path) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(hashlib.sha256(dumped).digest() + dumped)


def _is_ours(info):
    """Whether a file is a regular one that only this user may have written."""
    return (
        stat.S_ISREG(info.st_mode) and info.st_uid == os.geteuid() and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
