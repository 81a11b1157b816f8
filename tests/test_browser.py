"""The page of a report in a real browser; conftest.py says so where there is none."""

import pytest
import specs
from browser import CHROMIUM, Browser

import fastlstm
from fastlstm.report import report

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


@pytest.mark.parametrize("screen", WIDTHS)
def test_page_is_whole_and_fits_the_screen(browser, page, screen):
    width = WIDTHS[screen]
    asked, complaints = browser.open(page, width=width)
    assert [address for address in asked if not address.startswith("data:image/png;base64,")] == [page.as_uri()]
    assert complaints == []
    sizes = "[...document.images].map(i => [i.complete, i.naturalWidth, i.getBoundingClientRect().width])"
    images = browser.evaluate(sizes)
    assert len(images) == page.read_text(encoding="utf-8").count("<img ")
    assert all(complete and natural > 0 for complete, natural, _ in images)
    assert all(shown > min(370, width) * 0.9 for _, _, shown in images)  # none is squeezed beyond legibility
    assert browser.evaluate("window.innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    # only tables and the spec's text may be wider than their box, and scroll in it
    beyond = """
        [...document.body.querySelectorAll("*")]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest(".box, pre"))
            .map(e => e.outerHTML.slice(0, 80))
    """
    assert browser.evaluate(beyond) == []
    boxes = browser.evaluate("""[...document.querySelectorAll(".box")].map(e => [e.scrollWidth, e.clientWidth])""")
    assert boxes
    if screen == "phone":
        assert all(inside > box for inside, box in boxes)


def test_page_may_load_nothing_that_is_not_in_it(browser, pages):
    browser.open(pages["one run"], width=1280)
    attempt = """
        new Promise(resolve => {
            const image = new Image();
            image.onload = () => resolve("loaded");
            image.onerror = () => resolve("refused");
            document.addEventListener("securitypolicyviolation", event => resolve(event.violatedDirective));
            image.src = "figures/landscape.png";
            document.body.append(image);
        })
    """
    assert (pages["one run"].parent / "figures" / "landscape.png").is_file()
    assert browser.evaluate(attempt) == "img-src"


def test_browser_sees_what_a_page_asks_for(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<img src="missing.png"><script>throw new Error("wrong")</script><p style="width: 9999px">wide')
    asked, complaints = browser.open(page, width=1280)
    assert (tmp_path / "missing.png").as_uri() in asked
    assert "wrong" in str(complaints)
    assert browser.evaluate("document.documentElement.scrollWidth") > 1280
