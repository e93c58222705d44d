"""What a server writes about what it does: enough to follow a request or a job, and nothing of whom the photos show."""

from __future__ import annotations

import http.client
import io
import json
import logging
import re
import socket
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import logs
from app.config import load
from tests.server import Server, fill_reserve

NAME, OTHER = "Zebediah Quux", "Wilhelmina Quux"
TELLING = re.compile(r"zebediah|quux|wilhelmina|hunter2|(-?\d\.\d+,\s*){4}", re.IGNORECASE)
ASIDE = "Zebediah Quux.jpg"


def log_of(home: Path) -> str:
    return (home / "server.log").read_text(errors="replace")


def break_people(home: Path) -> None:
    """The store does what nobody foresees: errors then say which names were asked for."""
    with closing(sqlite3.connect(home / "instance/namesake.sqlite", timeout=30)) as connection:
        connection.execute("ALTER TABLE people RENAME TO persons")
        connection.commit()


def send_raw(server: Server, data: bytes) -> bytes:
    """What no client library would send."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(data)
        return connection.recv(65536)


def do_everything(server: Server, photos: dict[str, Path]) -> None:
    """With names in every place that a name can have."""
    sent = {name: server.post("/upload/", file=(f"{NAME} {name}", photos[name].read_bytes()))[1] for name in photos}
    one, two = list(sent.values())[:2]
    asked = f"/?q={quote(NAME)}&password=hunter2"
    for path in ("/people/", "/insights/faces/", f"/people/{quote(NAME)}/", "/healthz/", f"/{quote(NAME)}.php"):
        server.get(path + asked)
    assert server.post("/confirm/", image_path=one["image_path"], label=NAME)[0] == 200
    assert server.post("/confirm/", image_path=two["image_path"], label=OTHER)[0] == 200
    assert server.post("/confirm/", image_path=NAME, label=NAME)[0] == 404
    assert server.post("/confirm/", image_path=one["image_path"], label=NAME * 20)[0] == 400
    people = {person["name"]: person["id"] for person in server.get("/people/")[1]["people"]}
    face = server.get(f"/people/{people[OTHER]}/")[1]["faces"][0]["id"]
    assert server.post(f"/faces/{face}/move", label=NAME)[0] == 200
    assert server.post("/undo/")[0] == 200
    assert server.post(f"/faces/{face}/reject", label=OTHER)[0] == 200
    assert server.post(f"/people/{people[NAME]}/rename", name=f"{NAME} Junior")[0] == 200
    assert server.post("/upload/", file=(ASIDE, b"no photo of Zebediah Quux"))[0] == 400
    assert server.post("/review/", action=NAME)[0] == 400
    server.post("/import/", file=("labels.csv", f"image_path,label\n{NAME}.jpg,{OTHER}\n".encode()))
    server.post("/import/", file=(f"{NAME}.zip", hostile_archive()))
    assert server.get("/export/labels.csv")[0] == 200
    assert b"400" in send_raw(server, b"GET /Zebediah Quux HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"400" in send_raw(server, b"GET / HTTP/1.1\r\nHost: localhost\r\nZebediah Quux: 1\r\n\r\n")
    assert b"403" in send_raw(server, b"GET / HTTP/1.1\r\nHost: quux.example\r\nConnection: close\r\n\r\n")
    assert b"40" in send_raw(server, b"ZEBEDIAH / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")


def hostile_archive() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(f"../{NAME}.jpg", NAME)
    return data.getvalue()


def test_no_name_gets_into_a_log_whatever_is_done_and_whatever_fails(
    make_server: Callable[..., Server], sample_photos: dict[str, Path], tmp_path: Path
) -> None:
    fill_reserve(tmp_path, sample_photos, 2)
    (tmp_path / "datasets/reserve/Barack Obama").rename(tmp_path / f"datasets/reserve/{NAME}")
    photos = {name: sample_photos[name] for name in ("obama.jpg", "biden.jpg")}
    server = make_server(NAMESAKE_LOG_FORMAT="json", NAMESAKE_LOG_LEVEL="debug")
    do_everything(server, photos)
    assert server.post("/reset_training/")[0] == 200
    command = server.run("flask", "--app", "wsgi", "import-photos", str(tmp_path / "datasets/reserve"))
    assert command.wait(60) == 0

    break_people(tmp_path)
    assert server.post("/confirm/", image_path="datasets/uploads/x.jpg", label=NAME)[0] in (404, 500, 503)
    assert server.get("/people/")[0] in (500, 503)
    assert server.post("/reset_training/")[0] in (202, 500, 503)
    server.stop()

    log = log_of(tmp_path)
    assert "answered" in log
    assert "Error" in log
    assert [line for line in log.splitlines() if TELLING.search(line)] == []


def test_each_line_of_a_log_in_json_is_one_object_and_leads_from_an_answer_to_what_happened(
    make_server: Callable[..., Server], sample_photos: dict[str, Path], tmp_path: Path
) -> None:
    fill_reserve(tmp_path, sample_photos, 2)
    server = make_server(NAMESAKE_LOG_FORMAT="json")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/photos/404/")
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    job = server.post("/reset_training/")[1]["job_url"].split("/")[2]
    server.stop()

    lines = [json.loads(line) for line in log_of(tmp_path).splitlines()]
    assert {"time", "level", "logger", "message", "worker"} <= set.intersection(*(set(line) for line in lines))
    assert {"gunicorn.error", "namesake", "namesake.jobs"} <= {line["logger"] for line in lines}
    assert answer.headers["X-Request-ID"] == body["request_id"]
    (line,) = [line for line in lines if line.get("request") == body["request_id"]]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/photos/<id:photo_id>/", 404)
    assert line["ms"] >= 0
    assert [line for line in lines if line.get("job") == int(job)]


class TestFormats:
    """Formatters on their own, over records as anyone's code makes them."""

    @pytest.fixture(params=["text", "json"])
    def say(self, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., str]:
        formatter = logs.formatter(load(tmp_path, {"NAMESAKE_LOG_FORMAT": request.param}))

        def say_(name: str, level: int, message: Any, *arguments: Any, error: BaseException | None = None) -> str:
            exc_info = None if error is None else (type(error), error, error.__traceback__)
            return formatter.format(logging.LogRecord(name, level, __file__, 1, message, arguments, exc_info))

        return say_

    def test_of_an_exception_its_kind_its_cause_and_the_places_are_told(self, say: Callable[..., str]) -> None:
        try:
            try:
                raise KeyError(NAME)
            except KeyError as inner:
                raise ValueError(NAME) from inner
        except ValueError as error:
            line = say("namesake", logging.ERROR, "the request failed", error=error)
        assert "ValueError from KeyError" in line
        assert re.search(r"test_logs\.py:\d+ in test_of_an_exception", line)
        assert not TELLING.search(line)

    @pytest.mark.parametrize(
        ("level", "message", "arguments", "kept"),
        [
            (logging.WARNING, f"Invalid request from ip=127.0.0.1: GET /{NAME}", (), "Invalid request from ip"),
            (logging.ERROR, "Error handling request %s %s", ("GET", f"/{NAME}"), "Error handling request"),
            (logging.ERROR, ValueError(NAME), (), "ValueError"),
            (logging.CRITICAL, "WORKER TIMEOUT (pid:%s)", (77,), "WORKER TIMEOUT (pid:77)"),
            (logging.WARNING, "Worker (pid:%s) was sent %s!", (77, "SIGABRT"), "Worker (pid:77) was sent SIGABRT!"),
            (logging.INFO, "Listening at: %s (%s)", ("http://127.0.0.1:8000", 1), "http://127.0.0.1:8000 (1)"),
        ],
    )
    def test_of_what_gunicorn_says_the_words_that_are_its_own_are_kept(
        self, say: Callable[..., str], level: int, message: Any, arguments: Any, kept: str
    ) -> None:
        line = say("gunicorn.error", level, message, *arguments)
        assert kept in line
        assert not TELLING.search(line)

    def test_a_warning_of_python_is_told_by_its_place_and_kind(self, say: Callable[..., str]) -> None:
        line = say("py.warnings", logging.WARNING, "%s", f"a/b.py:3: UserWarning: {NAME}\n  warn({NAME!r})\n")
        assert "a/b.py:3: UserWarning" in line
        assert not TELLING.search(line)


def test_the_number_of_a_request_is_in_its_answer_and_never_the_sender_s(app: Flask, client: FlaskClient) -> None:
    answers = [client.get("/people/", headers={"X-Request-ID": "mine"}) for _ in range(2)]
    numbers = {answer.headers["X-Request-ID"] for answer in answers}
    assert len(numbers) == 2
    assert "mine" not in numbers


def test_whoever_has_set_up_logging_keeps_it(app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "namesake")
    client.get("/people/")
    (record,) = [record for record in caplog.records if record.message == "answered"]
    assert record.fields["route"] == "/people/"  # type: ignore[attr-defined]
