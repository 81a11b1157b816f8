"""The page of a report: it needs nothing but itself, says what the run says, and is whole or not there."""

import re
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest
import specs
from claimed import CLAIMS, claimed_run

import fastlstm
from fastlstm import store
from fastlstm.intervals import wilson
from fastlstm.report import choose, landscape, style, survival, trace
from fastlstm.report.answer import answer
from fastlstm.report.compare import differences
from fastlstm.report.run_data import RunData
from fastlstm.report.write import draw_all, report
from fastlstm.store.disk import Disk


@pytest.fixture(scope="module")
def whole(folder):
    """A run with all groups, its rows, and its report."""
    run = claimed_run(folder)
    assert report([run.path]) == run.path / "report.html"
    return run


@pytest.fixture(scope="module")
def drawn(short, folder):
    """The report of the short run, in a folder of its own."""
    return report([short.path], out=folder / "drawn" / "page.html")


class Parsed(HTMLParser):
    """All tags with their attributes, and the rows of all tables as texts."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.rows, self._in_cell = [], [], False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data):
        if self._in_cell:
            self.rows[-1][-1] += data

    def attributes(self, wanted):
        return [attributes for tag, attributes in self.tags if tag == wanted]


def figures(run):
    return sorted(path.name for path in (run.path / "figures").iterdir())


def contents(folder):
    """The bytes of all files, temporaries too."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_figure_of_one_run_is_a_file_and_on_the_page(whole):
    shown = [of for of in Parsed(whole.path / "report.html").attributes("svg") if of.get("role") == "img"]
    files = list((whole.path / "figures").iterdir())
    assert len(files) == len(shown) >= 16
    assert {"claim-0.svg", "claim-3.svg", "lags-dC.svg", "survival-2.svg", "survival-33.svg"} < set(figures(whole))
    assert {file.suffix for file in files} == {".svg"}
    for each in shown:
        assert len(each["aria-label"]) > 20


def test_each_draw_from_within_has_the_command_that_replays_it(whole):
    text = (whole.path / "report.html").read_text(encoding="utf-8")
    for each in trace.chosen(RunData(whole, "whole")):
        assert f"<code>fastlstm replay whole --point {each.point} --draw {each.draw}</code>" in text


def test_page_asks_for_nothing(whole):
    page = Parsed(whole.path / "report.html")
    (policy,) = [m["content"] for m in page.attributes("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "base", "form"}
    names = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "srcset", "data", "action", "poster", "background"):
                raise AssertionError((tag, name))
            if name in ("href", "xlink:href"):  # within the page, or an image in itself
                assert value.removeprefix("#") in names or value.startswith("data:image/png;base64,")
    text = (whole.path / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert "@import" not in text


def test_the_names_in_a_page_are_unique(whole):
    names = [attributes["id"] for _, attributes in Parsed(whole.path / "report.html").tags if "id" in attributes]
    assert len(names) == len(set(names))


def test_page_has_the_question_and_the_spec_as_text(whole):
    text = (whole.path / "report.html").read_text(encoding="utf-8")
    assert "<h1>Do &lt;all&gt; gradients &amp; adjoints live?</h1>" in text
    assert "<all>" not in text
    assert "seed = 7" in text


def plain(cell):
    """The number that a cell of a table says."""
    return float(cell.replace(",", "").replace("\N{MINUS SIGN}", "-"))


def check_verdicts(rows, claims, points):
    """Every row of the verdicts of a claim says what the run says."""
    assert len(rows) == len(claims)
    for cells, claim in zip(rows, claims.to_dict("records"), strict=True):
        estimate, interval, verdict, predicted, *axes, point, draws = cells
        assert int(point) == claim["point"]
        at = points.loc[claim["point"]]
        assert [float(value) for value in axes] == [at["steps"], at["default_normal_std"]]
        low, high = interval.split(" to ")
        for said, true in ((estimate, "estimate"), (low, "low"), (high, "high"), (draws, "draws")):
            assert plain(said) == pytest.approx(claim[true], rel=6e-4)
        if np.isnan(claim["predicted"]):
            assert predicted == ""
        else:
            assert plain(predicted) == pytest.approx(claim["predicted"], rel=6e-4)
        assert verdict.split()[1] == claim["verdict"]


def answered(run):
    """The claims that answer the title, whose figures stand first."""
    drawings = answer(RunData(run, "run")).drawings
    return [int(name.removeprefix("claim-")) for name in drawings if name.startswith("claim-")]


def verdict_tables(path):
    """The rows of each table of verdicts on a page, without their heads."""
    actual = []
    for row in Parsed(path).rows:
        if row[:3] == ["estimate", "95% interval", "verdict"]:
            actual.append([])
        elif actual and row[2].endswith(("holds", "fails", "undecided")):
            actual[-1].append(row)
    return actual


def test_every_number_of_the_verdicts_is_that_of_the_run(whole):
    claims, points = whole.claims(), whole.points().set_index("point")
    assert claims.groupby("claim")["claim_verdict"].first().tolist() == ["fails", "holds", "undecided", "holds"]
    shown = verdict_tables(whole.path / "report.html")
    leading = answered(whole)
    assert len(leading) == 1
    order = [*leading, *sorted({*range(len(CLAIMS))} - {*leading})]
    for rows, claim in zip(shown, order, strict=True):
        check_verdicts(rows, claims[claims["claim"] == claim], points)
    text = (whole.path / "report.html").read_text(encoding="utf-8")
    assert "✗ fails: No draw &lt;vanishes&gt;." in text
    assert "Source: nobody &amp; 1997" in text
    assert "<code>quantile(cec_cosine, 0.1)</code> <code>&gt;= 1 - steps / 20</code>" in text
    assert text.index("<h2>Claims</h2>") < text.index("<h2>Gradient over")
    assert "Of 4 claims 2 hold, 1 fails, 1 is undecided." in text


def test_figures_of_the_answer_come_before_all_else_and_once(whole):
    shown = [of["aria-label"] for of in Parsed(whole.path / "report.html").attributes("svg") if of.get("role") == "img"]
    leading = [CLAIMS[claim]["text"] for claim in answered(whole)]
    assert [label.partition(": ")[2] for label in shown[: len(leading)]] == leading
    text = (whole.path / "report.html").read_text(encoding="utf-8")
    assert text.index("<figure") < text.index('<p class="facts">') < text.index("<nav")
    assert len(shown) == len(set(shown))


ASKED = {
    "attractor": ("claim-0",),
    "heavy_tail": ("survival", "claim-7"),
    "horizon": ("lags-dC", "claim-9", "claim-7"),  # how far back, and does the length matter
    "openings": ("claim-1", "claim-0"),
}


@pytest.mark.parametrize("name", ASKED)
def test_an_answer_has_a_claim_for_each_question_and_the_figure_of_what_all_draws_say(name, tmp_path):
    run = fastlstm.run(specs.SIMS / f"{name}.toml", tmp_path / name, overrides=["draws=20"])
    sentences, drawings = answer(RunData(run, name))
    assert tuple(drawings) == ASKED[name]
    for drawing in drawings:
        if drawing.startswith("claim-"):
            text = run.spec().claim[int(drawing.removeprefix("claim-"))].text.rstrip(".")
            assert any(text in sentence for sentence in sentences)


def test_page_of_a_run_without_claims_has_no_such_section(drawn):
    assert "<h2>Claims" not in drawn.read_text(encoding="utf-8")


def test_regime_table_of_the_page_is_that_of_the_run(whole):
    rows = Parsed(whole.path / "report.html").rows
    head = next(place for place, row in enumerate(rows) if row[:4] == ["f", "i", "o", "draws"])
    overall = whole.overall()
    shown = rows[head + 1 : head + 1 + len(overall)]
    names = ["log10_grad", "log10_dh0", "log10_dC0"]
    for cells, (_, row) in zip(shown, overall.iterrows(), strict=True):
        numbers = [plain(cell) for cell in cells[3:6] + cells[7:8]]
        true = [row["draws"], row["share"], row["vanished"] / row["draws"], row["exploded"] / row["draws"]]
        numbers += [plain(cell) for cell in cells[9:]]
        true += [row[f"{name}_{q}"] for name in names for q in ("q05", "q50", "q95")]
        np.testing.assert_allclose(numbers, true, rtol=6e-4)
        assert cells[:3] == [row["regime_f"], row["regime_i"], row["regime_o"]]
        interval = [float(bound) for bound in cells[6].split(" to ")]
        np.testing.assert_allclose(interval, wilson(row["vanished"], row["draws"]), rtol=6e-4)


def test_runs_stand_side_by_side_in_the_same_scales(short, folder, monkeypatch):
    monkeypatch.setattr(choose, "FIGURES", (survival.FIGURE,))  # of more there is nothing new to see
    larger = {"default": {"normal": {"mean": 0.0, "std": 4.0}}}
    other = fastlstm.run(specs.SHORT | {"params": specs.SHORT["params"] | larger}, folder / "larger")
    with style.drawing():
        drawn = draw_all([RunData(short, "short"), RunData(other, "larger")])
    limits = [[each.figure.axes[0].get_xlim() for each in of_run["survival"]] for of_run in drawn]
    assert limits[0] == limits[1]
    report([short.path, other.path])
    assert not (short.path / "figures").exists()
    text = (folder / "report.html").read_text(encoding="utf-8")
    keys = differences(*(run.spec() for run in (short, other)))["key"]
    assert len(keys)
    assert all(text.index(f"<code>{key}</code>") < text.index('<section id="survival">') for key in keys)
    assert text.index(">short") < text.index(">larger")


def test_a_report_is_no_part_of_the_run(whole):
    assert (whole.path / "report.html").is_file()
    assert store.verify(whole.path) == []
    before = store.content_hash(whole.path)
    resumed = fastlstm.run(specs.WHOLE, whole.path)
    assert store.content_hash(resumed.path) == before
    assert (whole.path / "report.html").is_file()


def test_the_same_run_gives_the_same_bytes_whatever_the_settings_of_matplotlib(short, drawn, tmp_path):
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 20}):
        report([short.path], out=tmp_path / "page.html")
    assert contents(tmp_path) == contents(drawn.parent)
    assert len(contents(tmp_path)) > 4


def test_a_page_that_cannot_be_written_leaves_the_old_one(short, drawn, monkeypatch):
    monkeypatch.setattr(choose, "FIGURES", (landscape.FIGURE,))  # one figure is enough
    before = contents(drawn.parent)
    written = []

    def fill_up(self, descriptor, data, write=Disk.write):
        written.append(len(data))
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        write(self, descriptor, data)

    monkeypatch.setattr(Disk, "write", fill_up)
    with pytest.raises(store.DiskError, match="No space"):
        report([short.path], out=drawn)
    assert contents(drawn.parent) == before
