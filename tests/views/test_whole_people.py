"""What is done to people as a whole, as JSON and as pages: rename, merge, delete, cover, split and moving faces."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.views.site import Json, Page, Site
from tests.views.test_contract import PERSON

FULL = PERSON | {"faces"}


@pytest.fixture
def known(album: Site) -> Site:
    """Zoe has Obama's two faces and, wrongly, one of Biden's; Bob has Biden's other one."""
    album.confirm(album.photos["obama"], "Zoe")
    album.confirm(album.photos["both"], "Zoe", face=0)
    album.confirm(album.photos["both"], "Zoe", face=1)
    album.confirm(album.photos["biden"], "Bob")
    return album


def person(site: Site, name: str) -> Json:
    found = site.get("/people/").get_json()["people"]
    id_ = next(each["id"] for each in found if each["name"] == name)
    shown: Json = site.get(f"/people/{id_}/").get_json()
    return shown


def counts(site: Site) -> dict[str, int]:
    return {each["name"]: each["count"] for each in site.get("/people/").get_json()["people"]}


def act(site: Site, name: str, what: str, fields: object = None, *, html: bool = False):  # type: ignore[no-untyped-def]
    return site.post(f"/people/{person(site, name)['id']}/{what}", fields, html=html)


def wrong_face(site: Site) -> int:
    return int(site.photos["both"]["faces"][1]["id"])


def test_a_rename_answers_the_person(known: Site) -> None:
    id_ = person(known, "Zoe")["id"]
    answer = act(known, "Zoe", "rename", {"name": "Zoë"})
    assert answer.status_code == 200
    assert set(answer.get_json()) == FULL
    assert (answer.get_json()["id"], answer.get_json()["name"]) == (id_, "Zoë")
    assert answer.get_json() == person(known, "Zoë")


def test_a_taken_name_is_refused_with_the_one_who_has_it(known: Site) -> None:
    bob = person(known, "Bob")["id"]
    answer = act(known, "Zoe", "rename", {"name": "Bob"})
    assert answer.status_code == 409
    assert answer.get_json() | {"person_id": bob, "url": f"/people/{bob}/"} == answer.get_json()
    assert "named Bob already" in answer.get_json()["message"]
    assert counts(known) == {"Bob": 1, "Zoe": 3}


def test_the_page_offers_to_merge_instead(known: Site) -> None:
    zoe, bob = person(known, "Zoe"), person(known, "Bob")
    answer = act(known, "Zoe", "rename", {"name": "Bob"}, html=True)
    assert (answer.status_code, answer.location) == (303, f"/people/{zoe['id']}/merge?into_id={bob['id']}")
    page = known.page(answer.location)
    assert "named Bob already" in page.text
    for face in [*zoe["faces"], *bob["faces"]]:
        assert page.all("img", src=face["thumb"])
    assert page.all("button", name="into_id", value=str(bob["id"]))
    assert "3 faces" in page.text
    assert "1 face " in page.text


def test_a_comparison_shows_both_and_how_far_apart_they_are(known: Site) -> None:
    zoe, bob = person(known, "Zoe"), person(known, "Bob")
    answer = known.get(f"/people/{zoe['id']}/merge?into=Bob").get_json()
    assert set(answer) == {"person", "into", "distance"}
    assert (answer["person"], answer["into"]) == (zoe, bob)
    assert 0 <= answer["distance"] < 0.4, "a face of Zoe's is Biden's"


@pytest.mark.parametrize("by", ["id", "name", "into_id"])
def test_a_merge_answers_who_has_the_faces(known: Site, by: str) -> None:
    bob = person(known, "Bob")["id"]
    fields = {"id": {"into": bob}, "name": {"into": "Bob"}, "into_id": {"into_id": bob}}[by]
    answer = act(known, "Zoe", "merge", fields)
    assert answer.status_code == 200
    assert answer.get_json() == person(known, "Bob")
    assert counts(known) == {"Bob": 4}


def test_a_deletion_answers_the_person_as_they_were(known: Site) -> None:
    before = person(known, "Zoe")
    answer = act(known, "Zoe", "delete")
    assert answer.get_json() == before
    assert counts(known) == {"Bob": 1}
    assert known.get(f"/people/{before['id']}/").status_code == 404
    assert known.photo(known.photos["obama"])["faces"][0]["status"] == "inbox"


def test_a_cover_answers_the_person_with_it(known: Site) -> None:
    face = max(each["id"] for each in person(known, "Zoe")["faces"])
    answer = act(known, "Zoe", "cover", {"face_id": face})
    assert answer.get_json()["cover"] == f"/faces/{face}/thumb.jpg"
    assert known.get("/people/").get_json()["people"][1]["cover"] == f"/faces/{face}/thumb.jpg"


def test_a_split_is_proposed_and_done(known: Site) -> None:
    zoe = person(known, "Zoe")
    proposed = known.get(f"/people/{zoe['id']}/split").get_json()
    assert set(proposed) == FULL | {"leaving"}
    assert proposed["leaving"] == [wrong_face(known)]
    page = known.page(f"/people/{zoe['id']}/split")
    ticked = [box["value"] for box in page.all("input", type="checkbox") if "checked" in box]
    assert ticked == [str(wrong_face(known))]
    answer = act(known, "Zoe", "split", {"face_id": ticked, "label": "Bob"})
    assert answer.get_json() == person(known, "Zoe")
    assert counts(known) == {"Bob": 2, "Zoe": 2}
    assert known.get(f"/people/{zoe['id']}/split").get_json()["leaving"] == []
    assert "look like one person" in known.page(f"/people/{zoe['id']}/split").text


def test_who_splits_off_without_a_name_waits(known: Site) -> None:
    act(known, "Zoe", "split", {"face_id": wrong_face(known), "label": " "})
    face = known.photo(known.photos["both"])["faces"][1]
    assert face["status"] == "inbox"
    assert face["predicted_label"] == "Bob"


def test_faces_move_in_bulk(known: Site) -> None:
    faces = [face["id"] for face in person(known, "Zoe")["faces"]]
    answer = act(known, "Zoe", "faces", {"face_id": faces[:2], "label": "Ana"})
    assert answer.get_json() == person(known, "Zoe")
    assert counts(known) == {"Ana": 2, "Bob": 1, "Zoe": 1}
    assert known.post("/undo/").get_json()["undone"] == "Moved 2 faces to Ana"
    assert counts(known) == {"Bob": 1, "Zoe": 3}


@pytest.mark.parametrize(("action", "said"), [("unlabel", 0), ("reject", 1)])
def test_faces_let_go_of_their_name_in_bulk(known: Site, action: str, said: int) -> None:
    act(known, "Zoe", "faces", {"face_id": wrong_face(known), "label": "", "action": action})
    face = known.photo(known.photos["both"])["faces"][1]
    assert face["status"] == "inbox"
    assert ("Zoe" not in [each["label"] for each in face["candidates"]]) == bool(said)


def test_who_has_no_face_left_is_told_with_none(known: Site) -> None:
    before = person(known, "Bob")
    answer = act(known, "Bob", "faces", {"face_id": before["faces"][0]["id"], "action": "unlabel"})
    assert answer.status_code == 200
    told = {"id": before["id"], "name": "Bob", "count": 0, "cover": None, "faces": []}
    assert answer.get_json() | told == answer.get_json()
    assert set(answer.get_json()) == FULL


BAD: list[tuple[str, Json, int]] = [
    ("rename", {}, 400),
    ("rename", {"name": ""}, 400),
    ("rename", {"name": "x" * 81}, 400),
    ("rename", {"name": "a\x00b"}, 400),
    ("rename", {"name": "Zoe"}, 409),
    ("merge", {}, 400),
    ("merge", {"into": " "}, 400),
    ("merge", {"into": "Zoe"}, 400),
    ("merge", {"into": "Nobody"}, 404),
    ("merge", {"into": "9" * 30}, 404),
    ("merge", {"into_id": "x"}, 400),
    ("merge", {"into_id": "0"}, 404),
    ("merge", {"into_id": "9" * 15}, 404),
    ("cover", {}, 400),
    ("cover", {"face_id": ["1", "2"]}, 400),
    ("cover", {"face_id": "99"}, 404),
    ("cover", {"face_id": "x"}, 400),
    ("cover", {"face_id": ""}, 400),
    ("faces", {}, 400),
    ("faces", {"label": "Ana"}, 400),
    ("faces", {"face_id": "1"}, 400),
    ("faces", {"face_id": "1", "action": "ignore"}, 400),
    ("faces", {"face_id": "1", "label": "Zoe"}, 409),
    ("faces", {"face_id": ["1", "99"], "label": "Ana"}, 404),
    ("faces", {"face_id": "-1", "label": "Ana"}, 400),
    ("faces", {"face_id": "9" * 30, "label": "Ana"}, 400),
    ("faces", {"face_id": "٣", "label": "Ana"}, 400),
    ("split", {}, 400),
    ("split", {"face_id": "99", "label": "Ana"}, 404),
    ("split", {"face_id": "1", "label": "x" * 81}, 400),
]


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize(("what", "fields", "status"), BAD)
def test_what_makes_no_sense_changes_nothing(known: Site, what: str, fields: Json, status: int, html: bool) -> None:
    known.get("/people/", html=True)
    for name in ("obama", "both", "biden"):  # pictures are made when they are first asked for
        known.get(known.photos[name]["faces"][0]["thumb"])
    before = known.everything()
    answer = act(known, "Zoe", what, fields, html=html)
    assert answer.status_code == status, answer.text
    assert Page(answer.text).by_id["message"] if html else answer.get_json()["message"]
    assert known.everything() == before


@pytest.mark.parametrize("what", ["rename", "merge", "delete", "cover", "faces", "split"])
@pytest.mark.parametrize("who", ["0", "99", "x", "9" * 24])
def test_who_is_not_known_is_not_found(untouched: Site, what: str, who: str) -> None:
    fields = {"name": "Ana", "into": "Ana", "label": "Ana", "face_id": untouched.photos["obama"]["faces"][0]["id"]}
    assert untouched.post(f"/people/{who}/{what}", fields).status_code == 404
    if what in ("merge", "split"):
        assert untouched.get(f"/people/{who}/{what}?into=Ana").status_code == 404


@pytest.mark.parametrize(
    ("into", "status"), [("", 400), ("into=Zoe", 400), ("into_id=x", 400), ("into_id=" + "9" * 40, 400)]
)
def test_a_comparison_needs_two(known: Site, into: str, status: int) -> None:
    assert known.get(f"/people/{person(known, 'Zoe')['id']}/merge?{into}").status_code == status


FORMS: list[tuple[str, Json, str, str]] = [
    ("rename", {"name": "Ana"}, "Renamed Zoe to Ana.", "person"),
    ("merge", {"into": "Bob"}, "Merged Zoe into Bob.", "other"),
    ("delete", {}, "Deleted Zoe, let 3 faces wait for a name again.", "people"),
    ("cover", {"face_id": "3"}, "Chose a picture for Zoe.", "person"),
    ("faces", {"face_id": "3", "label": "Ana"}, "Moved a face to Ana.", "person"),
    ("faces", {"face_id": ["1", "3", "4"], "label": "Ana"}, "Moved 3 faces to Ana.", "people"),
    ("split", {"face_id": "3", "label": ""}, "Said that a face is not Zoe.", "person"),
]


@pytest.mark.parametrize(("what", "fields", "words", "where"), FORMS)
def test_a_form_leads_on_with_an_undo_beside_what_was_done(
    known: Site, what: str, fields: Json, words: str, where: str
) -> None:
    zoe, bob = person(known, "Zoe"), person(known, "Bob")
    before = counts(known)
    mine = sorted(face["id"] for face in zoe["faces"])
    if "face_id" in fields:  # the third face is the wrong one, whatever its number
        by_place = {"1": mine[0], "3": mine[2], "4": mine[1]}
        chosen = fields["face_id"] if isinstance(fields["face_id"], list) else [fields["face_id"]]
        fields = fields | {"face_id": [by_place[each] for each in chosen]}
    answer = act(known, "Zoe", what, fields, html=True)
    expected = {"person": f"/people/{zoe['id']}/", "other": f"/people/{bob['id']}/", "people": "/people/"}[where]
    assert (answer.status_code, answer.location) == (303, expected)
    page = known.page(answer.location)
    assert words in page.text
    (form,) = page.all("form", action="/undo/")
    (button,) = page.all("button", name="decision_id")
    (back,) = page.all("input", name="back")
    undone = known.post("/undo/", {"decision_id": button["value"], "back": back["value"]}, html=True)
    assert (undone.status_code, undone.location) == (303, expected)
    assert f"Undone: {words[0].lower()}{words[1:]}" in known.page(expected).text
    assert counts(known) == before
    assert form["method"] == "post"


@pytest.mark.parametrize("back", ["person:x", "person:", "person:" + "9" * 40, "//evil.example", "photo"])
def test_an_undo_leads_nowhere_else(known: Site, back: str) -> None:
    answer = known.post("/undo/", {"back": back}, html=True)
    assert (answer.status_code, answer.location) == (303, "/decisions/")


def test_names_are_looked_for_by_the_server(known: Site) -> None:
    act(known, "Zoe", "rename", {"name": "Zoë Ångström"})
    for words in ("ANGSTROM", "zoë", "  e a "):
        assert [
            each["name"]
            for each in known.get(
                "/people/",
            ).get_json()["people"]
        ] == ["Bob", "Zoë Ångström"]
        found = known.client.get("/people/", query_string={"q": words}).get_json()["people"]
        assert [each["name"] for each in found] == ["Zoë Ångström"]
    page = known.page("/people/?q=angstrom")
    assert page.all("input", name="q", value="angstrom")
    assert not page.all("a", href=f"/people/{person(known, 'Bob')['id']}/")
    assert "Nobody by that name yet" in known.page("/people/?q=%3Cscript%3E").text


def test_standings_say_how_sure_we_are(known: Site) -> None:
    told = {each["name"]: each["standing"] for each in known.get("/people/").get_json()["people"]}
    assert told["Bob"] in ("close", "few")
    assert told["Zoe"] in ("doubted", "unlike"), "one of her faces is Bob's"
    act(known, "Zoe", "split", {"face_id": wrong_face(known), "label": "Bob"})
    assert person(known, "Zoe")["standing"] == "few"
    assert "Few faces yet" in known.page("/people/").text


def test_a_name_never_becomes_markup(known: Site) -> None:
    name = '"><script>alert(1)</script>'
    act(known, "Zoe", "rename", {"name": name}, html=True)
    bob, mine = person(known, "Bob")["id"], person(known, name)["id"]
    for url in ("/people/", f"/people/{mine}/", f"/people/{mine}/split", f"/people/{mine}/merge?into_id={bob}"):
        assert "<script>alert" not in known.get(url, html=True).text


@pytest.fixture
def crowd(site: Site) -> Site:
    """5,000 people with four faces each, written as rows: taken in one by one they would need minutes."""
    random = np.random.default_rng(5)
    means = random.normal(size=(5000, 128)) * 0.08
    encodings = np.repeat(means, 4, axis=0) + random.normal(size=(20_000, 128)) * 0.02
    with site.app.extensions["namesake"].database.write() as connection:
        for table, rows in {
            "people (id, name)": [(n + 1, f"Person {n:04d}") for n in range(5000)],
            "photos (id, folder, name, encoded, created_at)": [
                (n + 1, "elsewhere", f"{n}.jpg", True, "2026-01-01 00:00:00.000000") for n in range(20_000)
            ],
            'faces (photo_id, top, "right", bottom, "left", encoding, low_quality, status, person_id,'
            " labelled_at_revision, revision)": [
                (n + 1, 0, 50, 50, 0, encoding.astype("<f4").tobytes(), False, "labelled", n // 4 + 1, 1, 1)
                for n, encoding in enumerate(encodings)
            ],
        }.items():
            places = ", ".join("?" * len(rows[0]))
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({places})", rows)
        connection.exec_driver_sql("UPDATE state SET revision = 1")
    return site


def test_many_people_fit_on_pages(crowd: Site) -> None:
    crowd.page("/people/")
    start = time.perf_counter()
    page = crowd.page("/people/?page=2")
    assert time.perf_counter() - start < 2
    assert len(page.all("a", **{"class": "person"})) == 240
    assert "5,000 people" in page.text
    assert "Page 2 of 21" in page.text
    assert page.all("a", rel="next", href="/people/?page=3")
    assert len(crowd.page("/people/?page=999").all("a", **{"class": "person"})) == 200
    assert crowd.page("/people/?page=x").all("a", rel="next", href="/people/?page=2")
    assert len(crowd.get("/people/").get_json()["people"]) == 5000
    assert "Person 4711" in crowd.page("/people/?q=4711").text
