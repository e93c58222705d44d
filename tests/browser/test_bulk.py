"""Many photos at once, through the page: chosen as a folder or dropped, some of them no photos, some known before."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Watched
from tests.browser.serving import Installation
from tests.labelling.consistency import assert_consistent, rows

PHOTOS = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 drawn photos in two folders, a text called a photo, a text, and what no one has asked for."""
    root = tmp_path / "holiday"
    for day in ("monday", "tuesday"):
        (root / day).mkdir(parents=True)
    for number in range(PHOTOS):
        photo = Image.new("RGB", (96, 64), (200, 3 * number, 90))
        photo.save(root / ("monday", "tuesday")[number % 2] / f"{number:02}.jpg")
    (root / "monday/letter.jpg").write_text("Dear all")
    (root / "notes.txt").write_text("milk, bread")
    (root / ".hidden.jpg").write_text("nobody's")
    return root


def bulk(page: Page) -> Locator:
    return page.get_by_label("Bulk upload")


def drop_folder(page: Page, folder: Path) -> None:
    """As from the desktop: the browser itself reads the folder."""
    box = page.locator("#drop").bounding_box()
    assert box is not None
    where: dict[str, Any] = {"x": box["x"] + 20, "y": box["y"] + 20}
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "data": data, **where})


def choose_folder(page: Page, folder: Path) -> None:
    page.get_by_label("Choose a folder").set_input_files(str(folder))


@pytest.mark.parametrize("put", [choose_folder, drop_folder])
def test_a_folder_is_stored_and_looked_at_by_one_job(
    server: Installation, open_page: Watched, folder: Path, put: Any
) -> None:
    known = folder / "tuesday/01.jpg"
    server.upload(known, status=400)
    page = open_page(server)
    page.goto("/")
    put(page, folder)
    section = bulk(page)
    expect(section.get_by_role("status").first).to_have_text(f"{PHOTOS} photos of {PHOTOS + 2} stored", timeout=30_000)
    expect(section).to_contain_text("1 was here already, 2 were refused")
    expect(section).to_contain_text("You can close this page")
    section.get_by_text("Which were refused, and why").click()
    refused = section.locator("dl > div")
    expect(refused.filter(has_text="monday/letter.jpg")).to_contain_text("not an image")
    expect(refused.filter(has_text="notes.txt")).to_contain_text("Not a photo")
    expect(section).to_contain_text(f"{PHOTOS - 1} photos looked at", timeout=60_000)
    expect(section.get_by_role("link", name="Review the faces")).to_have_attribute("href", "/review/")
    (job,) = rows(server.home, "SELECT kind, state, total FROM jobs")
    assert (job["kind"], job["state"], job["total"]) == ("encode", "done", PHOTOS - 1)
    assert len(rows(server.home, "SELECT 1 AS one FROM photos WHERE encoded")) == PHOTOS
    assert not any(path.name.startswith(".") for path in (server.home / "datasets/uploads").iterdir())
    assert_consistent(server.home)


def test_a_connection_that_breaks_is_tried_again(server: Installation, open_page: Watched, folder: Path) -> None:
    page = open_page(server)
    broken: list[str] = []

    def break_once(route: Route) -> None:
        if len(broken) < 2:
            broken.append(route.request.url)
            # What a browser makes of it is what the page has to live with; the test looks for other failures.
            route.fulfill(status=502, body="<h1>Bad gateway</h1>")
        else:
            route.continue_()

    open_page.expect_refusal("/upload/", 502)
    page.route("**/upload/", break_once)
    page.goto("/")
    choose_folder(page, folder)
    expect(bulk(page).get_by_role("status").first).to_have_text(
        f"{PHOTOS} photos of {PHOTOS + 2} stored", timeout=30_000
    )
    assert len(broken) == 2
    assert len(rows(server.home, "SELECT 1 AS one FROM photos")) == PHOTOS


def test_closing_the_page_on_the_way_is_warned_of(server: Installation, open_page: Watched, folder: Path) -> None:
    page = open_page(server)
    waiting: list[Route] = []
    page.route("**/upload/", lambda route: route.continue_() if waiting else waiting.append(route))
    page.goto("/")
    choose_folder(page, folder)
    expect(bulk(page)).to_contain_text("Keep this page open")
    with page.expect_event("dialog") as warned:
        page.close(run_before_unload=True)
    assert warned.value.type == "beforeunload"
    warned.value.dismiss()
    waiting[0].continue_()
    expect(bulk(page).get_by_role("status").first).to_have_text(re.compile("stored$"), timeout=30_000)


def test_nothing_of_it_is_shown_before_there_is_anything_to_show(server: Installation, open_page: Watched) -> None:
    expect(bulk(open_page(server))).to_be_hidden()
