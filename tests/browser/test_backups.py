"""A backup leaves one machine and comes in on another, by the admin page alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.conftest import PHONE, Watched
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation, serve


@pytest.fixture(scope="module")
def elsewhere(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, pictures: Pictures, models_folder: Path
) -> Iterator[Installation]:
    """An installation with two photos, of two people: what others do in the shared one would be in its backups."""
    with serve(tmp_path_factory.mktemp("elsewhere"), models_folder) as installation:
        installation.name(pictures.head("obama.jpg"), "Barack Obama")
        installation.name(pictures.head("biden.jpg"), "Joe Biden")
        yield installation


@pytest.fixture
def file(elsewhere: Installation, open_page: Watched, tmp_path: Path) -> Path:
    """A backup that was made and downloaded elsewhere, and is not there any more."""
    page = open_page(elsewhere)
    page.goto("/admin/")
    page.get_by_role("button", name="Make a backup now").click()
    expect(page.get_by_label("Progress of this job").get_by_role("status")).to_have_text("Done")
    page.goto("/admin/")
    with page.expect_download() as download:
        first(page).get_by_role("link", name="Download").click()
    target = tmp_path / download.value.suggested_filename
    download.value.save_as(target)
    delete(page)
    return target


def first(page: Page) -> Locator:
    return page.get_by_role("region", name="Backups").get_by_role("listitem").first


def delete(page: Page) -> None:
    first(page).locator("summary", has_text="Delete").click()
    first(page).get_by_role("button", name="Delete this backup").click()
    page.get_by_text("The backup is deleted.").wait_for()


def choose(page: Page, file: Path) -> Locator:
    """The button to press next."""
    page.get_by_label("Bring one in").set_input_files(file)
    return page.get_by_role("button", name="Bring in")


def test_everything_moves_to_a_new_machine(file: Path, open_page: Watched, server: Installation) -> None:
    page = open_page(server)
    page.goto("/admin/")
    expect(page.get_by_role("region", name="Backups")).to_contain_text("None yet.")
    choose(page, file).click()
    done = page.get_by_role("status").filter(has_text="It is in: 2 photos and 2 faces.")
    expect(done).to_be_visible()
    expect(first(page)).to_contain_text("brought in")
    expect(page.get_by_label("Bring one in")).to_have_value("")
    expect(page.get_by_role("progressbar", name="Progress of the backup")).to_be_hidden()

    # The list has come anew, with forms that work.
    first(page).locator("summary", has_text="Restore").click()
    page.get_by_label("Type RESTORE to go on").fill("RESTORE")
    page.get_by_role("button", name="Restore this backup").click()
    expect(page.get_by_label("Progress of this job").get_by_role("status")).to_have_text("Done")
    page.goto("/people/")
    expect(page.get_by_role("main").get_by_role("link", name=re.compile("Barack Obama|Joe Biden"))).to_have_count(2)


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desktop", "phone"])
def test_while_it_is_on_its_way_the_page_says_so_and_sends_it_once(
    file: Path, open_page: Watched, server: Installation, size: dict[str, object]
) -> None:
    page, held = open_page(server, **size), list[Route]()
    page.route("**/backups/upload", lambda route: held.append(route))
    page.goto("/admin/")
    button = choose(page, file)
    with page.expect_request("**/backups/upload"):
        button.press("Enter")
    expect(page.get_by_role("progressbar", name="Progress of the backup")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="MB")).to_have_text(re.compile(r"^Sending [\d,]+ MB$"))
    expect(button).to_be_disabled()
    expect(button).to_be_focused()
    button.press("Enter")
    held[0].continue_()
    expect(page.get_by_role("status").filter(has_text="It is in")).to_be_visible()
    expect(button).to_be_enabled()
    expect(button).to_be_focused()
    assert len(held) == 1
    assert len(server.json("/backups/")["backups"]) == 1


def test_what_is_refused_is_said_beside_the_form_and_can_be_tried_again(
    file: Path, open_page: Watched, server: Installation, pictures: Pictures
) -> None:
    open_page.expect_refusal("/backups/upload", 400)
    open_page.expect_refusal("/backups/upload", 409)
    page = open_page(server)
    page.goto("/admin/")
    choose(page, pictures.text()).click()
    expect(page.get_by_role("alert")).to_have_text("The file is not a zip archive, or it is damaged.")
    choose(page, file).click()
    expect(page.get_by_role("status").filter(has_text="It is in")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()
    choose(page, file).click()
    expect(page.get_by_role("alert")).to_have_text("This backup is here already.")
    expect(page.get_by_role("status").filter(has_text="It is in")).to_be_hidden()
    expect(page.get_by_role("region", name="Backups").get_by_role("listitem")).to_have_count(1)


def test_what_the_disk_has_no_room_for_is_not_even_sent(file: Path, page: Page) -> None:
    sent = list[str]()
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    page.goto("/admin/")
    page.locator("#bring").evaluate("form => { form.dataset.room = 1000; }")
    choose(page, file).click()
    expect(page.get_by_role("alert")).to_contain_text("This file is larger than the room that the disk has for it")
    assert not [each for each in sent if each.startswith("POST")]


def test_it_works_without_scripts(file: Path, open_page: Watched, server: Installation) -> None:
    open_page.expect_refusal("/backups/upload", 409)
    page = open_page(server, java_script_enabled=False)
    page.goto("/admin/")
    choose(page, file).click()
    expect(page.get_by_role("status")).to_contain_text("The backup is in: 2 photos and 2 faces.")
    expect(first(page)).to_contain_text("brought in")
    choose(page, file).click()
    expect(page.get_by_role("main")).to_contain_text("This backup is here already.")
    page.get_by_role("link", name="Go back").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Admin")
