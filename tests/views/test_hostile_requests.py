"""Whatever is asked, the answer is one of the contract: never a failure, nothing written by a refusal, nothing told of
the inside, nothing of it that runs in a browser."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app import create_app
from app.config import PROJECT
from tests.fuzz.tally import INSIDE
from tests.views.conftest import Album
from tests.views.hostile import NAMES, field_names, requests, rules
from tests.views.site import Page, Site

# werkzeug leaves the beginning of a file open when the rest of it never comes, until it is collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONTRACT = {200, 202, 206, 303, 304, 308, 400, 401, 403, 404, 405, 409, 413, 415, 416, 429, 507}
DETAILS = {"photo_id", "image_path", "job_url", "person_id", "url", "face"}
_EXAMPLES = 12


def _all_rules() -> list[tuple[str, str]]:
    """By a throw-away application: a new route is asked without being named here."""
    import tempfile

    with tempfile.TemporaryDirectory() as home:
        app = create_app(Path(home))
        found = [(str(rule), method) for rule, method in rules(app)]
        app.extensions["namesake"].close()
    return found


class Besieged:
    """An installation with named faces, and whether a request has written anything."""

    def __init__(self, app: Flask, home: Path, answers: dict[str, Any]) -> None:
        self.site = Site(app, home, answers)
        self.site.confirm(self.site.photos["obama"], NAMES[0])
        self.site.confirm(self.site.photos["biden"], NAMES[1])
        self.store = sqlite3.connect(home / "instance/namesake.sqlite")
        self.fields = field_names()
        self.rules = {(str(rule), method): rule for rule, method in rules(app)}
        self.real = (*NAMES[:2], *(photo["image_path"] for photo in answers.values()), "RESET", "confirm", "ignore",
                     "not_a_face", "skip", "unlabel", "reject", "yes", "no", "auto", "same", "0.1-0.6")  # fmt: skip

    def state(self) -> Any:
        files = {
            str(path): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in self.site.home.rglob("*")
            if path.is_file() and ".sqlite" not in path.name and path.suffix != ".lock"
        }
        return self.store.execute("PRAGMA data_version").fetchone(), files


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory, photographed: Album) -> Iterator[Besieged]:
    home = tmp_path_factory.mktemp("besieged")
    shutil.copytree(photographed[0], home, dirs_exist_ok=True)
    app = create_app(home)
    app.extensions["namesake-queue"].ensure_consumer = lambda: None
    made = Besieged(app, home, json.loads(json.dumps(photographed[1])))
    yield made
    made.store.close()
    app.extensions["namesake"].close()


@pytest.mark.parametrize(("rule", "method"), _all_rules())
@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=_EXAMPLES,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_every_answer_is_one_of_the_contract(besieged: Besieged, rule: str, method: str, data: st.DataObject) -> None:
    request = data.draw(requests(besieged.rules[rule, method], method, besieged.fields, besieged.real))
    before = besieged.state()
    answer = besieged.site.client.open(**request, buffered=True)
    if rule == "/healthz/ready" and answer.status_code == 503:
        return  # no refusal, but what it is asked for: nobody works off jobs here
    check(answer)
    if answer.status_code >= 400 and b"photo_id" not in answer.data:
        assert besieged.state() == before, "a refusal wrote something"


def check(answer: TestResponse) -> None:
    assert answer.status_code in CONTRACT, answer.text[:500]
    assert "Set-Cookie: x" not in str(answer.headers)
    if answer.is_json and answer.status_code >= 400:
        told = answer.get_json()
        assert {"message", "request_id"} <= set(told) <= {"message", "request_id"} | DETAILS
        assert not INSIDE.search(told["message"])
    if answer.mimetype == "text/html" and answer.status_code != 308:
        assert_inert(answer.text)
    if answer.status_code in (303, 308):
        led = urlsplit(answer.location)
        assert led.netloc in ("", "localhost", "127.0.0.1:8000", "[::1]"), answer.location
        assert led.path.startswith("/")
        assert not led.path.startswith(("//", "/\\"))


def assert_inert(html: str) -> None:
    """Nothing in the page runs or leads elsewhere but what the product itself has put there."""
    for tag, attributes in Page(html).tags:
        assert tag != "script" or attributes.get("src", "").startswith("/static/"), attributes
        assert tag not in ("iframe", "object", "embed", "base")
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, attributes)
            assert name != "style"
            if name in ("href", "src", "action", "formaction"):
                led = value.strip().lower()
                assert not led.startswith(("javascript:", "data:", "vbscript:", "//", "/\\")), (tag, attributes)


@pytest.mark.parametrize("path", sorted((PROJECT / "static").rglob("*.js")), ids=lambda path: path.name)
def test_no_script_makes_html_of_text(path: Path) -> None:
    """Names reach scripts as text and as attributes; they stay that."""
    text = path.read_text("utf-8")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"):
        assert way not in text
