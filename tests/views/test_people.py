"""GET /people/ and GET /people/ID/: everyone who has a name."""

from __future__ import annotations

import pytest

from tests.views.site import Page, Site


@pytest.fixture
def known(album: Site) -> Site:
    """Zoe has two faces, Ána and bob one each."""
    album.confirm(album.photos["both"], "Zoe", face=0)
    album.confirm(album.photos["both"], "Ána", face=1)
    album.confirm(album.photos["obama"], "Zoe")
    album.confirm(album.photos["biden"], "bob")
    return album


def people(site: Site) -> dict[str, int]:
    return {person["name"]: person["count"] for person in site.get("/people/").get_json()["people"]}


def person_id(site: Site, name: str) -> int:
    found = site.get("/people/").get_json()["people"]
    return next(int(person["id"]) for person in found if person["name"] == name)


def test_nobody_is_known_at_first(untouched: Site) -> None:
    assert untouched.get("/people/").get_json() == {"people": []}
    assert "Nobody yet" in untouched.page("/people/").text


def test_people_are_listed_by_name_with_their_faces_counted(known: Site) -> None:
    assert list(people(known).items()) == [("Ána", 1), ("bob", 1), ("Zoe", 2)]


def test_the_page_lists_everyone_with_a_picture_and_a_link(known: Site) -> None:
    page = known.page("/people/")
    for person in known.get("/people/").get_json()["people"]:
        assert page.all("a", href=f"/people/{person['id']}/")
        assert page.all("img", src=person["cover"])
        assert person["name"] in page.text
    assert "3 people" in page.text


def test_one_person_is_shown_with_all_their_faces(known: Site) -> None:
    shown = known.get(f"/people/{person_id(known, 'Zoe')}/").get_json()
    assert {face["label"] for face in shown["faces"]} == {"Zoe"}
    assert {face["photo_id"] for face in shown["faces"]} == {
        known.photos["both"]["photo_id"],
        known.photos["obama"]["photo_id"],
    }


def test_the_page_of_a_person_links_every_face_to_its_photo(known: Site) -> None:
    id_ = person_id(known, "Zoe")
    page = known.page(f"/people/{id_}/")
    for face in known.get(f"/people/{id_}/").get_json()["faces"]:
        assert page.all("a", href=f"/photos/{face['photo_id']}/#face-{face['id']}")
        assert page.all("img", src=face["thumb"])
        assert known.get(face["thumb"]).status_code == 200


def test_who_has_no_face_left_is_not_listed(known: Site) -> None:
    id_ = person_id(known, "bob")
    known.post(f"/faces/{known.photos['biden']['faces'][0]['id']}/unlabel")
    assert people(known) == {"Ána": 1, "Zoe": 2}
    assert known.get(f"/people/{id_}/").status_code == 404


def test_who_comes_back_has_the_old_address(known: Site) -> None:
    id_ = person_id(known, "bob")
    known.post(f"/faces/{known.photos['biden']['faces'][0]['id']}/unlabel")
    known.confirm(known.photos["biden"], "bob")
    assert person_id(known, "bob") == id_


@pytest.mark.parametrize("address", ["/people/0/", "/people/99/", "/people/999999999999999999999999/", "/people/x/"])
def test_who_is_not_known_is_not_found(known: Site, address: str) -> None:
    assert known.get(address).status_code == 404
    page = known.get(address, html=True)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert Page(page.text).by_id["message"]
