"""Who decided what: the name that was given, through every way of deciding and through undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from app.access.policy import Scope
from app.store import author
from tests.access.doors import PASSWORD, Visitor, bearer, door_of, select
from tests.views.site import Page, Site


@pytest.fixture
def shared_album(album: Site, make_app: Callable[..., Flask]) -> Flask:
    """The same photos, behind a password."""
    return make_app(password=PASSWORD)


def face(site: Site, name: str) -> int:
    return int(site.photos[name]["faces"][0]["id"])


def recent(app: Flask) -> list[tuple[str, str | None]]:
    token = door_of(app).tokens.create(f"reader {len(door_of(app).describe()['tokens'])}", "read")["token"]
    listed = app.test_client().get("/decisions/", headers=bearer(token)).get_json()["decisions"]
    return [(each["what"], each["who"]) for each in listed]


def test_the_name_of_the_session_stands_beside_the_decision(album: Site, shared_album: Flask) -> None:
    ana, nameless = Visitor(shared_album), Visitor(shared_album)
    ana.log_in(name="Ana  <b>María</b>")
    nameless.hold(Scope.LABEL)
    ana.post("/confirm/", {"image_path": album.photos["obama"]["image_path"], "label": "Barack Obama"})
    nameless.post(f"/faces/{face(album, 'biden')}/dismiss", {"action": "ignore"})
    assert [who for _what, who in recent(shared_album)] == [None, "Ana <b>María</b>"]
    page = ana.get("/decisions/").text
    assert "<bdi>Ana &lt;b&gt;María&lt;/b&gt;</bdi>" in page
    assert "Ana <b>María</b>" in Page(page).text


def test_a_script_decides_under_the_name_of_its_token(album: Site, shared_album: Flask) -> None:
    token = door_of(shared_album).tokens.create("nightly import", "label")["token"]
    answer = shared_album.test_client().post(
        f"/faces/{face(album, 'obama')}/dismiss", data={"action": "ignore"}, headers=bearer(token)
    )
    assert answer.status_code == 200
    assert [who for _what, who in recent(shared_album)] == ["nightly import"]


def test_undo_keeps_who_decided_and_who_took_it_back(album: Site, shared_album: Flask, tmp_path: Path) -> None:
    ana, ben = Visitor(shared_album), Visitor(shared_album)
    ana.hold(Scope.LABEL, "Ana")
    ben.hold(Scope.LABEL, "Ben")
    ana.post(f"/faces/{face(album, 'obama')}/dismiss", {"action": "ignore"})
    assert ben.post("/undo/").status_code == 303
    assert select(tmp_path, "SELECT kind, who, undone_at IS NULL FROM decisions ORDER BY id") == [
        ("ignore", "Ana", 0), ("undo", "Ben", 1)
    ]  # fmt: skip
    assert recent(shared_album)[0][1] == "Ana"


def test_without_a_password_nobody_is_named_unless_a_token_is_shown(album: Site, tmp_path: Path) -> None:
    token = door_of(album.app).tokens.create("ci", "label")["token"]
    album.post(f"/faces/{face(album, 'obama')}/dismiss", {"action": "ignore"})
    url = f"/faces/{face(album, 'biden')}/dismiss"
    album.client.post(url, data={"action": "ignore"}, headers=bearer(token))
    album.post(f"/faces/{face(album, 'both')}/dismiss", {"action": "ignore"})
    assert select(tmp_path, "SELECT who FROM decisions ORDER BY id") == [(None,), ("ci",), (None,)]


@pytest.mark.parametrize("fails", [False, True])
def test_nobody_inherits_the_name_of_the_request_before(album: Site, shared_album: Flask, fails: bool) -> None:
    visitor = Visitor(shared_album)
    visitor.hold(Scope.LABEL, "Ana")
    visitor.get("/nothing/" if fails else "/people/")
    assert author.name() is None


def test_what_a_job_decides_is_decided_by_who_asked_for_it(
    album: Site, shared_album: Flask, shots: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = shared_album.extensions["namesake-queue"]
    monkeypatch.setattr(queue, "ensure_consumer", lambda: None)
    folder = tmp_path / "datasets/reserve/Barack Obama"
    folder.mkdir(parents=True)
    (folder / "1.jpg").write_bytes(shots["portrait"])
    ana = Visitor(shared_album)
    ana.hold(Scope.ADMIN, "Ana")
    assert ana.post("/reset_training/", {"confirm": "RESET"}).location == "/jobs/1/"
    queue.run(1)
    assert select(tmp_path, "SELECT kind, who FROM decisions") == [("reset", "Ana")]
    ana.hold(Scope.LABEL, "Ben")
    answer = ana.post("/undo/")
    assert (answer.status_code, "scope admin" in answer.text) == (403, True), "not by those who could not have reset"
    assert author.name() is None


def test_no_picture_and_no_file_leaves_without_a_session(album: Site, shared_album: Flask) -> None:
    photo, face_id = album.photos["obama"]["photo_id"], face(album, "obama")
    urls = [f"/photos/{photo}/image.jpg", f"/faces/{face_id}/thumb.jpg", f"/photos/{photo}/", "/jobs/1/",
            "/export/labels.csv",
            "/export/training.zip", f"/photos/{photo}/sidecar.xmp", "/datasets/uploads/obama.jpg"]  # fmt: skip
    ana = Visitor(shared_album)
    for url in urls:
        answer = ana.client.get(url, buffered=True)
        assert (answer.status_code, answer.mimetype) == (401, "application/json"), url
    ana.hold(Scope.LABEL)
    answer = ana.client.get(urls[0], buffered=True)
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    # What a browser has kept is not shown to whoever comes after: it belongs to the cookie.
    assert "private" in answer.headers["Cache-Control"]
    assert "Cookie" in answer.headers["Vary"]
