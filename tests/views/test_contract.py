"""docs/http.md, address by address: fields, status codes, and who gets a page."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.small_disk import small_disk
from tests.views.site import TRAINING, UPLOADS, Json, Page, Site

PHOTO = {"predicted_label", "confidence_score", "image_path", "photo_id", "faces"}
FACE = {
    "id", "photo_id", "image_path", "box", "status", "label", "predicted_label", "confidence_score", "candidates",
    "thumb", "flaws",
}  # fmt: skip
PERSON = {"id", "name", "count", "cover", "standing"}

ADDRESSES = {
    "/": {"GET"},
    "/upload/": {"POST"},
    "/photos/ID/": {"GET"},
    "/photos/ID/image.jpg": {"GET"},
    "/photos/ID/faces": {"POST"},
    "/photos/ID/sidecar.xmp": {"GET"},
    "/confirm/": {"POST"},
    "/faces/ID/thumb.jpg": {"GET"},
    "/faces/ID/move": {"POST"},
    "/faces/ID/unlabel": {"POST"},
    "/faces/ID/dismiss": {"POST"},
    "/faces/ID/reject": {"POST"},
    "/faces/ID/accept": {"POST"},
    "/faces/ID/recognise": {"POST"},
    "/faces/ID/vouch": {"POST"},
    "/doubts/": {"GET"},
    "/review/": {"GET", "POST"},
    "/aside/": {"GET"},
    "/decisions/": {"GET"},
    "/undo/": {"POST"},
    "/people/": {"GET"},
    "/people/ID/": {"GET"},
    "/people/ID/rename": {"POST"},
    "/people/ID/merge": {"GET", "POST"},
    "/people/ID/delete": {"POST"},
    "/people/ID/cover": {"POST"},
    "/people/ID/split": {"GET", "POST"},
    "/people/ID/faces": {"POST"},
    "/insights/": {"GET"},
    "/insights/faces/": {"GET"},
    "/admin/": {"GET"},
    "/people/ID/erase": {"GET", "POST"},
    "/photos/ID/erase": {"GET", "POST"},
    "/inventory/": {"GET"},
    "/backups/": {"GET", "POST"},
    "/backups/upload": {"POST"},
    "/backups/ID.zip": {"GET"},
    "/backups/ID/restore": {"POST"},
    "/backups/ID/delete": {"POST"},
    "/export/labels.csv": {"GET"},
    "/export/training.zip": {"GET"},
    "/import/": {"POST"},
    "/calibration/forget": {"POST"},
    "/reset_training/": {"POST"},
    "/jobs/ID/": {"GET"},
    "/healthz": {"GET"},
    "/healthz/live": {"GET"},
    "/healthz/ready": {"GET"},
    "/metrics": {"GET"},
    "/login/": {"GET", "POST"},
    "/logout/": {"POST"},
    "/sessions/ID/end": {"POST"},
    "/sessions/end": {"POST"},
    "/tokens/": {"POST"},
    "/tokens/ID/revoke": {"POST"},
    "/static/ID": {"GET"},
}

Jobs = Callable[[Site], Callable[[int], None]]


@pytest.fixture
def reserve(site: Site, shots: dict[str, bytes]) -> Site:
    """An installation with one person in the reserve, and its jobs done as soon as they are asked for."""
    folder = site.home / "datasets/reserve/Barack Obama"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(shots["portrait"])
    return site


def test_these_are_all_the_addresses(untouched: Site) -> None:
    found: dict[str, set[str]] = {}
    for rule in untouched.app.url_map.iter_rules():
        address = re.sub("<[^>]+>", "ID", rule.rule)
        found.setdefault(address, set()).update((rule.methods or set()) - {"HEAD", "OPTIONS"})
    assert found == ADDRESSES


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
def test_the_front_page_greets_scripts(untouched: Site, accept: str | None) -> None:
    answer = untouched.client.get("/", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.mimetype, answer.get_json()) == (200, "application/json", {"hello": "world"})


def test_one_upload_answers_with_the_photo_and_its_faces(untouched: Site) -> None:
    answer = untouched.photos["obama"]
    assert set(answer) == PHOTO
    (face,) = answer["faces"]
    assert set(face) == FACE
    top, right, bottom, left = face["box"]
    assert all(type(edge) is int for edge in face["box"])
    assert top < bottom
    assert left < right
    assert face | {"id": 0, "box": []} == {
        "id": 0,
        "photo_id": answer["photo_id"],
        "image_path": "datasets/uploads/obama.jpg",
        "box": [],
        "status": "inbox",
        "label": None,
        "predicted_label": None,
        "confidence_score": 0.0,
        "candidates": [],
        "thumb": f"/faces/{face['id']}/thumb.jpg",
        "flaws": [],
    }
    assert answer["image_path"] == "datasets/uploads/obama.jpg"


def test_a_photo_is_answered_as_its_upload_was(untouched: Site) -> None:
    uploaded = untouched.photos["both"]
    assert untouched.get(f"/photos/{uploaded['photo_id']}/").get_json() == uploaded


def test_the_top_of_an_answer_is_about_its_most_prominent_face(album: Site) -> None:
    album.confirm(album.photos["obama"], "Barack Obama")
    answer = album.photo(album.photos["both"])
    sizes = [(face["box"][2] - face["box"][0]) for face in answer["faces"]]
    prominent = answer["faces"][sizes.index(max(sizes))]
    assert answer["predicted_label"] == prominent["predicted_label"]
    assert answer["confidence_score"] == prominent["confidence_score"]


def test_candidates_are_names_with_their_confidence(album: Site) -> None:
    album.confirm(album.photos["obama"], "Barack Obama")
    face = album.photo(album.photos["both"])["faces"][0]
    assert face["predicted_label"] == "Barack Obama"
    assert face["candidates"] == [{"label": "Barack Obama", "confidence": face["confidence_score"]}]
    assert 0.5 < face["confidence_score"] <= 1


def test_confirm_answers_where_the_photo_is_now(album: Site) -> None:
    photo = album.photos["obama"]
    answer = album.post("/confirm/", {"image_path": photo["image_path"], "label": "Barack Obama"})
    assert answer.status_code == 200
    assert answer.get_json() == {
        "message": "Training data updated successfully.",
        "image_path": "datasets/training/Barack Obama_01.jpg",
        "face_id": photo["faces"][0]["id"],
        "label": "Barack Obama",
    }


@pytest.mark.parametrize(
    ("before", "action", "fields", "changed"),
    [
        ("Joe Biden", "move", {"label": "Barack Obama"}, {"status": "labelled", "label": "Barack Obama"}),
        ("Joe Biden", "reject", {"label": "Joe Biden"}, {"status": "inbox", "label": None}),
        ("Joe Biden", "unlabel", {}, {"status": "inbox", "label": None}),
        (None, "dismiss", {"action": "ignore"}, {"status": "ignored", "label": None}),
        (None, "dismiss", {"action": "not_a_face"}, {"status": "not_a_face", "label": None}),
    ],
)
def test_what_is_done_to_a_face_answers_the_face(
    album: Site, before: str | None, action: str, fields: Json, changed: Json
) -> None:
    photo = album.photos["obama"]
    if before:
        album.confirm(photo, before)
    answer = album.post(f"/faces/{photo['faces'][0]['id']}/{action}", fields)
    assert answer.status_code == 200
    assert set(answer.get_json()) == FACE
    assert answer.get_json() | changed == answer.get_json()
    assert answer.get_json() == album.photo(photo)["faces"][0]


def test_people_have_counts_and_faces(album: Site) -> None:
    album.confirm(album.photos["obama"], "Barack Obama")
    (person,) = album.get("/people/").get_json()["people"]
    assert set(person) == PERSON
    face_id = album.photos["obama"]["faces"][0]["id"]
    assert (person["name"], person["count"], person["cover"]) == ("Barack Obama", 1, f"/faces/{face_id}/thumb.jpg")
    shown = album.get(f"/people/{person['id']}/").get_json()
    assert set(shown) == PERSON | {"faces"}
    assert shown | person == shown
    assert [set(face) for face in shown["faces"]] == [FACE]
    assert shown["faces"][0]["id"] == face_id


def test_pictures_are_jpegs(untouched: Site) -> None:
    photo = untouched.photos["obama"]
    for url in (f"/photos/{photo['photo_id']}/image.jpg", photo["faces"][0]["thumb"]):
        answer = untouched.get(url)
        assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
        assert answer.data.startswith(b"\xff\xd8\xff")


def test_admin_tells_the_state_of_the_installation(untouched: Site) -> None:
    shown = untouched.get("/admin/").get_json()
    assert set(shown) == {"counts", "jobs", "settings", "calibration", "backups", "backups_kept", "access"}
    counted = {"photos": 4, "uploads": 4, "faces": 4, "labelled": 0, "inbox": 4, "ignored": 0, "people": 0}
    assert shown["counts"] | counted == shown["counts"]
    assert {"name": "MAX_UPLOAD_MB", "value": 32, "source": "default"}.items() <= next(
        setting.items() for setting in shown["settings"] if setting["name"] == "MAX_UPLOAD_MB"
    )


def test_health_counts(untouched: Site) -> None:
    shown = untouched.get("/healthz").get_json()
    assert shown == {"status": "ok", "faces": 4, "people": 0, "inbox": 4, "engine": "onnx"}


def test_a_reset_that_is_done_in_time_says_what_came_of_it(reserve: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = reserve.app.extensions["namesake-queue"]
    monkeypatch.setattr(queue, "ensure_consumer", lambda: queue.run(1))
    answer = reserve.post("/reset_training/")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "message": "Training reset successful",
        "faces": 1,
        "people": 1,
        "job_url": "/jobs/1/",
    }
    assert reserve.published_labels() == [("datasets/training/Barack Obama_01.jpg", "Barack Obama")]


def test_a_reset_that_cannot_succeed_says_why(reserve: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (reserve.home / "datasets/reserve/Barack Obama/1.jpg").write_bytes(b"no photo")
    queue = reserve.app.extensions["namesake-queue"]
    monkeypatch.setattr(queue, "ensure_consumer", lambda: queue.run(1))
    answer = reserve.post("/reset_training/")
    assert answer.status_code == 400
    assert "No photo in the reserve has a face" in answer.get_json()["message"]


def test_a_reset_that_finds_no_room_says_so(
    reserve: Site, shots: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (reserve.home / "datasets/reserve/Barack Obama/2.jpg").write_bytes(shots["portrait"] + bytes(2 << 20))
    queue = reserve.app.extensions["namesake-queue"]
    monkeypatch.setattr(queue, "ensure_consumer", lambda: queue.run(1))
    with small_disk(reserve.home / "datasets/.staging", megabytes=1):
        answer = reserve.post("/reset_training/")
    assert answer.status_code == 507
    assert answer.get_json()["message"] == "The disk is full. Nothing was changed."
    assert reserve.get("/healthz").get_json()["people"] == 0


def test_a_second_reset_waits_for_the_first(reserve: Site, run_jobs: Jobs) -> None:
    run_jobs(reserve)
    assert reserve.post("/reset_training/", {"confirm": "RESET"}, html=True).status_code == 303
    answer = reserve.post("/reset_training/")
    assert answer.status_code == 409
    assert answer.get_json()["job_url"] == "/jobs/1/"


def test_a_job_tells_how_far_it_is(reserve: Site, run_jobs: Jobs) -> None:
    run = run_jobs(reserve)
    reserve.post("/reset_training/", {"confirm": "RESET"}, html=True)
    waiting = reserve.get("/jobs/1/").get_json()
    # `result` names the files that were skipped.
    assert set(waiting) == {"state", "done", "total", "message", "eta_s", "result"}
    assert (waiting["state"], waiting["done"], waiting["total"]) == ("queued", 0, 1)
    run(1)
    done = reserve.get("/jobs/1/").get_json()
    assert (done["state"], done["done"], done["total"]) == ("done", 1, 1)
    assert "1 of 1" in reserve.page("/jobs/1/").text


@pytest.mark.parametrize("typed", ["", "reset", "yes"])
def test_the_reset_form_wants_the_word(reserve: Site, typed: str) -> None:
    before = reserve.everything()
    answer = reserve.post("/reset_training/", {"confirm": typed}, html=True)
    assert answer.status_code == 400
    assert "RESET" in Page(answer.text).by_id["message"]
    assert reserve.everything() == before


def test_browsers_get_pages(album: Site, run_jobs: Jobs) -> None:
    run_jobs(album)
    album.confirm(album.photos["obama"], "Barack Obama")
    (album.home / "datasets/reserve/alice.jpg").write_bytes(b"no photo")
    album.post("/reset_training/", {"confirm": "RESET"}, html=True)
    photo = f"/photos/{album.photos['both']['photo_id']}/"
    for url in ("/", photo, "/people/", "/people/1/", "/admin/", "/jobs/1/"):
        answer = album.get(url, html=True)
        assert (answer.status_code, answer.mimetype) == (200, "text/html"), url
        assert Page(answer.text).all("html"), url


def test_forms_answer_with_the_next_page(album: Site, shots: dict[str, bytes], run_jobs: Jobs) -> None:
    run_jobs(album)
    (album.home / "datasets/reserve/alice.jpg").write_bytes(b"no photo")
    photo = album.photos["obama"]
    face = f"/faces/{photo['faces'][0]['id']}"
    answers = [
        album.upload(("portrait.jpg", shots["portrait"]), html=True),
        album.upload(("landscape.jpg", shots["landscape"]), html=True),
        album.confirm(photo, "Barack Obama", html=True),
        album.post(f"{face}/move", {"label": "Someone"}, html=True),
        album.post(f"{face}/unlabel", html=True),
        album.post(f"{face}/dismiss", {"action": "ignore"}, html=True),
        album.post("/reset_training/", {"confirm": "RESET"}, html=True),
    ]
    for answer in answers:
        assert answer.status_code == 303
        assert answer.location.startswith("/")
        assert album.get(answer.location, html=True).status_code == 200


def test_an_address_without_its_last_slash_leads_to_the_page(untouched: Site) -> None:
    answer = untouched.client.get("/people", follow_redirects=True)
    assert answer.get_json() == {"people": []}


def test_files_lie_where_the_image_path_says(album: Site) -> None:
    assert album.files(UPLOADS) == ["biden.jpg", "both.jpg", "landscape.jpg", "obama.jpg"]
    path = album.confirm(album.photos["obama"], "Barack Obama").get_json()["image_path"]
    assert (album.home / path).is_file()
    assert album.files(TRAINING) == ["Barack Obama_01.jpg"]
