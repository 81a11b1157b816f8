"""Every figure of every kind can be read: no text covers another or is cut off, and every claim is drawn."""

from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import specs
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

import fastlstm
from fastlstm.report import cell, choose, claim_figure, gate_gradients, lags, panels, phase, style
from fastlstm.report.end_labels import _apart, spread
from fastlstm.report.figure import finish, sheet
from fastlstm.report.numbers import MINUS
from fastlstm.report.render import FORMATS, rendered
from fastlstm.report.run_data import RunData
from fastlstm.report.tally import Tally
from fastlstm.report.write import draw_all
from fastlstm.spec import load

SIMULATIONS = sorted(specs.SIMS.glob("*.toml"))
FEW = {"atlas": 150, "truncation": 400, "uniform_gate": 400, "heavy_tail": 1000, "attractor": 20, "horizon": 60}
DRAWN_BY = {  # for each kind of figure a simulation that has it
    "claim": "chaos", "fates": "atlas", "landscape": "atlas", "regime_map": "truncation", "lags": "horizon",
    "survival": "output_gate", "phase": "chaos", "truncation": "truncation", "saturation": "atlas",
    "gate_gradients": "gates", "cell": "gates", "trace": "chaos",
}  # fmt: skip
HIDDEN = 1.0  # pixels by which boxes may meet


def boxes(figure, monkeypatch):
    """The text and the box, in pixels, of every text as it is drawn; no shape is drawn meanwhile, nor are letters."""
    drawn = []

    def note(text, renderer):
        if text.get_visible() and text.get_text().strip():
            drawn.append((text.get_text(), Text.get_window_extent(text, renderer)))

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", note)
        for shape in (Line2D, Patch, Collection):
            patch.setattr(shape, "draw", lambda shape, renderer: None)
        figure.draw_without_rendering()
    return drawn


def check_texts(drawing, monkeypatch):
    """No two texts overlap and none leaves the figure."""
    spread(drawing.figure)
    shown = boxes(drawing.figure, monkeypatch)
    assert shown[-1:]
    whole = drawing.figure.bbox
    for place, (text, box) in enumerate(shown):
        out = max(-box.x0, -box.y0, box.x1 - whole.width, box.y1 - whole.height)
        assert out < HIDDEN, (drawing.name, text)
        for other, second in shown[:place]:
            width = min(box.x1, second.x1) - max(box.x0, second.x0)
            height = min(box.y1, second.y1) - max(box.y0, second.y0)
            assert min(width, height) <= HIDDEN, (drawing.name, text, other)


@pytest.fixture(scope="module", params=SIMULATIONS, ids=lambda path: path.stem)
def simulated(request, tmp_path_factory):
    """A simulation with few draws."""
    draws = FEW.get(request.param.stem, 200)
    spec = load(request.param, [f"draws={draws}"])
    return fastlstm.run(spec, tmp_path_factory.mktemp("simulated") / request.param.stem)


def test_figures_of_simulations_can_be_read_and_every_claim_is_drawn(simulated, monkeypatch):
    run = RunData(simulated, simulated.path.name)
    with style.drawing():
        drawn = {figure.name: figure.draw(run) for figure in choose.chosen(run)}
        assert {kind for kind, simulation in DRAWN_BY.items() if simulation == run.name} <= drawn.keys()
        assert [each.name for each in drawn["claim"]] == [f"claim-{number}" for number in range(len(run.spec.claim))]
        for claim, each in zip(run.spec.claim, drawn["claim"], strict=True):
            verdict = run.claims[run.claims["text"] == claim.text]["claim_verdict"].iloc[0]
            assert each.title == f"{claim_figure.MARKS[verdict]} {verdict}: {claim.text}"
        for drawings in drawn.values():
            for each in drawings:
                check_texts(each, monkeypatch)


def test_every_kind_of_figure_is_drawn_by_some_simulation():
    assert list(DRAWN_BY) == [figure.name for figure in choose.FIGURES]
    assert set(DRAWN_BY.values()) <= {path.stem for path in SIMULATIONS}


def test_texts_that_overlap_or_leave_the_figure_are_seen(monkeypatch):
    for place in (0.12, 0.97):
        figure = Figure()
        figure.text(0.1, 0.5, "a long text")
        figure.text(place, 0.5, "another long text")
        with pytest.raises(AssertionError, match="another"):
            check_texts(SimpleNamespace(figure=figure, name="none"), monkeypatch)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    claims = [
        {"text": "More bias, less vanishes.", "statistic": "share(vanished)", "predicts": "falls along b_f"},
        {"text": "A formula.", "statistic": "median(f_mean)", "predicts": "== 1 / (1 + exp(-b_f))", "tolerance": 0.2},
        {"text": "A point.", "statistic": "share(exploded)", "predicts": "< 0.9", "where": "point == 2"},
    ]
    return fastlstm.run(specs.SHORT | {"claim": claims}, tmp_path_factory.mktemp("figures") / "run")


def test_figures_of_runs_side_by_side_can_be_read_in_their_common_scales(run, tmp_path, monkeypatch):
    other = fastlstm.run(specs.SHORT | {"seed": 12, "measure": {"exploded": 1.0}}, tmp_path / "other")
    with style.drawing():
        for of_run in draw_all([RunData(run, "run"), RunData(other, "other")]):
            for each in (drawing for drawings in of_run.values() for drawing in drawings):
                check_texts(each, monkeypatch)


def test_a_claim_is_drawn_at_its_estimates_along_the_axis_it_speaks_of(run):
    data = RunData(run, "run")
    table, quantity, arrangement = claim_figure.parts_of(data, 0)
    assert (arrangement.along, arrangement.lines, quantity.operator) == ("b_f", "b_i", None)
    with style.drawing():
        axes = claim_figure.draw_claim(data, 0).figure.axes[0]
    drawn = sorted(value for line in axes.lines for value in np.atleast_1d(line.get_ydata())[:3])
    np.testing.assert_allclose(sorted(set(drawn)), sorted(set(table["estimate"])))
    intervals = [segment for bars in axes.collections for segment in bars.get_segments()]
    ends = sorted((segment[0][1], segment[1][1]) for segment in intervals)
    np.testing.assert_allclose(ends, sorted(zip(table["low"], table["high"], strict=True)))
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"{MINUS}2", "1", "4"]


def test_lines_say_which_axis_they_are_of():
    quantity = panels.Quantity("share(vanished)", is_share=True, operator="<")
    for lines, named in (("b_f", True), ("default_normal_std", False)):
        points = [(at, level, width) for at in (1, 2) for level in (0.5, 8.0) for width in (10, 20)]
        table = pd.DataFrame(points, columns=["b_i", lines, "steps"])
        table = table.assign(estimate=0.2, low=0.1, high=0.3, predicted=0.5, tolerance=0.0, verdict="holds")
        for few in (table, table[table["steps"] == 10]):
            arrangement = panels.Arrangement("b_i", lines, ("steps",) if few is table else ())
            with style.drawing():
                figure = panels.draw(few, quantity, arrangement)
            texts = [text.get_text() for text in figure.findobj(Text)]
            assert (f"{lines} = 8" in texts) == named
            assert any(text.endswith(f"a line for each {lines}") for text in texts) != named


def test_a_prediction_is_a_line_with_a_band_and_a_claim_of_one_point_a_dot(run):
    data = RunData(run, "run")
    with style.drawing():
        axes = claim_figure.draw_claim(data, 1).figure.axes[0]
        dot = claim_figure.draw_claim(data, 2).figure.axes[0]
    (predicted,) = [line.get_ydata() for line in axes.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(predicted[1:-1], 1 / (1 + np.exp([2.0, -1.0, -4.0])))
    claims = run.claims()
    (row,) = claims[claims["claim"] == 2].to_dict("records")
    assert row["estimate"] in [line.get_xdata()[0] for line in dot.lines if line.get_marker() == "o"]
    assert 0.9 in [line.get_xdata()[0] for line in dot.lines]


def test_shares_above_zero_are_drawn_over_the_axes_with_wilson_intervals(tmp_path):
    spec = load(specs.SIMS / "chaos.toml", ["draws=300", "steps=50", "claim=[]"])
    run = fastlstm.run(spec, tmp_path / "chaos")
    table = phase.shares(RunData(run, "chaos"))
    rows = run.draws()
    true = (rows["lyapunov_1"] > 0).groupby(rows["default_normal_std"]).mean()
    np.testing.assert_allclose(table.set_index("default_normal_std")["estimate"], true)
    assert (table["low"] <= table["estimate"]).all()
    assert (table["estimate"] <= table["high"]).all()
    assert panels.arranged(table, ["default_normal_std"]).along == "default_normal_std"


@pytest.mark.parametrize(
    ("over", "reached", "said"),
    [
        # T = 10 has no lag beyond 5: that it is above the threshold there is no sign of a gradient that fades
        ("steps", {"10": [1, 1, 1], "100": [1, 1, 1, 1, 0, 0]}, "to lag 10 with T = 100"),
        ("steps", {"10": [1, 0, 0], "100": [1, 1, 1, 1, 0, 0]}, "to lag 10 with T = 100, to lag 1 with T = 10"),
        ("state_h", {"0.36": [1, 1, 1], "uniform(low=-1, high=1)": [1, 1, 1]}, "at every lag and point"),
        ("b_f", {"0": [1, 0, 0], "4": [1, 0, 0]}, "to lag 1 at every point"),
        ("b_f", {"0": [0, 0, 0], "4": [1, 1, 1]}, "to lag 5 with b_f = 4, to lag 0 with b_f = 0"),
        ("preset", {"keras": [1, 0, 0], "chrono": [1, 1, 1]}, "to lag 5 with chrono, to lag 1 with keras"),
    ],
)
def test_what_the_lags_say_is_where_the_median_falls(over, reached, said):
    run = SimpleNamespace(spec=SimpleNamespace(measure=SimpleNamespace(vanished=1e-6)))
    ladder = [1, 2, 5, 10, 20, 50]
    lines = [
        lags.Line(name, ladder[: len(above)], np.where(above, -1.0, -9.0)[:, None] + np.zeros(5), 300)
        for name, above in reached.items()
    ]
    finding = lags._finding(run, "dC", over, [("", lines)])
    assert finding == f"The median of |dC| stays above 1e{MINUS}6 {said} (n = 300 each)"


@pytest.mark.parametrize(("values", "joined"), [([10, 100], True), (["0.36", "uniform(low=-1, high=1)"], False)])
def test_medians_are_joined_only_where_their_axis_has_an_order(values, joined):
    tally = Tally(np.array([8]), np.array([300]), 0.25, 0.26, 1 / 32)
    run = SimpleNamespace(axes=lambda: {"axis": values}, levels=lambda _: dict.fromkeys(values), tally=lambda *_: tally)
    with style.drawing():
        (axes,) = phase._quantiles(run).figure.axes
    (medians,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert (medians.get_linestyle() != "None") == joined


def test_ticks_of_a_narrow_scale_differ():
    axes = Figure().subplots()
    for low, high in ((42.33, 42.33 + 1e-4), (-0.60206, -0.60205), (0.0, 1.0), (-2e6, 3e6)):
        axes.set_ylim(low, high)
        style.plain_ticks(axes.yaxis)
        labels = [axes.yaxis.get_major_formatter()(at, None) for at in axes.get_yticks() if low <= at <= high]
        assert len(set(labels)) == len(labels) >= 2


def test_ticks_are_written_like_the_numbers_of_the_page():
    figure, axes = sheet(4.0)
    image = axes.imshow([[-0.001, 0.0], [0.001, 0.0005]], extent=(0, 1, 0, 16_000), aspect="auto")
    bar = figure.colorbar(image, ax=axes)
    finish(figure, "none", "No title")
    figure.draw_without_rendering()
    shown = [[text.get_text() for text in axis.get_ticklabels()] for axis in (axes.xaxis, axes.yaxis, bar.ax.yaxis)]
    assert {"0", "0.2", "1"} < set(shown[0])
    assert {"0", "2000", "12,000"} < set(shown[1])
    assert {"0", f"{MINUS}5e{MINUS}4", "0.001"} < set(shown[2])


def test_labels_move_apart_and_stay_in_the_panel():
    random = np.random.default_rng(0)
    for _ in range(200):
        heights = random.uniform(0, 100, random.integers(1, 9))
        placed = _apart(heights, 10.0, 0.0, 100.0)
        assert (np.diff(np.sort(placed)) > 10 - 1e-9).all()
        assert placed.min() > -1e-9
        assert placed.max() < 100 + 1e-9
        order = np.argsort(heights)
        assert (np.diff(placed[order]) > 0).all()
    np.testing.assert_allclose(_apart(np.array([20.0, 60.0]), 10.0, 0.0, 100.0), [20, 60])


def columns_of(**rows):
    """A run that has these rows and nothing else."""
    return SimpleNamespace(
        has_rows=lambda *names: all(name in rows for name in names),
        rows=lambda *names: {name: rows[name] for name in names},
        axes=dict,
        spec=SimpleNamespace(measure=SimpleNamespace(vanished=1e-6)),
    )


def test_gate_gradients_and_the_cell_are_drawn_where_they_were_measured(monkeypatch):
    random = np.random.default_rng(1)
    shares = {
        f"{gate}_{side}": random.uniform(0, top, 4000) for gate in "fio" for side, top in (("left", 1), ("right", 1e-9))
    }
    sizes = {f"log10_d{gate}": -9 * (shares[f"{gate}_left"] + shares[f"{gate}_right"]) for gate in "fio"}
    filled = {"C_max": random.exponential(3, 4000), "C_mean": random.exponential(2, 4000)}
    slope = {"tau_slope": 1 - np.tanh(filled["C_mean"]) ** 2, "vanished": filled["C_mean"] > 4}
    run = columns_of(**shares, **sizes, **filled, **slope)
    assert gate_gradients.fits(run)
    assert cell.fits(run)
    assert not gate_gradients.fits(columns_of(**shares))
    table = gate_gradients.quantiles_by_saturation(run, "f")
    assert table[0, 2] > -0.5
    assert table[-1, 2] < -8
    with style.drawing():
        for drawing in (*gate_gradients.draw(run), *cell.draw(run)):
            check_texts(drawing, monkeypatch)


def test_a_file_has_the_same_bytes_when_files_of_other_formats_are_written_before_it(run):
    def drawings():
        return claim_figure.draw(RunData(run, "run"))

    with style.drawing():
        alone = {form: [rendered(drawing, form) for drawing in drawings()] for form in FORMATS}
        after_others = [{form: rendered(drawing, form) for form in FORMATS} for drawing in drawings()]
    for form in FORMATS:
        assert [files[form] for files in after_others] == alone[form], form


def test_figures_take_axes_and_leave_settings_alone(run):
    before = dict(mpl.rcParams)
    plot, replayed = run.plot, fastlstm.replay(run.path, point=1, draw=5)
    for draw in (plot.claims, plot.survival, plot.landscape, plot.fates):
        mine = Figure().subplots()
        assert draw(axes=mine) is mine
        assert mine.has_data()
    for draw in (replayed.plot.gates, replayed.plot.state, replayed.plot.adjoints, replayed.plot.orbit):
        assert draw().has_data()
    assert dict(mpl.rcParams) == before
