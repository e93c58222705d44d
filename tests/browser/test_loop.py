"""From a photo to a name, as a visitor goes through it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Watched
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation
from tests.browser.visitor import (
    PHOTO_URL,
    card,
    choose,
    drop,
    expect_box_on_face,
    expect_notice,
    expect_shown,
    give_name,
    name_field,
    photo_of,
    upload,
    visit,
)

# Keeps what the region says while it says it: the page goes on by itself when the photo is done.
_REMEMBER = """region => {
  const note = () => sessionStorage.setItem("seen", (sessionStorage.getItem("seen") ?? "") + region.innerText + "\\n");
  new MutationObserver(note).observe(region, { subtree: true, childList: true, characterData: true });
}"""


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_from_the_first_photo_to_a_suggestion_that_is_right(
    server: Installation, open_page: Watched, pictures: Pictures, size: dict[str, Any]
) -> None:
    page = open_page(server, **size)
    on_phone = size is PHONE

    page.goto("/admin/")
    expect(page.get_by_text("The reserve folder has no photos, so there is nothing to reset to.")).to_be_visible()
    expect(page.get_by_role("button", name="Reset the training data")).to_have_count(0)
    page.goto("/people/")
    expect(page.get_by_role("heading", name="Nobody yet")).to_be_visible()
    page.get_by_role("link", name="Upload a photo").click()
    expect(page.get_by_role("heading", name="Put names to faces")).to_be_visible()
    expect(page.get_by_role("heading", name="How it works")).to_be_visible()
    expect(page.get_by_text("Take a photo")).to_be_visible(visible=on_phone)
    expect(page.get_by_text("Drop photos or a folder here")).to_be_visible(visible=not on_phone)

    progress = page.get_by_label("Upload", exact=True)
    expect(progress).to_be_hidden()
    progress.evaluate(_REMEMBER)
    first = pictures.sample("obama.jpg")
    choose(page, first)
    expect(page.get_by_role("progressbar", name="Upload progress")).to_be_visible()
    page.wait_for_url(PHOTO_URL)
    seen = page.evaluate("sessionStorage.getItem('seen')")
    assert "Uploading photo" in seen
    assert "Looking for faces" in seen

    expect(page.get_by_role("heading", level=1)).to_have_text("Who is this?")
    expect(card(page)).to_contain_text("A new face")
    [face] = server.json("/photos/1/")["faces"]
    expect_box_on_face(page, 1, face, pictures.size(first))
    page.set_viewport_size({"width": size["viewport"]["width"] * 3 // 4, "height": 700})
    expect_box_on_face(page, 1, face, pictures.size(first))
    page.set_viewport_size(size["viewport"])
    expect_box_on_face(page, 1, face, pictures.size(first))

    expect(card(page).get_by_role("button", name=re.compile("^Yes"))).to_have_count(0)
    expect(name_field(page)).to_be_focused()
    give_name(page, "Barack Obama")
    expect_notice(page, "Saved: Barack Obama.")
    expect(page.get_by_role("heading", level=1)).to_have_text("All done with this photo")
    expect_notice(page, "No other photo is waiting.")

    page.get_by_role("link", name="Upload more").click()
    expect(page.get_by_role("heading", name="Nothing is waiting")).to_be_visible()
    choose(page, pictures.sample("obama2.jpg"))
    page.wait_for_url(PHOTO_URL)
    expect(card(page)).to_contain_text("This looks like")
    expect(card(page).get_by_role("heading", name="Barack Obama")).to_be_visible()
    expect(card(page)).to_contain_text(re.compile(r"\b[5-9]\d% sure"))
    expect_shown(card(page).get_by_role("img", name="Face 1"))
    reasons = card(page).get_by_label("Because of these")
    expect(reasons).to_contain_text("Barack Obama")
    expect(reasons).to_contain_text("close")
    expect_shown(reasons.locator("img").first)
    yes = card(page).get_by_role("button", name="Yes, this is Barack Obama")
    if on_phone:
        yes.tap()
    else:
        page.keyboard.press("Enter")
    expect_notice(page, "Saved: Barack Obama.")
    expect(page.get_by_role("heading", level=1)).to_have_text("All done with this photo")

    page.get_by_role("navigation").get_by_role("link", name="People").click()
    expect(page.get_by_role("main").get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_role("link", name="Barack Obama")).to_contain_text("2 faces")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_someone_else_is_one_press_away_and_a_name_can_be_changed(
    open_page: Watched, shared_server: Installation, pictures: Pictures, size: dict[str, Any]
) -> None:
    page = open_page(shared_server, **size)
    page.goto("/")
    upload(page, pictures.head("obama2.jpg"))
    card(page).get_by_role("button", name="Joe Biden", exact=True).click()
    expect_notice(page, "Saved: Joe Biden.")

    expect(card(page).get_by_role("heading")).to_have_text("Joe Biden")

    card(page).locator("summary").filter(has_text="Change").click()
    page.get_by_role("combobox", name="New name of face 1").fill("Barack Obama")
    card(page).get_by_role("button", name="Save name").click()
    expect_notice(page, "This face has the new name.")
    expect(card(page).get_by_role("heading")).to_have_text("Barack Obama")


def test_a_name_can_be_taken_back(page: Page, shared_server: Installation, pictures: Pictures) -> None:
    photo = shared_server.name(pictures.head("obama3.jpg"), "Barack Obama")
    page.goto(f"/photos/{photo['photo_id']}/")
    card(page).locator("summary").click()
    card(page).get_by_role("button", name="Take the name back").click()
    expect_notice(page, "The face is waiting for a name again.")
    card(page).get_by_role("button", name="Yes, this is Barack Obama").click()
    expect_notice(page, "Saved: Barack Obama.")


def test_a_wrong_suggestion_can_be_refused_without_knowing_better(
    page: Page, shared_server: Installation, pictures: Pictures
) -> None:
    visit(page, shared_server, pictures.head("obama3.jpg"))
    card(page).get_by_role("button", name="Not Barack Obama", exact=True).click()
    expect_notice(page, "It will not be suggested for this face again.")
    expect(card(page).get_by_role("heading")).not_to_contain_text("Barack Obama")
    expect(card(page).get_by_role("button", name="Barack Obama")).to_have_count(0)
    expect(card(page).get_by_label("Because of these")).to_have_count(0)


@pytest.mark.parametrize(
    ("button", "said"), [("Ignore this stranger", "A stranger, ignored"), ("Not a face", "Not a face")]
)
def test_a_face_needs_no_name_and_can_be_brought_back(
    page: Page, shared_server: Installation, pictures: Pictures, button: str, said: str
) -> None:
    visit(page, shared_server, pictures.head("biden.jpg", mirrored=True))
    card(page).get_by_role("button", name=button).click()
    expect_notice(page, "Put aside.")
    expect(page.get_by_role("heading", level=1)).to_have_text("All done with this photo")
    expect(card(page).get_by_role("heading", name=said)).to_be_visible()
    card(page).get_by_role("button", name="Bring it back").click()
    expect_notice(page, "The face is waiting for a name again.")
    card(page).get_by_role("button", name="Yes, this is Joe Biden").click()
    expect_notice(page, "Saved: Joe Biden.")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_two_faces_get_two_decisions(
    open_page: Watched, shared_server: Installation, pictures: Pictures, size: dict[str, Any]
) -> None:
    page = open_page(shared_server, **size)
    group = pictures.side_by_side("obama2.jpg", "biden.jpg")
    visit(page, shared_server, group)
    expect(page.get_by_role("heading", level=1)).to_have_text("Who is in this photo?")
    expect(page.get_by_role("main")).to_contain_text("2 faces, 2 still to name")
    faces = shared_server.json(page.url.partition("#")[0].removeprefix(shared_server.url))["faces"]
    for number, face in enumerate(faces, start=1):
        expect_box_on_face(page, number, face, pictures.size(group))

    card(page, 1).get_by_role("button", name="Yes, this is Barack Obama").click()
    expect_notice(page, "Saved: Barack Obama.")
    expect(page.get_by_role("main")).to_contain_text("2 faces, 1 still to name")
    expect(card(page, 1)).to_contain_text("Named")
    assert page.url.endswith(f"#face-{faces[1]['id']}"), "the next face comes into view"
    card(page, 2).get_by_role("button", name="Yes, this is Joe Biden").click()
    expect_notice(page, "Saved: Joe Biden.")
    expect(page.get_by_role("heading", name="Every face is decided")).to_be_visible()


def test_the_name_field_offers_the_people_there_are(
    page: Page, shared_server: Installation, pictures: Pictures
) -> None:
    visit(page, shared_server, pictures.head("obama.jpg"))
    name_field(page).press_sequentially("b")
    for name in ("Barack Obama", "Joe Biden"):
        expect(page.get_by_role("option", name=name)).to_be_visible()
    name_field(page).press("Escape")
    name_field(page).clear()
    card(page).get_by_role("button", name=re.compile("^Yes")).click()


def test_the_next_photo_is_offered_when_one_is_done(page: Page, pictures: Pictures) -> None:
    page.goto("/")
    drop(page, pictures.head("obama.jpg"), pictures.head("biden.jpg"))
    page.get_by_role("link", name="Name the faces").click()
    page.get_by_role("link", name="Leave this one for now: next photo").click()
    expect(card(page).get_by_role("heading", name="Joe Biden")).to_be_visible()
    page.keyboard.press("Enter")
    expect_notice(page, "Saved: Joe Biden.")
    expect(card(page).get_by_role("heading", name="Barack Obama")).to_be_visible()
    page.keyboard.press("Enter")
    expect_notice(page, "Saved: Barack Obama.")
    expect_notice(page, "No other photo is waiting.")


def test_dropped_photos_are_all_taken_and_listed(
    page: Page, open_page: Watched, shared_server: Installation, pictures: Pictures
) -> None:
    """Among them a text file that only claims to be a photo: the server's own words stand beside its name."""
    open_page.expect_refusal("/upload/", 400)
    page.goto("/")
    photos = [pictures.head(f"obama{n}.jpg", name=f"holiday-{n}.jpg") for n in (2, 3)]
    drop(page, photos[0], pictures.text("letter.jpg"), photos[1])
    results = page.get_by_role("list", name="Results").get_by_role("listitem")
    expect(results).to_have_count(3)
    expect(page.get_by_label("Upload", exact=True).get_by_role("status")).to_have_text("3 of 3 photos done")
    for number in (0, 2):
        expect(results.nth(number)).to_contain_text("1 face")
        expect(results.nth(number).get_by_role("link")).to_have_attribute("href", re.compile(r"^/photos/\d+/$"))
        expect_shown(results.nth(number).locator("img"))
    refused = results.filter(has_text="letter.jpg")
    expect(refused).to_contain_text(re.compile("not .*(photo|picture|image)", re.IGNORECASE))
    expect(refused.get_by_role("link")).to_have_count(0)
    page.get_by_role("link", name="Name the faces").click()
    for _ in photos:
        card(page).get_by_role("button", name="Yes, this is Barack Obama").click()
        expect_notice(page, "Saved: Barack Obama.")


def test_a_photo_without_a_face_says_so(page: Page, open_page: Watched, pictures: Pictures) -> None:
    open_page.expect_refusal("/upload/", 400)
    upload(page, pictures.nobody())
    expect(page.get_by_role("heading", level=1)).to_have_text("No face found")
    expect(page.get_by_role("heading", name="Nobody was found here")).to_be_visible()
    expect_shown(photo_of(page))


def test_a_photo_turned_by_its_camera_stands_upright_under_its_box(
    page: Page, shared_server: Installation, pictures: Pictures
) -> None:
    photo = pictures.sideways("obama2.jpg")
    upload(page, photo)
    [face] = shared_server.json(page.url.removeprefix(shared_server.url))["faces"]
    expect_box_on_face(page, 1, face, pictures.size(photo))
    card(page).get_by_role("button", name=re.compile("^Yes")).click()


def test_a_face_decided_in_another_window_is_not_decided_again(
    page: Page, open_page: Watched, shared_server: Installation, pictures: Pictures
) -> None:
    visit(page, shared_server, pictures.head("biden.jpg"))
    other = open_page(shared_server)
    other.goto(page.url)
    card(other).get_by_role("button", name="Yes, this is Joe Biden").click()
    expect_notice(other, "Saved: Joe Biden.")
    open_page.expect_refusal("/confirm/", 409)
    card(page).get_by_role("button", name="Barack Obama", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("This face is already named Joe Biden. Nothing was changed.")
    page.get_by_role("link", name="Go back").click()
    expect(card(page).get_by_role("heading")).to_have_text("Joe Biden")


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", 'محمد 👩‍🚀 "O\'Neil" & Zoë'])
def test_any_name_is_shown_as_text(page: Page, shared_server: Installation, pictures: Pictures, name: str) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    photo = pictures.head("obama3.jpg", mirrored=True, name="<b>bold</b>.jpg".replace("/", "_"))
    visit(page, shared_server, photo)
    give_name(page, name)
    expect_notice(page, f"Saved: {name}.")
    expect(card(page).get_by_role("heading", name=name, exact=True)).to_be_visible()

    page.goto("/people/")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible()
    expect(page).to_have_title(re.compile(re.escape(name)))
    page.get_by_role("link", name="See photo of face 1", exact=True).click()
    expect(card(page).get_by_role("heading", name=name, exact=True)).to_be_visible()
    card(page).locator("summary").click()
    card(page).get_by_role("button", name="Take the name back").click()

    # As a suggestion, a button, a reason and an option, too.
    shared_server.name(pictures.head("obama3.jpg", mirrored=True), name)
    visit(page, shared_server, pictures.head("obama3.jpg", mirrored=True))
    expect(card(page).get_by_role("button", name=f"Yes, this is {name}")).to_be_visible()
    expect(card(page).get_by_label("Because of these")).to_contain_text(name)
    name_field(page).fill(name)
    expect(page.get_by_role("option")).to_contain_text(name)
    name_field(page).press("Escape")
    name_field(page).clear()
    card(page).get_by_role("button", name="Not a face").click()
    page.goto("/admin/")
    assert page.locator("img[src=x]").count() == 0


def test_people_can_be_looked_for_and_visited(page: Page, shared_server: Installation, pictures: Pictures) -> None:
    page.goto("/people/")
    people = page.get_by_role("main").get_by_role("listitem")
    page.get_by_role("searchbox", name="Find a person").fill("BIDÉN")
    expect(people.filter(visible=True)).to_have_count(1)
    page.get_by_role("link", name="Joe Biden").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Joe Biden")
    for picture in page.get_by_role("list", name="Faces").get_by_role("img").all():
        expect_shown(picture)
    page.get_by_role("list", name="Faces").get_by_role("link").first.click()
    page.wait_for_url(PHOTO_URL)
    page.go_back()
    page.get_by_role("link", name="All people").click()
    page.get_by_role("searchbox", name="Find a person").fill("nobody of this name")
    expect(page.get_by_text("Nobody by that name yet.")).to_be_visible()


def test_the_icon_and_every_stylesheet_and_script_are_there(page: Page) -> None:
    for path in ("/", "/people/", "/admin/"):
        page.goto(path)
        for source in page.evaluate(
            "[...document.querySelectorAll('link[href], script[src]')].map((each) => each.href ?? each.src)"
        ):
            assert page.request.get(source).ok, source
