"""People as a whole, in a browser: faces moved in bulk, a split, a merge side by side, all of it without scripts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Watched
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation
from tests.browser.visitor import expect_notice, expect_shown


@pytest.fixture
def mixed(server: Installation, pictures: Pictures) -> Installation:
    """Ana has three faces of Obama and one of Biden; Joe has another one of Biden."""
    for photo in (pictures.head("obama.jpg"), pictures.head("obama2.jpg"), pictures.head("obama3.jpg")):
        server.name(photo, "Ana")
    server.name(pictures.head("biden.jpg"), "Ana")
    server.name(pictures.head("biden.jpg", mirrored=True), "Joe")
    return server


def counts(installation: Installation) -> dict[str, int]:
    return {person["name"]: person["count"] for person in installation.json("/people/")["people"]}


def visit(page: Page, name: str) -> None:
    page.goto("/people/")
    page.get_by_role("link", name=re.compile(rf"^{name}\b")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def ticks(page: Page) -> Any:
    return page.get_by_role("main").get_by_role("checkbox")


def undo(page: Page) -> None:
    page.get_by_role("main").get_by_role("button", name="Undo").click()
    expect_notice(page, "Undone: ")


def test_faces_are_ticked_with_shift_and_moved(open_page: Watched, mixed: Installation) -> None:
    page = open_page(mixed)
    visit(page, "Ana")
    expect(page.get_by_role("button", name="Move")).to_be_hidden()
    for place, keys in ((0, []), (2, ["Shift"])):
        ticks(page).nth(place).click(modifiers=keys)
    expect(page.get_by_text("3 ticked")).to_be_visible()
    expect(ticks(page).nth(3)).not_to_be_checked()
    page.get_by_label("New name of the ticked faces").fill("Barack")
    page.keyboard.press("Enter")
    expect_notice(page, "Moved 3 faces to Barack.")
    assert counts(mixed) == {"Ana": 1, "Barack": 3, "Joe": 1}
    undo(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Ana")
    assert counts(mixed) == {"Ana": 4, "Joe": 1}


def test_all_are_ticked_and_none_again(open_page: Watched, mixed: Installation) -> None:
    page = open_page(mixed)
    visit(page, "Ana")
    page.get_by_role("button", name="Tick all").click()
    expect(page.get_by_text("4 ticked")).to_be_visible()
    page.get_by_role("button", name="Tick none").click()
    expect(page.get_by_text("None ticked")).to_be_visible()


def test_a_range_is_unticked_with_shift_too(open_page: Watched, mixed: Installation) -> None:
    page = open_page(mixed)
    visit(page, "Ana")
    page.get_by_role("button", name="Tick all").click()
    ticks(page).nth(3).click()
    ticks(page).nth(1).click(modifiers=["Shift"])
    expect(page.get_by_text("1 ticked")).to_be_visible()
    ticks(page).nth(3).click()
    expect(page.get_by_text("2 ticked")).to_be_visible()


def test_a_split_is_proposed_corrected_and_taken_back(open_page: Watched, mixed: Installation) -> None:
    page = open_page(mixed)
    visit(page, "Ana")
    page.get_by_role("link", name="Split").click()
    expect(page.get_by_text("1 face looks like somebody else.")).to_be_visible()
    leaving = page.get_by_role("list", name="Somebody else")
    expect(leaving.get_by_role("checkbox")).to_be_checked()
    expect_shown(leaving.get_by_role("img"))
    for tick in page.get_by_role("list", name="Ana").get_by_role("checkbox").all():
        expect(tick).not_to_be_checked()
    page.get_by_label("Name of the ticked faces").fill("Joe")
    page.get_by_role("button", name="Split off").click()
    expect_notice(page, "Moved a face to Joe.")
    assert counts(mixed) == {"Ana": 3, "Joe": 2}
    undo(page)
    assert counts(mixed) == {"Ana": 4, "Joe": 1}


def test_nothing_is_proposed_where_all_are_one(open_page: Watched, mixed: Installation) -> None:
    page = open_page(mixed)
    visit(page, "Ana")
    page.get_by_role("checkbox", name="Face 4 of Ana").click()
    page.get_by_role("button", name="Take the name back").click()
    expect_notice(page, "Let a face wait for a name again.")
    page.get_by_role("link", name="Split").click()
    expect(page.get_by_text("All these faces look like one person.")).to_be_visible()
    for tick in ticks(page).all():
        expect(tick).not_to_be_checked()


def test_a_name_that_is_taken_offers_a_merge_side_by_side(open_page: Watched, mixed: Installation) -> None:
    page = open_page(mixed)
    visit(page, "Joe")
    page.get_by_text("Rename", exact=True).first.click()
    page.get_by_label("New name", exact=True).fill("Ana")
    page.get_by_role("button", name="Rename").click()
    expect_notice(page, "Someone else is named Ana already.")
    for name, faces in (("Joe", 1), ("Ana", 4)):
        side = page.get_by_role("region", name=name)
        expect(side).to_contain_text(f"{faces} face")
        expect(side.get_by_role("list").get_by_role("img")).to_have_count(faces)
        expect_shown(side.get_by_role("list").get_by_role("img").first)
    boxes = [page.get_by_role("region", name=name).bounding_box() for name in ("Joe", "Ana")]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["y"] == boxes[1]["y"]
    page.get_by_role("button", name="Yes, all of them are Ana").click()
    expect_notice(page, "Merged Joe into Ana.")
    assert counts(mixed) == {"Ana": 5}
    undo(page)
    assert counts(mixed) == {"Ana": 4, "Joe": 1}


def test_a_person_is_renamed_with_the_keyboard_alone(open_page: Watched, mixed: Installation) -> None:
    page = open_page(mixed)
    visit(page, "Joe")
    page.get_by_text("Rename", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("New name", exact=True)).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("Joseph")
    page.keyboard.press("Enter")
    expect_notice(page, "Renamed Joe to Joseph.")
    assert counts(mixed) == {"Ana": 4, "Joseph": 1}


def test_on_a_phone_a_person_is_deleted_and_comes_back(open_page: Watched, mixed: Installation) -> None:
    page = open_page(mixed, **PHONE)
    visit(page, "Joe")
    page.get_by_text("Delete", exact=True).tap()
    page.get_by_role("button", name="Delete this person").tap()
    expect_notice(page, "Deleted Joe")
    expect(page.get_by_role("heading", level=1)).to_have_text("People")
    page.get_by_role("main").get_by_role("button", name="Undo").tap()
    expect_notice(page, "Undone: ")
    assert counts(mixed) == {"Ana": 4, "Joe": 1}


def test_on_a_phone_a_picture_is_chosen(open_page: Watched, mixed: Installation) -> None:
    page = open_page(mixed, **PHONE)
    visit(page, "Ana")
    page.get_by_role("checkbox", name="Face 4 of Ana").tap()
    page.get_by_role("button", name="Use as the picture").tap()
    expect_notice(page, "Chose a picture for Ana.")
    chosen = next(person["cover"] for person in mixed.json("/people/")["people"] if person["name"] == "Ana")
    assert chosen == page.get_by_role("img", name="Face 4 of Ana").get_attribute("src")


def test_everything_is_there_without_scripts(open_page: Watched, mixed: Installation) -> None:
    page = open_page(mixed, java_script_enabled=False)
    visit(page, "Ana")
    page.get_by_text("Merge", exact=True).click()
    page.get_by_label("With whom").fill("Joe")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Are they one person?")
    page.get_by_role("link", name="No, they are two people").click()
    page.get_by_role("checkbox", name="Face 4 of Ana").click()
    page.get_by_role("button", name="Take the name back").click()
    expect_notice(page, "Let a face wait for a name again.")
    undo(page)
    page.get_by_role("link", name="Split").click()
    page.get_by_role("button", name="Split off").click()
    expect_notice(page, "Said that a face is not Ana.")
    assert counts(mixed) == {"Ana": 3, "Joe": 1}
