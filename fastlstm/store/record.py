"""The record of a run, _run.json: its spec, its layout, and who wrote into the directory."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastlstm.store.disk import Disk, NotAFile, put
from fastlstm.store.errors import Damaged, OtherFormat, OtherSpec
from fastlstm.store.folder import PART_FILE, RUN, SPEC, Finding, look
from fastlstm.store.journal import FORMAT, RunId, Stored, natural, seal, unseal

_RUN_LOCK = "_lock-run"


def now() -> str:
    """The time for the record; no decision is taken from it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def run_id(record: dict[str, Any]) -> RunId:
    """What the lines of a run's journals carry."""
    return RunId.of(record["spec_hash"], record["layout"]["part_draws"])


def read_record(disk: Disk, path: Path) -> dict[str, Any] | None:
    """The record in _run.json; None if it is missing or damaged. Raises OtherFormat."""
    try:
        record = unseal(disk.read(path / RUN))
    except (FileNotFoundError, NotADirectoryError, NotAFile):
        return None
    if record is None:
        return None
    made_in = record.get("format", 0)
    if made_in != FORMAT:
        newer = isinstance(made_in, int) and made_in > FORMAT
        raise OtherFormat(
            f"{path} is in format {made_in!r:.20} of run directories, and this fastlstm reads and writes format "
            f"{FORMAT}: {'install a newer fastlstm' if newer else 'use the fastlstm that wrote it'}, or run the spec "
            "into a new directory"
        )
    return record if _is_record(record) else None


def _is_record(record: dict[str, Any]) -> bool:
    """Whether a record holds what fastlstm writes; what was sealed by something else may not."""
    try:
        Stored.read(record["spec"])
        sizes = [natural(record["layout"][name]) for name in ("points", "draws", "part_draws")]
        for session in record["sessions"]:
            natural(session["draws"])
            texts = [session["started"], session["ended"] or "", session["shard"] or ""]
            if not all(isinstance(text, str) for text in texts) or not isinstance(session["provenance"], dict):
                return False
        if record["totals"] is not None:
            sizes += [natural(record["totals"][name]) + 1 for name in ("parts", "draws", "rows", "tables")]
    except (KeyError, TypeError, ValueError):
        return False
    texts = [record.get("spec_hash"), record.get("created"), record.get("finished") or ""]
    return all(isinstance(text, str) for text in texts) and "finished" in record and all(sizes)


@contextmanager
def record_locked(disk: Disk, path: Path) -> Iterator[None]:
    lock = disk.lock(path / _RUN_LOCK, wait=True)
    try:
        yield
    finally:
        disk.close(lock)


def change_record(disk: Disk, path: Path, change: Callable[[dict[str, Any]], None], *, tag: str = "") -> dict[str, Any]:
    with record_locked(disk, path):
        record = read_record(disk, path)
        if record is None:
            raise Damaged(f"{path / RUN} was removed or damaged while the run was at work")
        change(record)
        put(disk, {path / RUN: seal(record, indent=1)}, tag=tag)
    return record


def unfinish(record: dict[str, Any]) -> None:
    record.update(finished=None, totals=None)


def recover_record(
    disk: Disk, path: Path, spec: bytes, spec_hash: str, layout: Mapping[str, Any], *, tag: str
) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """The record of a directory that is opened to be written into, made if it is new, and the spec beside it.

    Also what is missing or not whole. The record is locked. Raises OtherSpec, OtherFormat, Damaged.
    """
    dropped: tuple[Finding, ...] = ()
    record = read_record(disk, path)
    try:
        stored_spec = disk.read(path / SPEC)
    except (FileNotFoundError, NotAFile):
        stored_spec = b""
    if record is not None and record["spec_hash"] != spec_hash:
        raise OtherSpec(path, stored_spec.decode(errors="replace"))
    if record is not None and Stored.of(stored_spec) == Stored(*record["spec"]):
        return record, dropped
    if record is None:
        dropped = _start_again(disk, path, sharded=bool(tag), same_spec=stored_spec == spec)
        begun = {"format": FORMAT, "spec_hash": spec_hash, "layout": dict(layout), "created": now(), "sessions": []}
        record = begun
        unfinish(record)
    record["spec"] = Stored.of(spec)
    for name, data in {SPEC: spec, RUN: seal(record, indent=1)}.items():
        put(disk, {path / name: data}, tag=tag)
    return record, dropped


def _start_again(disk: Disk, path: Path, *, sharded: bool, same_spec: bool) -> tuple[Finding, ...]:
    """Clear the way for a new record: nothing, unless the old one was lost.

    With it the layout is lost, and so what the parts are parts of: they are made again.
    """
    content = look(disk, path)
    if not (any(content.journals.values()) or any(map(PART_FILE.fullmatch, content.files))):
        return ()
    if sharded or not same_spec:
        raise Damaged(
            f"{path} holds draws, but its {RUN} is missing or damaged: give another directory, "
            "remove this one, or run the same spec in it without shards, which makes its draws again"
        )
    for name in content.journals:
        disk.remove(path / name)
    return (Finding(RUN, "missing or damaged; all parts are made again"),)
