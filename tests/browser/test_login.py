"""Behind a password: logging in and out in a real browser, with and without scripts, and how the pages look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.access.doors import ADMIN_PASSWORD, API_TOKEN, PASSWORD, bearer, change
from tests.browser.conftest import DESKTOP, PHONE, Watched
from tests.browser.looks import COLOURS, FINGER, LONG, complaints
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation, serve
from tests.browser.visitor import expect_shown


@pytest.fixture(scope="module")
def shut(browser: Browser, tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> Iterator[Installation]:
    """An installation with both passwords."""
    settings = {
        "NAMESAKE_PASSWORD": PASSWORD, "NAMESAKE_ADMIN_PASSWORD": ADMIN_PASSWORD, "NAMESAKE_API_TOKEN": API_TOKEN
    }  # fmt: skip
    with serve(tmp_path_factory.mktemp("shut"), models_folder, **settings) as installation:
        installation.server.headers.update(bearer(API_TOKEN))
        yield installation


def log_in(page: Page, password: str, name: str = "") -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("scripts", [True, False])
def test_somebody_logs_in_by_keyboard_and_out_again(open_page: Watched, shut: Installation, scripts: bool) -> None:
    open_page.expect_refusal("/login/", 401)
    page = open_page(shut, java_script_enabled=scripts)
    page.goto("/people/")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("not this one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is not the password.")
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_label("Password")).to_have_value("")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/people/")
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)
    page.get_by_role("button", name="Log out").press("Enter")
    page.wait_for_url("**/login/")
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    page.go_back()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_who_may_not_is_led_to_the_other_password_and_back(open_page: Watched, shut: Installation) -> None:
    open_page.expect_refusal("/admin/", 403)
    page = open_page(shut)
    page.goto("/admin/")
    log_in(page, PASSWORD)
    page.get_by_role("link", name="Log in with the admin password").click()
    log_in(page, ADMIN_PASSWORD, "Ben")
    page.wait_for_url("**/admin/")
    page.get_by_label("Name of the new token").fill("nightly")
    page.get_by_label("What it may do").select_option("read")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token")).to_have_text(re.compile(r"namesake_[\w-]{43}"))
    page.get_by_role("link", name="Done").click()
    page.get_by_role("button", name="Revoke nightly").click()
    expect(page.get_by_role("status")).to_have_text("The token is revoked.")


def test_an_answer_after_the_session_has_ended_leads_to_log_in_and_back_to_the_group(
    open_page: Watched, shut: Installation, pictures: Pictures
) -> None:
    shut.upload(pictures.head("obama.jpg"))
    page = open_page(shut)
    page.goto("/review/")
    log_in(page, PASSWORD, "Ana")
    page.wait_for_url("**/review/")
    expect(page.locator("#review")).to_be_visible()
    for picture in page.locator("#review img").all():  # one that is asked for later would be refused
        expect_shown(picture)
    change(shut.home, "DELETE FROM sessions")
    page.get_by_role("button", name=re.compile("^Ignore")).first.click()
    page.wait_for_url("**/login/?next=/review/&ended=1")
    expect(page.get_by_text("not logged in any more. Nothing was changed.")).to_be_visible()
    log_in(page, PASSWORD, "Ana")
    page.wait_for_url("**/review/")
    expect(page.locator("#review")).to_be_visible()


def test_every_page_about_it_fits_and_can_be_read(open_page: Watched, shut: Installation) -> None:
    open_page.expect_refusal("/admin/", 403)
    open_page.expect_refusal("/login/", 401)
    found: list[str] = []
    for size, widths in ((PHONE, (320, 390)), (DESKTOP, (768, 1280))):
        page = open_page(shut, reduced_motion="reduce", **size)

        def look(name: str, page: Page = page, widths: tuple[int, int] = widths) -> None:
            page.wait_for_load_state()
            for width in widths:
                page.set_viewport_size({"width": width, "height": 844})
                told = complaints(page, "tooWide", width)
                told += complaints(page, "tooLow", FINGER) if width < 400 else []
                for colours in COLOURS:
                    page.emulate_media(color_scheme=colours)
                    told += complaints(page, "tooFaint")
                found.extend(f"{name} at {width}: {each}" for each in told)

        page.goto("/login/?next=/admin/")
        look("the page to log in on")
        log_in(page, "wrong one", LONG)
        page.get_by_role("alert").wait_for()
        look("a wrong password")
        log_in(page, PASSWORD, LONG)
        page.wait_for_url("**/admin/")
        look("not with this password")
        page.get_by_role("link", name="Log in with the admin password").click()
        log_in(page, ADMIN_PASSWORD, LONG)
        page.wait_for_url("**/admin/")
        page.get_by_label("Name of the new token").fill(f"{LONG}{widths[0]}")
        page.get_by_role("button", name="Make a token").click()
        page.locator("#token").wait_for()
        look("a new token")
        page.goto("/admin/")
        look("who may come in")
    assert found == []
