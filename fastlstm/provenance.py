"""What made a run: the versions and the processor, for its record."""

import platform
from importlib.metadata import version
from typing import Any

import llvmlite.binding as llvm

from fastlstm.kernel.random import STREAM_VERSION

_PACKAGES = ("fastlstm", "numba", "llvmlite", "numpy", "pandas", "pyarrow")


def provenance(dtype: str) -> dict[str, Any]:
    """Versions, host and processor features, as a JSON mapping."""
    features = llvm.get_host_cpu_features()
    return {
        "python": platform.python_version(),
        "versions": {package: version(package) for package in _PACKAGES},
        "stream_version": STREAM_VERSION,
        "dtype": dtype,
        "host": platform.node(),
        "platform": platform.platform(),
        "cpu": llvm.get_host_cpu_name(),
        "features": ",".join(sorted(name for name, present in features.items() if present)),
    }
