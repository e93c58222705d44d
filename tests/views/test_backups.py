"""Backups over HTTP: jobs with progress, downloads, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from app.labelling import receiving
from tests.access.doors import PASSWORD, bearer, door_of
from tests.labelling.consistency import assert_consistent
from tests.labelling.test_backups import full_disk
from tests.small_disk import small_disk
from tests.views.site import MULTIPART, Json, Page, Site, multipart

Jobs = Callable[[Site], Callable[[int], None]]


def listed(site: Site) -> list[Json]:
    found: list[Json] = site.get("/backups/").get_json()["backups"]
    return found


def done(site: Site, run: Callable[[int], None], url: str) -> Json:
    """Do the job at this address; the job."""
    run(int(url.split("/")[-2]))
    found: Json = site.get(url).get_json()
    assert found["state"] == "done", found
    return found


@pytest.fixture
def named(album: Site) -> Site:
    album.confirm(album.photos["obama"], "Barack Obama")
    album.confirm(album.photos["biden"], "Joe Biden")
    return album


def test_one_is_made_by_a_job_listed_and_sent(named: Site, run_jobs: Jobs) -> None:
    run = run_jobs(named)
    answer = named.post("/backups/")
    assert answer.status_code == 202
    assert named.post("/backups/").status_code == 409, "one at a time"
    job = done(named, run, answer.get_json()["job_url"])
    assert job["done"] == job["total"] == 4
    (found,) = listed(named)
    assert set(found) == {
        "name", "created", "why", "automatic", "brought_in", "photos", "faces", "people", "missing", "bytes", "url",
    }  # fmt: skip
    assert (found["why"], found["automatic"], found["photos"], found["faces"]) == ("by hand", False, 4, 4)
    sent = named.get(found["url"])
    assert (sent.status_code, sent.mimetype) == (200, "application/zip")
    assert sent.headers["Content-Disposition"] == f"attachment; filename=namesake-{found['name']}.zip"
    with zipfile.ZipFile(io.BytesIO(sent.data)) as packed:
        assert packed.testzip() is None
        assert len([name for name in packed.namelist() if name.startswith("photos/")]) == 4


def test_an_automatic_one_is_sent_as_the_same_kind_of_file(named: Site, run_jobs: Jobs) -> None:
    people = {person["name"]: person["id"] for person in named.get("/people/").get_json()["people"]}
    named.post(f"/people/{people['Joe Biden']}/merge", {"into": "Barack Obama"})
    (found,) = listed(named)
    assert (found["why"], found["automatic"]) == ("merge", True)
    with zipfile.ZipFile(io.BytesIO(named.get(found["url"]).data)) as packed:
        assert {"manifest.json", "store.sqlite", "train.pickle", "config.toml"} <= set(packed.namelist())
    answer = named.post(f"/backups/{found['name']}/restore")
    done(named, run_jobs(named), answer.get_json()["job_url"])
    assert {person["name"] for person in named.get("/people/").get_json()["people"]} == set(people)
    assert_consistent(named.home)


def test_the_form_wants_the_word_restore(named: Site, run_jobs: Jobs) -> None:
    run = run_jobs(named)
    done(named, run, named.post("/backups/").get_json()["job_url"])
    (found,) = listed(named)
    for typed in ("", "restore", "RESET"):
        assert named.post(f"/backups/{found['name']}/restore", {"confirm": typed}, html=True).status_code == 400
    answer = named.post(f"/backups/{found['name']}/restore", {"confirm": "RESTORE"}, html=True)
    assert answer.status_code == 303
    done(named, run, answer.location)
    assert "Restored: 4 photos" in named.page(answer.location).by_id["job-message"]


def test_one_is_deleted_for_good(named: Site, run_jobs: Jobs) -> None:
    done(named, run_jobs(named), named.post("/backups/").get_json()["job_url"])
    (found,) = listed(named)
    assert named.post(f"/backups/{found['name']}/delete").get_json() == {"deleted": found["name"]}
    assert listed(named) == []
    assert named.files(Path("datasets/archives")) == []
    assert named.post(f"/backups/{found['name']}/delete").status_code == 404


class TestBringingOneIn:
    """POST /backups/upload"""

    @pytest.fixture
    def file(self, named: Site, run_jobs: Jobs) -> bytes:
        """A backup that was downloaded, and is not here any more."""
        done(named, run_jobs(named), named.post("/backups/").get_json()["job_url"])
        (found,) = listed(named)
        data: bytes = named.get(found["url"]).data
        named.post(f"/backups/{found['name']}/delete")
        return data

    @pytest.fixture
    def empty(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        """A new machine, where no photo may be larger than 1 MB."""
        home = tmp_path_factory.mktemp("empty")
        app = create_app(home, max_upload_mb=1)
        yield Site(app, home)
        app.extensions["namesake"].close()

    def test_moves_everything_to_a_new_machine(self, named: Site, empty: Site, file: bytes, run_jobs: Jobs) -> None:
        answer = bring(empty, file)
        assert answer.status_code == 201
        told = answer.get_json()
        assert (told["brought_in"], told["automatic"], told["why"], told["photos"]) == (True, False, "by hand", 4)
        assert listed(empty) == [told]
        assert empty.get(told["url"]).data == file
        assert empty.get("/people/").get_json() == {"people": []}
        done(empty, run_jobs(empty), empty.post(f"/backups/{told['name']}/restore").get_json()["job_url"])
        assert empty.get("/people/").get_json() == named.get("/people/").get_json()
        assert empty.published() == named.published()
        assert_consistent(empty.home)

    def test_says_so_on_the_page_and_offers_it_like_any_other(self, named: Site, file: bytes) -> None:
        answer = bring(named, file, html=True)
        assert (answer.status_code, answer.location) == (303, "/admin/")
        page = named.page("/admin/")
        assert "The backup is in: 4 photos and 4 faces. It heads the list, and is restored from there." in page.text
        assert "brought in made by hand" in page.text
        (found,) = listed(named)
        assert page.all("form", method="post", action=f"/backups/{found['name']}/restore")

    def test_has_a_form_that_works_without_scripts(self, untouched: Site) -> None:
        page = untouched.page("/admin/")
        (form,) = page.all("form", action="/backups/upload")
        assert (form["method"], form["enctype"]) == ("post", "multipart/form-data")
        (field,) = page.all("input", id="bring-file")
        assert (field["name"], field["type"]) == ("file", "file")
        assert "There is room for" in page.text

    def test_takes_more_than_a_request_of_photos_may_hold(self, empty: Site, file: bytes) -> None:
        large = rewritten(file, settings=bytes(12 << 20))
        assert bring(empty, large).status_code == 201
        assert empty.upload(("large.zip", large)).status_code == 413
        answer = empty.post(
            "/backups/upload", b"a=" + bytes(12 << 20), content_type="application/x-www-form-urlencoded"
        )
        assert answer.status_code == 413, "what is no file would be held in memory"

    def test_is_done_once(self, named: Site, file: bytes) -> None:
        kept = bring(named, file).get_json()
        before = named.everything()
        answer = bring(named, file)
        assert (answer.status_code, answer.get_json()["message"]) == (409, "This backup is here already.")
        assert answer.get_json()["url"] == kept["url"]
        assert named.everything() == before

    @pytest.mark.parametrize(
        ("what", "status", "words"),
        [
            (lambda _file: multipart(), 400, "No file came"),
            (lambda file: multipart(file=file.hex()), 413, "too much"),
            (lambda _file: multipart(("", b"")), 400, "No file came"),
            (lambda _file: multipart(("empty.zip", b"")), 400, "not a zip"),
            (lambda _file: multipart(("photo.jpg", b"\xff\xd8\xff\xe0" * 99)), 400, "not a zip"),
            (lambda file: multipart(("half.zip", file[: len(file) // 2])), 400, "not a zip"),
            (lambda file: multipart(("mine.zip", flipped(file))), 400, "damaged"),
            (lambda file: multipart(("later.zip", rewritten(file, format=2))), 400, "it may be of a later one"),
            (lambda file: multipart(("mine.zip", file))[:-20], 400, "No file came"),
            (lambda file: multipart(("a.zip", file), ("b.zip", file)), 400, "one backup at a time"),
            (lambda file: multipart(*[(f"{n}", b"") for n in range(2000)]), 400, "one backup at a time"),
            (lambda file: multipart(**{f"field{n}": "x" for n in range(20)}), 413, "too much"),
        ],
    )
    @pytest.mark.parametrize("html", [False, True])
    def test_is_refused_in_words_and_leaves_nothing(
        self, named: Site, file: bytes, what: Callable[[bytes], bytes], status: int, words: str, html: bool
    ) -> None:
        before, folders = named.everything(), among_backups(named)
        answer = named.post("/backups/upload", what(file), html=html, content_type=MULTIPART)
        assert answer.status_code == status, answer.text
        assert words in (Page(answer.text).text if html else answer.get_json()["message"])
        assert named.everything() == before
        assert among_backups(named) == folders

    def test_is_refused_for_a_form_that_is_not_of_this_page(self, named: Site, file: bytes) -> None:
        named.page("/admin/")
        body = multipart(("mine.zip", file))
        assert named.browser.post("/backups/upload", data=body, content_type=MULTIPART).status_code == 400
        headers = {"Origin": "http://elsewhere.example"}
        answer = named.client.post("/backups/upload", data=body, content_type=MULTIPART, headers=headers)
        assert answer.status_code == 403
        assert (listed(named), among_backups(named)) == ([], [])

    def test_is_refused_to_who_may_only_label_before_a_byte_is_read(self, make_app: Callable[..., Flask]) -> None:
        app = make_app(password=PASSWORD)
        token = door_of(app).tokens.create("script", "label")["token"]
        body = io.BytesIO(bytes(30_000_000))
        answer = app.test_client().post(
            "/backups/upload",
            input_stream=body,
            content_length=30_000_000,
            content_type=MULTIPART,
            headers=bearer(token),
        )
        assert (answer.status_code, body.tell()) == (403, 0)

    @pytest.mark.parametrize("told", [True, False])
    def test_that_has_no_room_is_refused_and_leaves_nothing(self, empty: Site, file: bytes, told: bool) -> None:
        """told: the sender says beforehand how much it is; else it is found out on the way."""
        large = multipart(("mine.zip", rewritten(file, settings=bytes(4 << 20))))
        folder = empty.home / "datasets/archives"
        with small_disk(folder, megabytes=7):  # of which 4 are for photos
            answer = empty.client.post(
                "/backups/upload", input_stream=io.BytesIO(large), content_type=MULTIPART,
                content_length=len(large) if told else None, environ_overrides={"wsgi.input_terminated": True},
            )  # fmt: skip
            assert answer.status_code == 507
            message = answer.get_json()["message"]
            assert message in [
                f"The disk has room for a backup of {most} MB at most. Nothing was changed." for most in (2, 3)
            ]
            assert list(folder.iterdir()) == []
            assert bring(empty, file).status_code == 201

    def test_that_fills_a_disk_which_seemed_to_have_room_leaves_nothing_either(
        self, empty: Site, file: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As where a quota holds: the system does not say how much of it is left."""
        monkeypatch.setattr(receiving, "room", lambda _workspace: 1 << 40)
        folder = empty.home / "datasets/archives"
        # The first is full when the last bytes are still on their way to it, the second while it is looked at.
        rest = len(rewritten(file))
        for megabytes, size in ((3, (3 << 20) + 1000 - rest), (7, 4 << 20)):
            with small_disk(folder, megabytes):
                answer = bring(empty, rewritten(file, settings=bytes(size)))
                assert (answer.status_code, answer.get_json()["message"]) == (
                    507,
                    "The disk is full. Nothing was changed.",
                )
                assert list(folder.iterdir()) == []


def bring(site: Site, data: bytes, *, html: bool = False) -> TestResponse:
    return site.post("/backups/upload", multipart(("mine.zip", data)), html=html, content_type=MULTIPART)


def among_backups(site: Site) -> list[str]:
    """Everything there, hidden or not."""
    return sorted(str(path) for path in (site.home / "datasets/archives").rglob("*"))


def rewritten(file: bytes, *, settings: bytes = b"", **said: int) -> bytes:
    """The same backup with other settings, and other words in its manifest."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(file)) as old, zipfile.ZipFile(packed, "w") as new:
        content = {name: old.read(name) for name in old.namelist()} | {"config.toml": settings}
        manifest = json.loads(content["manifest.json"]) | said
        manifest["sha256"]["config.toml"] = hashlib.sha256(settings).hexdigest()
        for name, data in (content | {"manifest.json": json.dumps(manifest).encode()}).items():
            new.writestr(name, data)
    return packed.getvalue()


def flipped(file: bytes) -> bytes:
    """A bit in the middle of a photo is another."""
    at = file.index(b"photos/") + 20_000
    return file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :]


@pytest.mark.parametrize(
    "name", ["20260101-000000-merge-1", "..", "%2e%2e%2fsecret", "x.zip", "manifest", " ", "a" * 300]
)
@pytest.mark.parametrize(("method", "address"), [("GET", ".zip"), ("POST", "/restore"), ("POST", "/delete")])
def test_there_is_nothing_but_what_is_listed(untouched: Site, method: str, address: str, name: str) -> None:
    before = untouched.everything()
    answer = untouched.client.open(f"/backups/{name}{address}", method=method)
    assert answer.status_code == 404
    assert untouched.everything() == before


def test_a_disk_that_is_full_refuses_the_merge(named: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    people = {person["name"]: person["id"] for person in named.get("/people/").get_json()["people"]}
    before = named.everything()
    full_disk(monkeypatch)
    answer = named.post(f"/people/{people['Joe Biden']}/merge", {"into": "Barack Obama"})
    assert (answer.status_code, answer.get_json()["message"]) == (507, "The disk is full. Nothing was changed.")
    assert named.everything() == before
