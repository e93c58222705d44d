"""POST /undo/ and GET /decisions/, as JSON and as pages."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from app.http import _ago
from tests.views.site import Site

OBAMA = "Barack Obama"


def test_the_newest_decision_is_undone(album: Site) -> None:
    album.confirm(album.photos["obama"], OBAMA)
    album.confirm(album.photos["biden"], "Joe Biden")
    answer = album.post("/undo/").get_json()
    assert answer["undone"] == "Named a face Joe Biden"
    assert answer["face_ids"] == [album.photos["biden"]["faces"][0]["id"]]
    assert album.photo(album.photos["biden"])["faces"][0]["status"] == "inbox"
    assert album.photo(album.photos["obama"])["faces"][0]["label"] == OBAMA


def test_a_chosen_decision_is_undone(album: Site) -> None:
    album.confirm(album.photos["obama"], OBAMA)
    album.confirm(album.photos["biden"], "Joe Biden")
    first = album.get("/decisions/").get_json()["decisions"][-1]
    assert album.post("/undo/", {"decision_id": first["decision_id"]}).get_json()["undone"] == "Named a face " + OBAMA
    assert [each["undone"] for each in album.get("/decisions/").get_json()["decisions"]] == [False, True]


@pytest.mark.parametrize("html", [False, True])
def test_there_may_be_nothing_to_undo(untouched: Site, html: bool) -> None:
    answer = untouched.post("/undo/", html=html)
    assert answer.status_code == 409
    assert "There is nothing to undo." in answer.text


@pytest.mark.parametrize(
    ("decision_id", "status"), [("0", 404), ("999999", 404), ("x", 400), ("-1", 400), ("9" * 30, 400)]
)
def test_what_is_no_decision_is_refused(untouched: Site, decision_id: str, status: int) -> None:
    assert untouched.post("/undo/", {"decision_id": decision_id}).status_code == status


def test_the_page_undoes_and_says_so(album: Site) -> None:
    album.confirm(album.photos["obama"], OBAMA)
    page = album.page("/decisions/")
    assert "Named a face Barack Obama" in page.text
    (decision,) = album.get("/decisions/").get_json()["decisions"]
    answer = album.post("/undo/", {"decision_id": decision["decision_id"]}, html=True)
    assert (answer.status_code, answer.location) == (303, "/decisions/")
    assert "Undone: named a face Barack Obama." in album.page("/decisions/").text


def test_a_name_never_becomes_markup(album: Site) -> None:
    album.confirm(album.photos["obama"], "<script>alert(1)</script>")
    assert "<script>alert" not in album.get("/decisions/", html=True).text


def test_what_was_undone_stays_listed_as_that(album: Site) -> None:
    for name, label in (("obama", OBAMA), ("biden", "Joe Biden")):
        album.confirm(album.photos[name], label)
    album.post("/undo/")
    page = album.page("/decisions/")
    assert "Named a face Joe Biden" in page.text
    assert page.text.count("Undone") == 1
    (button,) = page.all("button", name="decision_id")
    first = album.get("/decisions/").get_json()["decisions"][1]
    assert (first["what"], str(first["decision_id"])) == ("Named a face " + OBAMA, button["value"])


def test_the_page_shows_when_and_whom(album: Site) -> None:
    album.confirm(album.photos["obama"], OBAMA)
    page = album.page("/decisions/")
    (time,) = page.all("time")
    (decision,) = album.get("/decisions/").get_json()["decisions"]
    assert time["datetime"] == decision["created"]
    assert "just now" in page.text
    assert page.all("img", src=f"/faces/{decision['face_ids'][0]}/thumb.jpg")


def test_only_the_last_ten_are_listed(album: Site) -> None:
    face = album.photos["obama"]["faces"][0]["id"]
    for _ in range(6):
        album.post(f"/faces/{face}/dismiss", {"action": "ignore"})
        album.post(f"/faces/{face}/unlabel")
    assert len(album.get("/decisions/").get_json()["decisions"]) == 10
    assert len(album.page("/decisions/").all("button", name="decision_id")) == 10


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=7, hours=23), "7 days ago"),
        (timedelta(days=8), "25 February 2026"),
    ],
)
def test_a_moment_is_told_in_words(passed: timedelta, words: str) -> None:
    now = datetime(2026, 3, 5, 14, 5)
    assert _ago(now - passed, now) == words
