"""POST /photos/ID/faces: a box that a human draws."""

from __future__ import annotations

from typing import Any

import pytest

from tests.views.site import Json, Page, Site
from tests.views.test_contract import FACE


@pytest.fixture
def missed(album: Site) -> Site:
    """Obama is known, and his face in the photo of both is not there, as if the detector had missed it."""
    album.confirm(album.photos["obama"], "Barack Obama")
    with album.app.extensions["namesake"].database.write() as connection:
        connection.exec_driver_sql(f"UPDATE faces SET status = 'removed' WHERE id = {overlooked(album)['id']}")
    return album


def overlooked(site: Site) -> Json:
    face: Json = site.photos["both"]["faces"][0]
    return face


def fields(box: list[Any]) -> Json:
    named = dict(zip(("top", "right", "bottom", "left"), box, strict=True))
    return {side: value for side, value in named.items() if value is not None}


def draw(site: Site, name: str, box: list[Any], *, html: bool = False):  # type: ignore[no-untyped-def]
    return site.post(f"/photos/{site.photos[name]['photo_id']}/faces", fields(box), html=html)


def test_a_drawn_face_is_answered_like_any_other(missed: Site) -> None:
    top, right, bottom, left = overlooked(missed)["box"]
    answer = draw(missed, "both", [top + 3, right - 3, bottom, left + 2])
    assert answer.status_code == 200
    face = answer.get_json()
    assert set(face) == FACE
    assert face["box"] == [top + 3, right - 3, bottom, left + 2]
    assert (face["status"], face["predicted_label"]) == ("inbox", "Barack Obama")
    assert face in missed.photo(missed.photos["both"])["faces"]
    assert missed.get(face["thumb"]).mimetype == "image/jpeg"


def test_the_form_leads_to_the_face_with_an_undo(missed: Site) -> None:
    photo = missed.photos["both"]["photo_id"]
    page = missed.page(f"/photos/{photo}/")
    assert page.all("form", action=f"/photos/{photo}/faces", method="post")
    assert {field["name"] for field in page.all("input", type="number")} == {"top", "right", "bottom", "left"}
    answer = draw(missed, "both", overlooked(missed)["box"], html=True)
    assert answer.status_code == 303
    assert answer.location.startswith(f"/photos/{photo}/#face-")
    page = missed.page(f"/photos/{photo}/")
    assert "Drew a face." in page.text
    (button,) = page.all("button", name="decision_id")
    (back,) = page.all("input", name="back")
    undone = missed.post("/undo/", {"decision_id": button["value"], "back": back["value"]}, html=True)
    assert (undone.status_code, undone.location) == (303, f"/photos/{photo}/")
    assert len(missed.photo(missed.photos["both"])["faces"]) == 1


def test_a_photo_without_a_face_offers_it_at_once(untouched: Site) -> None:
    page = untouched.page(f"/photos/{untouched.photos['landscape']['photo_id']}/")
    assert "draw a box" in page.text
    assert "open" in page.all("details", id="draw")[0]
    other = untouched.page(f"/photos/{untouched.photos['obama']['photo_id']}/")
    assert "open" not in other.all("details", id="draw")[0]


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize(
    "box",
    [
        [None, None, None, None],
        [10, 60, 60, None],
        ["", 60, 60, 10],
        ["x", 60, 60, 10],
        ["10.5", 60, 60, 10],
        ["-1", 60, 60, 10],
        ["٣", 60, 60, 10],
        ["9" * 40, 60, 60, 10],
        [10, 321, 60, 10],
        [10, 60, 201, 10],
        [60, 60, 10, 10],
        [10, 10, 60, 60],
        [10, 21, 60, 10],
        [10, 60, 21, 10],
        [10, 10, 10, 10],
    ],
)
def test_a_box_that_is_none_is_refused(untouched: Site, box: list[Any], html: bool) -> None:
    untouched.get("/", html=True)
    before = untouched.everything()
    answer = draw(untouched, "landscape", box, html=html)
    assert answer.status_code == 400
    assert Page(answer.text).by_id["message"] if html else answer.get_json()["message"]
    assert untouched.everything() == before


def test_a_face_that_is_there_is_answered_instead(untouched: Site) -> None:
    there = untouched.photos["obama"]["faces"][0]
    answer = draw(untouched, "obama", there["box"])
    assert answer.status_code == 409
    assert answer.get_json()["face"] == there
    assert draw(untouched, "obama", there["box"], html=True).status_code == 409


def test_without_its_file_a_photo_is_not_drawn_in(album: Site) -> None:
    (album.home / album.photos["obama"]["image_path"]).unlink()
    answer = draw(album, "obama", [10, 100, 100, 10])
    assert answer.status_code == 404
    assert "file of this photo is not here" in answer.get_json()["message"]


@pytest.mark.parametrize("photo", ["0", "99", "x", "9" * 30])
def test_a_photo_that_never_was_is_not_found(untouched: Site, photo: str) -> None:
    assert untouched.post(f"/photos/{photo}/faces", fields([10, 60, 60, 10])).status_code == 404
