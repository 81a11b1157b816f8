"""The run that all faults meet: three points of 240 draws, with the kernel that a short spec has anyway."""

from contextlib import suppress
from pathlib import Path
from signal import SIGTERM
from unittest.mock import patch

import pyarrow.parquet as pq

import fastlstm
from fastlstm.sweep import plan
from fastlstm.sweep.stopping import Stopped, Stopper

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
    with patch.object(plan, "part_size", lambda *_: part_draws), suppress(Stopped):
        fastlstm.run(spec, run, threads=1, stopper=Stopper(signal=SIGTERM))


def stored_ids(run: Path) -> list[tuple[int, int]]:
    """Point and draw of every row in every file that a reader's glob matches, without fastlstm."""
    found = []
    for file in sorted(run.glob("draws/point=*/*.parquet")):
        point = int(file.parent.name.removeprefix("point="))
        draws = pq.read_table(file, columns=["draw"], partitioning=None)["draw"]
        found += [(point, draw) for draw in draws.to_pylist()]
    return found
