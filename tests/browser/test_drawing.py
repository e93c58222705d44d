"""A face that was missed is drawn with a mouse, with a finger, or typed as numbers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Watched
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation
from tests.browser.visitor import box, card, expect_box_on_face, expect_notice, expect_shown

_ONTO_WINDOW = """([x, y]) => {
  const boxes = document.querySelector(".boxes");
  const at = new DOMPoint(x, y).matrixTransform(boxes.getScreenCTM());
  return [at.x, at.y];
}"""


@pytest.fixture
def missed(shared_server: Installation, pictures: Pictures) -> dict[str, Any]:
    """A photo in which the product saw nobody; its size, and where there might be a face all the same."""
    photo = pictures.nobody()
    answer = shared_server.upload(photo, status=400)
    width, height = pictures.size(photo)
    area = [height // 4, width * 3 // 4, height * 3 // 4, width // 4]
    return {"id": answer["photo_id"], "size": (width, height), "box": area}


def on_window(page: Page, x: float, y: float) -> tuple[float, float]:
    across, down = page.evaluate(_ONTO_WINDOW, [x, y])
    return float(across), float(down)


def typed(page: Page) -> list[int]:
    return [int(page.get_by_label(side, exact=True).input_value()) for side in ("Top", "Right", "Bottom", "Left")]


def test_a_box_is_drawn_with_the_mouse(page: Page, shared_server: Installation, missed: dict[str, Any]) -> None:
    page.goto(f"/photos/{missed['id']}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("No face found")
    top, right, bottom, left = missed["box"]
    # From the lower right to the upper left: every corner will do to begin with.
    page.mouse.move(*on_window(page, right, bottom))
    page.mouse.down()
    page.mouse.move(*on_window(page, left + 5, top + 5), steps=3)
    page.mouse.move(*on_window(page, left, top))
    page.mouse.up()
    assert all(abs(a - b) <= 1 for a, b in zip(typed(page), missed["box"], strict=True))
    expect(page.get_by_role("button", name="Add this face")).to_be_focused()
    page.keyboard.press("Enter")
    expect_notice(page, "Drew a face.")
    (face,) = shared_server.json(f"/photos/{missed['id']}/")["faces"]
    assert all(abs(a - b) <= 1 for a, b in zip(face["box"], missed["box"], strict=True))
    expect_box_on_face(page, 1, face, missed["size"])
    expect_shown(card(page).get_by_role("img").first)
    page.get_by_role("main").get_by_role("button", name="Undo").click()
    expect_notice(page, "Undone: drew a face.")
    expect(page).to_have_url(re.compile(f"/photos/{missed['id']}/$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("No face found")


def test_a_box_is_drawn_with_a_finger(open_page: Watched, shared_server: Installation, missed: dict[str, Any]) -> None:
    page = open_page(shared_server, **PHONE)
    page.goto(f"/photos/{missed['id']}/")
    top, right, bottom, left = missed["box"]
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    touch("touchStart", on_window(page, left, top))
    for share in (0.3, 0.7, 1.0):
        touch("touchMove", on_window(page, left + (right - left) * share, top + (bottom - top) * share))
    touch("touchEnd")
    assert page.evaluate("scrollY") == 0, "the finger draws and does not scroll"
    # A finger is as exact as the pixels of the window.
    assert all(abs(a - b) <= 2 for a, b in zip(typed(page), missed["box"], strict=True))
    # Not tapped: so soon after the made-up touches above, Chromium may take a tap for the second half of a double one.
    page.get_by_role("button", name="Add this face").click()
    expect_notice(page, "Drew a face.")
    assert len(shared_server.json(f"/photos/{missed['id']}/")["faces"]) == 1


def test_numbers_move_what_is_drawn(page: Page, missed: dict[str, Any]) -> None:
    page.goto(f"/photos/{missed['id']}/")
    for side, value in zip(("Top", "Right", "Bottom", "Left"), missed["box"], strict=True):
        page.get_by_label(side, exact=True).fill(str(value))
    drawn = page.locator(".box-drawn rect").last
    expect(drawn).to_have_attribute("x", str(missed["box"][3]))
    page.get_by_label("Left", exact=True).press("ArrowUp")
    expect(drawn).to_have_attribute("x", str(missed["box"][3] + 1))


def test_boxes_are_links_until_one_is_drawn(page: Page, shared_server: Installation, pictures: Pictures) -> None:
    photo = shared_server.upload(pictures.side_by_side("obama.jpg", "biden.jpg"))
    page.goto(f"/photos/{photo['photo_id']}/")
    box(page, 2).click()
    expect(page).to_have_url(re.compile("#face-"))
    expect(page.get_by_label("Top", exact=True)).to_be_hidden()
    page.get_by_text("Draw a face", exact=True).click()
    x, y = on_window(page, *photo["faces"][0]["box"][3::-3])
    page.mouse.move(x + 5, y + 5)
    page.mouse.down()
    page.mouse.move(x + 30, y + 40)
    page.mouse.up()
    assert all(value > 0 for value in typed(page))
    expect(page.locator(".box-drawn")).to_have_count(1)
    page.get_by_label("Top", exact=True).press("Escape")
    expect(page.locator(".box-drawn")).to_have_count(0)


def test_a_box_is_typed_without_scripts(
    open_page: Watched, shared_server: Installation, missed: dict[str, Any]
) -> None:
    page = open_page(shared_server, java_script_enabled=False)
    page.goto(f"/photos/{missed['id']}/")
    expect(page.get_by_text("in pixels of the photo")).to_be_visible()
    for side, value in zip(("Top", "Right", "Bottom", "Left"), missed["box"], strict=True):
        page.get_by_label(side, exact=True).fill(str(value))
    page.get_by_role("button", name="Add this face").click()
    expect_notice(page, "Drew a face.")
    (face,) = shared_server.json(f"/photos/{missed['id']}/")["faces"]
    assert face["box"] == missed["box"]
