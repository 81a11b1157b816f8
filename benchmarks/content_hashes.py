"""The hashes of rows and tables of every simulation, to hold two versions of the code against each other.

    python benchmarks/content_hashes.py [--draws N] [--only NAME ...] [--against FILE] > FILE

Each simulation is run with at most N draws a point into a temporary folder, and read through the public functions
alone. A line has the simulation and two hashes: of rows and tables as they stand, and of the same with each point
named by its values on the axes and the points sorted by them, so that the order of axes does not enter. With
--against, lines are compared with those of an earlier run, and the exit code is 1 if a second hash differs.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import fastlstm

SIMULATIONS = Path(__file__).parents[1] / "sims"
TABLES = ("points", "regimes", "histograms", "claims")


def column_bytes(column: pd.Series) -> bytes:
    """The values of a column, whatever type of text or category holds them."""
    if not (pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)):
        return "\0".join(column.astype(str)).encode()
    return np.ascontiguousarray(column.to_numpy()).tobytes()


def frame_hash(frame: pd.DataFrame, *, without: tuple[str, ...] = ()) -> str:
    """The SHA-256 of names and values, whatever the order of the columns."""
    digest = hashlib.sha256(str(len(frame)).encode())
    for name in sorted(set(frame.columns) - set(without)):
        digest.update(name.encode() + b"\0" + column_bytes(frame[name]))
    return digest.hexdigest()


def frames_of(run: fastlstm.Run) -> dict[str, pd.DataFrame]:
    """The rows, where the run keeps any, and the tables."""
    frames = {name: getattr(run, name)() for name in TABLES}
    if run.spec().store.rows != "none":
        frames["draws"] = run.draws()
    return frames


def hashes(run: fastlstm.Run) -> tuple[str, str]:
    """The hash of everything as it stands, and the one in which points are known by their values alone."""
    frames = frames_of(run)
    standing = {name: frame_hash(frame) for name, frame in frames.items()}
    points = frames["points"]
    names = sorted(set(points.columns) - {"point", "draws"})
    labels = {int(row.point): json.dumps([str(row[name]) for name in names]) for _, row in points.iterrows()}
    pieces = []
    for table, frame in frames.items():
        for point, rows in frame.groupby("point", sort=True, observed=True):
            without = ("point", "index") if table == "claims" else ("point",)
            pieces.append((labels[int(point)], table, frame_hash(rows.reset_index(drop=True), without=without)))
    return digest_of(sorted(standing.items())), digest_of(sorted(pieces))


def digest_of(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--against", type=Path)
    wanted = parser.parse_args()
    earlier = {}
    if wanted.against:
        earlier = {line.split()[0]: line.split()[1:] for line in wanted.against.read_text().splitlines()}
    differing = []
    for path in sorted(SIMULATIONS.glob("*.toml")):
        if wanted.only and path.stem not in wanted.only:
            continue
        draws = min(wanted.draws, fastlstm.load(path).draws)
        with tempfile.TemporaryDirectory() as folder:
            run = fastlstm.run(path, Path(folder) / path.stem, overrides=[f"draws={draws}"])
            standing, by_values = hashes(run)
        verdict = ""
        if path.stem in earlier:
            same = [one == other for one, other in zip((standing, by_values), earlier[path.stem], strict=False)]
            verdict = " equal" if all(same) else " other order of points" if same[1] else " DIFFERS"
            if not same[1]:
                differing.append(path.stem)
        print(f"{path.stem:28} {standing} {by_values}{verdict}", flush=True)
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
