"""Every page at every width, light and dark: nothing sticks out, nothing is too small or too faint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import DESKTOP, PHONE, Watched
from tests.browser.looks import COLOURS, FINGER, LONG
from tests.browser.looks import complaints as look_for
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation, serve
from tests.server import fill_reserve
from tests.waiting import wait_for


@dataclass(frozen=True)
class Site:
    """An installation with something on every page. `pages`: what there is to see, and where."""

    installation: Installation
    pages: dict[str, str]


@pytest.fixture(scope="module")
def site(
    browser: Browser,
    tmp_path_factory: pytest.TempPathFactory,
    models_folder: Path,
    pictures: Pictures,
    sample_photos: dict[str, Path],
) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("home")
    fill_reserve(home, sample_photos, 1)
    with serve(home, models_folder) as installation:
        job = installation.server.start_reset()
        wait_for(lambda: installation.json(job)["state"] == "done", "the reset")
        blurred = installation.name(pictures.blurred("obama.jpg"), "Barack Obama")
        unknown = installation.upload(pictures.head("biden.jpg", name=f"{LONG}.jpg"))
        done = installation.name(pictures.side_by_side("obama.jpg", "biden.jpg"), "Barack Obama", LONG)
        installation.name(pictures.head("biden.jpg", mirrored=True), "Barack Obama")
        suggested = installation.upload(pictures.head("obama2.jpg"))
        group = installation.upload(pictures.side_by_side("obama2.jpg", "biden.jpg", "obama3.jpg"))
        nobody = installation.upload(pictures.nobody(), status=400)
        ignored = installation.upload(pictures.head("obama3.jpg"))
        installation.server.post(f"/faces/{ignored['faces'][0]['id']}/dismiss", action="not_a_face")
        obama = next(p for p in installation.json("/people/")["people"] if p["name"] == "Barack Obama")
        long_name = next(p for p in installation.json("/people/")["people"] if p["name"] == LONG)
        pages = {
            "upload": "/",
            "a face with a suggestion": f"/photos/{suggested['photo_id']}/",
            "a face of the long name": f"/photos/{unknown['photo_id']}/",
            "several faces": f"/photos/{group['photo_id']}/",
            "a finished photo": f"/photos/{done['photo_id']}/",
            "a face that is none": f"/photos/{ignored['photo_id']}/",
            "no face": f"/photos/{nobody['photo_id']}/",
            "a blurred face": f"/photos/{blurred['photo_id']}/",
            "a group to review": "/review/",
            "another group to review": f"/review/?face_id={unknown['faces'][0]['id']}",
            "the last decisions": "/decisions/",
            "what is no face": "/aside/?which=not_a_face",
            "what somebody is not": "/aside/",
            "names that look wrong": "/doubts/",
            "people": "/people/",
            "a person": f"/people/{long_name['id']}/",
            "a person with several faces": f"/people/{obama['id']}/",
            "a split": f"/people/{obama['id']}/split",
            "two people side by side": f"/people/{long_name['id']}/merge?into_id={obama['id']}",
            "nobody by a name": f"/people/?q={LONG}",
            "admin": "/admin/",
            "what is stored": "/inventory/",
            "a person to delete for good": f"/people/{long_name['id']}/erase",
            "a photo to delete for good": f"/photos/{unknown['photo_id']}/erase",
            "a job": job,
            "an error": "/nowhere/",
        }
        yield Site(installation, pages)


@pytest.fixture(scope="module")
def complaints(browser: Browser, site: Site) -> dict[str, dict[str, list[str]]]:
    """What is wrong with the looks of the site, by check and then by page: every page is visited twice only."""
    watched = Watched(browser)
    watched.expect_refusal("/nowhere/", 404)
    found: dict[str, dict[str, list[str]]] = {"tooWide": {}, "tooLow": {}, "tooFaint": {}}
    for size, widths in ((PHONE, (320, 390)), (DESKTOP, (768, 1280))):
        page = watched(site.installation, reduced_motion="reduce", **size)
        for name, path in site.pages.items():
            page.goto(path)
            # What can be unfolded has to fit, too.
            page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
            for width in widths:
                page.set_viewport_size({"width": width, "height": 844})
                where = f"{name} at {width}"
                found["tooWide"][where] = look_for(page, "tooWide", width)
                found["tooLow"][where] = look_for(page, "tooLow", FINGER) if size is PHONE else []
                for colours in COLOURS:
                    page.emulate_media(color_scheme=colours)
                    found["tooFaint"][f"{where}, {colours}"] = look_for(page, "tooFaint")
    watched.close()
    assert not watched.wrong
    return {check: {where: told for where, told in pages.items() if told} for check, pages in found.items()}


def test_no_page_scrolls_sideways(complaints: dict[str, Any]) -> None:
    assert complaints["tooWide"] == {}


def test_a_finger_finds_every_button(complaints: dict[str, Any]) -> None:
    assert complaints["tooLow"] == {}


def test_every_text_can_be_read_in_light_and_in_dark(complaints: dict[str, Any]) -> None:
    assert complaints["tooFaint"] == {}


def test_dark_is_dark_and_light_is_light(open_page: Watched, site: Site) -> None:
    lightness = {}
    for colours in COLOURS:
        page = open_page(site.installation, color_scheme=colours)
        page.goto("/")
        color = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        lightness[colours] = sum(color) / 3
    assert lightness["dark"] < 60 < 200 < lightness["light"]


@pytest.mark.parametrize(
    ("check", "argument", "planted"),
    [
        ("tooWide", 1280, "position: absolute; left: 1000px; width: 300px"),
        ("tooLow", FINGER, "min-height: 0; height: 43px"),
        ("tooFaint", 0, "color: rgb(150, 150, 150); background: white"),
    ],
)
def test_the_checks_find_what_they_are_for(
    open_page: Watched, site: Site, check: str, argument: int, planted: str
) -> None:
    page = open_page(site.installation)
    page.goto("/people/")
    page.locator("h1").evaluate(
        """(heading, style) => {
          const button = document.createElement("button");
          button.textContent = "planted";
          button.style.cssText = style;
          heading.after(button);
        }""",
        planted,
    )
    assert "planted" in look_for(page, check, argument)[-1]
