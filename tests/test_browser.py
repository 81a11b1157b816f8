"""The page of a report in a real browser; conftest.py says so where there is none."""

import json

import pytest
import specs
from browser import CHROMIUM, Browser

import fastlstm
from fastlstm.report.explorer import explorer
from fastlstm.report.write import report

if CHROMIUM is None:
    pytest.skip("Chromium is not installed", allow_module_level=True)

WIDTHS = {"laptop": 1280, "phone": 390}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The report of one run, and that of two side by side."""
    folder = tmp_path_factory.mktemp("browser")
    short = fastlstm.run(specs.SHORT | {"title": "Short " + 40 * "long"}, folder / "short")
    wide = fastlstm.run(specs.WHOLE | {"store": {"rows": "none", "dtype": "float64"}}, folder / "wide")
    return {"one run": report([short.path]), "two runs": report([wide.path, short.path])}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module", params=["one run", "two runs"])
def page(request, pages):
    return pages[request.param]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", WIDTHS)
def test_page_is_whole_and_fits_the_screen(browser, page, screen, scheme):
    width = WIDTHS[screen]
    asked, complaints = browser.open(page, width=width, scheme=scheme)
    assert [address for address in asked if not address.startswith("data:image/png;base64,")] == [page.as_uri()]
    assert complaints == []
    browser.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    shown = browser.evaluate("[...document.querySelectorAll('figure svg')].map(e => e.getBoundingClientRect().width)")
    assert len(shown) == page.read_text(encoding="utf-8").count("<figure ")
    assert all(each > min(350, width) * 0.9 for each in shown)  # none is squeezed beyond legibility
    assert browser.evaluate("window.innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    # only fine figures, tables on a wide screen and the spec's text may be wider than their box, and scroll in it
    beyond = """
        [...document.body.querySelectorAll("*")]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest(".box, .scrolls, pre, svg"))
            .map(e => e.outerHTML.slice(0, 80))
    """
    assert browser.evaluate(beyond) == []
    boxes = browser.evaluate("""[...document.querySelectorAll(".box")].map(e => [e.scrollWidth, e.clientWidth])""")
    assert boxes
    if screen == "phone":
        assert all(inside <= box for inside, box in boxes)


def test_a_fine_figure_scrolls_on_a_phone_below_its_title_and_the_page_does_not(browser, pages):
    fine = """[...document.querySelectorAll(".scrolls")].map(e => [
        e.scrollWidth, e.clientWidth, e.querySelector("svg").getBoundingClientRect().width,
        getComputedStyle(e.previousElementSibling).display,
        getComputedStyle(e.querySelector("[id$='title']")).display])"""
    browser.open(pages["one run"], width=390)
    of_phone = browser.evaluate(fine)
    assert of_phone
    for inside, box, drawn, title, own_title in of_phone:
        assert box < drawn == inside
        assert (title, own_title) == ("block", "none")
    browser.open(pages["one run"], width=1280)
    for inside, box, drawn, title, own_title in browser.evaluate(fine):
        assert drawn == inside == box
        assert title == "none" != own_title


def test_figures_follow_the_page_into_the_dark(browser, pages):
    inks = []
    for scheme in ("light", "dark"):
        browser.open(pages["one run"], width=1280, scheme=scheme)
        colours = """[document.body, document.querySelector("figure svg [style*='--ink']")].map(e =>
            [getComputedStyle(e).color, getComputedStyle(e).fill, getComputedStyle(e).stroke])"""
        (ink, _, _), (_, fill, stroke) = browser.evaluate(colours)
        assert ink in (fill, stroke)
        inks.append(ink)
    assert inks[0] != inks[1]


def test_first_screen_of_a_phone_has_the_question_and_the_answer(browser, pages):
    browser.open(pages["one run"], width=390)
    ends = "[...document.querySelectorAll('h1, .answer')].map(e => e.getBoundingClientRect().bottom)"
    bottoms = browser.evaluate(ends)
    assert max(bottoms) < 900


def test_page_may_load_nothing_that_is_not_in_it(browser, pages):
    browser.open(pages["one run"], width=1280)
    attempt = """
        new Promise(resolve => {
            const image = new Image();
            image.onload = () => resolve("loaded");
            image.onerror = () => resolve("refused");
            document.addEventListener("securitypolicyviolation", event => resolve(event.violatedDirective));
            image.src = "figures/landscape.svg";
            document.body.append(image);
        })
    """
    assert (pages["one run"].parent / "figures" / "landscape.svg").is_file()
    assert browser.evaluate(attempt) == "img-src"


def test_browser_sees_what_a_page_asks_for(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<img src="missing.png"><script>throw new Error("wrong")</script><p style="width: 9999px">wide')
    asked, complaints = browser.open(page, width=1280)
    assert (tmp_path / "missing.png").as_uri() in asked
    assert "wrong" in str(complaints)
    assert browser.evaluate("document.documentElement.scrollWidth") > 1280


def _labels(browser):
    """What each mark of the chart says of itself."""
    browser.evaluate("window.explorer.runAsync().then(() => 1)")
    marks = "[...document.querySelectorAll(`#explorer path[aria-label*='estimate: ']`)]"
    return browser.evaluate(f"{marks}.map(e => e.getAttribute('aria-label'))")


def _set(browser, name, value):
    """Move a slider or choose in a list, as a hand does."""
    browser.evaluate(
        f"""(() => {{
            const control = document.querySelector("[name={name}]");
            control.value = {json.dumps(value)};
            control.dispatchEvent(new Event("input", {{bubbles: true}}));
            control.dispatchEvent(new Event("change", {{bubbles: true}}));
        }})()"""
    )


def _check_texts(browser):
    """No two texts of the chart overlap, and none is cut off by its edge."""
    boxes = """[...document.querySelectorAll("#explorer svg, #explorer svg text")].map(e => {
        const box = e.getBoundingClientRect();
        return [e.tagName == "svg" ? "" : e.textContent, box.left, box.top, box.right, box.bottom];
    }).filter(each => each[3] > each[1])"""
    whole, *shown = browser.evaluate(boxes)
    assert whole[0] == ""
    assert len(shown) > 10
    for place, (text, left, top, right, bottom) in enumerate(shown):
        out = max(whole[1] - left, whole[2] - top, right - whole[3], bottom - whole[4])
        assert out < 1, text
        for other, from_left, from_top, to_right, to_bottom in shown[:place]:
            width, height = min(right, to_right) - max(left, from_left), min(bottom, to_bottom) - max(top, from_top)
            assert min(width, height) < 1, (text, other)


def test_explorer_needs_no_network_and_a_slider_moves_what_it_shows(browser, tmp_path):
    axes = {"b_f": {"grid": [-2.0, 4.0]}, "b_i": {"grid": [-1.0, 1.0]}, "b_o": {"grid": [0.0, 3.0]}}
    params = {"default": {"normal": {"std": 2.0}}} | axes
    run = fastlstm.run(specs.SHORT | {"draws": 300, "params": params, "title": "Which <bias>?"}, tmp_path / "grid")
    page = explorer(run.path)
    assert page.stat().st_size < 2e6
    browser.without_network()
    browser.open(page, width=390)
    inside, box = browser.evaluate("(e => [e.scrollWidth, e.clientWidth])(document.querySelector('#explorer'))")
    assert inside > box  # at its full size, in a box that scrolls
    assert browser.evaluate("document.documentElement.scrollWidth") == 390
    asked, complaints = browser.open(page, width=1280)
    assert asked == [page.as_uri()]
    assert complaints == []
    _check_texts(browser)
    _set(browser, "statistic", "share(vanished)")
    regimes, points = run.regimes(), run.points()
    for level, value in enumerate((0.0, 3.0)):
        _set(browser, "level_2", level)
        shown = {}
        for text in _labels(browser):
            label = dict(part.split(": ", 1) for part in text.split("; "))
            shown[int(label["point"])] = float(label["estimate"])
            assert float(label["b_o"]) == value
        true = regimes.groupby("point")["vanished"].sum() / 300
        of_level = points.loc[points["b_o"] == value, "point"]
        assert shown == {point: pytest.approx(true[point], abs=1e-3) for point in of_level}
    cell = "document.querySelector(`#explorer path[aria-label*='estimate: ']`).getBoundingClientRect()"
    box = browser.evaluate(f"[{cell}.x, {cell}.y, {cell}.width, {cell}.height]")
    browser.click(box[0] + box[2] / 2, box[1] + box[3] / 2)
    _labels(browser)
    _check_texts(browser)
    commands = browser.evaluate("[...document.querySelectorAll('#explorer text')].map(e => e.textContent)")
    assert sum("fastlstm replay grid --point" in text for text in commands) == 3
