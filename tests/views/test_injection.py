"""Words of strangers stay words: names, file names, what photos and tables say, and where forms want to go back to."""

from __future__ import annotations

import io
import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from app.labelling.labels import clean_label
from tests.conftest import HTML
from tests.views.hostile import NAMES, TEXTS, photo_with_metadata
from tests.views.shots import landscape, saved
from tests.views.site import UPLOADS, Page, Site
from tests.views.test_hostile_requests import assert_inert

# Pages that need a number are shown for the first person, photo and face.
_NOT_PAGES = ("static", ".jpg", ".xmp", "/export/", "/healthz", "/metrics", "/jobs/", ".zip")


def pages(site: Site) -> list[str]:
    """Every page there is, by the routes themselves."""
    found = [str(rule) for rule in site.app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    return sorted(
        "/".join("1" if part.startswith("<") else part for part in rule.split("/"))
        for rule in found
        if not any(word in rule for word in _NOT_PAGES)
    )


def test_every_page_shows_a_hostile_name_as_the_text_it_is(album: Site) -> None:
    album.confirm(album.photos["obama"], "Ann")
    album.confirm(album.photos["biden"], "Bob")
    addresses = [*pages(album), "/people/1/merge?into_id=2", "/insights/faces/?gallery=all", "/people/?q=a"]
    answered = set()
    for name in NAMES[:9]:
        if album.post("/people/1/rename", {"name": name}).status_code != 200:
            continue
        for address in addresses:
            answer = album.get(address, html=True)
            assert answer.status_code in (200, 303, 400, 404), address
            assert_inert(answer.text)
            if answer.status_code == 200:
                answered.add(address)
        assert clean_label(name) in [text.strip() for text in Page(album.get("/people/1/", html=True).text).texts]
    assert len(answered) > 12


def test_a_search_a_list_and_a_question_come_back_as_text(untouched: Site) -> None:
    for words in TEXTS:
        for address, field in (("people", "q"), ("aside", "which"), ("insights/faces", "said"), ("people", "page")):
            answer = untouched.browser.get(f"/{address}/", query_string={field: words}, headers=HTML)
            assert_inert(answer.text)


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)",
                                  "person:1/../../x", "person://evil", "\r\nLocation: x", "review"])  # fmt: skip
def test_a_form_leads_back_into_this_site_only(album: Site, back: str) -> None:
    album.confirm(album.photos["obama"], "Ann")
    face = album.photos["obama"]["faces"][0]["id"]
    for url, fields in (
        (f"/faces/{face}/move", {"label": "Bob", "back": back, "which": back, "next": back}),
        ("/undo/", {"back": back, "next": back}),
    ):
        answer = album.post(url, fields, html=True)
        assert answer.status_code == 303
        assert answer.location.startswith("/")
        assert not answer.location.startswith(("//", "/\\"))
        assert "\n" not in str(answer.headers).replace("\r\n", "")


@pytest.mark.parametrize("referrer", ["//evil.example/", "/\\evil.example", "javascript:alert(1)", 'x"><script>'])
def test_a_refusal_leads_back_into_this_site_only(untouched: Site, referrer: str) -> None:
    headers = {"Accept": "text/html", "Referer": f"http://localhost/{referrer}"}
    answer = untouched.client.post("/confirm/", headers=headers)
    assert answer.status_code == 400
    assert_inert(answer.text)


SENT = (
    *NAMES,
    "a\0b.jpg",
    "x" * 300,
    "é" * 300 + ".jpg",
    "COM1.jpg",
    "a\r\nb: c.jpg",
    "....//....//x.jpg",
    "~/.ssh/id",
    "-rf.jpg",
    "a;b|c.jpg",
    "\ufffe.jpg",
    "a" * 250 + ".jpg.jpg",
    "/",
    "\\\\server\\share\\x.jpg",
)


def test_no_name_of_an_upload_reaches_the_file_system_as_it_was_sent(site: Site) -> None:
    before = {path for path in site.home.parent.rglob("*") if UPLOADS.name not in path.parts}
    for number, name in enumerate(SENT):
        data = saved(landscape(40, 40)) + bytes([number])
        answer = site.upload((name, data))
        assert answer.status_code == 400
        if "photo_id" not in answer.get_json():
            continue
        path = site.home / answer.get_json()["image_path"]
        assert path.parent == site.home / UPLOADS
        assert path.read_bytes() == data
        assert len(os.fsencode(path.name)) <= 255
        assert path.name.isprintable()
        assert not set('/\\:*?"<>|\0') & set(path.name)
        assert not path.name.startswith((".", "-", "~"))
        assert not any(unicodedata.category(character)[0] == "C" for character in path.name)
        assert_inert(site.get(f"/photos/{answer.get_json()['photo_id']}/", html=True).text)
    pictures = site.home / "instance/pictures"
    new = {path for path in site.home.parent.rglob("*") if UPLOADS.name not in path.parts} - before
    assert {path for path in new if path != pictures and pictures not in path.parents} == set()
    assert len(site.files(UPLOADS)) > 20


def test_what_a_photo_says_of_itself_is_shown_nowhere(site: Site) -> None:
    words = "<script>alert('exif')</script>"
    photo = site.upload(("photo.jpg", photo_with_metadata(words))).get_json()
    address = f"/photos/{photo['photo_id']}/"
    for url in (address, "/", "/admin/", "/review/"):
        page = site.get(url, html=True).text
        assert_inert(page)
        assert "exif" not in page
    shown = site.get(f"{address}image.jpg").data
    assert b"exif" not in shown.lower()
    with Image.open(io.BytesIO(shown)) as image:
        assert not image.getexif()


@pytest.mark.parametrize("address", ["/photos/1/sidecar.xmp", "/export/labels.csv", "/export/training.zip"])
def test_what_is_downloaded_has_a_name_of_our_own(album: Site, address: str) -> None:
    album.post("/confirm/", {"image_path": album.photos["obama"]["image_path"], "label": 'a";b=c'})
    answer = album.get(address)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.headers["Content-Disposition"].split("=")[1].replace(".", "").replace("-", "").isalnum()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_table_of_hostile_names_is_told_of_as_text_and_comes_back_whole(album: Site, tmp_path: Path) -> None:
    face = album.photos["obama"]["faces"][0]["id"]
    for name in ("=cmd|' /C calc'!A0", "'=1", "@SUM(1)", "+1", "-1", "<img src=x onerror=alert(1)>"):
        assert album.confirm(album.photos["obama"], name).status_code == 200
        table = album.get("/export/labels.csv").data
        assert not any(cell[:1] in "=+-@" for cell in table.decode("utf-8-sig").replace('"', "").split(","))
        assert album.post(f"/faces/{face}/unlabel").status_code == 200
        taken = album.post("/import/", _file(table))
        assert taken.get_json()["named"] == 1
        assert album.photo(album.photos["obama"])["faces"][0]["label"] == name
        assert album.post(f"/faces/{face}/move", {"label": "Someone else"}).status_code == 200
        assert album.post("/import/", _file(table), html=True).status_code == 303
        told = album.get("/admin/", html=True).text
        assert_inert(told)
        assert f"{name} was not given to a face" in Page(told).text
        assert album.post(f"/faces/{face}/unlabel").status_code == 200


def _file(data: bytes) -> dict[str, tuple[io.BytesIO, str]]:
    return {"file": (io.BytesIO(data), "labels.csv")}
