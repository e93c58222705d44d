"""POST /upload/: which photos are taken, under which names they are kept, one at a time and several at once."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from werkzeug.test import TestResponse

from tests.views.shots import landscape, opened, overlap, saved, side_by_side, sixteen_bit, turned
from tests.views.site import TRAINING, UPLOADS, Json, Page, Site

Jobs = Callable[[Site], Callable[[int], None]]
Shots = dict[str, bytes]


@pytest.fixture(scope="session")
def obama(sample_photos: dict[str, Path]) -> Image.Image:
    return opened(sample_photos["obama.jpg"], height=400)


@pytest.fixture(scope="session")
def box(photographed: tuple[Path, dict[str, Json]]) -> list[int]:
    """Where the face is in `obama`, by the answer to the whole photo."""
    return [round(edge * 400 / 1137) for edge in photographed[1]["obama"]["faces"][0]["box"]]


# What each kind of photo is made with, and how its file is called.
KINDS: dict[str, tuple[Callable[[Image.Image], bytes], str]] = {
    "CMYK JPEG": (lambda photo: saved(photo.convert("CMYK"), quality=92), "jpg"),
    "grey JPEG": (lambda photo: saved(photo.convert("L"), quality=92), "jpg"),
    "16-bit PNG": (lambda photo: saved(sixteen_bit(photo), "PNG"), "png"),
    "PNG with transparency": (lambda photo: saved(photo.convert("RGBA"), "PNG"), "png"),
    "palette GIF": (lambda photo: saved(photo.quantize(256), "GIF"), "gif"),
    "HEIC": (lambda photo: saved(photo, "HEIF", quality=85), "heic"),
    "AVIF": (lambda photo: saved(photo, "AVIF", quality=85), "avif"),
    "WebP": (lambda photo: saved(photo, "WEBP", quality=92), "webp"),
    "TIFF": (lambda photo: saved(photo, "TIFF"), "tif"),
    "BMP": (lambda photo: saved(photo, "BMP"), "bmp"),
    "phone photo upside down": (lambda photo: turned(photo, 3), "jpg"),
    "phone photo on its side": (lambda photo: turned(photo, 6), "jpg"),
    "phone photo on its other side": (lambda photo: turned(photo, 8), "jpg"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_photos_of_every_kind_are_taken(site: Site, obama: Image.Image, box: list[int], kind: str) -> None:
    make, extension = KINDS[kind]
    data = make(obama)
    answer = site.upload((f"photo.{extension}", data))
    assert answer.status_code == 200, answer.text
    (face,) = answer.get_json()["faces"]
    assert overlap(face["box"], box) > 0.6, "the box lies where the upright face is"
    assert answer.get_json()["image_path"] == f"datasets/uploads/photo.{extension}"
    assert (site.home / UPLOADS / f"photo.{extension}").read_bytes() == data, "the photo is kept as it came"


def test_pages_show_a_turned_photo_upright_and_without_its_metadata(site: Site, obama: Image.Image) -> None:
    photo = site.upload(("photo.jpg", turned(obama, 6))).get_json()
    shown = site.get(f"/photos/{photo['photo_id']}/image.jpg").data
    (site.home / "shown.jpg").write_bytes(shown)
    with Image.open(site.home / "shown.jpg") as image:
        assert image.size == obama.size
        assert not image.getexif()


def test_a_photo_without_a_face_is_kept_and_can_be_looked_at(site: Site, shots: Shots) -> None:
    answer = site.upload(("beach.jpg", shots["landscape"]))
    assert answer.status_code == 400
    assert set(answer.get_json()) == {"message", "request_id", "photo_id", "image_path"}
    assert answer.get_json()["message"].startswith("No face was found")
    assert (site.home / answer.get_json()["image_path"]).read_bytes() == shots["landscape"]
    url = f"/photos/{answer.get_json()['photo_id']}/"
    assert site.get(url).get_json()["faces"] == []
    page = site.page(url)
    assert page.all("img", src=f"{url}image.jpg") or page.all("image", href=f"{url}image.jpg")
    assert "face" in page.text.lower()


# The name that comes with a file, and the name it is kept under: the content, not the name, says what it is.
NAMES = {
    "holiday.jpg": "holiday.jpg",
    "HOLIDAY.JPG": "HOLIDAY.jpg",
    "photo.jpeg": "photo.jpeg",
    "no-extension": "no-extension.jpg",
    "photo.png": "photo.jpg",
    "photo.jpg.exe": "photo.jpg.jpg",
    "archive.tar.jpg": "archive.tar.jpg",
    "../../../etc/passwd.jpg": "passwd.jpg",
    "/etc/cron.d/evil.jpg": "evil.jpg",
    "C:\\Users\\me\\Desktop\\me.jpg": "me.jpg",
    "..\\..\\up.jpg": "up.jpg",
    ".hidden.jpg": "hidden.jpg",
    "...": "photo.jpg",
    ".jpg": "jpg.jpg",
    "   .jpg": "photo.jpg",
    "CON.jpg": "photo_CON.jpg",
    "nul": "photo_nul.jpg",
    "lpt1.tar.jpg": "photo_lpt1.tar.jpg",
    "COM¹.jpg": "photo_COM¹.jpg",
    "Ünïcödé 王.jpg": "Ünïcödé 王.jpg",
    "<b>&amp;'\".jpg": "_b_&amp_'_.jpg",
    "a:b*c?d|e.jpg": "a_b_c_d_e.jpg",
    "bell\x07tab\t.jpg": "bell_tab_.jpg",
    "gpj.\u202ephoto.jpg": "gpj._photo.jpg",
}


@pytest.mark.parametrize(("sent", "kept"), NAMES.items(), ids=[ascii(name) for name in NAMES])
def test_a_photo_is_kept_under_a_safe_name(site: Site, sent: str, kept: str) -> None:
    answer = site.upload((sent, saved(landscape(40, 40))))
    assert answer.get_json()["image_path"] == f"datasets/uploads/{kept}"
    assert site.files(UPLOADS) == [kept]


def test_a_name_that_begins_with_a_dash_does_not_look_like_an_option(site: Site) -> None:
    site.upload(("-rf.jpg", saved(landscape(40, 40))))
    (name,) = site.files(UPLOADS)
    assert not name.startswith("-")


@pytest.mark.parametrize("letter", ["x", "王"])
def test_a_long_name_is_cut_to_what_every_file_system_takes(site: Site, letter: str) -> None:
    site.upload((letter * 300 + ".jpg", saved(landscape(40, 40))))
    (name,) = site.files(UPLOADS)
    assert name.startswith(letter * 20)
    assert name.endswith(".jpg")
    assert len(name.encode()) < 200


@pytest.mark.parametrize("escape", ["%0D%0A", "\0", "\x1b[2J", "\x7f", "\u2028", "\u200b"])
def test_a_name_with_control_characters_is_kept_without_them(site: Site, escape: str) -> None:
    answer = site.upload((f"a{escape}b.jpg", saved(landscape(40, 40))))
    (kept,) = site.files(UPLOADS)
    assert kept.isprintable()
    assert answer.get_json()["image_path"] == f"datasets/uploads/{kept}"


def test_two_photos_of_one_name_are_both_kept(site: Site) -> None:
    for width in (40, 41, 42):
        site.upload(("photo.jpg", saved(landscape(width, 40))))
    assert site.files(UPLOADS) == ["photo.jpg", "photo_2.jpg", "photo_3.jpg"]


def test_the_name_of_a_photo_that_moved_on_is_not_given_to_another(album: Site, shots: Shots) -> None:
    album.confirm(album.photos["obama"], "Barack Obama")
    assert album.upload(("obama.jpg", shots["portrait"])).get_json()["image_path"] == "datasets/uploads/obama_2.jpg"


def test_the_same_photo_twice_is_one_photo(album: Site, shots: Shots) -> None:
    before = album.everything()
    again = album.upload(("another name.jpg", shots["obama"]))
    assert again.status_code == 200
    assert again.get_json() == album.photos["obama"]
    assert album.everything() == before


def test_the_same_photo_sent_four_times_at_once_is_one_photo(site: Site, shots: Shots) -> None:
    answers: list[TestResponse] = []
    start = threading.Barrier(4)

    def upload(number: int) -> None:
        start.wait()
        answers.append(site.upload((f"{number}.jpg", shots["portrait"])))

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.get_json()["photo_id"] for answer in answers}) == 1
    assert len(site.files(UPLOADS)) == 1


def test_the_same_photo_without_a_face_is_told_so_again(album: Site, shots: Shots) -> None:
    before = album.everything()
    again = album.upload(("landscape.jpg", shots["landscape"]))
    assert again.status_code == 400
    assert again.get_json()["photo_id"] == album.photos["landscape"]["photo_id"]
    assert album.everything() == before


def test_a_photo_that_is_named_already_is_answered_with_its_name(album: Site, shots: Shots) -> None:
    album.confirm(album.photos["obama"], "Barack Obama")
    before = album.everything()
    again = album.upload(("obama.jpg", shots["obama"])).get_json()
    assert (again["predicted_label"], again["confidence_score"]) == ("Barack Obama", 1.0)
    assert again["image_path"] == "datasets/training/Barack Obama_01.jpg"
    assert again["faces"][0]["status"] == "labelled"
    assert album.everything() == before


def test_the_first_photo_ever_asks_for_the_name(site: Site, shots: Shots) -> None:
    sent = site.upload(("portrait.jpg", shots["portrait"]), html=True)
    assert sent.status_code == 303
    page = site.page(sent.location)
    assert page.all("form", action="/confirm/", method="post")
    assert page.all("input", name="label")
    assert not page.all("button", name="label"), "there is nobody to suggest"


def test_after_a_confirm_the_next_photo_of_that_person_is_named(site: Site, shots: Shots) -> None:
    first = site.upload(("first.jpg", shots["obama"])).get_json()
    assert (first["predicted_label"], first["confidence_score"]) == (None, 0.0)
    site.confirm(first, "Barack Obama")
    second = site.upload(("second.jpg", shots["obama2"])).get_json()
    assert second["predicted_label"] == "Barack Obama"
    assert 0.5 < second["confidence_score"] <= 1
    page = site.page(f"/photos/{second['photo_id']}/")
    assert page.all("button", name="label", value="Barack Obama")
    stranger = site.upload(("stranger.jpg", shots["biden"])).get_json()
    assert stranger["predicted_label"] is None
    assert stranger["confidence_score"] < 0.5


def test_faces_are_told_from_left_to_right(untouched: Site) -> None:
    faces = untouched.photos["both"]["faces"]
    assert len(faces) == 2
    assert faces[0]["box"][1] < faces[1]["box"][3]


def test_content_counts_not_what_the_sender_calls_it(site: Site) -> None:
    photo = (io.BytesIO(saved(landscape(40, 40))), "notes.txt", "text/plain")
    answer = site.post("/upload/", {"file": photo})
    assert answer.get_json()["image_path"] == "datasets/uploads/notes.jpg"


# --- several at once


def portraits(shots: Shots, count: int) -> list[tuple[str, bytes]]:
    """As many photos with a face: what follows the end of a JPEG belongs to the file but not to the picture."""
    return [(f"{number}.jpg", shots["portrait"] + bytes([number])) for number in range(count)]


def test_a_few_photos_are_answered_together(site: Site, shots: Shots) -> None:
    answer = site.upload(*portraits(shots, 2), ("beach.jpg", shots["landscape"]))
    assert answer.status_code == 200
    # `refused`: which of several photos were not taken.
    assert set(answer.get_json()) == {"photos", "refused"}
    assert answer.get_json()["refused"] == []
    photos = answer.get_json()["photos"]
    assert [photo["image_path"] for photo in photos] == [f"datasets/uploads/{n}.jpg" for n in ("0", "1", "beach")]
    assert [len(photo["faces"]) for photo in photos] == [1, 1, 0]
    assert photos == [site.photo(photo) for photo in photos]


def test_one_bad_photo_among_good_ones_does_not_spoil_them(site: Site, shots: Shots) -> None:
    good = portraits(shots, 2)
    answer = site.upload(good[0], ("notes.jpg", b"milk, bread"), ("empty.jpg", b""), good[1])
    assert answer.status_code == 200
    assert [photo["image_path"] for photo in answer.get_json()["photos"]] == [
        "datasets/uploads/0.jpg",
        "datasets/uploads/1.jpg",
    ]
    assert answer.get_json()["refused"] == [
        {"file": "notes.jpg", "message": "The file is not an image."},
        {"file": "empty.jpg", "message": "The file is empty."},
    ]
    assert site.files(UPLOADS) == ["0.jpg", "1.jpg"]


def test_a_browser_is_told_of_every_photo_that_was_not_taken(site: Site, shots: Shots) -> None:
    sent = site.upload(*portraits(shots, 1), ("<b>notes</b>.jpg", b"milk, bread"), html=True)
    assert sent.status_code == 303
    page = site.page(sent.location)
    assert "<b>notes</b>.jpg: The file is not an image." in page.text
    assert site.files(UPLOADS) == ["0.jpg"]


def test_a_browser_is_told_of_many_refusals_too(site: Site, shots: Shots, run_jobs: Jobs) -> None:
    run_jobs(site)
    notes = [(f"{hashlib.sha256(bytes([number])).hexdigest()}.txt", b"milk, bread") for number in range(120)]
    sent = site.upload(*portraits(shots, 1), *notes, html=True)
    assert sent.status_code == 303
    # Browsers drop a larger cookie, and with it everything they were to be told.
    assert all(len(cookie) <= 4093 for cookie in sent.headers.getlist("Set-Cookie"))
    assert "not an image" in site.page(sent.location).text


def test_several_photos_that_are_all_bad_are_refused(site: Site) -> None:
    before = site.everything()
    answer = site.upload(("a.jpg", b"milk"), ("b.jpg", b""))
    assert answer.status_code == 400
    assert set(answer.get_json()) == {"message", "request_id"}
    assert site.everything() == before


def test_the_same_photo_twice_in_one_request_is_one_photo(site: Site, shots: Shots) -> None:
    (photo,) = portraits(shots, 1)
    answer = site.upload(photo, ("again.jpg", photo[1]))
    assert answer.status_code == 200
    assert {found["photo_id"] for found in answer.get_json()["photos"]} == {1}
    assert site.files(UPLOADS) == ["0.jpg"]


def test_many_photos_are_looked_at_in_the_background(site: Site, shots: Shots, run_jobs: Jobs) -> None:
    run = run_jobs(site)
    answer = site.upload(*portraits(shots, 5), ("notes.jpg", b"milk, bread"))
    assert answer.status_code == 202
    # Which photos the job is about, and which were not taken.
    assert set(answer.get_json()) == {"job_url", "photo_ids", "refused"}
    assert [refusal["file"] for refusal in answer.get_json()["refused"]] == ["notes.jpg"]
    assert len(site.files(UPLOADS)) == 5, "a photo is safe before anyone has looked at it"
    ids = answer.get_json()["photo_ids"]
    assert [site.get(f"/photos/{id_}/").get_json()["faces"] for id_ in ids] == [[]] * 5
    job = site.get(answer.get_json()["job_url"]).get_json()
    assert (job["state"], job["done"], job["total"]) == ("queued", 0, 5)
    run(1)
    job = site.get(answer.get_json()["job_url"]).get_json()
    assert (job["state"], job["done"], job["total"]) == ("done", 5, 5)
    assert [len(site.get(f"/photos/{id_}/").get_json()["faces"]) for id_ in ids] == [1] * 5


def test_a_photo_still_to_be_looked_at_has_a_page(site: Site, shots: Shots, run_jobs: Jobs) -> None:
    run_jobs(site)
    sent = site.upload(*portraits(shots, 5), html=True)
    assert sent.status_code == 303
    assert site.get(sent.location, html=True).status_code == 200
    assert site.get("/photos/1/", html=True).status_code == 200


def test_uploading_a_waiting_photo_by_itself_looks_at_it_at_once(site: Site, shots: Shots, run_jobs: Jobs) -> None:
    run = run_jobs(site)
    sent = portraits(shots, 5)
    site.upload(*sent)
    assert len(site.upload(sent[3]).get_json()["faces"]) == 1
    run(1)
    assert len(site.get("/photos/4/").get_json()["faces"]) == 1


# --- a bulk upload: many requests of a few photos each


def few(first: int, count: int) -> list[tuple[str, bytes]]:
    return [(f"{width}.jpg", saved(landscape(40 + width, 40))) for width in range(first, first + count)]


def test_a_bulk_upload_stores_at_once_and_looks_later_with_one_job(site: Site, run_jobs: Jobs) -> None:
    run = run_jobs(site)
    first = site.upload(*few(0, 1), later="1")
    assert first.status_code == 202
    assert first.get_json() == {"job_url": "/jobs/1/", "photo_ids": [1], "known": [], "refused": []}
    second = site.upload(*few(0, 3), ("notes.jpg", b"milk, bread"), later="1", job="1")
    assert second.status_code == 202
    assert second.get_json() == {
        "job_url": "/jobs/1/",
        "photo_ids": [1, 2, 3],
        "known": [1],
        "refused": [{"file": "notes.jpg", "message": "The file is not an image."}],
    }
    run(1)
    job = site.get("/jobs/1/").get_json()
    assert (job["state"], job["done"], job["total"]) == ("done", 3, 3)


def test_a_bulk_upload_goes_on_when_a_whole_request_is_refused(site: Site, run_jobs: Jobs) -> None:
    run_jobs(site)
    answer = site.upload(("a.jpg", b"milk"), ("b.jpg", b""), later="1")
    assert answer.status_code == 202
    assert answer.get_json()["job_url"] is None
    assert [refusal["file"] for refusal in answer.get_json()["refused"]] == ["a.jpg", "b.jpg"]
    assert site.files(UPLOADS) == []


def test_later_0_is_as_if_it_were_not_sent(site: Site) -> None:
    assert site.upload(*few(0, 2), later="0").status_code == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"later": "yes"}, 400),
        ({"later": "2"}, 400),
        ({"job": "one"}, 400),
        ({"job": "-1", "later": "1"}, 400),
        ({"job": "1.5"}, 400),
        ({"job": "9" * 30}, 400),
        ({"job": "7", "later": "1"}, 404),
        ({"job": "0"}, 404),
        ({"job": "7"}, 404),
    ],
)
def test_a_bulk_upload_with_fields_that_make_no_sense_stores_nothing(
    site: Site, fields: dict[str, str], status: int
) -> None:
    answer = site.upload(*few(0, 2), **fields)
    assert answer.status_code == status
    assert set(answer.get_json()) == {"message", "request_id"}
    assert site.files(UPLOADS) == []


def test_photos_cannot_be_added_to_a_reset(site: Site, shots: Shots, run_jobs: Jobs) -> None:
    run_jobs(site)
    (site.home / "datasets/reserve/alice.jpg").write_bytes(shots["portrait"])
    site.post("/reset_training/", {"confirm": "RESET"}, html=True)
    assert site.upload(*few(0, 2), later="1", job="1").status_code == 400
    assert site.files(UPLOADS) == []


def test_names_of_files_are_text_on_the_front_page(album: Site, shots: Shots) -> None:
    album.upload(('x" onerror="alert(1).jpg', shots["portrait"]))
    page = Page(album.get("/", html=True).text)
    assert not [attributes for _tag, attributes in page.tags if "onerror" in attributes]


def test_uploads_leave_nothing_half_done(album: Site) -> None:
    assert not [name for name in album.files(UPLOADS) + album.files(TRAINING) if name.startswith(".")]


def test_a_photo_is_known_by_its_bytes_on_disk(album: Site, shots: Shots) -> None:
    assert album.everything()["files"]["datasets/uploads/obama.jpg"] == hashlib.sha256(shots["obama"]).hexdigest()


def test_groups_may_be_larger_than_the_screen(site: Site, obama: Image.Image) -> None:
    photo = site.upload(("group.jpg", saved(side_by_side(obama, obama, obama), quality=92))).get_json()
    assert len(photo["faces"]) == 3
    assert len(site.page(f"/photos/{photo['photo_id']}/").all("form", action="/confirm/")) >= 3
