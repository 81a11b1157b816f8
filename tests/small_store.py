"""A small run of the store's tests, whose values are functions of point and draw alone, and a disk that can fail."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fastlstm.store import (
    DiskError,
    EncodedPart,
    NotARun,
    NotThere,
    PartEntry,
    PartId,
    RunDirectory,
    content_hash,
    encode_part,
    read_counts,
    read_rows,
    status,
    verify,
)
from fastlstm.store.disk import Disk

SPEC = {"spec_text": "draws = 48\n", "spec_hash": "5bec", "provenance": {"fastlstm": "0.1"}}
POINTS, DRAWS = 2, 48
LABELS = ["left", "mid", "right"]


# The run of these tests: two points of 48 draws, every value a function of point and draw alone.


def rows_of(point: int, first: int, draws: int) -> pa.Table:
    ids = np.arange(first, first + draws)
    codes = np.where(ids < 8, 0, ids % 3).astype(np.int8)  # the first parts lack two labels
    columns = {
        "draw": pa.array(ids),
        "log10_grad": pa.array(np.sin(ids * 1.7 + point).astype(np.float32)),
        "b_f": pa.array(np.full(draws, 2.0 * point, np.float32)),
        "regime_f": pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(LABELS), ordered=True),
        "exploded": pa.array(ids % 5 == 0),
    }
    return pa.table(columns).replace_schema_metadata({"PANDAS_ATTRS": json.dumps({"title": "a test"})})


def counts_of(point: int, first: int, draws: int) -> pa.Table:
    return pa.table({"bin": [point, 7], "count": [draws, first]})


def plan(blocks_per_part: int) -> Iterator[tuple[PartId, int, int]]:
    size = 8 * blocks_per_part
    for point in range(POINTS):
        for number, first in enumerate(range(0, DRAWS, size)):
            yield PartId(point, number), first, min(size, DRAWS - first)


def begin(path: Path, *, blocks_per_part: int = 3, **changes: Any) -> RunDirectory:
    layout = {"points": POINTS, "draws": DRAWS, "part_draws": 8 * blocks_per_part}
    return RunDirectory.open(path, **({"layout": layout, "disk": Stage()} | SPEC | changes))


def encoded(part: PartId, first: int, draws: int, *, keep_rows: bool = True, **changes: Any) -> EncodedPart:
    rows = rows_of(part.point, first, draws) if keep_rows else None
    tables = {"rows": rows, "counts": counts_of(part.point, first, draws)} | changes
    return encode_part(part, first_draw=first, draws=draws, **tables)


def commit(run: RunDirectory, part: PartId, first: int, draws: int, **changes: Any) -> PartEntry:
    made = encoded(part, first, draws, **changes)
    run.commit(made)
    return made.entry


def do_all(path: Path, **changes: Any) -> list[PartId]:
    """Run whatever is left of the whole run; the parts that were made now."""
    made = []
    with begin(path, **changes) as run:
        if not run.finished:
            run.write_table("points", pa.table({"point": list(range(POINTS))}))
        for part, first, draws in plan(run.layout["part_draws"] // 8):
            if part not in run.committed:
                commit(run, part, first, draws)
                made.append(part)
        merged = [table["count"][0].as_py() for _, table in read_counts(path)]
        run.write_table("points", pa.table({"point": list(range(POINTS)), "draws": [sum(merged) // POINTS] * POINTS}))
        run.write_table("regimes", pa.table({"regime": pa.array(["left", None, "right"]), "share": [0.5, 0.25, None]}))
        run.finish()
    return made


class Stage:
    """Stands in for the disk: writes down every step, asks `before` first, and leaves out the slow syncing.

    `before` may raise, in which case a write has got half of its bytes onto the disk, and a close has
    happened.
    """

    def __init__(self, before: Callable[[int, str], None] = lambda number, step: None) -> None:
        self.disk = Disk()
        self.before = before
        self.steps: list[tuple[str, tuple[Any, ...]]] = []
        self.open: set[int] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            self.steps.append((name, arguments))
            try:
                self.before(len(self.steps) - 1, name)
            except BaseException as fault:
                if name == "write":
                    descriptor, data = arguments
                    self.disk.write(descriptor, memoryview(data)[: len(data) // 2])
                if name == "close" and isinstance(fault, OSError):
                    self.forget(*arguments)
                    self.disk.close(*arguments)
                raise
            if name in ("sync", "sync_folder"):
                return None
            if name == "close":
                self.forget(*arguments)
            result = getattr(self.disk, name)(*arguments, **options)
            if name in ("lock", "create", "open_at"):
                self.open.add(result)
            return result

        return step

    def forget(self, descriptor: int) -> None:
        self.open.discard(descriptor)

    def bury(self) -> None:
        """What the kernel does for a process that died."""
        for descriptor in self.open:
            os.close(descriptor)
        self.open.clear()


class Died(BaseException):
    """Raised by every step from the fatal one on, so that no clean-up can happen."""


def fails_once(number: int) -> Callable[[int, str], None]:
    def before(step: int, name: str) -> None:
        if step == number:
            raise OSError(errno.EIO, "Input/output error")

    return before


def is_full_from(number: int) -> Callable[[int, str], None]:
    def before(step: int, name: str) -> None:
        if step >= number and name in NEEDS_ROOM:
            raise OSError(errno.ENOSPC, "No space left on device")

    return before


def dies_at(number: int) -> Callable[[int, str], None]:
    def before(step: int, name: str) -> None:
        if step >= number:
            raise Died

    return before


NEEDS_ROOM = ("create", "write", "make_folder", "sync")
FAULTS = [fails_once, is_full_from, dies_at]


def places(fault: Callable[..., Any], work: Callable[[Stage], object]) -> list[int]:
    """The steps of undisturbed work at which the fault makes a difference."""
    stage = Stage()
    work(stage)
    steps = [name for name, _ in stage.steps]
    return [number for number, name in enumerate(steps) if fault is not is_full_from or name in NEEDS_ROOM]


def suffers(work: Callable[[Stage], object], before: Callable[[int, str], None]) -> bool:
    """Whether the fault stopped the work."""
    stage = Stage(before)
    try:
        work(stage)
    except (DiskError, Died):
        return True
    finally:
        stage.bury()
    return False


def files_of(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def assert_nothing_wrong_is_read(path: Path) -> None:
    """What can be read is right, though it may be less than all."""
    try:
        frame = read_rows(path)
    except (NotARun, NotThere):
        return
    assert len(frame) == status(path).rows
    assert not frame.duplicated(["point", "draw"]).any()
    assert frame.log10_grad.equals(np.sin(frame.draw * 1.7 + frame.point).astype(np.float32))


def assert_nothing_unfinished_is_left(path: Path) -> None:
    try:
        problems = verify(path)
    except NotARun:
        problems = []
    assert problems == []
    assert not [file for file in files_of(path) if file.endswith(".partial")]


def assert_whole(path: Path, undisturbed: str) -> None:
    assert verify(path) == []
    assert content_hash(path) == undisturbed
    frame = read_rows(path, columns=["point", "draw"])
    assert list(frame.itertuples(index=False, name=None)) == [(p, d) for p in range(POINTS) for d in range(DRAWS)]
    assert status(path).draws == POINTS * DRAWS
    assert status(path).finished is not None
