"""What a visitor does and sees, in the words on the page."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.serving import Installation

PHOTO_URL = re.compile(r"/photos/\d+/(#.*)?$")

# The rectangle that is drawn, stroke left out, in pixels of the window.
_DRAWN = """rect => {
  const box = rect.getBBox(), onto = rect.getScreenCTM();
  const start = new DOMPoint(box.x, box.y).matrixTransform(onto);
  const end = new DOMPoint(box.x + box.width, box.y + box.height).matrixTransform(onto);
  return [start.y, end.x, end.y, start.x];
}"""
# Where the pixels of a picture are within its element: it may be letterboxed.
_SHOWN = """img => {
  const frame = img.getBoundingClientRect();
  const fit = getComputedStyle(img).objectFit;
  const scale = Math.min(frame.width / img.naturalWidth, frame.height / img.naturalHeight);
  const width = fit === "contain" ? img.naturalWidth * scale : frame.width;
  const height = fit === "contain" ? img.naturalHeight * scale : frame.height;
  return [frame.x + (frame.width - width) / 2, frame.y + (frame.height - height) / 2, width, height];
}"""
_DROP = """([words, files]) => {
  const transfer = new DataTransfer();
  for (const [name, type, base64] of files) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  const target = document.querySelector("main form");
  for (const type of words) {
    target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
  }
}"""


def choose(page: Page, *photos: Path) -> None:
    page.get_by_label("Choose photos").set_input_files([str(photo) for photo in photos])


def drop(page: Page, *photos: Path) -> None:
    files = [[photo.name, "image/jpeg", base64.b64encode(photo.read_bytes()).decode()] for photo in photos]
    page.evaluate(_DROP, [["dragenter", "dragover", "drop"], files])


def upload(page: Page, photo: Path) -> None:
    """Choose a photo on the front page and wait for its own page."""
    page.goto("/")
    choose(page, photo)
    page.wait_for_url(PHOTO_URL)


def visit(page: Page, installation: Installation, photo: Path) -> None:
    """The page of a photo that has come in some other way."""
    page.goto(f"/photos/{installation.upload(photo)['photo_id']}/")


def photo_of(page: Page) -> Locator:
    return page.get_by_role("figure", name="The photo").get_by_role("img").first


def card(page: Page, number: int = 1) -> Locator:
    """All that belongs to one face of the photo, counted from the left."""
    return page.get_by_role("article").nth(number - 1)


def box(page: Page, number: int = 1) -> Locator:
    return page.get_by_role("link", name=re.compile(rf"^Face {number}\b"))


def name_field(page: Page, number: int = 1) -> Locator:
    return page.get_by_role("combobox", name=f"Name of face {number}", exact=True)


def give_name(page: Page, name: str, number: int = 1) -> None:
    name_field(page, number).fill(name)
    card(page, number).get_by_role("button", name="Save name").click()


def expect_notice(page: Page, words: str) -> None:
    # Not expect(): it looks again only after half a second or so, and this is asked after every press.
    page.get_by_role("main").get_by_role("status").filter(has_text=words).wait_for()


def expect_shown(picture: Locator) -> None:
    """The picture is there and its pixels have come."""
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("img => img.naturalWidth") > 0


def expect_box_on_face(page: Page, number: int, face: dict[str, Any], size: tuple[int, int]) -> None:
    """face: as JSON. size: of the photo, (width, height) in its own pixels."""
    picture = photo_of(page)
    expect_shown(picture)
    x, y, width, height = picture.evaluate(_SHOWN)
    assert abs(width / height - size[0] / size[1]) < 0.01, "the photo is out of shape"
    top, right, bottom, left = face["box"]
    across, down = width / size[0], height / size[1]
    expected = [y + top * down, x + right * across, y + bottom * down, x + left * across]
    drawn = box(page, number).locator("rect").last.evaluate(_DRAWN)
    # Half a pixel: the page rounds nothing that the eye would miss.
    assert all(abs(a - b) < 0.75 for a, b in zip(drawn, expected, strict=True)), (drawn, expected)
