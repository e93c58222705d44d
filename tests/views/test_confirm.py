"""POST /confirm/: one decision about one face, in the store, on disk and in train.pickle at once."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable
from pathlib import PurePosixPath

import pytest
from flask import Flask
from markupsafe import escape

from tests.views.site import TRAINING, UPLOADS, Json, Page, Site

Shots = dict[str, bytes]


def test_a_confirm_moves_the_photo_to_training(album: Site, shots: Shots) -> None:
    album.confirm(album.photos["obama"], "Barack Obama")
    assert album.files(TRAINING) == ["Barack Obama_01.jpg"]
    assert "obama.jpg" not in album.files(UPLOADS)
    assert (album.home / TRAINING / "Barack Obama_01.jpg").read_bytes() == shots["obama"]


def test_a_confirm_is_published_as_anyone_can_read_it(album: Site) -> None:
    photo = album.photos["obama"]
    album.confirm(photo, "Barack Obama")
    published = album.published()
    assert set(published) == {"encodings", "label_encoder"}
    assert published["label_encoder"] == {"classes_": ["Barack Obama"]}
    (entry,) = published["encodings"]
    assert set(entry) == {"imagePath", "loc", "encoding", "label"}
    assert entry["imagePath"] == "datasets/training/Barack Obama_01.jpg"
    assert entry["loc"] == tuple(photo["faces"][0]["box"])
    assert (entry["label"], type(entry["label"])) == (0, int)
    assert len(entry["encoding"]) == 128
    assert {type(number) for number in entry["encoding"]} == {float}


def test_the_published_labels_are_sorted_whoever_came_first(album: Site) -> None:
    album.confirm(album.photos["obama"], "Zoe")
    album.confirm(album.photos["biden"], "Adam")
    published = album.published()
    assert published["label_encoder"]["classes_"] == ["Adam", "Zoe"]
    assert [entry["label"] for entry in published["encodings"]] == [1, 0]


def test_another_photo_of_a_known_person_is_added_at_the_end(album: Site, shots: Shots) -> None:
    album.confirm(album.photos["obama"], "Barack Obama")
    before = album.published()
    album.confirm(album.upload(("portrait.jpg", shots["portrait"])).get_json(), "Barack Obama")
    after = album.published()
    assert after["encodings"][:-1] == before["encodings"]
    assert after["encodings"][-1]["imagePath"] == "datasets/training/Barack Obama_02.jpg"


def test_two_faces_of_a_photo_get_two_decisions(album: Site) -> None:
    photo = album.photos["both"]
    left = album.confirm(photo, "Barack Obama", face=0).get_json()
    right = album.confirm(photo | {"image_path": left["image_path"]}, "Joe Biden", face=1).get_json()
    assert left["image_path"] == right["image_path"] == "datasets/training/Barack Obama_01.jpg"
    assert album.files(TRAINING) == ["Barack Obama_01.jpg"]
    assert "both.jpg" not in album.files(UPLOADS)
    published = album.published()
    assert published["label_encoder"]["classes_"] == ["Barack Obama", "Joe Biden"]
    assert [(entry["imagePath"], entry["label"]) for entry in published["encodings"]] == [
        ("datasets/training/Barack Obama_01.jpg", 0),
        ("datasets/training/Barack Obama_01.jpg", 1),
    ]
    assert [entry["loc"] for entry in published["encodings"]] == [tuple(face["box"]) for face in photo["faces"]]
    assert [face["label"] for face in album.photo(photo)["faces"]] == ["Barack Obama", "Joe Biden"]


def test_without_a_face_id_the_most_prominent_face_is_named(album: Site) -> None:
    photo = album.photos["both"]
    largest = max(photo["faces"], key=lambda face: face["box"][2] - face["box"][0])
    answer = album.post("/confirm/", {"image_path": photo["image_path"], "label": "Barack Obama"})
    assert answer.get_json()["face_id"] == largest["id"]


def test_a_confirm_makes_the_next_suggestion_better(album: Site) -> None:
    photo = album.photos["both"]
    assert [face["predicted_label"] for face in photo["faces"]] == [None, None]
    album.confirm(album.photos["obama"], "Barack Obama")
    assert [face["predicted_label"] for face in album.photo(photo)["faces"]] == ["Barack Obama", None]
    album.confirm(album.photos["biden"], "Joe Biden")
    assert [face["predicted_label"] for face in album.photo(photo)["faces"]] == ["Barack Obama", "Joe Biden"]


def test_a_confirm_outlives_a_restart(album: Site, make_app: Callable[..., Flask]) -> None:
    album.confirm(album.photos["obama"], "Barack Obama")
    restarted = Site(make_app(), album.home)
    assert restarted.photo(album.photos["obama"])["faces"][0]["label"] == "Barack Obama"
    assert restarted.photo(album.photos["both"])["faces"][0]["predicted_label"] == "Barack Obama"


def test_another_worker_knows_at_once(album: Site, make_app: Callable[..., Flask]) -> None:
    other = Site(make_app(), album.home)
    assert other.photo(album.photos["both"])["predicted_label"] is None
    album.confirm(album.photos["obama"], "Barack Obama")
    assert other.photo(album.photos["both"])["faces"][0]["predicted_label"] == "Barack Obama"


# --- twice


def test_the_same_confirm_twice_changes_nothing_the_second_time(album: Site) -> None:
    photo = album.photos["obama"]
    moved = album.confirm(photo, "Barack Obama").get_json()
    before = album.everything()
    again = album.confirm(photo | {"image_path": moved["image_path"]}, "Barack Obama")
    assert again.status_code == 409
    assert "already named Barack Obama" in again.get_json()["message"]
    assert album.everything() == before


@pytest.mark.parametrize("label", ["Barack Obama", "Someone Else"])
@pytest.mark.parametrize("face", [None, 0])
def test_the_path_it_was_uploaded_to_still_means_the_photo(album: Site, label: str, face: int | None) -> None:
    photo = album.photos["obama"]
    album.confirm(photo, "Barack Obama")
    before = album.everything()
    again = album.confirm(photo, label, face=face)
    assert again.status_code == 409
    assert album.everything() == before


def test_the_second_face_can_be_named_by_the_path_of_the_upload(album: Site) -> None:
    photo = album.photos["both"]
    album.confirm(photo, "Barack Obama", face=0)
    assert album.confirm(photo, "Joe Biden", face=1).status_code == 200


def test_of_two_people_who_confirm_at_once_one_is_first(album: Site) -> None:
    answers = []
    start = threading.Barrier(4)

    def confirm(label: str) -> None:
        start.wait()
        answers.append(album.confirm(album.photos["obama"], label).status_code)

    threads = [threading.Thread(target=confirm, args=(f"Person {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409, 409, 409]
    assert len(album.files(TRAINING)) == len(album.published()["encodings"]) == 1


@pytest.mark.parametrize("action", ["ignore", "not_a_face"])
def test_a_face_that_was_set_aside_is_decided(album: Site, action: str) -> None:
    photo = album.photos["obama"]
    album.post(f"/faces/{photo['faces'][0]['id']}/dismiss", {"action": action})
    before = album.everything()
    assert album.confirm(photo, "Barack Obama").status_code == 409
    assert album.everything() == before


def test_a_photo_without_a_face_has_nobody_to_name(album: Site) -> None:
    before = album.everything()
    answer = album.confirm(album.photos["landscape"], "Barack Obama")
    assert answer.status_code == 400
    assert "No face" in answer.get_json()["message"]
    assert album.everything() == before


# --- what an image path may look like


@pytest.mark.parametrize(
    "path",
    ["datasets/uploads/obama.jpg", "datasets\\uploads\\obama.jpg", "./datasets/uploads/obama.jpg", "{home}/obama.jpg"],
)
def test_a_photo_may_be_spelt_in_several_ways(album: Site, path: str) -> None:
    path = path.replace("{home}", str(album.home / UPLOADS))
    answer = album.post("/confirm/", {"image_path": path, "label": "Barack Obama"})
    assert answer.status_code == 200


# --- what people are called

LABELS = {
    "slashes": "AC/DC \\ Malcolm",
    "a path": "../../../etc/passwd",
    "an absolute path": "/etc/passwd",
    "quotes": 'Conan "Coco" O\'Brien',
    "tags": "<script>alert(1)</script>",
    "an attribute": '" onmouseover="alert(1)',
    "a template": "{{ 7 * 7 }}{% raw %}",
    "SQL": "Robert'); DROP TABLE faces;--",
    "emoji": "Ana 👩\u200d👩\u200d👧 🇩🇪",
    "only emoji": "🦊",
    "right-to-left script": "محمد علي",
    "both directions": "דוד Cohen 3",
    "composed accents": "José Ångström",
    "Chinese": "王小明",
    "Thai": "สมชาย",
    "a hidden file": ".htaccess",
    "only dots": "..",
    "an option": "-rf",
    "a reserved name": "CON",
    "a reserved name with an extension": "nul.txt",
    "colons and stars": 'a:b*c?"<d>|e',
    "percent": "100%2e%2e%00",
    "a trailing number": "Agent 007",
    "80 characters": "x" * 80,
    "80 wide characters": "王" * 80,
}


def assert_safe(name: str) -> None:
    """No file system, archive or shell glob takes it for anything but a name."""
    assert name.isprintable()
    assert not set(name) & set('/\\:*?"<>|')
    assert not name.startswith((".", "-", " "))
    assert not name.endswith((".", " "))
    assert len(name.encode()) <= 200
    assert name.split(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT1"}


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
def test_people_may_be_called_anything(album: Site, label: str, shots: Shots) -> None:
    photo = album.photos["obama"]
    answer = album.confirm(photo, label)
    assert answer.status_code == 200
    # unaltered in JSON and in train.pickle
    assert answer.get_json()["label"] == label
    assert album.photo(photo)["faces"][0]["label"] == label
    assert [person["name"] for person in album.get("/people/").get_json()["people"]] == [label]
    assert album.photo(album.photos["both"])["faces"][0]["predicted_label"] == label
    assert album.published_labels() == [(answer.get_json()["image_path"], label)]
    # a safe file inside the training folder
    path = PurePosixPath(answer.get_json()["image_path"])
    assert path.parent == PurePosixPath("datasets/training")
    assert album.files(TRAINING) == [path.name]
    assert_safe(path.name)
    assert (album.home / path).read_bytes() == shots["obama"]
    # unaltered for the reader of a page, and text to the browser
    for shown, url in (("both", "/photos/3/"), ("obama", f"/photos/{photo['photo_id']}/"), ("", "/people/")):
        html = album.get(url, html=True).text
        assert str(escape(label)) in html, shown
        assert str(escape(label)) == label or label not in html
        assert label in Page(html).text
        assert not [tag for tag, attributes in Page(html).tags if "onmouseover" in attributes]
    # the button of a suggestion sends the label as it is
    assert album.page("/photos/3/").all("button", name="label", value=label)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("  Ana  ", "Ana"),
        ("Ana   María", "Ana María"),
        ("Jose\u0301", "José"),
        ("e\u0301" * 80, "é" * 80),
        ("\u3000王小明\u3000", "王小明"),
    ],
)
def test_what_looks_the_same_is_the_same_name(album: Site, typed: str, meant: str) -> None:
    assert unicodedata.is_normalized("NFC", meant)
    assert album.confirm(album.photos["obama"], typed).get_json()["label"] == meant
    again = album.confirm(album.photos["biden"], meant).get_json()
    assert again["image_path"].endswith("_02.jpg")
    assert album.published()["label_encoder"]["classes_"] == [meant]


def test_names_that_make_the_same_file_name_stay_two_people(album: Site) -> None:
    one = album.confirm(album.photos["obama"], "a/b").get_json()["image_path"]
    other = album.confirm(album.photos["biden"], "a:b").get_json()["image_path"]
    assert one != other
    assert dict(album.published_labels()) == {one: "a/b", other: "a:b"}


# --- the form


def test_the_form_goes_on_with_the_next_face(album: Site) -> None:
    photo = album.photos["both"]
    sent = album.confirm(photo, "Barack Obama", face=0, html=True)
    assert sent.status_code == 303
    assert sent.location == f"/photos/{photo['photo_id']}/#face-{photo['faces'][1]['id']}"
    assert "Saved: Barack Obama." in album.page(sent.location).text


def test_the_form_goes_on_with_the_next_photo(album: Site) -> None:
    sent = album.confirm(album.photos["obama"], "Barack Obama", html=True)
    assert sent.status_code == 303
    assert sent.location.startswith("/photos/")
    assert sent.location != f"/photos/{album.photos['obama']['photo_id']}/"


def test_the_last_form_stays_with_the_finished_photo(album: Site) -> None:
    rest: list[tuple[Json, int]] = [(album.photos[name], 0) for name in ("obama", "biden")]
    for photo, face in [*rest, (album.photos["both"], 0)]:
        album.confirm(photo, "Someone", face=face)
    sent = album.confirm(album.photos["both"], "Someone", face=1, html=True)
    assert sent.location == f"/photos/{album.photos['both']['photo_id']}/"
    assert album.get(sent.location, html=True).status_code == 200


def test_a_form_sent_twice_says_so_on_a_page(album: Site) -> None:
    album.confirm(album.photos["obama"], "Barack Obama")
    before = album.everything()
    sent = album.confirm(album.photos["obama"], "Barack Obama", html=True)
    assert (sent.status_code, sent.mimetype) == (409, "text/html")
    assert "already named Barack Obama" in Page(sent.text).by_id["message"]
    assert album.everything() == before
