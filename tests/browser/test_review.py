"""The labelling loop in a browser: with the keyboard only, by touch at phone width, and without scripts."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.conftest import PHONE, Watched
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation, serve
from tests.browser.visitor import expect_notice, expect_shown

OBAMA, BIDEN = "Barack Obama", "Joe Biden"


@pytest.fixture(scope="module")
def prepared(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, pictures: Pictures, models_folder: Path
) -> tuple[Path, Path]:
    """The homes of `waiting` and of `known`: faces are found once, and the result copied."""
    waiting, known = tmp_path_factory.mktemp("waiting") / "home", tmp_path_factory.mktemp("known") / "home"
    with serve(waiting, models_folder) as installation:
        for name in ("obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg"):
            installation.upload(pictures.head(name))
        installation.upload(pictures.head("biden.jpg", mirrored=True))
    shutil.copytree(waiting, known, symlinks=True)
    with serve(known, models_folder) as installation:
        installation.name(pictures.head("obama.jpg", side=300, name="first.jpg"), OBAMA)
        installation.name(pictures.head("biden.jpg", side=300, name="second.jpg"), BIDEN)
    return waiting, known


@pytest.fixture
def waiting(prepared: tuple[Path, Path], tmp_path: Path, models_folder: Path) -> Iterator[Installation]:
    """Three faces of Obama wait and two of Biden; nobody has a name."""
    yield from _copied(prepared[0], tmp_path / "home", models_folder)


@pytest.fixture
def known(prepared: tuple[Path, Path], tmp_path: Path, models_folder: Path) -> Iterator[Installation]:
    """The same, and both are known."""
    yield from _copied(prepared[1], tmp_path / "home", models_folder)


def _copied(prepared: Path, home: Path, models: Path) -> Iterator[Installation]:
    shutil.copytree(prepared, home, symlinks=True)
    with serve(home, models) as installation:
        yield installation


def ticks(page: Page) -> Locator:
    return page.get_by_role("list", name="Faces").get_by_role("checkbox")


def counts(installation: Installation) -> dict[str, int]:
    return {person["name"]: person["count"] for person in installation.json("/people/")["people"]}


def asked(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def open_review(open_page: Watched, installation: Installation, **options: Any) -> Page:
    page = open_page(installation, **options)
    page.goto("/review/")
    expect(page.locator("html")).to_have_class(re.compile("live"))
    return page


def test_the_whole_loop_with_the_keyboard_only(open_page: Watched, waiting: Installation) -> None:
    page = open_review(open_page, waiting)
    expect(asked(page)).to_have_text("Who is this?")
    expect(ticks(page)).to_have_count(3)
    expect_shown(page.get_by_role("img", name="Face 1"))
    page.keyboard.press("n")
    expect(page.get_by_role("combobox", name="Name")).to_be_focused()
    page.keyboard.type(OBAMA)
    page.keyboard.press("Enter")
    expect_notice(page, f"Named 3 faces {OBAMA}.")
    for _ in range(3):
        if not page.get_by_role("list", name="Faces").count():
            break
        before = asked(page).text_content()
        page.keyboard.press("n")
        page.keyboard.type(BIDEN)
        page.keyboard.press("Enter")
        expect_notice(page, BIDEN)
        if asked(page).text_content() == f"Is this {BIDEN}?" != before:
            page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Everything is decided")).to_be_visible()
    assert counts(waiting) == {OBAMA: 3, BIDEN: 2}
    # The page was never left: the focus is where the next key is heard.
    page.keyboard.press("u")
    expect_notice(page, "Undone: ")
    expect(ticks(page).first).to_be_focused()
    assert counts(waiting)[OBAMA] == 3


def test_enter_agrees_and_u_takes_it_back(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known)
    expect(asked(page)).to_have_text(f"3 faces that look like {OBAMA}")
    before = counts(known)
    page.keyboard.press("Enter")
    expect_notice(page, f"Named 3 faces {OBAMA}.")
    assert counts(known) == before | {OBAMA: 4}
    expect(asked(page)).to_contain_text(BIDEN)
    page.keyboard.press("u")
    expect_notice(page, "Undone: named 3 faces Barack Obama.")
    expect(asked(page)).to_have_text(f"3 faces that look like {OBAMA}")
    assert counts(known) == before


def test_arrows_move_and_space_unticks(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known)
    expect(ticks(page).first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(ticks(page).nth(1)).to_be_focused()
    page.keyboard.press("Space")
    expect(ticks(page).nth(1)).not_to_be_checked()
    expect(page.get_by_role("button", name=f"Yes, these 2 are {OBAMA}")).to_be_visible()
    page.keyboard.press("Enter")
    expect_notice(page, f"Named 2 faces {OBAMA}.")
    assert [no["label"] for no in known.json("/aside/")["faces"]] == [OBAMA]


def test_up_and_down_go_by_rows(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known, viewport={"width": 390, "height": 844})
    boxes = [ticks(page).nth(number).bounding_box() for number in range(3)]
    assert boxes[0]
    assert boxes[2]
    assert boxes[2]["y"] > boxes[0]["y"]
    page.keyboard.press("ArrowDown")
    expect(ticks(page).nth(2)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(ticks(page).nth(0)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(ticks(page).nth(0)).to_be_focused()


@pytest.mark.parametrize(
    ("key", "said", "which"),
    [("i", "Ignored 3 faces", "ignored"), ("x", "Put 3 faces aside as no face.", "not_a_face")],
)
def test_a_group_is_put_aside_with_a_key(
    open_page: Watched, known: Installation, key: str, said: str, which: str
) -> None:
    page = open_review(open_page, known)
    page.keyboard.press(key)
    expect_notice(page, said)
    assert known.json(f"/aside/?which={which}")["counts"][which] >= 3
    page.keyboard.press("u")
    expect_notice(page, "Undone: ")
    assert known.json("/aside/")["counts"][which] == 0


def test_s_skips_and_0_says_that_it_is_none_of_them(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known)
    page.keyboard.press("s")
    expect_notice(page, "Put off 3 faces.")
    expect(asked(page)).to_contain_text(BIDEN)
    page.keyboard.press("0")
    expect_notice(page, f"Noted: none of these is {BIDEN}.")
    assert {no["label"] for no in known.json("/aside/")["faces"]} == {BIDEN}


def test_a_candidate_is_chosen_by_its_number(open_page: Watched, waiting: Installation, pictures: Pictures) -> None:
    waiting.name(pictures.head("obama.jpg", side=300, name="first.jpg"), OBAMA)
    group = waiting.json("/review/")["group"]
    waiting.server.post(f"/faces/{group['faces'][0]['id']}/reject", label=OBAMA)
    waiting.name(pictures.head("obama2.jpg", side=300, name="other.jpg"), "Double")
    page = open_review(open_page, waiting)
    first = page.locator("[data-key='1']")
    name = first.locator("bdi").inner_text()
    page.keyboard.press("1")
    expect_notice(page, name)
    assert name in counts(waiting)


def test_no_key_acts_while_somebody_types(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known)
    before = known.json("/decisions/")
    page.keyboard.press("n")
    page.keyboard.type("uxis 1a")
    field = page.get_by_role("combobox", name="Another name")
    expect(field).to_have_value("uxis 1a")
    page.keyboard.press("Escape")
    expect(ticks(page).first).to_be_focused()
    assert known.json("/decisions/") == before


def test_the_name_field_offers_faces_and_is_worked_by_keyboard(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known)
    page.keyboard.press("n")
    page.keyboard.type("bid")
    field = page.get_by_role("combobox", name="Another name")
    expect(field).to_have_attribute("aria-expanded", "true")
    option = page.get_by_role("option", name=re.compile(BIDEN))
    expect_shown(option.locator("img"))
    expect(option).to_contain_text("1 face")
    page.keyboard.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-activedescendant", option.get_attribute("id") or "")
    page.keyboard.press("Escape")
    expect(option).to_be_hidden()
    expect(field).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect_notice(page, f"Named 3 faces {BIDEN}.")


def test_a_name_is_chosen_with_the_mouse(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known)
    page.get_by_role("combobox", name="Another name").fill("oba")
    page.get_by_role("option", name=re.compile(OBAMA)).click()
    expect(page.get_by_role("combobox", name="Another name")).to_have_value(OBAMA)
    page.get_by_role("button", name="Save name").click()
    expect_notice(page, f"Named 3 faces {OBAMA}.")


def test_help_tells_the_keys_and_closes(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known)
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    page.keyboard.press("i")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    assert known.json("/aside/?which=ignored")["faces"] == []


def test_p_shows_the_face_in_its_photo(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known)
    page.keyboard.press("p")
    peeked = page.get_by_role("dialog", name="The face in its photo")
    expect_shown(peeked.get_by_role("img").first)
    expect(peeked.locator(".box.lit")).to_have_count(1)
    expect(peeked.get_by_role("link", name="Open the photo")).to_have_attribute(
        "href", re.compile(r"/photos/\d+/#face")
    )
    page.keyboard.press("Escape")
    expect(peeked).to_be_hidden()
    expect(ticks(page).first).to_be_focused()


def test_a_second_press_while_the_first_is_on_its_way_does_nothing(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    yes = page.locator("#review .yes")
    yes.evaluate("button => { button.click(); button.click(); button.click(); }")
    expect_notice(page, f"Named 3 faces {OBAMA}.")
    assert len(sent) == 1


def test_what_somebody_else_has_decided_is_said_and_nothing_is_lost(open_page: Watched, known: Installation) -> None:
    open_page.expect_refusal("/review/", 409)
    page = open_review(open_page, known)
    face_id = known.json("/review/")["group"]["faces"][0]["id"]
    ticks(page).nth(2).uncheck()
    known.server.post(f"/faces/{face_id}/dismiss", action="ignore")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("has been decided already. Nothing was changed.")
    expect(ticks(page).nth(2)).not_to_be_checked()
    expect(page.get_by_role("link", name="See what is left")).to_be_visible()


def test_an_answer_that_does_not_arrive_can_be_sent_again(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known)
    answers = iter([500])

    def once(route: Route) -> None:
        if next(answers, None):
            route.fulfill(status=500, body="<p id=message>Out of order.</p>", content_type="text/html")
        else:
            route.continue_()

    open_page.expect_refusal("/review/", 500)
    page.route("**/review/", once)
    page.keyboard.press("n")
    page.keyboard.type("Jo")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Out of order.")
    expect(page.get_by_role("combobox", name="Another name")).to_have_value("Jo")
    page.keyboard.press("Enter")
    expect_notice(page, "Named 3 faces Jo.")


def test_by_touch_on_a_phone(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known, **PHONE)
    ticks(page).nth(2).tap()
    yes = page.get_by_role("button", name=f"Yes, these 2 are {OBAMA}")
    expect(yes).to_be_in_viewport()
    yes.tap()
    expect_notice(page, f"Named 2 faces {OBAMA}.")
    page.get_by_role("button", name="Undo", exact=True).tap()
    expect_notice(page, "Undone: ")
    page.get_by_role("combobox", name="Another name").tap()
    page.get_by_role("combobox", name="Another name").fill("Jo")
    page.get_by_role("button", name="Save name").tap()
    expect_notice(page, "Named 3 faces Jo.")


def test_faces_come_by_themselves_while_photos_are_searched(
    open_page: Watched, server: Installation, pictures: Pictures
) -> None:
    """The page of an empty inbox fills, without anybody touching it."""
    photos = [pictures.head(name) for name in ("obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg")]
    photos.append(pictures.head("biden.jpg", mirrored=True))
    page, watcher = open_page(server, java_script_enabled=False), open_page(server)
    page.goto("/")
    page.locator("#file").set_input_files([str(photo) for photo in photos])
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/jobs/*/")
    watcher.goto("/review/")
    expect(ticks(watcher).first).to_be_visible(timeout=30_000)


def test_everything_is_there_without_scripts(open_page: Watched, known: Installation) -> None:
    page = open_page(known, java_script_enabled=False)
    page.goto("/review/")
    ticks(page).nth(2).uncheck()
    page.get_by_role("button", name=f"Yes, all 3 are {OBAMA}").click()
    expect_notice(page, f"Named 2 faces {OBAMA}.")
    page.get_by_role("main").get_by_role("button", name="Undo", exact=True).click()
    expect_notice(page, "Undone: ")
    page.get_by_label("Another name").fill("Jo")
    page.keyboard.press("Enter")
    expect_notice(page, "Named 3 faces Jo.")
    page.get_by_role("button", name="Skip").click()
    expect_notice(page, "Put off")
    page.get_by_role("link", name="Last decisions").click()
    expect(page.get_by_role("listitem").filter(has_text="Named 3 faces Jo")).to_be_visible()


def test_a_no_is_taken_back_on_its_list(open_page: Watched, known: Installation) -> None:
    page = open_review(open_page, known)
    page.keyboard.press("0")
    expect_notice(page, "Noted")
    page.get_by_role("link", name="Put aside").click()
    expect(page.get_by_text(f"Not {OBAMA}")).to_have_count(3)
    page.get_by_role("button", name="Take back").first.click()
    expect(page.get_by_text(f"Not {OBAMA}")).to_have_count(2)
