"""Nothing that a photo says besides its picture leaves, and what is stored is listed and can be deleted for good."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from app import create_app
from app.access.policy import Scope
from app.labelling.workspace import Workspace
from tests.access.doors import ADMIN_PASSWORD, PASSWORD, Visitor
from tests.labelling.saying import named_photo
from tests.labelling.squares import SquaresEngine
from tests.server import share_models
from tests.views.site import Site

GPS, MAKE, MODEL, XMP, PROFILE = 0x8825, b"Sekretcam", b"Model Zz9", b"Quietville", b"Hidden display"
_SECRETS = (MAKE, MODEL, XMP, b"GPS", b"Exif", b"adobe.com/xap", b"ICC_PROFILE", PROFILE, b"wherever.jpg", b"A remark")


def telling(data: bytes, kind: str) -> bytes:
    """The same picture with everything that a camera and a program may write into it."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = MAKE.decode(), MODEL.decode()
    exif.get_ifd(GPS).update({1: "N", 2: (59.0, 54.0, 1.0), 3: "E", 4: (10.0, 44.0, 2.0)})
    exif.get_ifd(0x8769)[0x927C] = b"Sekretcam maker notes"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">Quietville</x:xmpmeta>'
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"sRGB built-in", PROFILE[:13])
    out = io.BytesIO()
    more: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": profile}
    if kind == "PNG":
        notes = PngInfo()
        notes.add_text("Comment", "A remark wherever.jpg")
        notes.add_itxt("XML:com.adobe.xmp", xmp.decode())
        more["pnginfo"] = notes
    else:
        more |= {"xmp": xmp, "quality": 92}
    if kind == "JPEG":
        more["comment"] = "A remark wherever.jpg"
    image.save(out, kind, **more)
    return out.getvalue()


def told(data: bytes) -> list[bytes]:
    return [secret for secret in _SECRETS if secret in data]


FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "HEIF": "heic"}


@pytest.fixture
def telling_photo(shots: dict[str, bytes], request: pytest.FixtureRequest) -> tuple[str, bytes]:
    data = telling(shots["portrait"], request.param)
    assert {MAKE, XMP} <= set(told(data)), "the photo tells nothing, so the test would prove nothing"
    return f"wherever.{FORMATS[request.param]}", data


@pytest.mark.parametrize("telling_photo", FORMATS, indirect=True)
def test_pictures_say_nothing_of_place_or_camera(site: Site, telling_photo: tuple[str, bytes]) -> None:
    photo = site.upload(telling_photo).get_json()
    for url in (f"/photos/{photo['photo_id']}/image.jpg", photo["faces"][0]["thumb"]):
        answer = site.get(url)
        assert answer.status_code == 200
        assert told(answer.data) == []
        assert told(str(answer.headers).encode()) == []
        with Image.open(io.BytesIO(answer.data)) as picture:
            assert (dict(picture.getexif()), set(picture.info)) == (
                {},
                {"jfif", "jfif_version", "jfif_unit", "jfif_density"},
            )


@pytest.mark.parametrize("telling_photo", FORMATS, indirect=True)
def test_an_export_says_nothing_either_if_that_is_asked_for_and_still_comes_back(
    site: Site, telling_photo: tuple[str, bytes], make_site: Callable[[], Site]
) -> None:
    site.confirm(site.upload(telling_photo).get_json(), "Ana")
    plain = site.get("/export/training.zip").data
    assert {MAKE, XMP} <= set(told(plain)), "the way back is without loss"
    stripped = site.get("/export/training.zip?strip=1").data
    with zipfile.ZipFile(io.BytesIO(stripped)) as packed:
        (photo,) = [name for name in packed.namelist() if name.startswith("training/") and not name.endswith(".xmp")]
        assert told(packed.read(photo)) == []
        with Image.open(io.BytesIO(packed.read(photo))) as drawn:
            assert drawn.size == (160, 160)
    other = make_site()
    answer = other.post("/import/", {"file": (io.BytesIO(stripped), "training.zip")})
    assert answer.get_json() == {"photos": 1, "named": 1, "known": 0, "conflicts": []}
    before, after = (found.published()["encodings"][0] for found in (site, other))
    assert (before["loc"], before["encoding"]) == (after["loc"], after["encoding"])


def test_what_is_stored_is_listed_with_what_removes_it(album: Site) -> None:
    album.confirm(album.photos["obama"], "Barack Obama")
    album.get(album.photos["obama"]["faces"][0]["thumb"])
    stored = album.get("/inventory/").get_json()["stored"]
    assert {frozenset(line) for line in stored} == {frozenset({"what", "count", "bytes", "where", "since", "goes"})}
    counted = {line["what"].split(",")[0].split(":")[0]: line for line in stored}
    assert counted["Photos with a name"]["count"] == 1
    assert counted["Photos without a name yet"]["count"] == 3
    assert (
        counted["Photos with a name"]["bytes"] == (album.home / "datasets/training/Barack Obama_01.jpg").stat().st_size
    )
    assert (counted["Faces"]["count"], counted["Faces"]["bytes"]) == (4, 4 * 512)
    assert (counted["Names"]["count"], counted["Decisions"]["count"]) == (1, 1)
    assert counted["Crops of faces"]["count"] >= 1
    assert all(line["goes"] for line in stored)
    assert str(album.home) not in str(stored)
    page = album.page("/inventory/")
    assert all(line["what"] in page.text for line in stored)


class TestDeletingForGood:
    @pytest.fixture
    def named(self, album: Site) -> Site:
        album.confirm(album.photos["obama"], "Barack Obama")
        album.confirm(album.photos["both"], "Barack Obama", face=0)
        album.confirm(album.photos["both"], "Joe Biden", face=1)
        return album

    def person(self, site: Site) -> int:
        people = {person["name"]: person["id"] for person in site.get("/people/").get_json()["people"]}
        return int(people["Barack Obama"])

    def test_says_first_what_would_go(self, named: Site) -> None:
        told = named.get(f"/people/{self.person(named)}/erase").get_json()
        assert told | {"id": 0} == {
            "id": 0, "name": "Barack Obama", "faces": 2, "alone": 1, "shared": 1, "backups": [], "reserve": 0,
        }  # fmt: skip
        photo = named.photos["both"]["photo_id"]
        assert named.get(f"/photos/{photo}/erase").get_json()["faces"] == 2
        assert "cannot be undone" in named.page(f"/people/{self.person(named)}/erase").text
        assert "cannot be undone" in named.page(f"/photos/{photo}/erase").text

    def test_of_a_person_answers_what_went(self, named: Site) -> None:
        answer = named.post(f"/people/{self.person(named)}/erase", {"confirm": "Barack Obama", "photos": "1"})
        assert answer.get_json() == {"faces": 2, "photos": 1, "backups": [], "reserve": 0, "scrubbed": True}
        assert named.published_labels() == [("datasets/training/Joe Biden_01.jpg", "Joe Biden")]
        assert named.get(f"/photos/{named.photos['obama']['photo_id']}/").status_code == 404
        assert len(named.photo(named.photos["both"])["faces"]) == 1

    def test_lists_the_backups_that_still_hold_it(
        self, named: Site, run_jobs: Callable[[Site], Callable[[int], None]]
    ) -> None:
        job = named.post("/backups/").get_json()["job_url"]
        run_jobs(named)(int(job.split("/")[-2]))
        answer = named.post(f"/people/{self.person(named)}/erase", {"confirm": "Barack Obama"}).get_json()
        (held,) = answer["backups"]
        assert held["name"] == named.get("/backups/").get_json()["backups"][0]["name"]
        photo = named.photos["both"]["photo_id"]
        assert len(named.get(f"/photos/{photo}/erase").get_json()["backups"]) == 1
        page = named.post(f"/photos/{photo}/erase", {"confirm": "DELETE", "backups": "1"}, html=True)
        assert page.status_code == 303
        assert named.get("/backups/").get_json() == {"backups": []}

    @pytest.mark.parametrize("typed", ["", "barack obama", "DELETE"])
    def test_is_refused_unless_the_word_is_typed(self, named: Site, typed: str) -> None:
        before = named.everything()
        for html in (False, True):
            answer = named.post(f"/people/{self.person(named)}/erase", {"confirm": typed}, html=html)
            assert answer.status_code == 400
        answer = named.post(f"/photos/{named.photos['both']['photo_id']}/erase", {"confirm": typed.lower()})
        assert answer.status_code == 400
        assert named.everything() == before

    @pytest.mark.parametrize("url", ["/people/999/erase", "/photos/999/erase"])
    def test_of_nothing_is_404(self, untouched: Site, url: str) -> None:
        assert untouched.get(url).status_code == 404
        assert untouched.post(url, {"confirm": "DELETE"}).status_code == 404


@pytest.fixture
def make_site(tmp_path_factory: pytest.TempPathFactory, models_folder: Any) -> Any:
    """Another, empty installation."""
    made = []

    def make() -> Site:
        home = tmp_path_factory.mktemp("other")
        share_models(home, models_folder)
        app = create_app(home)
        made.append(app)
        return Site(app, home)

    yield make
    for app in made:
        app.extensions["namesake"].close()


@pytest.mark.parametrize(("scope", "offered"), [(Scope.LABEL, False), (Scope.ADMIN, True)])
def test_deleting_for_good_is_offered_to_those_who_may(
    make_app: Callable[..., Flask], scope: Scope, offered: bool
) -> None:
    app = make_app(PASSWORD=PASSWORD, ADMIN_PASSWORD=ADMIN_PASSWORD)
    workspace: Workspace = app.extensions["namesake"]
    workspace.engine = SquaresEngine()
    photo = named_photo(workspace, "alice")
    visitor = Visitor(app)
    visitor.hold(scope)
    for page in (f"/photos/{photo}/", "/people/1/"):
        assert ("/erase" in visitor.get(page).text) is offered
