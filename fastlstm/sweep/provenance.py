"""What made a run: the versions and the processor, for its record."""

import hashlib
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from fastlstm.kernel.lanes.jit import source_digest
from fastlstm.kernel.random import STREAM_VERSION

_PACKAGES = ("fastlstm", "numba", "llvmlite", "numpy", "pandas", "pyarrow")


def provenance(dtype: str) -> dict[str, Any]:
    """What computes a run with numbers of that type, as a JSON mapping."""
    return installation() | {"dtype": dtype}


def installation() -> dict[str, Any]:
    """Versions, the digests of the sources, host and processor features, as a JSON mapping."""
    features = llvm.get_host_cpu_features()
    return {
        "python": platform.python_version(),
        "versions": {package: version(package) for package in _PACKAGES},
        "kernel": source_digest(),
        "sources": package_digest(),
        "stream_version": STREAM_VERSION,
        "host": platform.node(),
        "platform": platform.platform(),
        "cpu": llvm.get_host_cpu_name(),
        "features": ",".join(sorted(name for name, present in features.items() if present)),
    }


@cache
def package_digest() -> str:
    """A hash of all sources of the package: none that the bytes of a part depend on can be left out."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix()):
        data = source.read_bytes()
        digest.update(f"{source.relative_to(package).as_posix()} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def kernels(sessions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The kernels that computed draws in some sessions of a run: by digest, the version of fastlstm that had it first.

    A session that was killed has not said how many draws it computed, so it may have computed some.
    """
    made: dict[str, str] = {}
    for session in sessions:
        digest, versions = (session["provenance"].get(name) for name in ("kernel", "versions"))
        if isinstance(digest, str) and (session["draws"] or session["ended"] is None):
            made.setdefault(digest, str(versions.get("fastlstm")) if isinstance(versions, dict) else "unknown")
    return made
