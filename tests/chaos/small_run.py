"""The run that all faults meet: three points of 240 draws, with the kernel that a short spec has anyway."""

from pathlib import Path

import pyarrow.parquet as pq

import fastlstm
from fastlstm.sweep.opening import open_directory
from fastlstm.sweep.plan import Plan

SPEC = """\
seed = 5
draws = 240
steps = 10

[params]
default = { normal = { mean = 0.0, std = 2.0 } }
b_f = { grid = [-2.0, 1.0, 4.0] }

[measure]
saturation = 1e-3  # few regimes: their table is what takes time
"""
POINTS, DRAWS = 3, 240
TABLES = ("points", "regimes", "histograms")


def write_spec(folder: Path, text: str = SPEC) -> Path:
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def begin(run: Path, spec: Path, *, part_draws: int) -> None:
    """Make the run directory with parts of that size, and no draws yet; whoever goes on with it keeps to the size."""
    open_directory(Plan(fastlstm.load(spec), part_draws), run, made_by={}).close()


def stored_ids(run: Path) -> list[tuple[int, int]]:
    """Point and draw of every row in every file that a reader's glob matches, without fastlstm."""
    actual = []
    for file in sorted(run.glob("draws/point=*/*.parquet")):
        point = int(file.parent.name.removeprefix("point="))
        draws = pq.read_table(file, columns=["draw"], partitioning=None)["draw"]
        actual += [(point, draw) for draw in draws.to_pylist()]
    return actual
