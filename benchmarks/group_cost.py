"""What each group of measures adds to a run of the default groups: processor seconds of a million rows.

    python benchmarks/group_cost.py [--draws 1000000] [--steps 100] [--repeats 5] [--dtype float32] [GROUP ...]

Runs are interleaved: the default groups, then these with one group more, and so on around. The kernels are compiled
before. "more" is the smallest time of a group over the smallest time of the default groups.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import fastlstm
from fastlstm.measures import CHOICES, DEFAULT_GROUPS
from fastlstm.spec import Spec

BASE = "default groups"


def spec(draws: int, steps: int, dtype: str, groups: tuple[str, ...]) -> Spec:
    """The default ensemble, all rows kept."""
    return fastlstm.load(
        {
            "seed": 1,
            "draws": draws,
            "steps": steps,
            "dtype": dtype,
            "params": {"default": {"normal": {}}},
            "measure": {"groups": list(groups)},
            "store": {"rows": "all"},
        }
    )


def seconds(asked: Spec, path: Path) -> float:
    """Processor seconds of this process for a run into a new directory."""
    shutil.rmtree(path, ignore_errors=True)
    begun = time.process_time()
    fastlstm.run(asked, path, threads=2, progress=False)
    return time.process_time() - begun


def main() -> None:
    """Print the table."""
    extra = [group for group in CHOICES if group not in DEFAULT_GROUPS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(extra))
    parser.add_argument("--draws", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    options = parser.parse_args()
    cases = {BASE: DEFAULT_GROUPS} | {name: (*DEFAULT_GROUPS, name) for name in options.groups or extra}
    times: dict[str, list[float]] = {name: [] for name in cases}
    with tempfile.TemporaryDirectory() as folder:
        for groups in cases.values():
            seconds(spec(4096, options.steps, options.dtype, groups), Path(folder) / "run")
        for _ in range(options.repeats):
            for name, groups in cases.items():
                asked = spec(options.draws, options.steps, options.dtype, groups)
                times[name].append(seconds(asked, Path(folder) / "run"))
    print("| | processor seconds | more |\n|---|--:|--:|")
    for name, each in times.items():
        print(f"| {name} | {min(each):.2f} | {min(each) / min(times[BASE]) - 1:+.0%} |")


if __name__ == "__main__":
    main()
