"""The one place that sets how Numba compiles, and how it chooses between kinds of numbers.

No fastmath: LLVM may neither reorder nor contract, so a result is what the source says, bit for bit,
on every CPU. The error model is NumPy's (1/0 is inf), so that no branch guards a division.

`inline` marks the pieces a kernel is written in; `kernel` marks what Python calls: compiled once, kept
on disk, and run without the interpreter's lock.

A piece is compiled for the types it meets, so one source serves plain lanes and wide numbers. Few operations need
another body for wide ones: `generic` marks the body for plain lanes, `meaning(operation, Kind)` the other.
"""

import hashlib
from functools import cache
from pathlib import Path

import numba
from numba.core import types
from numba.extending import overload

from fastlstm.kernel.lanes.cache import cache_of
from fastlstm.kernel.lanes.pieces import PieceCompiler


class NotCompiled(RuntimeError):
    """Numba was told not to compile."""


if numba.config.DISABLE_JIT:
    raise NotCompiled(
        "NUMBA_DISABLE_JIT is set, but fastlstm's kernel is written in registers, which Python cannot execute: unset it"
    )

# Nothing but kernels is called from Python; making that possible for the rest took a third of the compile time. And no
# piece allocates: what it is given outlives it, and counting references to it took a tenth.
OPTIONS = {
    "error_model": "numpy",
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
    "pipeline_class": PieceCompiler,
}

inline = numba.njit(**OPTIONS)


class Kind(types.Type):
    """A kind of number for which operations have meanings of their own."""


def generic(piece):
    """A piece for plain lanes, to which a `meaning` may be added for each other kind of number."""

    def choose(*arguments):
        return None if has_kind(Kind, arguments) else piece

    overload(piece, jit_options=OPTIONS, strict=False)(choose)
    return piece


def meaning(operation, kind):
    """Give an operation its meaning where an argument, or a member of one, is of this kind of number."""

    def mark(piece):
        choose_meaning(operation)(lambda *arguments: piece if has_kind(kind, arguments) else None)
        return piece

    return mark


def choose_meaning(operation):
    """Let the decorated function choose a piece for an operation by the types of its arguments, or None."""
    return overload(operation, jit_options=OPTIONS, strict=False)


def has_kind(kind, arguments):
    """Whether an argument, or a member of one that is a tuple, is of a kind of number."""
    members = (tuple(argument) if isinstance(argument, types.BaseTuple) else (argument,) for argument in arguments)
    return any(isinstance(member, kind) for inner in members for member in inner)


def kernel(signature, options=()):
    """Compile a function, now, for one signature: arrays of any layout convert to it, none recompiles.

    On disk it is known by its name, its signature, `options`, and all sources that kernels are compiled from: what it
    closes over must follow from the options.
    """
    return _compiled(signature, options)


def callee(signature, options=()):
    """The same for a function that only kernels call, see calls.py: without what Python needs for that."""
    return _compiled(signature, options, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)


def _compiled(signature, options, **flags):
    def compiled(function):
        dispatcher = numba.njit(error_model="numpy", nogil=True, **flags)(function)
        dispatcher._cache = cache_of(function, (source_digest(), repr(options)))  # instead of cache=True's own
        dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher

    return compiled


@cache
def address_of(compiled):
    """Where the machine code of a kernel is, to be called from another one; it stays there as long as the kernel."""
    (version,) = compiled.overloads.values()
    return version.library.get_pointer_to_function(version.fndesc.llvm_func_name)


@cache
def source_digest() -> str:
    """A hash of all sources that a kernel is compiled from; Numba itself looks at the file of the kernel alone."""
    kernel = Path(__file__).parents[1]
    sources = [*sorted(kernel.rglob("*.py")), kernel.parent / "names.py", kernel.parent / "measures.py"]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
