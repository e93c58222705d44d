"""/review/ and /aside/: what the pages show, what their forms say, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from app.labelling import aside
from tests.views.site import Page, Site

OBAMA = "Barack Obama"


def review(site: Site, **asked: Any) -> dict[str, Any]:
    found = site.client.get("/review/", query_string=asked).get_json()["group"]
    return dict(found)


def answer(site: Site, **fields: Any) -> Any:
    return site.post("/review/", fields, html=True)


def shown_faces(page: Page) -> list[int]:
    return [int(box["value"]) for box in page.all("input", type="checkbox", name="face_id")]


@pytest.fixture
def known(album: Site) -> Site:
    """One face has a name, so that others look like somebody."""
    album.confirm(album.photos["obama"], OBAMA)
    return album


def test_the_page_shows_every_face_of_the_group_ticked(known: Site) -> None:
    page, group = known.page("/review/"), review(known)
    assert shown_faces(page) == [face["id"] for face in group["faces"]]
    assert all("checked" in box for box in page.all("input", type="checkbox", name="face_id"))
    assert [int(each["value"]) for each in page.all("input", name="offered_id")] == shown_faces(page)
    assert f"Is this {OBAMA} ?" in page.text
    for face in group["known"]:
        assert page.all("img", src=face["thumb"])


def test_the_page_says_how_much_is_left(known: Site) -> None:
    left = known.get("/review/").get_json()["remaining"]
    assert f"{left['decisions']} decision" in known.page("/review/").text
    assert f"for {left['faces']} face" in known.page("/review/").text


def test_somebody_new_is_asked_for_a_name(album: Site) -> None:
    page = album.page("/review/")
    assert page.by_id["asked"] == "Who is this?"
    assert page.all("input", name="label", list="names")
    # Without scripts the browser offers the names itself.
    assert not page.all("option", value=OBAMA)
    album.confirm(album.photos["obama"], OBAMA)
    assert album.page("/review/").all("option", value=OBAMA)


def test_enter_in_the_form_agrees_with_the_suggestion(known: Site) -> None:
    """The first button says nothing: the name that was suggested counts."""
    face_id = review(known)["faces"][0]["id"]
    assert answer(known, face_id=face_id, offered_id=face_id, suggested=OBAMA, otherwise="").status_code == 303
    assert known.get("/decisions/").get_json()["decisions"][0]["what"] == f"Named a face {OBAMA}"


def test_a_typed_name_counts_before_the_suggestion(known: Site) -> None:
    face_id = review(known)["faces"][0]["id"]
    answer(known, face_id=face_id, offered_id=face_id, suggested=OBAMA, label="Jo")
    assert known.get("/decisions/").get_json()["decisions"][0]["what"] == "Named a face Jo"


def test_the_name_on_a_button_counts_before_a_typed_one(known: Site) -> None:
    face_id = review(known)["faces"][0]["id"]
    answer(known, face_id=face_id, offered_id=face_id, suggested="", label="Jo", person=OBAMA)
    assert known.get("/decisions/").get_json()["decisions"][0]["what"] == f"Named a face {OBAMA}"


def test_unticked_faces_are_not_this_person(known: Site) -> None:
    kept, unticked = album_faces(known)[:2]
    answer(known, face_id=kept, offered_id=[kept, unticked], person="Jo")
    (no,) = known.get("/aside/").get_json()["faces"]
    assert (no["id"], no["label"], no["status"]) == (unticked, "Jo", "inbox")


def test_none_of_them_is_the_person_whatever_is_ticked(known: Site) -> None:
    faces = album_faces(known)[:2]
    answer(known, face_id=faces, offered_id=faces, suggested=OBAMA, none="1")
    assert [no["label"] for no in known.get("/aside/").get_json()["faces"]] == [OBAMA, OBAMA]
    assert known.get("/healthz").get_json()["inbox"] == 3


@pytest.mark.parametrize(("action", "which"), [("ignore", "ignored"), ("not_a_face", "not_a_face")])
def test_putting_a_few_of_a_group_aside_says_nothing_about_the_rest(known: Site, action: str, which: str) -> None:
    aside_id, rest = album_faces(known)[:2]
    answer(known, face_id=aside_id, offered_id=[aside_id, rest], suggested="", otherwise="", action=action)
    put_aside = [each["id"] for each in known.get(f"/aside/?which={which}").get_json()["faces"]]
    assert aside_id in put_aside
    assert rest not in put_aside
    assert skipped(known, rest) is None


def test_unticked_strays_are_asked_about_later(known: Site) -> None:
    stray, friend = album_faces(known)[:2]
    answer(known, face_id=stray, offered_id=[stray, friend], suggested="", otherwise="ignore")
    ignored = [each["id"] for each in known.get("/aside/?which=ignored").get_json()["faces"]]
    assert stray in ignored
    assert friend not in ignored
    assert skipped(known, friend) is not None


def test_an_answer_tells_what_it_bought_beside_a_button_that_undoes_it(known: Site) -> None:
    face_id = review(known)["faces"][0]["id"]
    assert answer(known, face_id=face_id, person=OBAMA).location == "/review/"
    page = known.page("/review/")
    assert f"Named 1 face {OBAMA}." in page.text
    (decision,) = page.all("button", name="decision_id")
    undone = known.post("/undo/", {"decision_id": decision["value"], "back": "review"}, html=True)
    assert undone.location == f"/review/?face_id={face_id}"
    assert face_id in shown_faces(known.page(undone.location))


def test_the_group_of_a_face_is_shown_when_it_is_asked_for(album: Site) -> None:
    for face_id in album_faces(album):
        assert face_id in [face["id"] for face in review(album, face_id=face_id)["faces"]]
    assert review(album, face_id=999) == review(album)


@pytest.mark.parametrize("face_id", ["x", "-1", "1.5", "9" * 20])
def test_a_face_to_ask_for_has_a_number(untouched: Site, face_id: str) -> None:
    assert untouched.client.get("/review/", query_string={"face_id": face_id}).status_code == 400


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"label": "Jo"}, 400),
        ({"face_id": "1"}, 400),
        ({"face_id": "x", "label": "Jo"}, 400),
        ({"face_id": "1", "reject_id": "-1", "label": "Jo"}, 400),
        ({"offered_id": "one", "label": "Jo"}, 400),
        ({"face_id": ["1", "1"], "label": "Jo"}, 400),
        ({"face_id": "1", "label": " "}, 400),
        ({"face_id": "1", "action": "eat"}, 400),
        ({"face_id": "1", "otherwise": "eat"}, 400),
        ({"none": "1", "face_id": "1", "suggested": "Jo"}, 400),
        ({"face_id": "999", "label": "Jo"}, 404),
    ],
)
@pytest.mark.parametrize("html", [False, True])
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    untouched: Site, fields: dict[str, Any], status: int, html: bool
) -> None:
    before = untouched.everything()
    assert untouched.post("/review/", fields, html=html).status_code == status
    assert untouched.everything() == before


def test_a_face_that_somebody_else_has_decided_is_refused_in_words(known: Site) -> None:
    face_id = review(known)["faces"][0]["id"]
    answer(known, face_id=face_id, person=OBAMA)
    again = answer(known, face_id=face_id, person=OBAMA)
    assert again.status_code == 409
    assert "has been decided already" in Page(again.text).by_id["message"]


def test_when_nothing_is_left_the_page_says_what_to_do_next(album: Site) -> None:
    answer(album, face_id=album_faces(album), action="ignore")
    page = album.page("/review/")
    assert "Everything is decided" in page.text
    for address in ("/", "/people/", "/aside/"):
        assert page.all("a", href=address)


def test_while_photos_are_searched_more_is_promised(site: Site, shots: dict[str, bytes], run_jobs: Any) -> None:
    run = run_jobs(site)
    files = [(f"{number}.jpg", shots["portrait"] + bytes([number])) for number in range(5)]
    site.upload(*files)
    assert "more faces will come" in site.page("/review/").text
    assert "No face is waiting yet" in site.page("/review/").text
    run(1)
    assert "more faces will come" not in site.page("/review/").text


def test_every_page_leads_to_the_review(album: Site) -> None:
    page = album.page("/people/")
    (badge,) = page.all("a", id="inbox")
    assert badge["href"] == "/review/"
    assert page.all("a", href="/review/")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x>', "O'Hara & <b>"])
def test_names_never_become_markup(album: Site, name: str) -> None:
    album.confirm(album.photos["obama"], name)
    faces = album_faces(album)
    answer(album, face_id=faces[0], reject_id=faces[1], label=name)
    for url in ("/review/", "/aside/", "/decisions/"):
        assert name not in album.get(url, html=True).text


# --- what was put aside


def test_a_rejection_is_listed_and_taken_back(known: Site) -> None:
    face_id = review(known)["faces"][0]["id"]
    known.post(f"/faces/{face_id}/reject", {"label": OBAMA})
    assert known.page("/aside/").all("form", action=f"/faces/{face_id}/accept")
    taken = known.post(f"/faces/{face_id}/accept", {"label": OBAMA, "back": "aside", "which": "rejected"}, html=True)
    assert taken.location == "/aside/?which=rejected"
    assert known.get("/aside/").get_json()["faces"] == []
    assert known.get("/aside/").get_json()["counts"]["rejected"] == 0
    assert review(known, face_id=face_id)["suggestion"]["label"] == OBAMA


@pytest.mark.parametrize("which", ["ignored", "not_a_face"])
def test_a_dismissal_is_listed_and_taken_back(album: Site, which: str) -> None:
    face_id = album_faces(album)[0]
    album.post(f"/faces/{face_id}/dismiss", {"action": which.removesuffix("d")})
    (face,) = album.get(f"/aside/?which={which}").get_json()["faces"]
    assert (face["id"], face["status"]) == (face_id, which)
    assert album.page(f"/aside/?which={which}").all("form", action=f"/faces/{face_id}/unlabel")
    album.post(f"/faces/{face_id}/unlabel")
    assert album.get(f"/aside/?which={which}").get_json()["faces"] == []


def test_long_lists_have_pages(album: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "PAGE", 2)
    faces = album_faces(album)
    album.post("/review/", {"face_id": faces, "action": "not_a_face"})
    pages = [album.get(f"/aside/?which=not_a_face&page={page}").get_json() for page in (1, 2)]
    assert sorted(face["id"] for page in pages for face in page["faces"]) == faces
    assert [(page["page"], page["pages"]) for page in pages] == [(1, 2), (2, 2)]
    assert album.page("/aside/?which=not_a_face").all("a", rel="next")
    assert album.page("/aside/?which=not_a_face&page=2").all("a", rel="prev")


@pytest.mark.parametrize(
    ("query", "status"), [("which=all", 400), ("page=0", 404), ("page=2", 404), ("page=x", 400), ("page=-1", 400)]
)
def test_a_list_that_there_is_not_is_refused(untouched: Site, query: str, status: int) -> None:
    assert untouched.get(f"/aside/?{query}").status_code == status


@pytest.mark.parametrize(
    ("face_id", "label", "status"), [(1, "", 400), (1, "Nobody", 404), (999, OBAMA, 404), (1, OBAMA, 409)]
)
def test_what_nobody_said_cannot_be_taken_back(known: Site, face_id: int, label: str, status: int) -> None:
    assert known.post(f"/faces/{face_id}/accept", {"label": label}).status_code == status


def album_faces(site: Site) -> list[int]:
    """The faces that wait."""
    faces = [face for photo in site.photos.values() for face in site.photo(photo)["faces"]]
    return sorted(face["id"] for face in faces if face["status"] == "inbox")


def skipped(site: Site, face_id: int) -> int | None:
    workspace = site.app.extensions["namesake"]
    with workspace.database.read() as connection:
        found: int | None = connection.exec_driver_sql(f"SELECT skipped FROM faces WHERE id = {face_id:d}").scalar()
    return found
