"""GET /insights/ and GET /insights/faces/: the numbers, and the faces behind every one of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.labelling import resetting
from app.labelling.workspace import Workspace
from app.store import queries
from tests.labelling import insightful
from tests.labelling.squares import SquaresEngine, picture, upload
from tests.views.site import Json, Page, Site


@pytest.fixture(scope="module")
def _lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, Any]]:
    home = tmp_path_factory.mktemp("insights")
    insightful.make_home(home)
    app = create_app(home)
    app.extensions["namesake"].engine = SquaresEngine()
    yield app, home
    app.extensions["namesake"].close()


@pytest.fixture
def lived(_lived: tuple[Flask, Any]) -> Site:
    """An installation with 60 answers, for requests that change nothing."""
    return Site(*_lived)


@pytest.fixture
def fresh(make_app: Callable[..., Flask], tmp_path: Any) -> Site:
    app = make_app()
    app.extensions["namesake"].engine = SquaresEngine()
    return Site(app, tmp_path)


def insights(site: Site) -> Json:
    answer = site.get("/insights/")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    return dict(answer.get_json())


def listed(site: Site, url: str) -> Json:
    """What a link leads to, all its pages together."""
    answer: Json = site.get(url).get_json()
    found = dict(answer)
    kind = "faces" if "faces" in answer else "pairs"
    while answer["next"]:
        answer = site.get(answer["next"]).get_json()
        found[kind] = found[kind] + answer[kind]
    assert len(found[kind]) == found["total"]
    return found


def name_some(site: Site, *people: str, first_take: int = 0) -> None:
    workspace: Workspace = site.app.extensions["namesake"]
    for take, person in enumerate(people, first_take):
        photo = upload(workspace, person, take=take, name=f"{person}.png")
        assert site.confirm(site.get(f"/photos/{photo}/").get_json(), person).status_code == 200


def person_id(site: Site, name: str) -> int:
    found = site.get("/people/").get_json()["people"]
    return next(int(person["id"]) for person in found if person["name"] == name)


# --- the numbers


def test_an_empty_installation_says_what_will_come(fresh: Site) -> None:
    told = insights(fresh)
    accuracy = told.pop("accuracy")
    assert accuracy["expected_calibration_error"] is None
    for shares in (accuracy, accuracy["named"], accuracy["someone_new"]):
        assert (shares["answers"], shares["accepted"], shares["share"]) == (0, 0, None)
    assert {each["count"] for each in told.pop("reliability")} == {0}
    assert {each["same"] + each["different"] for each in told["distances"].pop("bins")} == {0}
    assert told.pop("distances")["faces"] == 0
    assert told == {
        "learning_curve": [],
        "map": {
            "shown": 0,
            "faces": 0,
            "url": "/insights/faces/?gallery=all",
            "variance": 1.0,
            "people": [],
            "labels": [],
        },
        "people": [],
        "people_in_need": 0,
    }
    page = fresh.page("/insights/")
    assert "after 10 and after 50 answers" in page.text
    assert not page.all("svg", **{"class": "drawing"})


def test_one_person_with_one_face_is_told_without_a_chart(fresh: Site) -> None:
    name_some(fresh, "Ana")
    told = insights(fresh)
    assert (told["accuracy"]["answers"], told["accuracy"]["accepted"]) == (1, 1)
    assert [person["reasons"] for person in told["people"]] == [["few"]]
    assert told["people"][0]["closest"] is None
    page = fresh.page("/insights/")
    assert "So far you accepted 1 of 1" in page.text
    assert not page.all("svg", **{"class": "drawing"})


def test_the_numbers_are_those_of_what_happened(lived: Site) -> None:
    told = insights(lived)
    # Six people nine times, and six strangers; Cleo and Dora were once taken for Bob by the human.
    assert told["accuracy"]["answers"] == 60
    assert told["accuracy"]["accepted"] == 58
    assert (told["accuracy"]["someone_new"]["answers"], told["accuracy"]["someone_new"]["accepted"]) == (12, 12)
    assert (told["accuracy"]["named"]["answers"], told["accuracy"]["named"]["accepted"]) == (48, 46)
    assert [(each["first"], each["last"], each["complete"]) for each in told["learning_curve"]] == [
        (1, 50, True),
        (51, 60, False),
    ]
    assert sum(each["accepted"] for each in told["learning_curve"]) == 58
    assert sum(each["count"] for each in told["reliability"]) == 48
    assert sum(each["right"] for each in told["reliability"]) == 46
    distances = told["distances"]
    sizes = (9, 11, 8, 8, 9, 9)
    assert distances["same"]["pairs"] == sum(size * (size - 1) // 2 for size in sizes)
    assert distances["different"]["pairs"] == 54 * 53 // 2 - distances["same"]["pairs"]
    assert sum(each["same"] for each in distances["bins"]) == distances["same"]["measured"]
    assert sum(each["different"] for each in distances["bins"]) == distances["different"]["measured"]
    # The two faces with the wrong name are far from Bob's nine, and near seven or eight of their own.
    assert distances["same"]["wrong"] == 2 * 9 + 1
    assert distances["different"]["wrong"] == 2 * 8
    assert told["map"]["shown"] == 54
    assert "Bob" in [person["name"] for person in told["people"] if "unlike" in person["reasons"]]


# --- the faces behind them


def numbers(told: Json) -> list[tuple[str, int]]:
    """(address, count) of everything counted."""
    accuracy, distances = told["accuracy"], told["distances"]
    shares = [accuracy, accuracy["named"], accuracy["someone_new"], *told["learning_curve"]]
    found = [(each["url"], each["answers"]) for each in shares]
    found += [(each["accepted_url"], each["accepted"]) for each in shares]
    found += [(each["url"], each["count"]) for each in told["reliability"]]
    found += [(each["right_url"], each["right"]) for each in told["reliability"]]
    found += [(each["url"], each["faces"]) for each in (distances, told["map"])]
    for kind in ("same", "different"):
        found += [(distances[kind]["url"], distances[kind]["measured"])]
        found += [(distances[kind]["wrong_url"], distances[kind]["wrong"])]
        found += [(each[f"{kind}_url"], each[kind]) for each in distances["bins"]]
    found += [(person["url"], person["faces"]) for person in [*told["map"]["people"], *told["people"]]]
    return found


def test_every_number_leads_to_as_many_faces_as_it_says(lived: Site) -> None:
    found = numbers(insights(lived))
    assert len(found) > 80
    wrong = {url: (count, listed(lived, url)["total"]) for url, count in found}
    assert {url: counts for url, counts in wrong.items() if counts[0] != counts[1]} == {}


def test_every_number_on_the_page_is_a_link_that_keeps_its_word(lived: Site) -> None:
    html = lived.get("/insights/", html=True).text
    linked = re.findall(r'<a class="number" href="(/insights/faces/[^"]*)">([\d,]+)</a>', html)
    assert len(linked) > 30
    for url, number in linked:
        assert listed(lived, url.replace("&amp;", "&"))["total"] == int(number.replace(",", "")), url


def test_what_is_drawn_is_in_a_table_too(lived: Site) -> None:
    html = lived.get("/insights/", html=True).text
    figures = re.findall(r"<figure.*?</figure>", html, re.DOTALL)
    assert len(figures) == 4
    for figure in figures:
        drawn, table = figure.split("<table>")
        marks = set(re.findall(r'<a class="(?:mark|point)" href="([^"]*)"', drawn))
        assert marks
        assert marks <= set(re.findall(r'href="([^"]*)"', table)), "a mark leads where no number of the table does"
        assert 'role="img"' in drawn
        assert re.search(r'aria-labelledby="(\w+-title)".*?<title id="\1">[^<]+</title><desc', drawn, re.DOTALL)
        assert "<figcaption>" in drawn
    told = insights(lived)
    curve = figures[0].split("<table>")[1]
    for window in told["learning_curve"]:
        row = next(row for row in curve.split("<tr>") if f"{window['first']} to {window['last']}<" in row)
        assert f">{window['answers']}</a>" in row
        assert f">{window['accepted']}</a>" in row
        assert f"{window['accepted']} of {window['answers']} accepted" in figures[0]


def test_the_page_holds_no_script_or_style_of_its_own(lived: Site) -> None:
    for url in ("/insights/", "/insights/faces/", "/insights/faces/?pair=same"):
        html = lived.get(url, html=True).text
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)", html)


def test_answers_are_shown_with_what_was_said(lived: Site) -> None:
    changed = listed(lived, "/insights/faces/?answer=changed")["faces"]
    assert [(face["suggested"], face["given"], face["label"], face["accepted"]) for face in changed] == [
        ("Cleo", "Bob", "Bob", False),
        ("Dora", "Bob", "Bob", False),
    ]
    ignored = listed(lived, "/insights/faces/?said=new&decisions=1-10")["faces"]
    assert {face["said"] for face in ignored} == {"named", "ignored"}
    assert [face["decision"] for face in ignored] == sorted(face["decision"] for face in ignored)
    page = lived.page("/insights/faces/?answer=changed")
    for face in changed:
        assert page.all("a", href=face["url"])
        assert page.all("img", src=face["thumb"])
    assert "2 faces" in page.text
    assert "No: Bob" in page.text


def test_pairs_are_shown_side_by_side_the_doubtful_first(lived: Site) -> None:
    close = listed(lived, "/insights/faces/?pair=different&distance=0-0.6")["pairs"]
    assert [pair["distance"] for pair in close] == sorted(pair["distance"] for pair in close)
    assert {frozenset(face["label"] for face in pair["faces"]) for pair in close} == {
        frozenset({"Bob", "Cleo"}),
        frozenset({"Bob", "Dora"}),
    }
    far = listed(lived, "/insights/faces/?pair=same")["pairs"]
    assert [pair["distance"] for pair in far] == sorted((pair["distance"] for pair in far), reverse=True)
    assert {pair["faces"][0]["label"] == pair["faces"][1]["label"] for pair in far} == {True}
    page = lived.page("/insights/faces/?pair=different&distance=0-0.6")
    assert "Pairs of faces of two people, less than 0.6 apart" in page.text
    assert len(page.all("li", **{"class": "pair"})) == 16


def test_pairs_of_certain_people(lived: Site) -> None:
    bob, cleo = person_id(lived, "Bob"), person_id(lived, "Cleo")
    between = listed(lived, f"/insights/faces/?person={bob}&other={cleo}")
    assert between["total"] == 11 * 8
    assert {frozenset(face["label"] for face in pair["faces"]) for pair in between["pairs"]} == {
        frozenset({"Bob", "Cleo"})
    }
    assert listed(lived, f"/insights/faces/?pair=same&person={bob}")["total"] == 11 * 10 // 2


def test_a_face_that_nobody_is_recognised_by_is_counted_and_listed_nowhere_but_told(fresh: Site) -> None:
    name_some(fresh, "Ana", "Ana")
    workspace: Workspace = fresh.app.extensions["namesake"]
    for number in range(2):
        again = upload(workspace, "Ana", *[None] * (number + 1), name=f"again-{number}.png")
        assert fresh.confirm(fresh.get(f"/photos/{again}/").get_json(), "Ana").status_code == 200
    found = numbers(insights(fresh))
    assert {count for url, count in found if "person=" in url or "gallery=" in url} == {2}
    assert all(listed(fresh, url)["total"] == count for url, count in found)
    for url in ("/insights/faces/?gallery=all", f"/insights/faces/?person={person_id(fresh, 'Ana')}"):
        page = fresh.page(url)
        assert len(page.all("a", **{"class": "person"})) == 2
        assert "2 more carry a name, but are not used to recognise others." in page.text


def test_long_lists_come_in_pages(lived: Site) -> None:
    first = lived.get("/insights/faces/?pair=different").get_json()
    assert (len(first["pairs"]), first["page"], first["previous"]) == (48, 1, None)
    second = lived.get(first["next"]).get_json()
    assert (second["page"], second["previous"]) == (2, "/insights/faces/?pair=different&page=1")
    last = lived.get(f"/insights/faces/?pair=different&page={first['pages']}").get_json()
    assert last["next"] is None
    page = lived.page(first["next"])
    assert page.all("a", rel="prev")
    assert page.all("a", rel="next", href="/insights/faces/?pair=different&page=3")
    assert f"page 2 of {first['pages']}" in page.text


def test_a_face_that_a_reset_put_aside_is_still_counted(fresh: Site, run_jobs: Any) -> None:
    name_some(fresh, "Ana", "Bob", "Ana")
    workspace: Workspace = fresh.app.extensions["namesake"]
    folder = fresh.home / "datasets/reserve/Eva"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(picture("Eva"))
    resetting.run_reset(workspace, resetting.request_reset(workspace), lambda *_: None)
    assert insights(fresh)["accuracy"]["answers"] == 3
    faces = listed(fresh, "/insights/faces/")["faces"]
    assert [(face["thumb"], face["url"]) for face in faces] == [(None, None)] * 3
    page = fresh.page("/insights/faces/")
    assert len(page.all("img", src="/static/unknown.svg")) == 3


def test_the_page_follows_every_decision(fresh: Site) -> None:
    name_some(fresh, "Ana")
    assert insights(fresh)["distances"]["faces"] == 1
    name_some(fresh, "Ana", "Bob", first_take=1)
    assert insights(fresh)["distances"]["faces"] == 3
    with fresh.app.extensions["namesake"].database.read() as connection:
        assert len(queries.known_people(connection)) == 2


# --- refusals


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("decisions=x", "decisions must be two whole numbers"),
        ("decisions=50-1", "the smaller first"),
        ("decisions=0-10", "decisions must be"),
        ("decisions=1", "decisions must be"),
        ("decisions=", "decisions must be"),
        ("decisions=1-99999999999999999999", "decisions must be"),
        ("confidence=0.9", "confidence must be two numbers"),
        ("confidence=nan-1", "confidence must be"),
        ("confidence=0.9-0.9", "the smaller first"),
        ("confidence=-1-1", "confidence must be"),
        ("said=maybe", "said must be named or new"),
        ("answer=yes", "answer must be accepted or changed"),
        ("pair=both", "pair must be same or different"),
        ("pair=same&distance=far", "distance must be two numbers"),
        ("pair=different&person=1", "person and other"),
        ("gallery=1", "gallery must be all"),
        ("person=x", "person must be a whole number"),
        ("person=", "person must be a whole number"),
        ("person=1&other=1", "two people"),
        ("person=1&other=x", "other must be a whole number"),
        ("pair=same&decisions=1-2", "Nothing can be asked with decisions and pair together"),
        ("colour=red", "Nothing can be asked with colour"),
        ("distance=0-1", "Nothing can be asked with distance"),
        ("page=0", "page must be a whole number"),
        ("page=-1", "page must be"),
        ("page=x", "page must be"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(lived: Site, question: str, words: str) -> None:
    answer = lived.get(f"/insights/faces/?{question}")
    assert answer.status_code == 400
    assert words in answer.get_json()["message"]
    page = lived.get(f"/insights/faces/?{question}", html=True)
    assert (page.status_code, page.mimetype) == (400, "text/html")
    assert words in Page(page.text).by_id["message"]


@pytest.mark.parametrize(
    "question", ["person=999", "person=999999999999999", "person=1&other=999", "pair=same&person=999", "page=99"]
)
def test_what_there_is_not_is_not_found(lived: Site, question: str) -> None:
    assert lived.get(f"/insights/faces/?{question}").status_code == 404


@pytest.mark.parametrize("url", ["/insights/", "/insights/faces/"])
def test_it_is_only_for_reading(lived: Site, url: str) -> None:
    assert lived.post(url).status_code == 405


def test_the_pages_link_to_it(lived: Site) -> None:
    assert lived.page("/people/").all("a", href="/insights/")
    assert lived.page("/insights/").all("a", href="/insights/", **{"aria-current": "page"})
