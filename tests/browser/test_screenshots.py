"""The pictures in the README, by `make screenshots`: the real pages, with drawings in place of photos.

No photo of a person may be in the repository, so the browser is given drawings wherever a page asks for one.
Who is where comes from real photos and real suggestions; only the names and the looks are made up (and, for the
insights, the history).
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, expect

from app.config import PROJECT
from tests.browser import history
from tests.browser.conftest import PHONE, SCREENSHOTS, Watched
from tests.browser.drawings import PEOPLE, portrait, scene
from tests.browser.pictures import Pictures
from tests.browser.serving import Installation, serve
from tests.browser.visitor import card, expect_notice, expect_shown

pytestmark = pytest.mark.skipif(not SCREENSHOTS, reason="makes pictures only when NAMESAKE_SCREENSHOTS names a folder")

_LARGEST = 150_000
_ANA, _TOMAS = "Ana Sousa", "Tomás Lind"
_ENOUGH = re.compile("^[4-7][0-9]%$")
# How many more faces are known of those who are in none of the photos here.
_FURTHER = {"Mei Tanaka": 7, "Amara Okafor": 12, "Yusuf Demir": 4, "Ingrid Holm": 9, "Leïla Haddad": 6}


@pytest.fixture(scope="module")
def album(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, models_folder: Path, pictures: Pictures
) -> Iterator[Installation]:
    """Seven people with a name; a photo of two and one of one waiting."""
    home = tmp_path_factory.mktemp("album")
    _adopt_strangers(home)
    for person in PEOPLE:
        folder = home / "datasets/reserve" / person
        folder.mkdir(parents=True)
        for number in range(3):
            made = pictures.head("obama2.jpg", mirrored=bool(number % 2))
            (folder / f"{number + 1}.jpg").write_bytes(made.read_bytes())
    with serve(home, models_folder) as installation:
        for number, sample in enumerate(("obama.jpg", "obama3.jpg", "obama3.jpg", "obama.jpg")):
            installation.name(pictures.head(sample, mirrored=number > 1, name=f"ana-{number}.jpg"), _ANA)
        # There is one photo of him: as it is it would be called the same picture again.
        for number, stretched in enumerate((0.8, 1.25, 1.5)):
            photo = pictures.head("biden.jpg", mirrored=number > 1, stretched=stretched, name=f"tomas-{number}.jpg")
            installation.name(photo, _TOMAS)
        yield installation


class Drawn:
    """Answers for the photos of an installation with drawings of the people that the product sees in them."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._scenes: dict[int, tuple[tuple[int, int], str]] = {}

    def set(self, photo: int, size: tuple[int, int], place: str) -> None:
        self._scenes[photo] = size, place

    def hang(self, page: Page) -> Page:
        page.route(re.compile(r"/photos/\d+/image\.jpg$"), self._photo)
        page.route(re.compile(r"/faces/\d+/thumb\.jpg$"), self._thumb)
        return page

    def _photo(self, route: Route) -> None:
        photo = _number(route)
        faces = self._installation.json(f"/photos/{photo}/")["faces"]
        people = [(PEOPLE[_who(face)], face["box"]) for face in faces]
        size, place = self._scenes[photo]
        _draw(route, scene(size, people, place))

    def _thumb(self, route: Route) -> None:
        number = _number(route)
        _draw(route, portrait(PEOPLE[_who(self._face(number))], number))

    def _face(self, number: int) -> dict[str, Any]:
        for person in self._installation.json("/people/")["people"]:
            for face in self._installation.json(f"/people/{person['id']}/")["faces"]:
                if face["id"] == number:
                    return dict(face)
        for photo in self._scenes:
            for face in self._installation.json(f"/photos/{photo}/")["faces"]:
                if face["id"] == number:
                    return dict(face)
        raise AssertionError(f"nobody knows face {number}")


def test_screenshots(album: Installation, open_page: Watched, pictures: Pictures) -> None:
    drawn = Drawn(album)
    group_photo = pictures.side_by_side("obama2.jpg", "biden.jpg", side=480, below=230, name="summer-party.jpg")
    single_photo = pictures.head("obama2.jpg", side=640, name="at-the-beach.jpg")
    single, group = (album.upload(photo)["photo_id"] for photo in (single_photo, group_photo))
    drawn.set(single, pictures.size(single_photo), "beach")
    drawn.set(group, pictures.size(group_photo), "garden")
    page = drawn.hang(open_page(album, reduced_motion="reduce", color_scheme="light"))

    page.goto("/")
    expect(page.get_by_role("heading", name="Waiting for a name")).to_be_visible()
    _keep("upload", page)

    page.goto(f"/photos/{group}/")
    _keep("result", page, until=card(page, 2).get_by_role("button", name=re.compile("^Yes")), gap=8)
    dark = drawn.hang(open_page(album, reduced_motion="reduce", color_scheme="dark"))
    dark.goto(f"/photos/{group}/")
    _keep("dark", dark, until=card(dark, 2).get_by_role("button", name=re.compile("^Yes")), gap=8)

    phone = drawn.hang(open_page(album, reduced_motion="reduce", color_scheme="light", **PHONE, device_scale_factor=2))
    phone.goto(f"/photos/{single}/")
    _keep("phone", phone, whole=False)

    for number, name in enumerate((_ANA, _TOMAS), start=1):
        card(page, number).get_by_role("button", name=f"Yes, this is {name}").click()
        expect_notice(page, f"Saved: {name}.")
    page.goto(f"/photos/{group}/")
    _keep("finished", page)

    for number in range(7):
        stretched, mirrored = 0.85 + 0.05 * number, bool(number % 2)
        photo = pictures.head("obama2.jpg", mirrored=mirrored, stretched=stretched, name=f"film-{number}.jpg")
        drawn.set(album.upload(photo)["photo_id"], pictures.size(photo), "beach")
    page.goto("/review/")
    _keep("review", page)

    page.goto("/people/")
    _keep("people", page)
    page.goto("/admin/")
    _keep("admin", page, until=page.get_by_label("Start again from the reserve"))

    page.get_by_label("Type RESET to go on").fill("RESET")
    page.get_by_role("button", name="Reset the training data").click()
    expect(page.get_by_text(_ENOUGH)).to_be_visible(timeout=60_000)
    _keep("reset", page)
    expect(page.get_by_label("Progress of this job").get_by_role("status")).to_have_text("Done", timeout=60_000)


def test_the_insights_of_a_long_history(
    browser: Browser, tmp_path: Path, models_folder: Path, open_page: Watched
) -> None:
    """The one picture whose encodings are made up, too: it takes more photos of more people than there are here."""
    history.live_through(tmp_path, list(PEOPLE))
    with serve(tmp_path, models_folder) as installation:
        page = Drawn(installation).hang(open_page(installation, reduced_motion="reduce", color_scheme="light"))
        page.goto("/insights/")
        _keep("insights", page, until=page.get_by_role("figure", name="Map of faces"))


def _keep(name: str, page: Page, *, whole: bool = True, until: Locator | None = None, gap: int = 24) -> None:
    """Write the page, down to the end of its content (or of `until`), with few enough colours to be small."""
    for picture in page.locator("img").filter(visible=True).all():
        expect_shown(picture)
    page.evaluate("scrollTo(0, 0)")
    data = page.screenshot(full_page=whole, animations="disabled", caret="hide")
    shot = Image.open(io.BytesIO(data)).convert("RGB")
    if whole:
        last = until or page.get_by_role("main").locator(":scope > *").filter(visible=True).last
        end = last.evaluate("element => element.getBoundingClientRect().bottom + scrollY")
        shot = shot.crop((0, 0, shot.width, min(shot.height, round(end) + gap)))
    path = PROJECT / str(SCREENSHOTS) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    # The median cut alone would give two people on the map one colour.
    few = shot.quantize(256, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    assert path.stat().st_size < _LARGEST, f"{path.name} has {path.stat().st_size:,} bytes"


def _draw(route: Route, drawing: str) -> None:
    route.fulfill(content_type="image/svg+xml", body=drawing)


def _number(route: Route) -> int:
    return int(route.request.url.split("/")[-2])


def _who(face: dict[str, Any]) -> str:
    return str(face["label"] or face["predicted_label"])


def _adopt_strangers(home: Path) -> None:
    """Faces of people who are in no photo, each as far from everyone else as real people are."""
    random = np.random.default_rng(20)
    entries = []
    for label, (name, count) in enumerate(sorted(_FURTHER.items())):
        person = random.normal(size=128)
        for number in range(count):
            encoding = person / np.linalg.norm(person) * 1.4 + random.normal(scale=0.02, size=128)
            entries.append(
                {
                    "imagePath": f"{name}/{number}.jpg",
                    "loc": (100, 300, 300, 100),
                    "encoding": [float(value) for value in encoding],
                    "label": label,
                }
            )
    (home / "instance").mkdir()
    with (home / "instance/train.pickle").open("wb") as file:
        pickle.dump({"encodings": entries, "label_encoder": {"classes_": sorted(_FURTHER)}}, file)
