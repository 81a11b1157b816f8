"""The one place that sets how Numba compiles.

No fastmath: LLVM may neither reorder nor contract, so a result is what the source says, bit for bit,
on every CPU. The error model is NumPy's (1/0 is inf), so that no branch guards a division.

`inline` marks the pieces a kernel is written in; `kernel` marks what Python calls: compiled once, kept
on disk, and run without the interpreter's lock.
"""

import hashlib
from pathlib import Path

import numba

from fastlstm.kernel.lanes.cache import cache_of


class NotCompiled(RuntimeError):
    """Numba was told not to compile."""


if numba.config.DISABLE_JIT:
    raise NotCompiled(
        "NUMBA_DISABLE_JIT is set, but fastlstm's kernel is written in registers, which Python cannot execute: unset it"
    )

# Nothing but kernels is called from Python; making that possible for the rest took a third of the compile time.
OPTIONS = {"error_model": "numpy", "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

inline = numba.njit(**OPTIONS)


def kernel(signature):
    """Compile a function, now, for one signature: arrays of any layout convert to it, none recompiles."""

    def compiled(function):
        dispatcher = numba.njit(error_model="numpy", nogil=True)(function)
        dispatcher._cache = cache_of(function)  # instead of the one that cache=True brings
        dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher

    return compiled


def source_digest() -> str:
    """A hash of all sources that a kernel is compiled from.

    Numba keys its cache on the file of the kernel alone; a kernel that closes over this digest is also
    compiled anew when one of the functions it calls has changed.
    """
    kernel = Path(__file__).parents[1]
    sources = [*sorted(kernel.rglob("*.py")), kernel.parent / "names.py", kernel.parent / "measures.py"]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
