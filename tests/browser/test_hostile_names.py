"""A real browser goes through every page of an installation whose people, photos and tables have hostile names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Watched
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation, serve
from tests.views.test_contract import ADDRESSES

# Each ends where names are written another way: text, an attribute of either quote, a title, a script, JSON.
_OBAMA = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
_BIDEN = "' autofocus onfocus=alert(3) x='</title></script><svg onload=alert(4)>"
_OTHER = "{{7*7}}${alert(5)}javascript:alert(6)//\\u003cimg src=x onerror=alert(7)\\u003e"


@pytest.fixture(scope="module")
def installation(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, models_folder: Path, pictures: Pictures
) -> Iterator[Installation]:
    with serve(tmp_path_factory.mktemp("home"), models_folder) as installation:
        server = installation.server
        for sample, name in (("obama.jpg", _OBAMA), ("biden.jpg", _BIDEN), ("obama2.jpg", _OTHER)):
            installation.name(pictures.head(sample, name="<svg onload=alert(8)>.jpg"), name)
        installation.name(pictures.head("obama3.jpg"), _OTHER)
        waiting = installation.upload(pictures.side_by_side("obama.jpg", "biden.jpg"))
        ignored = installation.upload(pictures.head("biden.jpg", mirrored=True))
        server.post(f"/faces/{ignored['faces'][0]['id']}/reject", label=_OBAMA)
        server.post("/people/1/rename", name=f"{_OBAMA}!")
        assert waiting["faces"]
        yield installation


_NO_PAGES = (".jpg", ".xmp", "/export/", "/healthz", "/metrics", "/static/", "/jobs/", "/backups/ID")
PAGES = [
    *(
        address.replace("ID", "1")
        for address, methods in ADDRESSES.items()
        if "GET" in methods and not any(word in address for word in _NO_PAGES)
    ),
    "/photos/5/",
    "/people/?q=%3Cscript%3Ealert(9)",
    "/people/1/merge?into_id=2",
    "/aside/?which=ignored",
    "/insights/faces/?gallery=all",
    "/insights/faces/?pair=different",
]
"""Those that need something in the address are asked with it, too."""


def test_no_name_runs_anywhere(installation: Installation, open_page: Watched) -> None:
    page = open_page(installation)
    for address in ("/people/1/merge", "/insights/faces/"):
        open_page.expect_refusal(address, 400)
    ran: list[str] = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    shown = 0
    for address in PAGES:
        page.goto(address)
        _use(page)
        shown += "onerror=alert" in page.locator("body").inner_text()
        assert page.locator("img[src='x'], svg[onload], [onerror], [onfocus], script:not([src])").count() == 0, address
    assert ran == []
    assert shown > 5, "the names are there to be read"


def _use(page: Page) -> None:
    """What scripts make of names: lists to choose from, tiles, what opens when it is pressed."""
    page.wait_for_load_state()
    for field in page.locator("input[role=combobox]").all()[:2]:
        if field.is_visible() and field.is_editable():
            field.fill("a")
            field.press("ArrowDown")
            field.press("Escape")
    for summary in page.locator("summary").all()[:5]:
        if summary.is_visible():
            summary.click()
