"""The files of a report: their formats and names, what they replace, and the command that writes them."""

import os

import pytest
from commands import call_here
from PIL import Image

from fastlstm.report import choose, landscape
from fastlstm.report.write import UnknownFormat, report
from fastlstm.store import NotReplaceable


@pytest.fixture
def only_landscape(monkeypatch):
    """Tests of files and faces need no more than one figure, and drawing takes time."""
    monkeypatch.setattr(choose, "FIGURES", (landscape.FIGURE,))


def test_figures_are_written_in_each_format_that_is_asked_for(short, tmp_path, only_landscape):
    report([short.path], out=tmp_path / "page.html", formats=["pdf", "png"])
    assert {path.name for path in (tmp_path / "page-figures").iterdir()} == {"landscape.pdf", "landscape.png"}
    assert (tmp_path / "page-figures" / "landscape.pdf").read_bytes().startswith(b"%PDF")
    picture = Image.open(tmp_path / "page-figures" / "landscape.png")
    darkest, lightest = picture.convert("L").getextrema()  # neither empty nor without paper
    assert darkest < 60
    assert lightest > 250
    with pytest.raises(ValueError, match="gif"):
        report([short.path], out=tmp_path / "page.html", formats=["gif"])


def test_a_name_that_ends_in_pdf_becomes_one(short, tmp_path, only_landscape):
    assert report([short.path], out=tmp_path / "paper.pdf") == tmp_path / "paper.pdf"
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")
    assert list(tmp_path.iterdir()) == [tmp_path / "paper.pdf"]


def test_nothing_but_a_file_is_replaced_by_a_page(short, tmp_path, only_landscape):
    os.mkfifo(tmp_path / "pipe.html")
    (tmp_path / "link.html").symlink_to(tmp_path / "elsewhere.html")
    for name, error in (("pipe.html", NotReplaceable), ("link.html", NotReplaceable), ("page.docx", UnknownFormat)):
        with pytest.raises(error):
            report([short.path], out=tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.html", "pipe.html"]
    (tmp_path / "folder").mkdir()
    assert report([short.path], out=tmp_path / "folder") == tmp_path / "folder" / "report.html"


def test_figures_that_no_longer_fit_go_and_those_of_others_stay(short, folder, only_landscape):
    target = folder / "again"
    (target / "figures").mkdir(parents=True)
    for name in ("phase.png", "lags-3.png", "survival-dh-20.svg", "my own.png", "phase.gif"):
        (target / "figures" / name).write_bytes(b"old")
    report([short.path], out=target / "report.html")
    actual = {path.name for path in (target / "figures").iterdir()}
    assert actual == {"landscape.svg", "my own.png", "phase.gif"}


def test_report_prints_the_path_of_the_page(short, folder, only_landscape):
    done = call_here("report", "short", "--out", "page.html", folder=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "page.html\n", "")
    assert (folder / "page.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [(["nowhere"], 1, "not a run directory"), (["unfinished"], 1, "when the run ends"), ([], 2, "DIR")],
)
def test_what_cannot_be_reported_is_named(short, folder, arguments, code, told):
    if not (folder / "unfinished").exists():
        (folder / "unfinished").mkdir()
        for name in ("_spec.toml", "_run.json"):
            (folder / "unfinished" / name).write_bytes((short.path / name).read_bytes())
    done = call_here("report", *arguments, folder=folder)
    assert done.returncode == code
    assert told in done.stderr
    assert not (folder / "nowhere").exists()
    assert not (folder / "unfinished" / "report.html").exists()
