"""Reports: the figures fit the run, say what is in it, and the page needs nothing but itself."""

import os
import re
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest
import specs
from commands import call_here
from PIL import Image

import fastlstm
from fastlstm import store
from fastlstm.intervals import wilson
from fastlstm.report import choose, fates, landscape, run_data, style, survival, trace
from fastlstm.report.answer import answer
from fastlstm.report.compare import differences
from fastlstm.report.run_data import RunData
from fastlstm.report.tally import Tally
from fastlstm.report.write import UnknownFormat, draw_all, report
from fastlstm.store import NotReplaceable
from fastlstm.store.disk import Disk
from fastlstm.tables.counts import bin_edges

# One of each verdict, and one of more points than are shown at once
CLAIMS = [
    {"text": "No draw <vanishes>.", "source": "nobody & 1997", "statistic": "share(vanished)", "predicts": "<= 0"},
    {
        "text": "The truncated gradient points where the full one does.",
        "statistic": "quantile(cec_cosine, 0.1)",
        "predicts": ">= 1 - steps / 20",
        "where": "steps == 2",
    },
    {
        "text": "The median is this number.",
        "statistic": "median(log10_grad)",
        "predicts": "== -1.045",
        "tolerance": 0.001,
        "where": "point == 0",
    },
    {
        "text": "Larger weights, smaller adjoints.",
        "statistic": "median(log10_dC0)",
        "predicts": "falls along default_normal_std",
    },
]
TITLE = "Do <all> gradients & adjoints live?"  # what HTML must not take for its own


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def whole(folder):
    """A run with all groups, its rows, and its report."""
    run = fastlstm.run(specs.WHOLE | {"title": TITLE, "claim": CLAIMS}, folder / "whole")
    assert report([run.path]) == run.path / "report.html"
    return run


@pytest.fixture(scope="module")
def short(folder):
    return fastlstm.run(specs.SHORT, folder / "short")


@pytest.fixture(scope="module")
def drawn(short, folder):
    """The report of the short run, in a folder of its own."""
    return report([short.path], out=folder / "drawn" / "page.html")


@pytest.fixture(scope="module")
def rowless(folder):
    return fastlstm.run(specs.WHOLE | {"store": {"rows": "none", "dtype": "float64"}}, folder / "rowless")


@pytest.fixture
def only_landscape(monkeypatch):
    """Tests of files and faces need no more than one figure, and drawing takes time."""
    monkeypatch.setattr(choose, "FIGURES", (landscape.FIGURE,))


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


# What is drawn


def kinds(run):
    return [kind.name for kind in choose.chosen(RunData(run, "run"))]


def test_figures_fit_what_was_measured_and_kept(whole, short, rowless):
    before = ["claim", "fates", "landscape", "lags", "survival", "phase", "truncation", "saturation"]
    assert kinds(whole) == [*before, "gate_gradients", "cell", "trace"]
    assert kinds(rowless) == ["regime_map", "lags", "survival", "phase", "truncation", "trace"]
    assert kinds(short) == ["fates", "landscape", "survival", "saturation", "trace"]


def test_every_figure_of_one_run_is_a_file_and_on_the_page(whole):
    shown = [of for of in Parsed(whole.path / "report.html").attributes("svg") if of.get("role") == "img"]
    files = list((whole.path / "figures").iterdir())
    assert len(files) == len(shown) >= 16
    assert {"claim-0.svg", "claim-3.svg", "lags-dC.svg", "survival-2.svg", "survival-33.svg"} < set(figures(whole))
    assert {file.suffix for file in files} == {".svg"}
    for each in shown:
        assert len(each["aria-label"]) > 20


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


def test_fates_have_the_shares_of_the_rows(short):
    rows = short.draws()
    cell = rows[(rows["f_mean"].between(0.7, 0.9)) & (rows["i_mean"].between(0.1, 0.3)) & (rows["regime_o"] == "mid")]
    shown = fates.shares(RunData(short, "short"), 1)
    assert len(cell) >= fates.FEW
    column, row = landscape.EDGES.index(0.7), landscape.EDGES.index(0.1)
    true = {
        "vanishes": cell["vanished"] & ~cell["exploded"],
        "lives": ~cell["vanished"] & ~cell["exploded"],
        "explodes": cell["exploded"],
    }
    for fate, marks in true.items():
        assert shown[fate][row, column] == pytest.approx(marks.mean())


def test_landscape_has_the_median_and_the_count_of_each_cell_and_none_where_it_is_empty():
    random = np.random.default_rng(0)
    f, i = random.beta(0.3, 0.3, (2, 999))
    values = random.normal(size=999)
    values[::7] = -np.inf
    i[i > 0.999] = 0.5  # an empty row
    actual, draws = landscape.medians(f, i, values)
    assert draws.sum() == 999
    assert not draws[-1].any()
    for row, column in np.ndindex(actual.shape):
        low_f, high_f = landscape.EDGES[column : column + 2]
        low_i, high_i = landscape.EDGES[row : row + 2]
        cell = np.sort(values[(f >= low_f) & (f < high_f) & (i >= low_i) & (i < high_i)])
        assert draws[row, column] == len(cell)
        np.testing.assert_equal(actual[row, column], cell[(len(cell) - 1) // 2] if len(cell) else np.nan)


def test_landscape_of_a_loss_at_the_end_shows_what_can_vanish(whole, folder):
    last = fastlstm.run(specs.case("choice, last output, float32"), folder / "last")
    rows = last.draws()
    values, name = landscape.gradient(RunData(last, "last"))
    np.testing.assert_array_equal(values, np.maximum(rows["log10_dh0"], rows["log10_dC0"]))
    assert "dC" in name
    values, _ = landscape.gradient(RunData(whole, "whole"))
    np.testing.assert_array_equal(values, whole.draws()["log10_grad"])


def test_tallies_have_the_quantiles_and_shares_of_the_rows(whole):
    seen, rows = RunData(whole, "whole"), whole.draws()
    for measure, width in (("log10_J_hh", 1 / 32), ("lyapunov_1", 1 / 128), ("cec_rel_error", 1 / 128)):
        for points in (None, np.array([1, 3])):
            values = rows[measure][slice(None) if points is None else rows["point"].isin(points)]
            tally = seen.tally(measure, points)
            assert tally.draws == len(values)
            for q, value in tally.quantiles().items():
                assert value == pytest.approx(np.quantile(values, q), abs=2 * width * max(1, abs(value)))
            assert tally.share_above(0.0) == (values >= 0).mean()
            at, above = tally.survival()
            assert above[0] == 1.0
            assert at[0] == values.min()
            for place in (3, len(at) // 2, -1):
                assert above[place] == (values >= np.float32(at[place]) * (1 - 1e-7 * np.sign(at[place]))).mean()
    of_regime = seen.tally("log10_grad", regimes=np.arange(9))
    assert of_regime.draws == (rows["regime_f"] == "left").sum()


def test_the_draws_from_within_are_typical_largest_and_smallest(whole, short, rowless):
    rows = whole.draws()
    chosen = {each.which: each for each in trace.chosen(RunData(whole, "whole"))}
    for which, place in (("largest", rows["lyapunov_1"].idxmax()), ("smallest", rows["lyapunov_1"].idxmin())):
        assert (chosen[which].point, chosen[which].draw) == tuple(rows.loc[place, ["point", "draw"]])
    typical = rows[(rows["point"] == chosen["typical"].point) & (rows["draw"] == chosen["typical"].draw)]
    assert typical["lyapunov_1"].item() == rows["lyapunov_1"].quantile(0.5, interpolation="lower")
    adjoint = short.draws()[["log10_dh_max", "log10_dC_max"]].max(axis=1)
    largest = short.draws().loc[adjoint.idxmax()]
    (shown,) = [each for each in trace.chosen(RunData(short, "short")) if each.which == "largest"]
    assert (shown.point, shown.draw) == (largest["point"], largest["draw"])
    assert trace.chosen(RunData(rowless, "rowless"))[0][:2] == (3, 0)
    assert trace.chosen(RunData(whole, "whole", (2, 7)))[0][:2] == (2, 7)


def test_each_draw_from_within_has_the_command_that_replays_it(whole):
    text = (whole.path / "report.html").read_text(encoding="utf-8")
    for each in trace.chosen(RunData(whole, "whole")):
        assert f"<code>fastlstm replay whole --point {each.point} --draw {each.draw}</code>" in text


def test_survival_has_curves_along_the_axis_that_changes_the_tail_most(whole, short):
    rows = short.draws()
    large = rows["log10_dh_max"] >= 0
    above = {axis: np.log10(large.groupby(rows[axis], observed=True).mean()) for axis in ("b_f", "b_i_law")}
    assert np.ptp(above["b_f"]) > 1.2 * np.ptp(above["b_i_law"])
    assert survival.telling_axis(RunData(short, "short"), "log10_dh_max") == "b_f"
    seen = RunData(whole, "whole")
    assert survival.telling_axis(seen, "log10_J_hh", np.array([0, 1])) == "default_normal_std"  # T is the same there


def test_a_curve_of_survival_counts_only_the_draws_above():
    bins, counts = np.array([-64, 8, 64]), np.array([997, 2, 1])
    lower, upper = bin_edges(bins, 1 / 32)
    tally = Tally(bins, counts, lower[0], upper[2], 1 / 32)
    values, above = survival.curve(tally, -1.0)
    assert lower[0] < -1 < lower[1]
    assert values.tolist() == [-1.0, lower[1], lower[2], upper[2]]
    assert above.tolist() == [0.003, 0.003, 0.001, 0.001]  # of each value and of all since the one before
    assert [len(part) for part in survival.curve(tally, upper[2] + 1)] == [0, 0]
    assert [tally.share_above(log) for log in (-0.5, 1.0)] == [0.003, 0.001]


def test_of_many_rows_the_first_draws_of_each_point_are_read(short, monkeypatch):
    monkeypatch.setattr(run_data, "MOST_ROWS", 120)
    seen = RunData(short, "short")
    rows = seen.rows("point", "draw", "f_mean")
    assert np.bincount(rows["point"]).tolist() == [20] * 6
    assert rows["draw"].max() == 19
    assert seen.is_sampled


# The page


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


# The files


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


def test_figures_that_no_longer_fit_go_and_those_of_others_stay(short, folder, only_landscape):
    target = folder / "again"
    (target / "figures").mkdir(parents=True)
    for name in ("phase.png", "lags-3.png", "survival-dh-20.svg", "my own.png", "phase.gif"):
        (target / "figures" / name).write_bytes(b"old")
    report([short.path], out=target / "report.html")
    actual = {path.name for path in (target / "figures").iterdir()}
    assert actual == {"landscape.svg", "my own.png", "phase.gif"}


def test_a_page_that_cannot_be_written_leaves_the_old_one(short, drawn, monkeypatch, only_landscape):
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


# The command


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
