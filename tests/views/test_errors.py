"""What is refused, and how: a status that fits, words that help, a number to quote, and nothing saved."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from werkzeug.test import TestResponse

from tests.conftest import HTML
from tests.views.shots import bomb, opened, saved
from tests.views.site import MULTIPART, Json, Page, Site, multipart


@dataclass(frozen=True)
class Bad:
    """A request that is refused. `words` are some of those it is refused with."""

    status: int
    words: str
    url: str
    fields: Any = None
    more: Json = field(default_factory=dict)


def file(status: int, words: str, data: bytes, name: str = "photo.jpg") -> Bad:
    return Bad(status, words, "/upload/", multipart((name, data)), {"content_type": MULTIPART})


def label(words: str, text: str | None) -> Bad:
    fields = {"image_path": "datasets/uploads/obama.jpg"} | ({} if text is None else {"label": text})
    return Bad(400, words, "/confirm/", fields)


def path(status: int, words: str, text: str | None) -> Bad:
    return Bad(status, words, "/confirm/", {"label": "Ana"} | ({} if text is None else {"image_path": text}))


def face_id(status: int, words: str, text: str) -> Bad:
    fields = {"image_path": "datasets/uploads/obama.jpg", "label": "Ana", "face_id": text}
    return Bad(status, words, "/confirm/", fields)


JPEG = saved(Image.new("RGB", (400, 400), "teal"))
PNG = saved(Image.effect_noise((400, 400), 80), "PNG")

UPLOADS = {
    "no file": Bad(400, "No photo came", "/upload/"),
    "another field": Bad(400, "in the field named file", "/upload/",
                         multipart(("photo.jpg", JPEG)).replace(b'name="file"', b'name="photo"'),
                         {"content_type": MULTIPART}),
    "text in the field": Bad(400, "No photo came", "/upload/", {"file": "photo.jpg"}),
    "a file without a name": file(400, "No photo came", JPEG, name=""),
    "an empty file": file(400, "empty", b""),
    "text named .jpg": file(400, "not an image", b"Dear diary, today nobody smiled."),
    "a web page": file(400, "not an image", b"<!doctype html><img src=x onerror=alert(1)>", "photo.png"),
    "a truncated JPEG": file(400, "damaged, incomplete", JPEG[: len(JPEG) // 2]),
    "a truncated PNG": file(400, "damaged, incomplete", PNG[: len(PNG) // 2], "photo.png"),
    "only the beginning": file(400, "", JPEG[:20]),
    "a damaged JPEG": file(400, "damaged", JPEG[:2] + b"\xff" * 500),
    "30,000 x 30,000 pixels": file(413, "30000 x 30000 pixels", bomb(), "photo.png"),
    "40 MB": file(413, "up to 32 MB", b"\xff\xd8\xff" + bytes(40_000_000)),
    "another kind of image": file(415, "JPG, PNG", saved(Image.new("RGB", (40, 40)), "PPM"), "photo.ppm"),
    "a photo as the body": Bad(415, "multipart/form-data", "/upload/", JPEG, {"content_type": "image/jpeg"}),
    "JSON": Bad(415, "multipart/form-data", "/upload/", b"{}", {"content_type": "application/json"}),
    "plain text": Bad(415, "multipart/form-data", "/upload/", b"photo", {"content_type": "text/plain"}),
    "a form without its boundary": Bad(400, "No photo came", "/upload/", b"x", {"content_type": "multipart/form-data"}),
    "a form cut short": Bad(400, "", "/upload/", b"--edge\r\nContent-Disp", {"content_type": MULTIPART}),
}  # fmt: skip
LABELS = {
    "no label": label("give a name", None),
    "an empty label": label("give a name", ""),
    "only spaces": label("give a name", "   "),
    "only wide spaces": label("give a name", "\u3000\u00a0\u2003"),
    "only invisible characters": label("give a name", "\u200b\u200d\u2060"),
    "only control characters": label("", "\x01\x02"),
    "a NUL byte": label("control characters", "a\0b"),
    "a line break": label("line breaks", "Ana\nMaria"),
    "a tab": label("control characters", "Ana\tMaria"),
    "an escape sequence": label("control characters", "\x1b[31mAna"),
    "a line separator": label("line breaks", "Ana\u2028Maria"),
    "a bidi override": label("control characters", "Ana\u202ereverse"),
    "a bidi isolate": label("control characters", "\u2067Ana"),
    "81 characters": label("80 characters", "x" * 81),
    "81 wide characters": label("80 characters", "王" * 81),
    "10,000 characters": label("10,000", "x" * 10_000),
    "a million characters": label("1,000,000", "x" * 1_000_000),
}
PATHS = {
    "no path": path(400, "image_path", None),
    "an empty path": path(400, "image_path", ""),
    "a blank path": path(400, "image_path", " "),
    "a path upwards": path(404, "no photo", "../../etc/passwd"),
    "upwards from the uploads": path(404, "no photo", "datasets/uploads/../../../etc/passwd"),
    "an absolute path": path(404, "no photo", "/etc/passwd"),
    "backslashes": path(404, "no photo", "..\\..\\etc\\passwd"),
    "a Windows path": path(404, "no photo", "C:\\Windows\\win.ini"),
    "a NUL byte in the path": path(404, "no photo", "datasets/uploads/obama.jpg\0.png"),
    "only a NUL byte": path(404, "no photo", "\0"),
    "a URL": path(404, "no photo", "file:///etc/passwd"),
    "the folder": path(404, "no photo", "datasets/uploads/"),
    "a wildcard": path(404, "no photo", "datasets/uploads/%"),
    "the store": path(404, "no photo", "instance/namesake.sqlite"),
    "a photo that is not there": path(404, "no photo", "datasets/uploads/nobody.jpg"),
    "a photo in the wrong folder": path(404, "no photo", "datasets/training/obama.jpg"),
    "a very long path": path(404, "no photo", "a/" * 50_000),
}
FACES = {
    "a word": face_id(400, "whole number", "first"),
    "a fraction": face_id(400, "whole number", "1.5"),
    "a negative number": face_id(400, "whole number", "-1"),
    "another script's digits": face_id(400, "whole number", "１"),
    "a number without end": face_id(400, "whole number", "9" * 5_000),
    "an unknown face": face_id(404, "no such face in this photo", "999999999"),
    "face 0": face_id(404, "no such face in this photo", "0"),
    "another photo's face": face_id(404, "no such face in this photo", "2"),
    "moving an unknown face": Bad(404, "no such face", "/faces/999/move", {"label": "Ana"}),
    "moving to no name": Bad(400, "give a name", "/faces/1/move", {"label": " "}),
    "unlabelling an unknown face": Bad(404, "no such face", "/faces/999/unlabel"),
    "dismissing an unknown face": Bad(404, "no such face", "/faces/999/dismiss", {"action": "ignore"}),
    "dismissing without saying how": Bad(400, "ignore or not_a_face", "/faces/1/dismiss"),
    "dismissing in another way": Bad(400, "ignore or not_a_face", "/faces/1/dismiss", {"action": "delete"}),
    "a face no store can hold": Bad(404, "nothing at this address", f"/faces/{'9' * 30}/unlabel"),
    "a reset without a reserve": Bad(400, "reserve", "/reset_training/", {"confirm": "RESET"}),
}
BAD = UPLOADS | LABELS | PATHS | FACES


@pytest.mark.parametrize("html", [False, True], ids=["script", "browser"])
@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_refused_with_words_that_help_and_nothing_is_saved(untouched: Site, kind: str, html: bool) -> None:
    bad = BAD[kind]
    before = untouched.everything()
    answer = untouched.post(bad.url, bad.fields, html=html, **bad.more)
    assert_refused(answer, bad.status, bad.words, html)
    assert untouched.everything() == before


def assert_refused(answer: TestResponse, status: int, words: str, html: bool) -> None:
    assert answer.status_code == status, answer.text
    if html:
        assert answer.mimetype == "text/html"
        page = Page(answer.text)
        message, request_id = page.by_id["message"], page.by_id["request-id"]
    else:
        assert answer.mimetype == "application/json"
        assert set(answer.get_json()) == {"message", "request_id"}
        message, request_id = answer.get_json()["message"], answer.get_json()["request_id"]
    assert re.fullmatch("[0-9a-f]{12}", request_id)
    assert words in message
    assert 10 < len(message) < 400
    assert message.endswith((".", "?"))
    assert not re.search(r"/tmp|/home|/root|Traceback|Error|\.py|None", message), "nothing of the inside"


def test_a_real_photo_cut_short_is_refused(untouched: Site, shots: dict[str, bytes]) -> None:
    before = untouched.everything()
    for share in (0.1, 0.5, 0.9):
        answer = untouched.upload(("photo.jpg", shots["biden"][: int(len(shots["biden"]) * share)]))
        assert_refused(answer, 400, "damaged, incomplete", html=False)
    assert untouched.everything() == before


def test_every_refusal_has_its_own_number(untouched: Site) -> None:
    numbers = {untouched.post("/upload/").get_json()["request_id"] for _ in range(5)}
    assert len(numbers) == 5


# --- how much is too much


@pytest.fixture
def small(make_app: Callable[..., Flask], tmp_path: Path) -> Site:
    """An installation that takes photos of up to 1 MB and 40,000 pixels."""
    return Site(make_app(MAX_UPLOAD_MB=1, MAX_PIXELS=40_000), tmp_path)


@pytest.mark.parametrize("html", [False, True], ids=["script", "browser"])
def test_a_request_beyond_every_limit_is_refused_unread(small: Site, html: bool) -> None:
    before = small.everything()
    answer = small.upload(("photo.jpg", b"\xff\xd8\xff" + bytes(12_000_000)), html=html)
    assert_refused(answer, 413, "1 MB", html)
    assert small.everything() == before


def test_the_limits_are_those_of_the_settings(small: Site) -> None:
    before = small.everything()
    assert_refused(small.upload(("a.jpg", JPEG + bytes(1_100_000))), 413, "1 MB", html=False)
    assert_refused(small.upload(("a.jpg", JPEG)), 413, "400 x 400", html=False)
    assert small.everything() == before
    assert small.upload(("a.jpg", saved(Image.new("RGB", (200, 200))))).get_json()["message"].startswith("No face")


def test_a_form_of_more_than_a_thousand_parts_is_refused(untouched: Site) -> None:
    before = untouched.everything()
    part = b'--edge\r\nContent-Disposition: form-data; name="label"\r\n\r\nx\r\n'
    body = part * 1_100 + b"--edge--\r\n"
    assert_refused(untouched.post("/confirm/", body, content_type=MULTIPART), 413, "too much", html=False)
    assert untouched.everything() == before


def test_a_part_of_a_million_characters_is_refused(untouched: Site) -> None:
    before = untouched.everything()
    part = b'--edge\r\nContent-Disposition: form-data; name="label"\r\n\r\n' + b"x" * 1_000_000
    body = part + b"\r\n--edge--\r\n"
    assert_refused(untouched.post("/confirm/", body, content_type=MULTIPART), 413, "too much", html=False)
    assert untouched.everything() == before


# --- addresses and methods

NOTHING = ["/nothing", "/photos/", "/photos/999/", "/photos/x/", "/photos/-1/", f"/photos/{'9' * 30}/", "/people/999/",
           "/jobs/999/", "/photos/999/image.jpg", "/faces/999/thumb.jpg", f"/faces/{'9' * 30}/thumb.jpg",
           "/static/nothing.js", "/static/../wsgi.py", "/static/%2e%2e/wsgi.py", "/upload/%00", "/.git/config",
           "/instance/secret", "/datasets/uploads/obama.jpg", "/<script>alert(1)</script>"]  # fmt: skip


@pytest.mark.parametrize("html", [False, True], ids=["script", "browser"])
@pytest.mark.parametrize("address", NOTHING)
def test_there_is_nothing_at_other_addresses(untouched: Site, address: str, html: bool) -> None:
    answer = untouched.get(address, html=html)
    assert_refused(answer, 404, "", html)
    assert "<script>alert" not in answer.text


METHODS = [
    ("GET", "/upload/", {"POST", "OPTIONS"}),
    ("GET", "/confirm/", {"POST", "OPTIONS"}),
    ("GET", "/reset_training/", {"POST", "OPTIONS"}),
    ("GET", "/faces/1/move", {"POST", "OPTIONS"}),
    ("POST", "/", {"GET", "HEAD", "OPTIONS"}),
    ("POST", "/people/", {"GET", "HEAD", "OPTIONS"}),
    ("DELETE", "/photos/1/", {"GET", "HEAD", "OPTIONS"}),
    ("PUT", "/confirm/", {"POST", "OPTIONS"}),
    ("PATCH", "/people/1/", {"GET", "HEAD", "OPTIONS"}),
    ("POST", "/static/app.css", {"GET", "HEAD", "OPTIONS"}),
    ("TRACE", "/", {"GET", "HEAD", "OPTIONS"}),
    ("BREW", "/", {"GET", "HEAD", "OPTIONS"}),
]


@pytest.mark.parametrize("html", [False, True], ids=["script", "browser"])
@pytest.mark.parametrize(("method", "address", "_allowed"), METHODS)
def test_other_methods_are_refused(untouched: Site, method: str, address: str, _allowed: set[str], html: bool) -> None:
    before = untouched.everything()
    answer = untouched.client.open(address, method=method, headers=HTML if html else {})
    assert_refused(answer, 405, "does not take that kind of request", html)
    assert untouched.everything() == before


@pytest.mark.parametrize(("method", "address", "allowed"), METHODS)
def test_a_refused_method_names_those_that_work(untouched: Site, method: str, address: str, allowed: set[str]) -> None:
    # RFC 9110, 15.5.6: the server must send Allow with a 405.
    assert set(untouched.client.open(address, method=method).headers["Allow"].split(", ")) == allowed


# --- when the installation itself is in trouble


@pytest.mark.parametrize("html", [False, True], ids=["script", "browser"])
@pytest.mark.parametrize("url", ["/people/", "/photos/1/", "/healthz", "/nothing"])
def test_a_store_that_cannot_be_read_is_told_in_words(album: Site, url: str, html: bool) -> None:
    with closing(connect(album.home / "instance/namesake.sqlite")) as store:
        store.execute("ALTER TABLE faces RENAME TO lost")
    answer = album.get(url, html=html)
    assert_refused(answer, 404 if url == "/nothing" else 503, "", html or answer.mimetype == "text/html")


@pytest.mark.parametrize("html", [False, True], ids=["script", "browser"])
def test_a_photo_whose_file_is_gone_can_still_be_named(album: Site, html: bool) -> None:
    (album.home / "datasets/uploads/obama.jpg").unlink()
    before = album.everything()
    answer = album.confirm(album.photos["obama"], "Barack Obama", html=html)
    assert answer.status_code != 500
    if answer.status_code >= 400:
        assert_refused(answer, answer.status_code, "", html)
        assert album.everything() == before


def test_a_photo_whose_file_is_gone_has_a_page(album: Site) -> None:
    (album.home / "datasets/uploads/obama.jpg").unlink()
    for picture in (album.home / "instance").rglob("*.jpg"):
        picture.unlink()
    photo = album.photos["obama"]
    assert album.get(f"/photos/{photo['photo_id']}/", html=True).status_code == 200
    assert album.get("/", html=True).status_code == 200
    assert album.get(photo["faces"][0]["thumb"]).status_code in (200, 404)
    assert album.get(f"/photos/{photo['photo_id']}/image.jpg").status_code == 404


def test_a_photo_that_was_deleted_by_hand_can_be_uploaded_again(album: Site, shots: dict[str, bytes]) -> None:
    (album.home / "datasets/uploads/obama.jpg").unlink()
    answer = album.upload(("obama.jpg", shots["obama"]))
    assert answer.status_code == 200
    assert (album.home / answer.get_json()["image_path"]).read_bytes() == shots["obama"]


def test_a_photo_is_taken_even_if_no_picture_of_it_can_be_kept(site: Site, shots: dict[str, bytes]) -> None:
    (site.home / "instance/pictures").write_bytes(b"in the way of the folder")
    answer = site.upload(("portrait.jpg", shots["portrait"]))
    assert answer.status_code == 200
    assert len(answer.get_json()["faces"]) == 1


def test_pictures_are_made_again_when_they_are_gone(album: Site, sample_photos: dict[str, Path]) -> None:
    for picture in (album.home / "instance").rglob("*.jpg"):
        picture.unlink()
    shown = album.get(f"/photos/{album.photos['obama']['photo_id']}/image.jpg")
    with Image.open(io.BytesIO(shown.data)) as image:
        assert image.size == opened(sample_photos["obama.jpg"]).size
    assert album.get(album.photos["obama"]["faces"][0]["thumb"]).mimetype == "image/jpeg"
