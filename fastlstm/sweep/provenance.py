"""What made a run: the versions and the processor, for its record."""

import hashlib
import platform
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGES = ("fastlstm", "numba", "llvmlite", "numpy", "pandas", "pyarrow")
_FACES = ("pydantic", "typer", "rich", "matplotlib", "mpmath")  # no number depends on them


def provenance(dtype: str) -> dict[str, Any]:
    """What computes a run with numbers of that type, as a JSON mapping."""
    return installation() | {"dtype": dtype}


def installation() -> dict[str, Any]:
    """Versions, the digests of the sources, host and processor features, as a JSON mapping."""
    import llvmlite.binding as llvm  # these here, since who reads a record needs none of them

    from fastlstm.kernel.lanes.jit import source_digest
    from fastlstm.kernel.random import STREAM_VERSION
    from fastlstm.sweep.bits import BITS_VERSION

    features = llvm.get_host_cpu_features()
    return {
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in _PACKAGES},
        "kernel": source_digest(),
        "sources": package_digest(),
        "stream_version": STREAM_VERSION,
        "bits_version": BITS_VERSION,
        "host": platform.node(),
        "platform": platform.platform(),
        "cpu": llvm.get_host_cpu_name(),
        "features": ",".join(sorted(name for name, present in features.items() if present)),
    }


@cache
def _version(package: str) -> str:
    """The installed version of a package; it is read from a file once."""
    from importlib.metadata import version

    return version(package)


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


def mixture(sessions: Iterable[Mapping[str, Any]]) -> str:
    """What is to be told of draws that several kernels computed; empty if one did."""
    made_by = kernels(sessions)
    if len(made_by) < 2:
        return ""
    names = ", ".join(f"fastlstm {version} ({digest[:12]})" for digest, version in made_by.items())
    return f"The draws were computed by {len(made_by)} kernels, whose numbers may differ: {names}"


def show_versions() -> None:
    """Print what a report of a bug needs: versions, platform, processor, and the digest of the kernel's sources.

    Examples
    --------
    >>> import fastlstm
    >>> fastlstm.show_versions()  # doctest: +ELLIPSIS
    fastlstm...
    """
    made_by = provenance("float64")
    facts = made_by["versions"] | {package: _version(package) for package in _FACES}
    versions = ("kernel", "stream_version", "bits_version")
    facts |= {name: made_by[name] for name in ("python", "platform", "cpu", *versions, "features")}
    width = max(map(len, facts))
    sys.stdout.write("".join(f"{name:<{width}}  {value}\n" for name, value in facts.items()))
