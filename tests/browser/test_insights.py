"""The insights page in a browser: by keyboard, with the mouse, on a phone, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Watched
from tests.browser.serving import Installation, serve
from tests.labelling import insightful

_LOOKS = Path(__file__).with_name("looks.js").read_text("utf-8")
_PAGES = ("/insights/", "/insights/faces/", "/insights/faces/?pair=different")
_CHARTS = ("curve", "reliability", "distances", "map")
# WCAG 2.2, 1.4.11: what has to be seen to read a chart, on what it stands on.
_MARKS_TOO_FAINT = """() => {
  const numbers = (color) => color.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (color) => {
    const parts = numbers(color).map((c) => c / 255);
    const [r, g, b] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort(); return (y + 0.05) / (x + 0.05); };
  const ground = getComputedStyle(document.querySelector(".chart")).backgroundColor;
  const marks = [...document.querySelectorAll(".spot, .bar, .dot-mark, .curve")].map((each) => {
    const style = getComputedStyle(each);
    return [each.getAttribute("class"), style.fill === "none" || each.matches(".open") ? style.stroke : style.fill];
  });
  return [...new Set(marks.filter(([, color]) => ratio(color, ground) < 3).map(String))];
}"""
_SMALLEST_TEXT = """() => Math.min(...[...document.querySelectorAll(".drawing text")].map((each) =>
  parseFloat(getComputedStyle(each).fontSize) * each.getScreenCTM().a))"""


@pytest.fixture(scope="module")
def installation(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, models_folder: Path
) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("home")
    insightful.make_home(home)
    with serve(home, models_folder) as running:
        yield running


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out_is_too_small_or_too_faint(
    open_page: Watched, installation: Installation, width: int
) -> None:
    phone = width < 500
    page = open_page(installation, **(PHONE if phone else DESKTOP))
    page.set_viewport_size({"width": width, "height": 844})
    for path in _PAGES:
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert page.evaluate(f"{_LOOKS}.tooWide({width})") == []
        if phone:
            assert page.evaluate(f"{_LOOKS}.tooLow(44)") == []
        for colours in ("light", "dark"):
            page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
            assert page.evaluate(f"{_LOOKS}.tooFaint()") == []
            if path == "/insights/":
                assert page.evaluate(_MARKS_TOO_FAINT) == []


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_words_on_charts_are_large_enough_to_read(open_page: Watched, installation: Installation, width: int) -> None:
    page = open_page(installation)
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/insights/")
    assert page.locator(".drawing").count() == len(_CHARTS)
    assert page.evaluate(_SMALLEST_TEXT) >= 11


@pytest.mark.parametrize("chart", _CHARTS)
def test_the_keyboard_reaches_the_marks_and_shows_where_it_is(
    open_page: Watched, installation: Installation, chart: str
) -> None:
    page = open_page(installation)
    page.goto("/insights/")
    marks = page.locator(f"#{chart} :is(.mark, .point)")
    before = page.locator(f"#{chart} h3")
    before.evaluate("heading => { heading.tabIndex = -1; heading.focus(); }")
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.mark, .point')"):
            break
    focused = page.locator(":focus")
    expect(focused).to_have_class(re.compile("mark|point"))
    look = (
        "each => [...each.children].map((part) => [getComputedStyle(part).stroke, getComputedStyle(part).strokeWidth])"
    )
    assert focused.evaluate(look) != marks.last.evaluate(look)
    address = focused.get_attribute("href") or ""
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{address}")


def test_the_map_is_one_stop_and_arrows_walk_over_it(open_page: Watched, installation: Installation) -> None:
    page = open_page(installation)
    page.goto("/insights/")
    assert page.locator("#map .point[tabindex='0']").count() == 1
    page.locator("#map .point[tabindex='0']").focus()
    card = page.locator("#map-hover")
    expect(card).to_be_visible()
    first = _person(page)
    page.keyboard.press("ArrowRight")
    assert _person(page) == first
    page.keyboard.press("ArrowDown")
    second = _person(page)
    assert second != first
    page.keyboard.press("ArrowUp")
    assert _person(page) == first
    page.keyboard.press("ArrowLeft")
    assert _person(page) == first, "before the first there is nowhere to go"
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_mouse_brings_up_a_card_with_the_face(
    open_page: Watched, installation: Installation, size: dict[str, object]
) -> None:
    page = open_page(installation, **size)
    page.goto("/insights/")
    card = page.locator("#map-hover")
    expect(card).to_be_hidden()
    for point in _on_top(page)[:3]:
        point.hover()
        expect(card).to_be_visible()
        expect(card.locator("strong")).to_have_text(point.locator("title").text_content() or "")
        expect(card.locator("img")).to_have_attribute("src", point.get_attribute("data-thumb") or "")
        assert card.locator("img").evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") > 0
        box, width = card.bounding_box(), page.viewport_size
        assert box
        assert width
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width["width"]
    page.get_by_role("heading", name="Insights").hover()
    expect(card).to_be_hidden()


def test_a_screen_reader_finds_pictures_with_words_and_tables(open_page: Watched, installation: Installation) -> None:
    page = open_page(installation)
    page.goto("/insights/")
    for name in ("Learning curve", "Reliability diagram", "Histograms of distances", "Map of faces"):
        expect(page.get_by_role("img", name=name, exact=True)).to_have_count(1)
    expect(page.get_by_role("link", name=re.compile("^Answers 1 to 50: 48 of 50 accepted"))).to_have_count(1)
    for summary in page.get_by_text("Show as a table").all():
        summary.click()
    expect(page.get_by_role("table")).to_have_count(4)
    expect(page.get_by_role("columnheader", name="Pairs of one person")).to_be_visible()


def test_without_scripts_every_point_is_a_link(open_page: Watched, installation: Installation) -> None:
    page = open_page(installation, java_script_enabled=False)
    page.goto("/insights/")
    expect(page.locator("#map-hover")).to_be_hidden()
    point = _on_top(page)[0]
    address = point.get_attribute("href") or ""
    point.click()
    page.wait_for_url(f"**{address}")
    page.goto("/insights/")
    page.locator("#accuracy a").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def _on_top(page: Page) -> list[Locator]:
    """Points of the map that no other point covers."""
    points = page.locator("#map .point")
    points.first.scroll_into_view_if_needed()
    seen = points.evaluate_all(
        """points => points.flatMap((point, number) => {
          const { x, y, width, height } = point.getBoundingClientRect();
          return point.contains(document.elementFromPoint(x + width / 2, y + height / 2)) ? [number] : [];
        })"""
    )
    return [points.nth(number) for number in seen]


def _person(page: Page) -> str:
    return str(page.evaluate("document.activeElement.querySelector('title').textContent"))
