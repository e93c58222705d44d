"""The whole loop with scripts switched off: slower, but all there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation
from tests.browser.visitor import PHOTO_URL, card, expect_notice, expect_shown, give_name
from tests.server import fill_reserve


@pytest.fixture
def plain(open_page: Watched, shared_server: Installation) -> Page:
    return open_page(shared_server, java_script_enabled=False)


def test_the_whole_loop(plain: Page, pictures: Pictures) -> None:
    page = plain
    page.goto("/")
    expect(page.get_by_text("Drop photos or a folder here")).to_be_hidden()
    _send(page, pictures.head("obama.jpg"))
    page.wait_for_url(PHOTO_URL)
    give_name(page, "Somebody else")
    expect_notice(page, "Saved: Somebody else.")
    card(page).locator("summary").click()
    card(page).get_by_role("button", name="Take the name back").click()
    expect_notice(page, "The face is waiting for a name again.")
    card(page).get_by_role("button", name="Barack Obama").first.click()
    expect_notice(page, "Saved: Barack Obama.")

    page.get_by_role("link", name="Upload more").click()
    _send(page, pictures.head("obama2.jpg"))
    page.wait_for_url(PHOTO_URL)
    expect(card(page)).to_contain_text(re.compile(r"\b[5-9]\d% sure"))
    expect_shown(card(page).get_by_label("Because of these").locator("img").first)
    card(page).get_by_role("button", name="Yes, this is Barack Obama").click()
    expect_notice(page, "Saved: Barack Obama.")

    card(page).locator("summary").click()
    page.get_by_role("combobox", name="New name of face 1").fill("Barry")
    card(page).get_by_role("button", name="Save name").click()
    expect_notice(page, "This face has the new name.")
    card(page).locator("summary").click()
    card(page).get_by_role("button", name="Take the name back").click()
    expect_notice(page, "The face is waiting for a name again.")
    card(page).get_by_role("button", name="Ignore this stranger").click()
    expect_notice(page, "Put aside.")
    card(page).get_by_role("button", name="Bring it back").click()
    expect_notice(page, "The face is waiting for a name again.")
    card(page).get_by_role("button", name="Not a face").click()
    expect_notice(page, "Put aside.")

    page.get_by_role("navigation").get_by_role("link", name="People").click()
    page.get_by_role("searchbox", name="Find a person").fill("OBÄMA")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("1 name with")).to_be_visible()
    page.get_by_role("link", name="Barack Obama").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Barack Obama")


def test_several_photos_at_once_are_worked_off_while_the_page_reloads_itself(plain: Page, pictures: Pictures) -> None:
    plain.goto("/")
    _send(plain, *[pictures.head("biden.jpg", name=f"party-{n}.jpg") for n in range(5)])
    expect(plain.get_by_role("heading", level=1)).to_have_text("Looking for faces")
    expect(plain.get_by_label("Progress of this job").get_by_role("status")).to_have_text("Done")
    plain.get_by_role("link", name="Go on").click()
    expect(plain).to_have_url(re.compile("/review/$"))
    plain.goto("/")
    expect(plain.get_by_role("heading", name="Waiting for a name")).to_be_visible()
    expect(plain.get_by_role("main").get_by_role("link", name="1 face waiting")).to_have_count(5)


def test_a_refused_file_is_told_with_the_photos_that_were_taken(
    plain: Page, open_page: Watched, pictures: Pictures
) -> None:
    plain.goto("/")
    _send(plain, pictures.head("obama.jpg"), pictures.text())
    expect(plain.get_by_role("alert")).to_contain_text("letter.jpg")
    expect(plain.get_by_role("main").get_by_role("link", name="1 face waiting")).to_have_count(1)
    expect_notice(plain, "1 photo is in.")

    open_page.expect_refusal("/upload/", 400)
    _send(plain, pictures.text())
    expect(plain.get_by_role("heading", level=1)).to_be_visible()
    expect(plain.get_by_role("link", name="Go back")).to_be_visible()


def test_reset(open_page: Watched, server: Installation, pictures: Pictures, sample_photos: dict[str, Path]) -> None:
    plain = open_page(server, java_script_enabled=False)
    fill_reserve(server.home, sample_photos, 4)
    server.name(pictures.head("obama.jpg"), "Somebody else")
    plain.goto("/admin/")
    plain.get_by_label("Type RESET to go on").fill("RESET")
    plain.get_by_role("button", name="Reset the training data").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Reset")
    expect(plain.get_by_label("Progress of this job").get_by_role("status")).to_have_text("Done")
    plain.get_by_role("link", name="Go on").click()
    expect(plain.get_by_role("main").get_by_role("listitem")).to_have_count(2)


def _send(page: Page, *photos: object) -> None:
    page.locator("input[type=file]").filter(visible=True).set_input_files([str(photo) for photo in photos])
    page.get_by_role("button", name="Upload", exact=True).click()
