"""GET /doubts/, POST /faces/ID/vouch and POST /faces/ID/recognise, as JSON and as pages."""

from __future__ import annotations

import pytest

from tests.views.site import Json, Page, Site
from tests.views.test_contract import FACE

OBAMA, BIDEN = "Barack Obama", "Joe Biden"
EVIDENCE = {"label", "distance", "thumb", "url"}


@pytest.fixture
def wrong(album: Site) -> Json:
    """The face of Obama in the group photo is named Biden; everyone else is named right."""
    album.confirm(album.photos["obama"], OBAMA)
    album.confirm(album.photos["biden"], BIDEN)
    album.confirm(album.photos["both"], BIDEN, face=1)
    album.confirm(album.photo(album.photos["both"]), BIDEN, face=0)
    found: Json = album.photo(album.photos["both"])["faces"][0]
    return found


def in_doubt(site: Site) -> list[int]:
    return [doubt["face"]["id"] for doubt in site.get("/doubts/").get_json()["doubts"]]


# --- what is told


def test_nothing_is_in_doubt_at_first(untouched: Site) -> None:
    assert untouched.get("/doubts/").get_json() == {"doubts": []}
    page = untouched.page("/doubts/")
    assert "No name looks wrong" in page.text
    assert not page.all("form")


def test_a_doubt_names_both_people_and_its_evidence(album: Site, wrong: Json) -> None:
    (doubt,) = album.get("/doubts/").get_json()["doubts"]
    assert set(doubt) == {"face", "label", "looks_like", "score", "own", "others"}
    assert set(doubt["face"]) == FACE
    assert (doubt["face"]["id"], doubt["label"], doubt["looks_like"]) == (wrong["id"], BIDEN, OBAMA)
    assert 0.5 < doubt["score"] < 1
    obama, biden = album.photos["obama"], album.photos["biden"]
    (near,) = doubt["others"]
    assert near == {
        "label": OBAMA,
        "distance": near["distance"],
        "thumb": obama["faces"][0]["thumb"],
        "url": f"/photos/{obama['photo_id']}/#face-{obama['faces'][0]['id']}",
    }
    assert all(set(own) == EVIDENCE and own["label"] == BIDEN for own in doubt["own"])
    assert biden["faces"][0]["thumb"] in [own["thumb"] for own in doubt["own"]]


def test_the_page_shows_both_sides_and_the_two_answers(album: Site, wrong: Json) -> None:
    page = album.page("/doubts/")
    (doubt,) = album.get("/doubts/").get_json()["doubts"]
    for picture in (wrong, *doubt["own"], *doubt["others"]):
        assert page.all("img", src=picture["thumb"])
    assert page.all("form", method="post", action=f"/faces/{wrong['id']}/move")
    assert page.all("form", method="post", action=f"/faces/{wrong['id']}/vouch")
    (first,) = page.all("button", name="label", value=OBAMA)
    assert "autofocus" in first, "Enter is the first answer"
    assert page.all("button", name="label", value=BIDEN)


def test_the_people_page_says_so_and_not_otherwise(album: Site, wrong: Json) -> None:
    page = album.page("/people/")
    assert page.all("a", href="/doubts/")
    assert "1 name looks wrong" in page.text
    album.post(f"/faces/{wrong['id']}/vouch")
    assert not album.page("/people/").all("a", href="/doubts/")


@pytest.mark.parametrize("query", ["?face=0", "?face=x", "?face=99999999999999999999", "?face="])
def test_a_face_that_is_not_in_doubt_gives_the_first_that_is(album: Site, wrong: Json, query: str) -> None:
    answer = album.get(f"/doubts/{query}", html=True)
    assert answer.status_code == 200
    assert Page(answer.text).all("form", action=f"/faces/{wrong['id']}/move")


# --- what is answered


def test_it_is_the_other_moves_the_face_and_comes_back(album: Site, wrong: Json) -> None:
    answer = album.post(f"/faces/{wrong['id']}/move", {"label": OBAMA, "back": "doubts"}, html=True)
    assert (answer.status_code, answer.location) == (303, "/doubts/")
    assert in_doubt(album) == []
    assert sorted(label for _path, label in album.published_labels()) == [OBAMA, OBAMA, BIDEN, BIDEN]


@pytest.mark.parametrize("back", ["", "people", "//evil.example/", "https://evil.example/", "doubts.index", "/doubts/"])
def test_a_form_goes_back_nowhere_but_where_it_may(album: Site, wrong: Json, back: str) -> None:
    answer = album.post(f"/faces/{wrong['id']}/move", {"label": OBAMA, "back": back}, html=True)
    assert answer.location == f"/photos/{wrong['photo_id']}/#face-{wrong['id']}"


@pytest.mark.parametrize("html", [False, True])
def test_it_is_right_is_remembered(album: Site, wrong: Json, html: bool) -> None:
    published = album.published()
    answer = album.post(f"/faces/{wrong['id']}/vouch", {"label": BIDEN}, html=html)
    if html:
        assert (answer.status_code, answer.location) == (303, "/doubts/")
        assert f"this is {BIDEN}" in album.page("/doubts/").text
    else:
        assert answer.status_code == 200
        assert answer.get_json() == album.photo(album.photos["both"])["faces"][0]
    assert in_doubt(album) == []
    assert album.published() == published


@pytest.mark.parametrize("use", ["yes", "no"])
@pytest.mark.parametrize("html", [False, True])
def test_how_a_face_is_used_can_be_said(album: Site, wrong: Json, use: str, html: bool) -> None:
    published = album.published()
    answer = album.post(f"/faces/{wrong['id']}/recognise", {"use": use}, html=html)
    if html:
        assert (answer.status_code, answer.location) == (303, f"/photos/{wrong['photo_id']}/#face-{wrong['id']}")
    else:
        assert (answer.status_code, set(answer.get_json())) == (200, FACE)
    assert in_doubt(album) == ([wrong["id"]] if use == "yes" else [])
    page = album.page(f"/photos/{wrong['photo_id']}/")
    assert page.all("form", method="post", action=f"/faces/{wrong['id']}/recognise")
    assert page.all("button", name="use", value="auto")
    assert album.published() == published


# --- what does not fit


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize(
    ("action", "fields", "status"),
    [
        ("recognise", {}, 400),
        ("recognise", {"use": ""}, 400),
        ("recognise", {"use": "maybe"}, 400),
        ("recognise", {"use": "auto"}, 409),
        ("vouch", {"label": OBAMA}, 409),
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing(
    album: Site, wrong: Json, html: bool, action: str, fields: Json, status: int
) -> None:
    before = album.everything()
    answer = album.post(f"/faces/{wrong['id']}/{action}", fields, html=html)
    assert answer.status_code == status
    assert Page(answer.text).by_id["message"] if html else answer.get_json()["message"]
    assert album.everything() == before


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("said", [None, "ignore"])
def test_a_face_without_a_name_cannot_be_vouched_for(album: Site, html: bool, said: str | None) -> None:
    face = album.photos["obama"]["faces"][0]["id"]
    if said:
        album.post(f"/faces/{face}/dismiss", {"action": said})
        assert album.post(f"/faces/{face}/recognise", {"use": "no"}, html=html).status_code == 409
    assert album.post(f"/faces/{face}/vouch", html=html).status_code == 409


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("action", ["vouch", "recognise"])
@pytest.mark.parametrize("number", ["0", "99", "x", "9" * 30])
def test_a_face_that_is_not_there_is_not_found(untouched: Site, html: bool, action: str, number: str) -> None:
    answer = untouched.post(f"/faces/{number}/{action}", {"use": "no"}, html=html)
    assert answer.status_code == 404
    assert answer.mimetype == ("text/html" if html else "application/json")


@pytest.mark.parametrize("action", ["vouch", "recognise"])
def test_what_is_said_twice_is_said_once(album: Site, wrong: Json, action: str) -> None:
    fields = {"use": "no"}
    assert album.post(f"/faces/{wrong['id']}/{action}", fields).status_code == 200
    before = album.everything()
    assert album.post(f"/faces/{wrong['id']}/{action}", fields).status_code == 409
    assert album.everything() == before


@pytest.mark.parametrize("url", ["/doubts/"])
@pytest.mark.parametrize("html", [False, True])
def test_doubts_are_only_read(untouched: Site, url: str, html: bool) -> None:
    assert untouched.post(url, html=html).status_code == 405
