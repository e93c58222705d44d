"""A wrong name put right, with the keyboard alone and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Watched
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation
from tests.browser.visitor import card, expect_notice, expect_shown


@pytest.fixture
def wrong(server: Installation, pictures: Pictures) -> Iterator[dict[str, Any]]:
    """A photo of Biden that is named Obama, where both have a face of their own."""
    server.name(pictures.head("obama.jpg"), "Barack Obama")
    server.name(pictures.head("biden.jpg"), "Joe Biden")
    return server.name(pictures.head("biden.jpg", mirrored=True), "Barack Obama")["faces"][0]


def test_enter_gives_the_other_name(open_page: Watched, server: Installation, wrong: dict[str, Any]) -> None:
    page = open_page(server)
    page.goto("/people/")
    page.get_by_role("link", name="1 name looks wrong").click()
    expect(page.get_by_role("button", name="It is Joe Biden")).to_be_focused()
    for side in ("Joe Biden", "Barack Obama"):
        expect_shown(page.get_by_role("region", name=f"Faces named {side}").get_by_role("img").first)
    page.keyboard.press("Enter")
    expect_notice(page, "the new name")
    expect(page).to_have_url(re.compile("/doubts/$"))
    expect(page.get_by_role("heading", name="No name looks wrong")).to_be_visible()
    assert {person["name"]: person["count"] for person in server.json("/people/")["people"]} == {
        "Barack Obama": 1,
        "Joe Biden": 2,
    }


def test_a_thumb_says_that_the_name_is_right(open_page: Watched, server: Installation, wrong: dict[str, Any]) -> None:
    page = open_page(server, **PHONE)
    page.goto("/doubts/")
    page.get_by_role("button", name="No, Barack Obama is right").tap()
    expect_notice(page, "this is Barack Obama")
    assert server.json("/doubts/") == {"doubts": []}


def test_the_keyboard_comes_to_the_name_before_the_use(
    open_page: Watched, server: Installation, pictures: Pictures
) -> None:
    photo = server.upload(pictures.blurred("obama.jpg"))
    page: Page = open_page(server)
    page.goto(f"/photos/{photo['photo_id']}/")
    expect(card(page).get_by_text("Blurred: it will carry a name, but is not used to recognise others")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("combobox")).to_be_focused()
    card(page).get_by_role("button", name="Use it to recognise others all the same").click()
    expect(card(page).get_by_text("it is used to recognise others, as you said")).to_be_visible()
