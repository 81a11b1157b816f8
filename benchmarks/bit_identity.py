"""The same spec computed in many ways, and the hash of what came out of each: all of them must be equal.

    python benchmarks/bit_identity.py [--quick] [--keep FOLDER]

The ways are other numbers of threads, other sizes of parts, another order of the parts, interruptions, another
process, and other processors. A processor is another target of the compiler, in a process of its own with an empty
cache of kernels, where NumPy is kept from the instructions that this processor does not have. One of another
architecture, AArch64, is emulated (benchmarks/aarch64.py).
Exit code 0 if all hashes of a variant are equal, and those of fastlstm/sweep/bits.py; else 1, and the columns and draws
that differ are named; 2 if fastlstm's own sources changed meanwhile, so that nothing was proved.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pandas as pd

import fastlstm
from fastlstm.store import content_hash, verify
from fastlstm.sweep.bits import BITS_VERSION, HASHES
from fastlstm.sweep.opening import open_directory
from fastlstm.sweep.plan import Plan
from fastlstm.sweep.simulation import Simulation
from fastlstm.sweep.stopping import Stopped, Stopper, quiet

SpecDict = dict[str, Any]

# All that is measured, two points, and a last register that is not full. At the second point most gates are
# saturated, and many draws leave the range of plain numbers, so that they are computed again.
SPEC: SpecDict = {
    "seed": 20261122,
    "draws": 3001,
    "steps": 40,
    "params": {"default": {"normal": {"mean": 0.0, "std": {"grid": [1.5, 20.0]}}}},
    "state": {"h": {"uniform": {"low": -1.0, "high": 1.0}}, "C": {"normal": {}}},
    "loss": {"kind": "mse", "target": {"uniform": {"low": 0.0, "high": 1.0}}},
    "measure": {
        "groups": ["norms", "gates", "grads", "carousel", "truncation", "jacobian", "lags"],
        "exploded": 3.0,
        "vanished": 1e-3,
    },
}
# Draws whose largest |dL/dh_t| is W_y y (1 - y) = 513/512, the threshold of `exploded` itself: y is 1/2, and dL/dy 1.
# NumPy's log10(513/512) has another last bit with AVX-512 than without, so a flag that trusted it would show here.
TIE: SpecDict = SPEC | {
    "draws": 6002,
    "params": {"default": 0.0, "W_y": 4 * 513 / 512},
    "state": {},
    "loss": {"kind": "mse", "target": -0.5},
    "measure": SPEC["measure"] | {"exploded": 513 / 512},
}
FLOAT64, FLOAT32 = ({"dtype": dtype, "store": {"dtype": dtype}} for dtype in ("float64", "float32"))
VARIANTS = {"float64": SPEC | FLOAT64, "float64, tie": TIE | FLOAT64, "float32": SPEC | FLOAT32}

# One part for each point is what `fastlstm.run` would choose; the others end within a register or with one.
PART_DRAWS = (3000, 1024, 333)
INTERRUPTED_AFTER = (0.2, 0.7)  # shares of the draws


@dataclass(frozen=True)
class Target:
    """A machine to compute as: the processor to compile for with its features, or none for the one that is here.

    `hidden` says which of NumPy's instruction sets it does not have; `tunables` go to the C library.
    """

    title: str
    processor: str | None
    features: tuple[str, ...]
    hidden: Callable[[str], bool]
    tunables: str | None = None

    def runs_here(self) -> bool:
        """Whether the processor that is here has all these features."""
        here = llvm.get_host_cpu_features()
        return platform.machine().lower() in ("x86_64", "amd64") and all(here.get(name) for name in self.features)

    def environment(self, cache: str) -> dict[str, str]:
        """What makes a process compute as this machine; `cache` is a folder for what it compiles."""
        measured = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
        changes = {"NPY_DISABLE_CPU_FEATURES": " ".join(filter(self.hidden, measured))}
        if self.processor is not None:
            changes["NUMBA_CPU_NAME"] = self.processor
            changes["NUMBA_CPU_FEATURES"] = ",".join(f"+{feature}" for feature in self.features)
            changes["NUMBA_CACHE_DIR"] = cache
        if self.tunables is not None:
            changes["GLIBC_TUNABLES"] = self.tunables
        return changes


_V2 = ("sse", "sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt")
_V3 = (*_V2, "avx", "avx2", "fma", "bmi", "bmi2", "f16c", "lzcnt", "movbe")
_V4 = (*_V3, "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl")

# Without FMA, functions of glibc have other last bits, as those of another libm have.
OTHER_LIBRARIES = Target("plain NumPy, another libm", None, (), lambda name: True, "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4")
HASWELL = Target("haswell", "haswell", _V3, lambda name: name.startswith(("AVX512", "X86_V4")))
SKYLAKE = Target(
    "skylake-avx512", "skylake-avx512", _V4, lambda name: name.startswith("AVX512_") and name != "AVX512_SKX"
)
GENERIC = Target("generic x86-64 with AVX and FMA", "generic", (*_V2, "avx", "fma"), lambda name: True)
EMULATED = "AArch64, emulated"
TARGETS = (OTHER_LIBRARIES, HASWELL, SKYLAKE, GENERIC)


# --- ways to the same run ------------------------------------------------------------------------


def lay_out(spec: SpecDict, path: Path, part_draws: int) -> None:
    """Make an empty run directory with parts of this size; `fastlstm.run` goes on with it, and keeps the size."""
    open_directory(Plan(fastlstm.load(spec), part_draws), path, made_by={}).close()


def in_parts(spec: SpecDict, path: Path, part_draws: int, *, threads: int) -> None:
    """A run with parts of this size."""
    lay_out(spec, path, part_draws)
    fastlstm.run(spec, path, threads=threads)


def in_another_order(spec: SpecDict, path: Path, part_draws: int) -> None:
    """A run whose odd parts are lost once all are there, and made again after the even ones; then the first half."""
    in_parts(spec, path, part_draws, threads=2)
    for lost in (lambda number, parts: number % 2, lambda number, parts: number < parts // 2):
        files = sorted((path / "draws").rglob("*.parquet"))
        for number, file in enumerate(files):
            if lost(number, len(files)):
                file.unlink()
        verify(path, repair=True)
        fastlstm.run(spec, path, threads=2)


def with_interruptions(spec: SpecDict, path: Path, part_draws: int) -> None:
    """A run that is stopped at some shares of its draws, and goes on each time."""
    lay_out(spec, path, part_draws)
    for share in INTERRUPTED_AFTER:
        stopper = Stopper()

        def stop(done: int, total: int, share: float = share, stopper: Stopper = stopper) -> None:
            if done >= share * total:
                stopper.signal = 2

        try:
            fastlstm.run(spec, path, threads=2, progress=stop, stopper=stopper)
        except Stopped:
            continue
        raise AssertionError("the run was not stopped")
    fastlstm.run(spec, path, threads=2, progress=quiet)


def in_this_process(*, quick: bool) -> dict[str, Callable[[SpecDict, Path], object]]:
    """The ways that need no other process, by title; each makes a run of a spec in a folder."""
    smallest = PART_DRAWS[-1]
    ways: dict[str, Callable[[SpecDict, Path], object]] = {
        f"{threads} thread{'s' * (threads > 1)}": lambda spec, path, threads=threads: fastlstm.run(
            spec, path, threads=threads
        )
        for threads in (1, 2, 7)
    }
    for size in PART_DRAWS:
        title = f"parts of {size:,} draws, 7 threads"
        ways[title] = lambda spec, path, size=size: in_parts(spec, path, size, threads=7)
    ways["parts lost and made again, in another order"] = lambda spec, path: in_another_order(spec, path, smallest)
    ways["stopped twice and resumed"] = lambda spec, path: with_interruptions(spec, path, smallest)
    return ways if not quick else {title: way for title, way in ways.items() if "thread" in title}


_CHILD = """
import json, sys, fastlstm
for spec, path in json.load(sys.stdin):
    fastlstm.run(spec, path, threads=2)
"""


def in_another_process(
    runs: Mapping[Path, SpecDict],
    target: Target | None = None,
    *,
    cache: Path | None = None,
    program: Sequence[str] = ("-c", _CHILD),
) -> None:
    """Run specs into folders in a new process, compiled for a target into an empty cache or `cache`, or as here.

    It has the same fastlstm as this one, whatever lies in the current folder.
    """
    task = json.dumps([(spec, str(path)) for path, spec in runs.items()])
    with tempfile.TemporaryDirectory() as empty:
        changes = {} if target is None else target.environment(str(cache or empty))
        command = [sys.executable, "-P", *program]
        subprocess.run(command, input=task, text=True, check=True, env=os.environ | changes)


def on_aarch64(runs: Mapping[Path, SpecDict]) -> None:
    """Run specs into folders in a new process whose kernels are compiled for AArch64, and emulated."""
    in_another_process(runs, program=[str(Path(__file__).with_name("aarch64.py"))])


# --- what came out -------------------------------------------------------------------------------


def sources() -> str:
    """A hash of all of fastlstm."""
    folder = Path(fastlstm.__file__).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.rglob("*.py")))).hexdigest()


def suspect_draws(spec: SpecDict) -> int:
    """How many draws leave the range of plain numbers of their type, and are computed again."""
    ready = fastlstm.load(spec)
    numbers = np.arange(ready.draws, dtype=np.uint64)
    suspect = [Simulation(ready, point).computed(numbers, ready.dtype).suspect.any(axis=0) for point in ready.points()]
    return int(np.sum(suspect))


def differences(one: Path, other: Path) -> Iterator[str]:
    """The columns of rows and tables in which two runs of a spec differ, and the first place of each."""
    for name in ("draws", "points", "regimes", "histograms"):
        left, right = (getattr(fastlstm.read(path), name)() for path in (one, other))
        if len(left) != len(right) or list(left) != list(right):
            yield f"{name}: {left.shape} and {right.shape} rows and columns"
            continue
        for column in left:
            differ = np.flatnonzero([a != b for a, b in zip(_exact(left[column]), _exact(right[column]), strict=True)])
            if len(differ):
                row, there = left.iloc[differ[0]], right.iloc[differ[0]]
                where = ", ".join(f"{key} {row[key]}" for key in ("point", "draw") if key in left)
                values = f"{row[column]!r} and {there[column]!r}"
                yield f"{name}, {column}: {len(differ)} of {len(left)} differ; at {where or differ[0]}: {values}"


def _exact(column: pd.Series) -> list[Any]:
    """Values that are equal only if their bits are."""
    if column.dtype.kind == "f":
        return np.asarray(column).view(f"u{column.dtype.itemsize}").tolist()
    return column.tolist()


class Table:
    """The hashes of every way and variant, compared with those of the first way."""

    def __init__(self, folder: Path, variants: Mapping[str, SpecDict]) -> None:
        self.folder = folder
        self.variants = variants
        self.rows: dict[str, list[str]] = {}

    def paths(self, title: str) -> dict[Path, SpecDict]:
        """The folders for the runs of a way."""
        name = "".join(letter if letter.isalnum() else "-" for letter in title)
        return {self.folder / name / variant: spec for variant, spec in self.variants.items()}

    def add(self, title: str, make: Callable[[Mapping[Path, SpecDict]], object]) -> list[str]:
        """Go a way, print its hashes, and say what differs from the first way."""
        started, paths = time.perf_counter(), self.paths(title)
        make(paths)
        hashes = [content_hash(path) for path in paths]
        self.rows[title] = hashes
        taken = time.perf_counter() - started
        print(f"| {title:45} | " + " | ".join(text[:16] for text in hashes) + f" | {taken:5.1f} |", flush=True)
        return hashes

    def heading(self) -> None:
        """The head of the printed table."""
        print(f"| {'way':45} | " + " | ".join(f"{name:16}" for name in self.variants) + " |     s |")
        print(f"|{'-' * 47}|" + "|".join("-" * 18 for _ in self.variants) + "|------:|", flush=True)

    def verdict(self) -> bool:
        """Print the hashes in full, and what differs, also from the committed ones; whether nothing does."""
        first = next(iter(self.rows))
        same = True
        for place, variant in enumerate(self.variants):
            measured = {title: hashes[place] for title, hashes in self.rows.items()}
            odd = [title for title, text in measured.items() if text != measured[first]]
            word = "all equal" if not odd else f"{len(odd)} of {len(measured)} differ"
            print(f"\n{variant}: {word}\n{measured[first]}")
            if measured[first] != HASHES[variant]:
                same = False
                print(f"not the hash of bits version {BITS_VERSION}, {HASHES[variant]}; see fastlstm/sweep/bits.py")
            for title in odd:
                same = False
                print(f"\n{title}: {measured[title]}")
                one, other = (list(self.paths(name))[place] for name in (first, title))
                for line in differences(one, other):
                    print(f"  {line}")
        return same


def main() -> int:
    """Go all ways, print the table; 0 if all hashes of a variant are equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="float64, threads and parts only: seconds, not minutes")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the runs there, to look at differences")
    arguments = parser.parse_args()
    variants = {"float64": VARIANTS["float64"]} if arguments.quick else VARIANTS
    before = sources()
    for name, spec in variants.items():
        draws = spec["draws"] * len(fastlstm.load(spec).points())
        print(f"{name}: {draws:,} draws, {suspect_draws(spec):,} of them computed again")
    print(f"compiled for {llvm.get_host_cpu_name()} where no other processor is named\n")
    with tempfile.TemporaryDirectory() as temporary:
        table = Table(arguments.keep or Path(temporary), variants)
        table.heading()
        for title, way in in_this_process(quick=arguments.quick).items():
            table.add(title, lambda paths, way=way: [way(spec, path) for path, spec in paths.items()])
        if not arguments.quick:
            table.add("a second process", in_another_process)
        for target in () if arguments.quick else TARGETS:
            if target.runs_here():
                if target.processor is not None:
                    print(f"{target.title}: compiling takes a minute or two", file=sys.stderr, flush=True)
                table.add(target.title, lambda paths, target=target: in_another_process(paths, target))
            else:
                print(f"| {target.title:45} | not run: needs instructions that this machine does not have")
        if not arguments.quick and sys.platform == "linux" and importlib.util.find_spec("unicorn"):
            print(f"{EMULATED}: compiling and emulating take some minutes", file=sys.stderr, flush=True)
            table.add(EMULATED, on_aarch64)
        elif not arguments.quick:
            print(f"| {EMULATED:45} | not run: needs Linux, and the package unicorn")
        same = table.verdict()
    if sources() != before:
        print("\nThe sources of fastlstm changed while this ran: run it again", file=sys.stderr)
        return 2
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
