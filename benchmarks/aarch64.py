"""fastlstm's kernels on AArch64, without such a machine: compiled for it, and emulated in the memory of this process.

    python benchmarks/aarch64.py < RUNS

RUNS is a JSON list of [spec, folder]; each spec is run into its folder, as benchmarks/bit_identity.py asks for. All
that kernels do is done by instructions of AArch64: LLVM optimises and compiles the code that Numba hands it for that
processor, and Unicorn, which is QEMU as a library, executes them. Python, NumPy and pyarrow stay on this processor.
Linux only: the emulated machine asks for this process's memory by /proc.
"""

import ctypes
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from threading import Lock
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from numba import types
from unicorn import UC_ARCH_ARM64, UC_HOOK_MEM_UNMAPPED, UC_MODE_ARM, UC_PROT_ALL, Uc, UcError
from unicorn import arm64_const as arm64

import fastlstm
from fastlstm.kernel.lanes.calls import in_frame, reader
from fastlstm.kernel.lanes.jit import OPTIONS
from fastlstm.sweep.provenance import provenance
from fastlstm.sweep.session import execute
from fastlstm.sweep.simulation import Simulation
from fastlstm.sweep.stopping import Stopper

TRIPLE = "aarch64-unknown-linux-gnu"
PROCESSOR = "neoverse-n1"  # registers of 128 bits, two numbers of float64
STACK = 2**24  # bytes

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()


# --- the compiler --------------------------------------------------------------------------------


@cache
def _linked(dispatcher: Any) -> tuple[int, Any]:
    """Where the machine code of a compiled function lies, for AArch64, and what keeps it there."""
    # "large": the code may lie anywhere in memory
    machine = llvm.Target.from_triple(TRIPLE).create_target_machine(cpu=PROCESSOR, opt=3, jit=True, codemodel="large")
    (version,) = dispatcher.overloads.values()
    code = str(version.library._get_module_for_linking())
    for key, value in (("triple", TRIPLE), ("datalayout", machine.target_data)):
        code = re.sub(rf'^target {key} = ".*"$', f'target {key} = "{value}"', code, flags=re.MULTILINE)
    module = llvm.parse_assembly(code)
    name = version.fndesc.llvm_func_name
    for part in (*module.functions, *module.global_variables):
        if not part.is_declaration:
            part.linkage = "external" if part.name == name else "internal"  # so that what serves Python alone goes
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    linker = llvm.create_mcjit_compiler(module, machine)
    linker.finalize_object()
    return linker.get_function_address(name), linker


def machine_code(dispatcher: Any) -> int:
    """The address of a kernel for AArch64, to be called by another one."""
    return _linked(dispatcher)[0]


# --- the machine ---------------------------------------------------------------------------------


def _regions() -> Iterator[tuple[int, int]]:
    """The beginning and the end of each region of this process's memory."""
    with open("/proc/self/maps") as regions:
        for line in regions:
            low, high = line.split()[0].split("-")
            yield int(low, 16), int(high, 16)


class Machine:
    """An AArch64 processor that sees this process's memory at the same addresses, a region once it is asked for."""

    def __init__(self) -> None:
        self._emulator = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
        self._emulator.hook_add(UC_HOOK_MEM_UNMAPPED, self._lend)
        enabled = self._emulator.reg_read(arm64.UC_ARM64_REG_CPACR_EL1) | 3 << 20  # floating point
        self._emulator.reg_write(arm64.UC_ARM64_REG_CPACR_EL1, enabled)
        self._lent: list[tuple[int, int]] = []
        self._stack = np.zeros(STACK, np.uint8)
        self._lock = Lock()

    def _lend(self, emulator: Uc, access: int, address: int, size: int, *_: object) -> bool:
        """Map what is not there yet of the regions that an access meets; there must be some."""
        lent = len(self._lent)
        for byte in {address, address + size - 1}:
            if any(low <= byte < high for low, high in self._lent):
                continue
            for low, high in _regions():
                if low <= byte < high:
                    low = max([low, *(end for _, end in self._lent if end <= byte)])
                    high = min([high, *(start for start, _ in self._lent if byte < start)])
                    emulator.mem_map_ptr(low, high - low, UC_PROT_ALL, ctypes.c_void_p(low))
                    self._lent.append((low, high))
        return len(self._lent) > lent

    def call(self, function: int, argument: int) -> None:
        """Call a function of one whole number that Numba compiled, whose results and errors also have a place."""
        with self._lock:
            top = self._stack.ctypes.data + STACK - 128 & -64
            for name, value in {"X0": top, "X1": top + 64, "X2": argument, "SP": top, "LR": top}.items():
                self._emulator.reg_write(getattr(arm64, f"UC_ARM64_REG_{name}"), value)
            self._emulator.emu_start(function, until=top)
            status = self._emulator.reg_read(arm64.UC_ARM64_REG_W0)
        if status:
            raise RuntimeError(f"a kernel ended with status {status}")


MACHINE = Machine()


@cache
def emulated(kernel: Any) -> Callable[..., None]:
    """A kernel of the same arguments, all of whose work is done by the emulated machine."""
    (version,) = kernel.overloads.values()
    arguments = types.Tuple(version.signature.args)
    read = reader(arguments)

    @numba.njit(types.void(types.int64), **OPTIONS)  # code of LLVM only, not of the processor that is here
    def there(address):
        kernel(*read(address))

    function = machine_code(there)
    errors: list[Exception] = []  # which do not come through compiled code by themselves

    @ctypes.CFUNCTYPE(None, ctypes.c_int64)
    def go(address: int) -> None:
        try:
            MACHINE.call(function, address)
        except (UcError, RuntimeError) as error:
            errors.append(error)

    @numba.njit(types.void(arguments))
    def here(values):
        go(in_frame(values))

    def run(*values: Any) -> None:
        here(values)
        if errors:
            raise errors.pop()

    return run


class EmulatedSimulation(Simulation):
    """A simulation whose kernels are emulated, the one that draws and the one that computes."""

    def _kernels(self, arithmetic: str) -> tuple[Any, Any]:
        draw, fill = super()._kernels(arithmetic)
        return draw, lambda _, *rest: emulated(fill)(machine_code(draw), *rest)


def main() -> None:
    """Run the specs that stand in the standard input."""
    for given, folder in json.load(sys.stdin):
        spec = fastlstm.load(given)
        made_by = {**provenance(spec.dtype), "emulated": TRIPLE}
        execute(
            spec,
            folder,
            made_by=made_by,
            threads=1,
            simulator=lambda spec, point: EmulatedSimulation(spec, point).columns,
            stopper=Stopper(),
        )


if __name__ == "__main__":
    main()
