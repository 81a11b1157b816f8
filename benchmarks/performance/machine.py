"""Which machine it was, and how busy."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from fastlstm.threads import available_threads

PACKAGES = ("fastlstm", "numba", "llvmlite", "numpy", "pyarrow", "jax", "torch")
BUSY = 0.5  # the load average from which on a warning is due


def describe() -> dict[str, Any]:
    """Processor, system and versions."""
    return {
        "processor": _processor(),
        "target": llvm.get_host_cpu_name(),
        "threads": available_threads(),
        "memory_GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "gcc": _gcc(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def load() -> float:
    """Processes that ran or waited, averaged over a minute."""
    return round(os.getloadavg()[0], 2)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2] for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return " ".join(names[0].split())
    return platform.processor() or platform.machine()


def _gcc() -> str:
    try:
        output = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "missing"
    return output.splitlines()[0]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
