"""A real server in its own processes, over its own installation."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from app.config import PROJECT
from tests.waiting import wait_for

GUNICORN = ("gunicorn", "wsgi:app")
WORKERS = 3
FLASK = ("flask", "--app", "wsgi", "run")


@dataclass
class Server:
    """Started over `home` on a free port of this machine; `stop` leaves no process behind.

    headers: sent with every request, such as a token where there is a password. under: what it is run by, such as
    strace.
    """

    home: Path
    command: tuple[str, ...] = GUNICORN
    settings: dict[str, str] = field(default_factory=dict)
    models: Path | None = None
    headers: dict[str, str] = field(default_factory=dict)
    under: tuple[str, ...] = ()

    def start(self) -> Server:
        if self.models:
            share_models(self.home, self.models)
        self.port = free_port()
        extra = ["--port", str(self.port)] if self.command == FLASK else []
        self.process = self.run(*self.command, *extra, NAMESAKE_BIND=f"127.0.0.1:{self.port}")
        wait_for(self._answers, "the server to answer")
        return self

    def run(self, *command: str, **settings: str) -> subprocess.Popen[bytes]:
        """Another process over the same installation."""
        environment = os.environ | {"NAMESAKE_HOME": str(self.home)} | self.settings | settings
        with (self.home / "server.log").open("ab") as log:
            return subprocess.Popen(
                [*self.under, sys.executable, "-m", *command], cwd=PROJECT, env=environment, stdout=log, stderr=log
            )

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        wait_for(lambda: not self.pids(), "every process of the server to end", seconds=20)

    def kill_everything(self) -> None:
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)

    def pids(self, *words: str) -> list[int]:
        """The living processes over this installation whose command line holds all of `words`."""
        return [
            int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and self._is_ours(path, words)
        ]

    def consumers(self) -> list[int]:
        return self.pids("consume")

    def _is_ours(self, process: Path, words: tuple[str, ...]) -> bool:
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
            line = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return f"NAMESAKE_HOME={self.home}".encode() in environment and all(word.encode() in line for word in words)

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.home / "server.log").read_text()
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    # ---- Asking, each time over a new connection, as curl does

    def get(self, path: str) -> tuple[int, Any]:
        return self._ask("GET", path, b"", {})[:2]

    def page(self, path: str) -> str:
        """What a browser gets."""
        status, answer, _location = self._ask("GET", path, b"", {"Accept": "text/html"})
        assert status == 200, answer
        return str(answer)

    def post(self, path: str, **fields: Any) -> tuple[int, Any]:
        """Fields are text, or (file name, bytes), or a list of these for one that is repeated."""
        body, kind = _form(fields)
        return self._ask("POST", path, body, {"Content-Type": kind})[:2]

    def get_bytes(self, path: str) -> tuple[int, bytes]:
        """What is no text, such as a picture."""
        response, data = self._fetch("GET", path, b"", {})
        return response.status, data

    def start_reset(self) -> str:
        """As the form does, which does not wait for the end: the address of the job."""
        body, kind = _form({"confirm": "RESET"})
        status, _answer, location = self._ask(
            "POST", "/reset_training/", body, {"Content-Type": kind, "Accept": "text/html"}
        )
        assert status == 303, _answer
        assert location is not None
        return location

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any, str | None]:
        response, data = self._fetch(method, path, body, headers)
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(data) if is_json else data.decode(), response.headers.get("Location")

    def _fetch(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, self.headers | headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def fill_reserve(home: Path, photos: dict[str, Path], count: int) -> None:
    """`count` small photos of two people, no two with the same bytes."""
    for number in range(count):
        person, name = (("Barack Obama", "obama.jpg"), ("Joe Biden", "biden.jpg"))[number % 2]
        folder = home / "datasets/reserve" / person
        folder.mkdir(parents=True, exist_ok=True)
        with Image.open(photos[name]) as image:
            image.thumbnail((400, 400))
            data = io.BytesIO()
            image.convert("RGB").save(data, "JPEG", quality=95 - number)
        (folder / f"{number}.jpg").write_bytes(data.getvalue())


def _form(fields: dict[str, Any]) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    parts = []
    pairs = [(name, one) for name, sent in fields.items() for one in (sent if isinstance(sent, list) else [sent])]
    for name, value in pairs:
        file_name, data = value if isinstance(value, tuple) else (None, value.encode())
        more = f'; filename="{file_name}"' if file_name else ""
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data)
    return b"\r\n".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def share_models(home: Path, models: Path) -> None:
    """Spare an installation the conversion of dlib's networks, which takes a second or two."""
    folder = home / "instance" / "models"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.symlink_to(models)
