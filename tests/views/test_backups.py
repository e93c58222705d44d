"""Backups over HTTP: jobs with progress, downloads, and what is refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.labelling.consistency import assert_consistent
from tests.labelling.test_backups import full_disk
from tests.views.site import Json, Site

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
        "name", "created", "why", "automatic", "photos", "faces", "people", "missing", "bytes", "url",
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
