"""Labels leave as files and come back through a form."""

from __future__ import annotations

import csv
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from app.store import sidecar
from tests.labelling.names import NAMES
from tests.labelling.squares import SquaresEngine, picture
from tests.views.site import MULTIPART, Json, Site, multipart


@pytest.fixture
def squares_site(make_app: Callable[..., Flask], tmp_path: Path) -> Site:
    """An installation whose faces are squares."""
    return with_squares(make_app(), tmp_path)


@pytest.fixture
def named(squares_site: Site) -> Site:
    """The same with a photo of two people with names, and one that waits."""
    photo = squares_site.upload(("party.png", picture("ana", "bob"))).get_json()
    squares_site.confirm(photo, "Ana", face=0)
    squares_site.confirm(squares_site.photo(photo), NAMES[0], face=1)
    squares_site.upload(("waiting.png", picture("carol")))
    squares_site.photos["party"] = photo
    return squares_site


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Site:
    home = tmp_path_factory.mktemp("empty")
    return with_squares(create_app(home), home)


def with_squares(app: Flask, home: Path) -> Site:
    app.extensions["namesake"].engine = SquaresEngine()
    return Site(app, home)


def bring(site: Site, name: str, data: bytes, **more: bool) -> Json:
    answer = site.post("/import/", multipart((name, data)), content_type=MULTIPART, **more)
    assert answer.status_code == 200, answer.get_json()
    found: Json = answer.get_json()
    return found


def test_a_sidecar_is_a_file_of_its_own(named: Site) -> None:
    answer = named.get(f"/photos/{named.photos['party']['photo_id']}/sidecar.xmp")
    assert (answer.status_code, answer.mimetype) == (200, "application/rdf+xml")
    assert answer.headers["Content-Disposition"] == "attachment; filename=photo-1.xmp"
    assert [region.name for region in sidecar.read(answer.data).regions] == ["Ana", NAMES[0]]


@pytest.mark.parametrize("photo_id", [2, 99])
def test_without_names_there_is_no_sidecar(named: Site, photo_id: int) -> None:
    answer = named.get(f"/photos/{photo_id}/sidecar.xmp")
    assert answer.status_code == 404
    assert answer.get_json()["message"]


def test_the_labels_are_a_table(named: Site) -> None:
    answer = named.get("/export/labels.csv")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=labels.csv"
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert [row["person"] for row in rows] == ["Ana", NAMES[0]]
    assert list(rows[0]) == ["image_path", "person", "top", "right", "bottom", "left", "sha256", "decided_at"]


def test_everything_comes_back_into_nothing(named: Site, empty: Site) -> None:
    answer = named.get("/export/training.zip")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert "Content-Length" not in answer.headers
    assert bring(empty, "training.zip", answer.data) == {"photos": 1, "named": 2, "known": 0, "conflicts": []}
    assert empty.published() == named.published()
    assert empty.get("/export/training.zip").data == answer.data
    assert bring(empty, "training.zip", answer.data) == {"photos": 0, "named": 0, "known": 2, "conflicts": []}


def test_a_table_names_photos_that_are_here(named: Site, empty: Site) -> None:
    table = named.get("/export/labels.csv").data
    empty.upload(("other.png", picture("ana", "bob")))
    assert bring(empty, "labels.csv", table)["named"] == 2
    assert {person["name"] for person in empty.get("/people/").get_json()["people"]} == {"Ana", NAMES[0]}


def test_what_was_decided_otherwise_is_told(named: Site, empty: Site) -> None:
    photo = empty.upload(("other.png", picture("ana", "bob"))).get_json()
    empty.confirm(photo, "Anna", face=0)
    taken = bring(empty, "training.zip", named.get("/export/training.zip").data)
    assert taken["conflicts"] == [
        {
            "image_path": "datasets/training/Anna_01.png",
            "box": photo["faces"][0]["box"],
            "label": "Ana",
            "message": "it is named Anna",
        }
    ]


def test_the_page_offers_both_ways(named: Site) -> None:
    page = named.page("/admin/")
    links = {link.get("href") for link in page.all("a")}
    assert {"/export/training.zip", "/export/labels.csv"} <= links
    (form,) = page.all("form", action="/import/")
    assert (form["method"], form["enctype"]) == ("post", "multipart/form-data")
    (field,) = page.all("input", id="import-file")
    assert (field["name"], field["type"]) == ("file", "file")
    assert "320 MB" in page.text


def test_without_names_the_page_offers_only_the_way_back(squares_site: Site) -> None:
    page = squares_site.page("/admin/")
    assert "/export/training.zip" not in {link.get("href") for link in page.all("a")}
    assert page.all("form", action="/import/")


def test_the_form_says_what_came_of_it(named: Site, empty: Site) -> None:
    photo = empty.upload(("other.png", picture("ana", "bob"))).get_json()
    empty.confirm(photo, "Anna", face=0)
    body = multipart(("training.zip", named.get("/export/training.zip").data))
    answer = empty.post("/import/", body, html=True, content_type=MULTIPART)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/")
    text = empty.page("/admin/").text
    assert "0 new photos came in and 1 face got a name. 0 faces had it already." in text
    assert "Ana was not given to a face in datasets/training/Anna_01.png: it is named Anna." in text


def test_the_form_is_guarded_like_any_other(named: Site) -> None:
    body = multipart(("training.zip", named.get("/export/training.zip").data))
    named.page("/admin/")
    answer = named.browser.post("/import/", data=body, content_type=MULTIPART)
    assert answer.status_code == 400
    headers = {"Origin": "http://elsewhere.example"}
    assert named.client.post("/import/", data=body, content_type=MULTIPART, headers=headers).status_code == 403


def evil(archive: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr("../evil.png", b"x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("", lambda _archive: b"", "field named file"),
        ("training.zip", lambda _archive: b"", "empty"),
        ("training.zip", lambda archive: archive[:-30], "not a zip"),
        ("training.zip", evil, "does not belong"),
        ("labels.csv", lambda _archive: b"a,b,c", "first line"),
        ("photo.png", lambda _archive: picture("ana"), "UTF-8|first line"),
    ],
)
def test_what_is_refused_is_not_saved(named: Site, name: str, make: Callable[[bytes], bytes], says: str) -> None:
    data = make(named.get("/export/training.zip").data)
    before = named.everything()
    answer = named.post("/import/", multipart((name, data)), content_type=MULTIPART)
    assert answer.status_code == 400
    assert any(words in answer.get_json()["message"] for words in says.split("|"))
    assert named.everything() == before


def run(site: Site, *arguments: object) -> Result:
    with site.app.app_context():
        return site.app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])


class TestCommands:
    def test_out_and_in(self, named: Site, empty: Site, tmp_path: Path) -> None:
        out = tmp_path / "out.zip"
        told = run(named, "export", out)
        assert (told.exit_code, told.output) == (0, f"1 photo and 2 labelled faces written to {out}.\n")
        told = run(empty, "import-training", out)
        assert (told.exit_code, told.output) == (
            0,
            "1 new photo came in and 2 faces got a name. 0 faces had it already.\n",
        )
        assert empty.published() == named.published()

    def test_a_conflict_is_told(self, named: Site, empty: Site, tmp_path: Path) -> None:
        run(named, "export", tmp_path / "out.zip")
        empty.confirm(empty.upload(("a.png", picture("ana", "bob"))).get_json(), "Anna", face=0)
        told = run(empty, "import-training", tmp_path / "out.zip")
        assert "left as it was: datasets/training/Anna_01.png Ana: it is named Anna\n" in told.output

    def test_what_cannot_be_read_or_written_is_told(self, named: Site, tmp_path: Path) -> None:
        (tmp_path / "bad.zip").write_bytes(b"PK\3\4")
        told = run(named, "import-training", tmp_path / "bad.zip")
        assert told.exit_code == 1
        assert told.output.startswith("Error: The file is not a zip archive")
        told = run(named, "export", tmp_path / "no/such/folder/out.zip")
        assert told.exit_code == 1
        assert "no folder" in told.output

    def test_a_photo_that_has_gone_is_told(self, named: Site, tmp_path: Path) -> None:
        (named.home / "datasets/training/Ana_01.png").unlink()
        told = run(named, "export", tmp_path / "out.zip")
        assert told.output.startswith("without its photo: datasets/training/Ana_01.png\n0 photos")
        with zipfile.ZipFile(tmp_path / "out.zip") as archive:
            assert json.loads(archive.read("manifest.json"))["photos"][0]["file"] is None
            assert pickle.loads(archive.read("train.pickle")) == named.published()

    def test_sidecars_are_written_and_counted(self, named: Site) -> None:
        assert run(named, "write-sidecars").output == "1 sidecar written, 0 right as they were, 0 removed.\n"
        path = named.home / "datasets/training/Ana_01.png.xmp"
        path.write_text(path.read_text().replace("Namesake", "digiKam"))
        assert run(named, "write-sidecars").output.startswith(f"left alone: {path.name}: It was written by another")
