"""C: lstm.c, compiled by gcc, its exp and tanh from libmvec; one thread."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from benchmarks.performance.peers import Missing, Ready, Setting
from benchmarks.performance.problem import Problem

SOURCE = Path(__file__).parent / "lstm.c"
FLAGS = ("-O3", "-march=native", "-ffast-math")
TYPES = {
    "float32": ("-DREAL=float", "-DEXP=expf", "-DTANH=tanhf"),
    "float64": ("-DREAL=double", "-DEXP=exp", "-DTANH=tanh"),
}
BLOCKS = (32, 64, 128, 256)

if shutil.which("gcc") is None:
    raise Missing("there is no gcc on the path")

_folder = tempfile.TemporaryDirectory(prefix="fastlstm-bench-")


@cache
def library(dtype: str, block: int, tanh: str, wide: bool) -> ctypes.CDLL:
    """Compile lstm.c. It is linked without -ffast-math, which would change the arithmetic of the whole process.

    Raises Missing if gcc did not turn exp and tanh into calls of libmvec.
    """
    flags = [*FLAGS, *TYPES[dtype], f"-DBLOCK={block}", *(["-mprefer-vector-width=512"] if wide else [])]
    if tanh == "exp":
        flags.append("-DTANH_BY_EXP")
    name = Path(_folder.name) / f"lstm-{dtype}-{block}-{tanh}-{wide}"
    compile_ = ["gcc", *flags, "-fPIC", "-c", str(SOURCE), "-o", f"{name}.o", "-fopt-info-vec-missed"]
    link = ["gcc", "-shared", f"{name}.o", "-o", f"{name}.so", "-lm"]
    try:
        subprocess.run(compile_, check=True, capture_output=True, text=True)
        subprocess.run(link, check=True, capture_output=True, text=True)
        symbols = subprocess.run(["nm", "-u", f"{name}.o"], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"gcc could not compile {SOURCE.name}: {getattr(error, 'stderr', error)}") from error
    if "_ZGV" not in symbols:
        raise Missing("gcc called no vector functions of libmvec here; glibc has them on x86-64 since 2.22")
    return ctypes.CDLL(f"{name}.so")


class C:
    name = "C"
    note = "lstm.c, gcc " + " ".join(FLAGS) + " with libmvec; best block, tanh of libmvec or of exp"
    one_thread = True
    wide = False

    def settings(self, problem: Problem, best: Setting | None) -> Iterable[Setting]:
        for tanh in ("exp", "tanh") if best is None else (best["tanh"],):
            yield from ({"block": block, "tanh": tanh} for block in BLOCKS)

    def load(self, problem: Problem, setting: Setting) -> Ready:
        block = setting["block"]
        program = library(problem.dtype, block, setting["tanh"], self.wide).gradients
        program.restype, program.argtypes = None, [ctypes.c_long] * 2 + [ctypes.c_void_p] * 4
        blocks, steps = problem.draws // block, problem.steps
        draws = blocks * block
        params = _blocked(problem.params[:draws], block)
        x = _blocked(problem.x[:draws], block)
        out = _aligned((blocks, 14, block), problem.dtype)
        tape = _aligned((steps, 8, block), problem.dtype)

        def call() -> None:
            program(blocks, steps, params.ctypes.data, x.ctypes.data, out.ctypes.data, tape.ctypes.data)

        def solution() -> Any:
            call()
            return out.transpose(0, 2, 1).reshape(draws, 14)

        return Ready(call, draws, solution)


class WideC(C):
    """gcc takes registers of 256 bits for most processors with AVX-512; libmvec gains from those of 512."""

    name = "C, 512 bits"
    note = "the same and -mprefer-vector-width=512"
    wide = True


def _blocked(array: Any, block: int) -> Any:
    """(draws, n) as (blocks, n, block)."""
    blocked = array.reshape(-1, block, array.shape[1]).transpose(0, 2, 1)
    held = _aligned(blocked.shape, array.dtype)
    held[...] = blocked
    return held


def _aligned(shape: tuple[int, ...], dtype: Any) -> Any:
    """Beginning on a cache line; written to, so that the system has given the memory."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    held = memory[start : start + size].view(dtype).reshape(shape)
    held[...] = 0
    return held


PEERS = (C(), WideC()) if llvm.get_host_cpu_features().get("avx512f") else (C(),)
