"""POST /faces/ID/move, unlabel, reject and dismiss: second thoughts about a face."""

from __future__ import annotations

import pytest

from tests.views.site import TRAINING, UPLOADS, Json, Page, Site

OBAMA, BIDEN = "Barack Obama", "Joe Biden"


def url(photo: Json, action: str, face: int = 0) -> str:
    return f"/faces/{photo['faces'][face]['id']}/{action}"


# --- move


def test_a_moved_face_has_the_other_name_everywhere(album: Site) -> None:
    photo = album.photos["obama"]
    album.confirm(photo, BIDEN)
    answer = album.post(url(photo, "move"), {"label": OBAMA})
    assert answer.get_json()["label"] == OBAMA
    assert answer.get_json()["image_path"] == "datasets/training/Barack Obama_01.jpg"
    assert album.files(TRAINING) == ["Barack Obama_01.jpg"]
    assert album.published_labels() == [("datasets/training/Barack Obama_01.jpg", OBAMA)]
    assert album.published()["label_encoder"]["classes_"] == [OBAMA], "nobody is left with the old name"
    assert [person["name"] for person in album.get("/people/").get_json()["people"]] == [OBAMA]
    assert album.photo(album.photos["both"])["faces"][0]["predicted_label"] == OBAMA


def test_a_moved_face_keeps_its_place_in_the_training_data(album: Site) -> None:
    for name, label in (("obama", BIDEN), ("biden", BIDEN)):
        album.confirm(album.photos[name], label)
    album.post(url(album.photos["obama"], "move"), {"label": OBAMA})
    assert [label for _path, label in album.published_labels()] == [OBAMA, BIDEN]


def test_a_photo_stays_named_for_the_first_of_its_people(album: Site) -> None:
    photo = album.photos["both"]
    album.confirm(photo, OBAMA, face=0)
    album.confirm(photo, "Nobody", face=1)
    answer = album.post(url(photo, "move", face=1), {"label": BIDEN})
    assert answer.get_json()["image_path"] == "datasets/training/Barack Obama_01.jpg"
    assert [label for _path, label in album.published_labels()] == [OBAMA, BIDEN]


def test_when_the_photo_gets_another_name_all_its_faces_are_published_under_it(album: Site) -> None:
    photo = album.photos["both"]
    album.confirm(photo, "Nobody", face=0)
    album.confirm(photo, BIDEN, face=1)
    album.post(url(photo, "move", face=0), {"label": OBAMA})
    (name,) = album.files(TRAINING)
    assert album.published_labels() == [(f"datasets/training/{name}", OBAMA), (f"datasets/training/{name}", BIDEN)]
    assert {face["image_path"] for face in album.photo(photo)["faces"]} == {f"datasets/training/{name}"}


def test_the_old_name_is_not_suggested_again(album: Site) -> None:
    album.confirm(album.photos["obama"], OBAMA)
    both = album.photos["both"]
    album.confirm(both, OBAMA, face=0)
    album.post(url(both, "move"), {"label": "A Double"})
    album.post(url(both, "unlabel"))
    face = album.photo(both)["faces"][0]
    assert face["predicted_label"] != OBAMA
    assert OBAMA not in [candidate["label"] for candidate in face["candidates"]]


def test_a_face_can_be_moved_back(album: Site) -> None:
    photo = album.photos["obama"]
    album.confirm(photo, OBAMA)
    album.post(url(photo, "move"), {"label": BIDEN})
    assert album.post(url(photo, "move"), {"label": OBAMA}).get_json()["label"] == OBAMA
    assert album.published_labels() == [("datasets/training/Barack Obama_01.jpg", OBAMA)]


# --- unlabel


def test_an_unlabelled_face_waits_again_and_its_photo_is_an_upload_again(album: Site) -> None:
    photo = album.photos["obama"]
    album.confirm(photo, OBAMA)
    answer = album.post(url(photo, "unlabel")).get_json()
    assert (answer["status"], answer["label"], answer["predicted_label"]) == ("inbox", None, None)
    assert answer["image_path"] == photo["image_path"]
    assert "obama.jpg" in album.files(UPLOADS)
    assert album.files(TRAINING) == []
    assert album.published() == {"encodings": [], "label_encoder": {"classes_": []}}
    assert album.photo(photo) == photo
    assert album.photo(album.photos["both"]) == album.photos["both"], "nothing is left of the name"


def test_an_unlabelled_face_can_be_named_again(album: Site) -> None:
    photo = album.photos["obama"]
    album.confirm(photo, BIDEN)
    album.post(url(photo, "unlabel"))
    assert album.confirm(photo, OBAMA).status_code == 200
    assert album.published_labels() == [("datasets/training/Barack Obama_01.jpg", OBAMA)]


def test_a_photo_with_another_named_face_stays_in_training(album: Site) -> None:
    photo = album.photos["both"]
    album.confirm(photo, OBAMA, face=0)
    album.confirm(photo, BIDEN, face=1)
    answer = album.post(url(photo, "unlabel", face=0)).get_json()
    (name,) = album.files(TRAINING)
    assert answer["image_path"] == f"datasets/training/{name}"
    assert album.published_labels() == [(f"datasets/training/{name}", BIDEN)]


# --- dismiss


@pytest.mark.parametrize(("action", "status"), [("ignore", "ignored"), ("not_a_face", "not_a_face")])
def test_a_dismissed_face_is_nobody_and_waits_no_longer(album: Site, action: str, status: str) -> None:
    photo = album.photos["obama"]
    waiting = album.get("/healthz").get_json()["inbox"]
    answer = album.post(url(photo, "dismiss"), {"action": action}).get_json()
    assert (answer["status"], answer["label"], answer["predicted_label"]) == (status, None, None)
    assert (answer["confidence_score"], answer["candidates"]) == (0.0, [])
    assert album.get("/healthz").get_json()["inbox"] == waiting - 1
    assert "obama.jpg" in album.files(UPLOADS)
    assert album.photo(photo)["faces"] == [answer]


@pytest.mark.parametrize("action", ["ignore", "not_a_face"])
def test_a_dismissed_face_can_be_brought_back(album: Site, action: str) -> None:
    photo = album.photos["obama"]
    album.post(url(photo, "dismiss"), {"action": action})
    assert album.post(url(photo, "unlabel")).status_code == 200
    assert album.photo(photo) == photo
    assert album.confirm(photo, OBAMA).status_code == 200


# --- what does not fit


@pytest.mark.parametrize(
    ("named", "action", "fields", "words"),
    [
        (None, "move", {"label": OBAMA}, "no name yet"),
        (None, "unlabel", {}, "Nothing has been said"),
        (BIDEN, "move", {"label": BIDEN}, "already named Joe Biden"),
        (BIDEN, "dismiss", {"action": "ignore"}, "already named Joe Biden"),
    ],
)
@pytest.mark.parametrize("html", [False, True])
def test_a_decision_that_does_not_fit_is_a_conflict(
    album: Site, named: str | None, action: str, fields: Json, words: str, html: bool
) -> None:
    photo = album.photos["obama"]
    if named:
        album.confirm(photo, named)
    before = album.everything()
    answer = album.post(url(photo, action), fields, html=html)
    assert answer.status_code == 409
    assert words in (Page(answer.text).by_id["message"] if html else answer.get_json()["message"])
    assert album.everything() == before


@pytest.mark.parametrize("action", ["move", "unlabel", "dismiss"])
def test_what_was_done_twice_is_done_once(album: Site, action: str) -> None:
    photo = album.photos["obama"]
    fields = {"label": BIDEN, "action": "ignore"}
    if action != "dismiss":
        album.confirm(photo, OBAMA)
    assert album.post(url(photo, action), fields).status_code == 200
    before = album.everything()
    assert album.post(url(photo, action), fields).status_code == 409
    assert album.everything() == before


# --- forms


def test_forms_lead_back_to_the_face(album: Site) -> None:
    photo = album.photos["obama"]
    face = f"/photos/{photo['photo_id']}/#face-{photo['faces'][0]['id']}"
    album.confirm(photo, BIDEN)
    assert album.post(url(photo, "move"), {"label": OBAMA}, html=True).location == face
    assert album.post(url(photo, "unlabel"), html=True).location == face


def test_after_setting_a_face_aside_the_next_one_comes_up(album: Site) -> None:
    both = album.photos["both"]
    sent = album.post(url(both, "dismiss"), {"action": "not_a_face"}, html=True)
    assert sent.location == f"/photos/{both['photo_id']}/#face-{both['faces'][1]['id']}"


def test_every_decision_can_be_taken_back_on_the_page(album: Site) -> None:
    both = album.photos["both"]
    album.confirm(both, OBAMA, face=0)
    album.post(url(both, "dismiss", face=1), {"action": "ignore"})
    page = album.page(f"/photos/{both['photo_id']}/")
    for face in (0, 1):
        assert page.all("form", method="post", action=url(both, "unlabel", face))
    assert page.all("form", method="post", action=url(both, "move"))
    assert not page.all("form", method="post", action="/confirm/")


# --- reject


def test_a_rejected_name_is_not_suggested_for_this_face_again_but_for_others_is(album: Site) -> None:
    album.confirm(album.photos["obama"], OBAMA)
    face = album.photo(album.photos["both"])["faces"][0]
    assert face["predicted_label"] == OBAMA
    answer = album.post(f"/faces/{face['id']}/reject", {"label": OBAMA}).get_json()
    assert (answer["status"], answer["predicted_label"]) == ("inbox", None)
    assert OBAMA not in [candidate["label"] for candidate in answer["candidates"]]


def test_a_name_given_by_hand_outweighs_an_earlier_no(album: Site) -> None:
    album.confirm(album.photos["obama"], OBAMA)
    both = album.photos["both"]
    album.post(url(both, "reject"), {"label": OBAMA})
    album.confirm(both, OBAMA, face=0)
    album.post(url(both, "unlabel"))
    assert album.photo(both)["faces"][0]["predicted_label"] == OBAMA


def test_rejecting_a_name_that_was_given_takes_it_back(album: Site) -> None:
    album.confirm(album.photos["obama"], OBAMA)
    album.post(url(album.photos["obama"], "reject"), {"label": OBAMA})
    assert album.published_labels() == []
    assert len(album.files(UPLOADS)) == 4


@pytest.mark.parametrize(
    ("said", "label", "status"),
    [(None, "Nobody Ever", 404), (None, "", 400), (OBAMA, BIDEN, 409), ("ignore", OBAMA, 409)],
)
def test_a_rejection_that_makes_no_sense_changes_nothing(
    album: Site, said: str | None, label: str, status: int
) -> None:
    album.confirm(album.photos["biden"], BIDEN)
    if said == "ignore":
        album.post(url(album.photos["obama"], "dismiss"), {"action": "ignore"})
    elif said:
        album.confirm(album.photos["obama"], said)
    before = album.everything()
    assert album.post(url(album.photos["obama"], "reject"), {"label": label}).status_code == status
    assert album.everything() == before
