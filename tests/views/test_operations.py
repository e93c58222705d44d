"""Health and metrics, as those see them who watch an installation."""

from __future__ import annotations

import fcntl
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from flask import Flask

from tests.small_disk import small_disk
from tests.test_metrics import read
from tests.views.site import Site


@pytest.fixture
def serving(album: Site) -> Iterator[Site]:
    """As a worker is with a consumer beside it: the models loaded, the consumer's lock held."""
    assert album.app.extensions["namesake"].engine
    with (album.home / "instance/consumer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield album


def missing(site: Site) -> dict[str, str]:
    answer = site.get("/healthz/ready")
    body = answer.get_json()
    assert (answer.status_code, body["status"]) == ((503, "not ready") if "missing" in body else (200, "ok"))
    return dict(body.get("missing", {}))


def test_with_everything_in_place_it_is_ready(serving: Site) -> None:
    assert serving.get("/healthz/ready").get_json() == {"status": "ok", "engine": "onnx"}


def test_without_models_and_consumer_it_lives_but_is_not_ready(site: Site) -> None:
    assert site.get("/healthz/live").get_json() == {"status": "ok"}
    assert set(missing(site)) == {"engine", "consumer"}


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_without_a_store_to_write_to_it_is_not_ready(serving: Site, how: str) -> None:
    store = serving.home / "instance/namesake.sqlite"
    for path in store.parent.glob("namesake.sqlite*"):
        path.unlink()
    if how == "damaged":
        store.write_bytes(b"This is no database." * 500)
    assert "store" in missing(serving)
    assert serving.get("/healthz/live").status_code == 200


def test_someone_who_writes_for_long_neither_holds_it_up_nor_makes_it_unready(serving: Site) -> None:
    with closing(sqlite3.connect(serving.home / "instance/namesake.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert missing(serving) == {}


def test_without_room_for_photos_it_is_not_ready(serving: Site) -> None:
    with small_disk(serving.home / "datasets/uploads", megabytes=8):
        assert missing(serving)["disk"] == "The disk has 8 MB left, and 128 MB are needed."


def test_health_needs_no_password_and_metrics_do(serving: Site, make_app: Callable[..., Flask]) -> None:
    locked = make_app(password="correct horse")
    assert locked.extensions["namesake"].engine
    client = locked.test_client()
    assert [client.get(f"/healthz/{what}").status_code for what in ("live", "ready")] == [200, 200]
    assert client.get("/metrics").status_code == 401


def test_what_the_store_holds_is_told_without_a_name(album: Site) -> None:
    album.confirm(album.photos["obama"], "Zebediah Quux")
    text = album.get("/metrics").get_data(as_text=True)
    values = read(text)
    assert values["namesake_photos"] == len(album.photos)
    assert (values["namesake_people"], values["namesake_gallery_faces"]) == (1, 1)
    assert values['namesake_decisions{kind="confirm"}'] == 1
    assert values["namesake_inbox_faces"] == values['namesake_faces{status="inbox"}']
    assert values["namesake_consumer_alive"] == 0
    assert not re.search("zebediah|quux", text, re.IGNORECASE)
