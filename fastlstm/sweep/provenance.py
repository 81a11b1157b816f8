"""What made a run: the versions and the processor, for its record."""

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import llvmlite.binding as llvm

from fastlstm.kernel.lanes.jit import source_digest
from fastlstm.kernel.random import STREAM_VERSION

_PACKAGES = ("fastlstm", "numba", "llvmlite", "numpy", "pandas", "pyarrow")


def provenance(dtype: str) -> dict[str, Any]:
    """Versions, the digest of the kernel's sources, host and processor features, as a JSON mapping."""
    features = llvm.get_host_cpu_features()
    return {
        "python": platform.python_version(),
        "versions": {package: version(package) for package in _PACKAGES},
        "kernel": source_digest(),
        "stream_version": STREAM_VERSION,
        "dtype": dtype,
        "host": platform.node(),
        "platform": platform.platform(),
        "cpu": llvm.get_host_cpu_name(),
        "features": ",".join(sorted(name for name, present in features.items() if present)),
    }


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
