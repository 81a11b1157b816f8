"""Changes to journals, records and names of a run, as somebody may make them: what is drawn, and what it does.

A change may be clumsy, or carry a check of its own that is right, as if another program had written it.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fastlstm.store.journal import COUNTS, Stored, seal, unseal
from fastlstm.store.parquet import footer

LOGS = ["_journal.jsonl", "_journal-1-of-2.jsonl"]
RECORDS = ["_run.json", "_spec.toml"]
PARTS = [f"{kind}/point={point:04d}/part-{part:08d}.parquet" for kind in ("draws", "counts") for point in range(2)
         for part in range(2)]  # fmt: skip
TABLES = ["points.parquet", "regimes.parquet", "histograms.parquet", "claims.parquet"]
NAMES = [*LOGS, *RECORDS, *PARTS, *TABLES, "draws/point=0000/part-99999999.parquet", "draws/point=-001/part-0.parquet",
         ".x.partial", "._run.json.partial", "_lock", "_lock-run", "_lock-9-of-9", "_journal-0-of-0.jsonl"]  # fmt: skip

texts = st.sampled_from(
    ["", "../victim", "/etc/passwd", "points", "regimes", "..", "\0", "\x1b[2J", "\udc80", "a" * 300]
)
numbers = st.sampled_from([-1, 0, 1, 2, 48, 1024, 2**31, 2**63, 10**30, 0.5, float("nan"), float("inf"), True])
leaves = st.one_of(st.none(), texts, numbers)
values = st.one_of(leaves, st.lists(leaves, max_size=4), st.dictionaries(texts, leaves, max_size=2), st.just("deep"))
changes = st.one_of(
    st.tuples(st.just("bytes"), st.sampled_from([*LOGS, *RECORDS]), st.integers(0, 10**6), st.binary(max_size=9)),
    st.tuples(st.just("cut"), st.sampled_from([*LOGS, *RECORDS, *PARTS, *TABLES]), st.integers(0, 10**6)),
    st.tuples(st.just("lines"), st.sampled_from(LOGS), st.integers(0, 99), st.integers(0, 99)),
    st.tuples(st.just("seal"), st.sampled_from([*LOGS, "_run.json"]), st.integers(0, 99), st.integers(0, 99), values),
    st.tuples(st.just("other key"), st.sampled_from([*LOGS, "_run.json"]), st.integers(0, 99), texts, values),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("copy"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(
        st.just("link"), st.sampled_from([*NAMES, "draws", "counts"]), st.sampled_from(["file", "folder", "gone"])
    ),
    st.tuples(st.just("adopt"), st.sampled_from([*PARTS, *TABLES]), st.sampled_from([*PARTS, *TABLES, "empty", "cut"])),
    st.tuples(st.just("pipe"), st.sampled_from(NAMES)),
    st.tuples(st.just("folder"), st.sampled_from(NAMES)),
)


def places(record: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value where something else can be put: the container, and the key or index."""
    pairs = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    return [place for key, value in list(pairs) for place in [(record, key), *places(value)]]


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.name.endswith("jsonl") else [path.read_bytes()]


def sealed_anew(text: bytes, change: Any) -> bytes:
    record = unseal(text)
    if record is None:
        return text
    change(record)
    deep = b"[" * 100_000 + b"]" * 100_000
    sealed = seal(record)
    if b'"deep"' not in sealed:
        return sealed
    head = sealed.rpartition(b',"check":"')[0].replace(b'"deep"', deep)
    return seal_of_text(head)


def seal_of_text(head: bytes) -> bytes:
    return head + b',"check":"%s"}\n' % hashlib.sha256(head).hexdigest()[:16].encode()


def vouch_for(run: Path, name: str, data: bytes) -> None:
    """Let the journal say of a table or part that these are the bytes that were written."""
    journal = run / "_journal.jsonl"
    if journal.is_symlink() or not journal.is_file():
        return
    stored, end = Stored.of(data), Stored.of(footer(memoryview(data))) if len(data) > 8 else Stored.of(data)

    part = [int(digits) for digits in re.findall(r"\d+", name)]

    def vouch(record: dict[str, Any]) -> None:
        if record.get("table") == name.removesuffix(".parquet"):
            record["stored"] = stored
        if record.get("part") == part:
            record |= {"counts": stored} if name.startswith(COUNTS) else {"rows": stored, "footer": end}

    journal.write_bytes(b"".join(sealed_anew(line, vouch) for line in lines_of(journal)))


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)


def is_within(run: Path, path: Path) -> bool:
    """Whether a path stays in the run, whatever an earlier mutation has put in place of its folders."""
    folders = [folder for folder in path.parents if folder != run and run in folder.parents]
    return not any(folder.is_symlink() or (folder.exists() and not folder.is_dir()) for folder in folders)


def mutate(run: Path, mutation: tuple[Any, ...]) -> None:
    """Change a run as a mutation says; nothing where what it is about is not there."""
    kind, name, *rest = mutation
    path = run / name
    if not all(is_within(run, run / each) for each in [name, *rest] if isinstance(each, str)):
        return
    if kind not in ("link", "pipe", "folder") and (path.is_symlink() or not path.is_file()):
        return
    match kind, rest:
        case "bytes", (place, data):
            text = path.read_bytes()
            place %= len(text) + 1
            path.write_bytes(text[:place] + data + text[place + len(data) // 2 :])
        case "cut", (length,):
            path.write_bytes(path.read_bytes()[: length % (path.stat().st_size + 1)])
        case "lines", (one, other):
            lines = lines_of(path)
            if lines:
                lines.insert(other % (len(lines) + 1), lines[one % len(lines)])
                path.write_bytes(b"".join(lines))
        case "seal", (line, place, value):
            lines = lines_of(path)

            def change(record: dict[str, Any]) -> None:
                record.pop("check", None)
                spots = places(record)
                container, key = spots[place % len(spots)]
                container[key] = value

            if lines:
                lines[line % len(lines)] = sealed_anew(lines[line % len(lines)], change)
                path.write_bytes(b"".join(lines))
        case "other key", (line, key, value):
            lines = lines_of(path)

            def add(record: dict[str, Any]) -> None:
                record.pop("check", None)
                if key and key in record:
                    record.pop(key)
                else:
                    record.pop(sorted(record)[line % len(record)])
                    record[key] = value

            if lines:
                lines[line % len(lines)] = sealed_anew(lines[line % len(lines)], add)
                path.write_bytes(b"".join(lines))
        case "rename" | "copy", (other,):
            if other != name:
                data = path.read_bytes()
                clear(run / other)
                (run / other).write_bytes(data)
                if kind == "rename":
                    path.unlink()
        case "adopt", (other,):
            source = run / other
            if not source.is_symlink() and (source.is_file() or other in ("empty", "cut")):
                data = source.read_bytes() if source.is_file() else b"" if other == "empty" else path.read_bytes()[:-20]
                path.write_bytes(data)
                vouch_for(run, name, data)
        case "link", (where,):
            beside = run.parent / "beside"
            clear(path)
            path.symlink_to({"file": beside / "victim.parquet", "folder": beside / "draws", "gone": "gone"}[where])
        case "pipe", ():
            clear(path)
            os.mkfifo(path)
        case "folder", ():
            clear(path)
            path.mkdir()
