"""Every file is created exclusively and through no link, and what is no file is never replaced."""

import ast
import os
from pathlib import Path

import pytest
from small_store import begin, commit, do_all, plan

from fastlstm.store import NotReplaceable, status, write_files
from fastlstm.store.disk import Disk, NotAFile, make_folders, put

PACKAGE = Path(__file__).parents[1] / "fastlstm"
# What opens files, and what for: the store's one way to write, Numba's cache, figures drawn into memory, specs and
# series, read without waiting for a pipe, /dev/null in place of a closed stream, and CSV as a text.
OPENS = {"store/disk.py", "kernel/lanes/cache.py", "report/render.py", "spec/files.py", "cli/app.py", "cli/replays.py"}
WRITERS = {"write_text", "write_bytes", "savefig", "to_parquet", "to_csv", "tofile", "savez", "copyfile", "symlink_to"}


def opening_calls(source: str) -> list[str]:
    """Calls in a source text that may open a file to write into it."""
    calls = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            texts = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            writes = any(set(text) & set("wax+") and len(text) <= 3 for text in texts)
            low_level = name == "open" and "os" in ast.dump(node.func)
            if name in WRITERS or low_level or (name in ("open", "fdopen") and writes):
                calls.append(name)
    return calls


@pytest.mark.parametrize("source", ["open(p, 'w')", "p.open('ab')", "os.open(p, os.O_WRONLY)", "p.write_bytes(b'')"])
def test_every_way_of_writing_is_seen(source):
    assert opening_calls(source)


def test_no_other_module_opens_files_to_write():
    sources = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    writers = {name for name, source in sources.items() if opening_calls(source)}
    assert writers <= OPENS


def opened_flags(monkeypatch):
    """Write down the flags of every file that is opened."""
    flags, plain = [], os.open
    monkeypatch.setattr(os, "open", lambda path, how, *rest, **options: flags.append((str(path), how)) or plain(
        path, how, *rest, **options
    ))  # fmt: skip
    return flags


def test_every_file_of_a_run_is_created_exclusively_and_no_link_is_followed(tmp_path, monkeypatch):
    flags = opened_flags(monkeypatch)
    do_all(tmp_path / "run", disk=Disk())
    with begin(tmp_path / "shard", shard=(1, 2), disk=Disk()) as run:
        commit(run, *next(plan(3)))
    write_files({tmp_path / "new" / "page.html": b"page"})
    writing = [(path, how) for path, how in flags if how & (os.O_WRONLY | os.O_RDWR)]
    created = [(path, how) for path, how in writing if how & os.O_CREAT]
    assert len(created) > 20
    assert all(how & os.O_NOFOLLOW for _, how in writing)
    assert all(how & os.O_EXCL for path, how in created if "_lock" not in Path(path).name)
    assert not any(how & os.O_TRUNC for _, how in writing)


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "file"])
def test_what_waits_under_a_temporary_name_is_replaced_and_not_written_through(tmp_path, kind):
    victim, waiting = tmp_path / "victim", tmp_path / ".page.partial"
    victim.write_text("precious")
    match kind:
        case "link":
            waiting.symlink_to(victim)
        case "dangling link":
            waiting.symlink_to(tmp_path / "new")
        case "pipe":
            os.mkfifo(waiting)
        case "file":
            os.link(victim, waiting)
    put(Disk(), {tmp_path / "page": b"page"})
    assert (tmp_path / "page").read_bytes() == b"page"
    assert victim.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page", "victim"]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device"])
def test_report_replaces_a_file_and_nothing_else(tmp_path, kind):
    place, other = tmp_path / "report.html", tmp_path / "figure.png"
    match kind:
        case "link":
            place.symlink_to("/dev/null")
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "device":
            place = Path("/dev/null")
    before = place.lstat()
    with pytest.raises(NotReplaceable, match=f"{place} is a .*; give a new name, or a file to replace"):
        write_files({other: b"figure", place: b"page"})
    assert place.lstat() == before
    assert not other.exists()


def test_files_are_replaced_together_and_the_obsolete_ones_go(tmp_path):
    old = tmp_path / "old.png"
    for path in (old, tmp_path / "page.html"):
        path.write_text("old")
    write_files({tmp_path / "page.html": b"page", tmp_path / "figures/new.png": b"figure"}, obsolete=[old])
    assert (tmp_path / "page.html").read_bytes() == b"page"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["figures", "new.png", "page.html"]


def test_what_is_no_file_is_neither_read_nor_locked_nor_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    disk = Disk()
    for name in ("pipe", "device", "."):
        with pytest.raises(NotAFile):
            disk.read(tmp_path / name)
    for open_it in (lambda: disk.lock(tmp_path / "pipe"), lambda: disk.open_at(tmp_path / "pipe", 0)):
        with pytest.raises(OSError, match=r"Not a regular file|No such device"):
            open_it()
    for open_it in (lambda: disk.lock(tmp_path / "device"), lambda: disk.open_at(tmp_path / "device", 0)):
        with pytest.raises(OSError, match="symbolic links"):
            open_it()


def test_folder_of_parts_is_no_link_but_the_run_may_lie_behind_one(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to("elsewhere")
    do_all(tmp_path / "run")
    assert status(tmp_path / "run").finished
    (tmp_path / "linked").symlink_to("elsewhere")
    with pytest.raises(FileExistsError):
        Disk().make_folder(tmp_path / "linked")
    make_folders(Disk(), tmp_path / "linked" / "deeper")
    assert (tmp_path / "elsewhere" / "deeper").is_dir()
