"""Everything can be done without a mouse, and what the keyboard is about to do can be seen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation
from tests.browser.visitor import (
    PHOTO_URL,
    box,
    card,
    expect_notice,
    name_field,
    visit,
)

# Everything that a mouse could operate, in the order in which the page reads.
_OPERABLE = """() => {
  const all = document.querySelectorAll("a[href], button, summary, input:not([type=hidden])");
  return [...all].filter((each) => each.checkVisibility() && !each.disabled).length;
}"""
# What an element, what is in it and what follows it look like.
_LOOK = """element => {
  const shown = [element, ...element.querySelectorAll("*"), element.nextElementSibling].filter(Boolean);
  const traits = ["outlineStyle", "outlineColor", "outlineWidth", "outlineOffset", "boxShadow", "borderTopColor",
    "backgroundColor", "stroke", "strokeWidth", "transform"];
  return shown.map((each) => traits.map((trait) => getComputedStyle(each)[trait]).join(" ")).join(";");
}"""
_WALK = (
    """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const look = """
    + _LOOK
    + """;
  const order = [...document.querySelectorAll("*")].indexOf(element);
  const focused = look(element);
  element.blur();
  const plain = look(element);
  element.focus({ preventScroll: true, focusVisible: true });
  return { order, seen: focused !== plain, what: element.outerHTML.slice(0, 160) };
}"""
)


@pytest.fixture
def group(page: Page, shared_server: Installation, pictures: Pictures) -> Page:
    """A photo with two faces waiting, each with a suggestion."""
    visit(page, shared_server, pictures.side_by_side("obama2.jpg", "biden.jpg"))
    return page


@pytest.mark.parametrize("where", ["/", "/people/", "/admin/", "a photo with faces waiting", "a finished photo"])
def test_tab_reaches_everything_in_reading_order_and_shows_where_it_is(
    open_page: Watched, shared_server: Installation, pictures: Pictures, where: str
) -> None:
    page = open_page(shared_server, reduced_motion="reduce")
    if where.startswith("/"):
        page.goto(where)
    else:
        photo = pictures.side_by_side("obama2.jpg", "biden.jpg")
        if where == "a finished photo":
            shared_server.name(photo, "Barack Obama", "Joe Biden")
        visit(page, shared_server, photo)
    # A page may begin with the focus where the work is. Tab is to be tried from the very top.
    page.evaluate("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    walked = []
    for _ in range(page.evaluate(_OPERABLE)):
        page.keyboard.press("Tab")
        walked.append(page.evaluate(_WALK))
    assert None not in walked, walked
    order = [stop["order"] for stop in walked]
    assert order == sorted(set(order)), [stop["what"] for stop in walked]
    assert [stop["what"] for stop in walked if not stop["seen"]] == [], "the focus cannot be seen there"


def test_the_first_tab_offers_to_skip_to_the_content(page: Page) -> None:
    page.goto("/people/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_enter_agrees_face_after_face(group: Page) -> None:
    expect(card(group, 1).get_by_role("button", name="Yes, this is Barack Obama")).to_be_focused()
    expect(group.get_by_text("Enter agree")).to_be_visible()
    group.keyboard.press("Enter")
    expect_notice(group, "Saved: Barack Obama.")
    group.wait_for_load_state()  # what is to hear of the key is there
    group.keyboard.press("Enter")
    expect_notice(group, "Saved: Joe Biden.")
    group.wait_for_load_state()
    expect(group.get_by_role("link", name="Upload more")).to_be_focused()
    group.keyboard.press("Enter")
    expect(group.get_by_role("heading", name="Add photos")).to_be_visible()


@pytest.mark.parametrize(("down", "up"), [("ArrowDown", "ArrowUp"), ("j", "k")])
def test_arrows_move_from_face_to_face(group: Page, down: str, up: str) -> None:
    first, second = (card(group, number).get_by_role("button", name=re.compile("^Yes")) for number in (1, 2))
    group.keyboard.press(down)
    expect(second).to_be_focused()
    group.keyboard.press(down)
    expect(second).to_be_focused()
    group.keyboard.press(up)
    expect(first).to_be_focused()


def test_n_types_a_name_for_the_face_at_hand(group: Page) -> None:
    group.keyboard.press("ArrowDown")
    group.keyboard.press("n")
    expect(name_field(group, 2)).to_be_focused()
    expect(name_field(group, 2)).to_have_value("")
    group.keyboard.type("Jonn Kidson")
    expect(name_field(group, 2)).to_have_value("Jonn Kidson")
    group.keyboard.press("Enter")
    expect_notice(group, "Saved: Jonn Kidson.")


def test_a_named_face_is_changed_with_the_keyboard(page: Page, shared_server: Installation, pictures: Pictures) -> None:
    photo = shared_server.name(pictures.head("obama3.jpg"), "Joe Biden")
    page.goto(f"/photos/{photo['photo_id']}/")
    page.keyboard.press("ArrowDown")
    expect(card(page).locator("summary")).to_be_focused()
    page.keyboard.press("n")
    page.keyboard.type("Barack Obama")
    page.keyboard.press("Enter")
    expect_notice(page, "This face has the new name.")


def test_a_photo_is_chosen_with_the_keyboard(page: Page, pictures: Pictures) -> None:
    # Told beforehand: the browser takes a moment to hand its file dialog over to the test.
    page.on("filechooser", lambda chooser: chooser.set_files(str(pictures.head("obama.jpg"))))
    page.goto("/")
    page.get_by_label("Choose photos").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(PHOTO_URL)


def test_a_card_and_its_box_light_up_together(group: Page) -> None:
    """With the mouse or the focus on one, the other is drawn stronger."""

    def width(number: int) -> float:
        line = box(group, number).locator("rect").last
        return float(line.evaluate("rect => parseFloat(getComputedStyle(rect).strokeWidth)"))

    def frame(number: int) -> str:
        return str(card(group, number).evaluate("card => getComputedStyle(card).borderTopColor"))

    def expect_lit(lit: int, dark: int) -> None:
        expect(box(group, lit)).to_have_class(re.compile(r"\blit\b"))
        expect(box(group, dark)).not_to_have_class(re.compile(r"\blit\b"))
        box(group, lit).locator("rect").last.evaluate(
            "rect => Promise.all(rect.getAnimations().map((each) => each.finished))"
        )
        assert width(lit) > width(dark)
        assert frame(lit) != frame(dark)

    expect_lit(1, 2)
    group.evaluate("document.activeElement.blur()")
    card(group, 2).get_by_role("heading").first.hover()
    expect_lit(2, 1)
    box(group, 1).hover()
    expect_lit(1, 2)
    group.mouse.move(2, 2)
    box(group, 2).focus()
    expect_lit(2, 1)
    name_field(group, 1).focus()
    expect_lit(1, 2)
    box(group, 2).click()
    expect_lit(2, 1)
    expect(card(group, 2).get_by_role("button", name=re.compile("^Yes"))).to_be_focused()
