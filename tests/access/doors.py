"""Those who stand before a door: with a password, a session, a token, or nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.access.door import Door
from app.access.policy import Scope
from app.security.gate import KEY
from tests.conftest import HTML
from tests.views.site import Page

PASSWORD, ADMIN_PASSWORD = "for all of us", "for me alone"
API_TOKEN = "an api token of some length"


def door_of(app: Flask) -> Door:
    found: Door = app.extensions["namesake-door"]
    return found


@dataclass
class Visitor:
    """Somebody with a browser. address: where they ask from."""

    app: Flask
    address: str = "192.168.1.20"
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def get(self, url: str, **more: Any) -> TestResponse:
        return self._ask("GET", url, **more)

    def post(self, url: str, fields: dict[str, Any] | None = None, *, csrf: bool = True, **more: Any) -> TestResponse:
        return self._ask("POST", url, data=(fields or {}) | ({"csrf_token": self.token()} if csrf else {}), **more)

    def token(self) -> str:
        """That of the page to log in on, which everyone may see."""
        (meta,) = Page(self.get("/login/").text).all("meta", name="csrf-token")
        return meta["content"]

    def log_in(self, password: str = PASSWORD, name: str = "", **fields: str) -> TestResponse:
        return self.post("/login/", {"password": password, "name": name} | fields)

    def hold(self, scope: Scope, name: str | None = None) -> int:
        """Have a session as if logged in, without the tenth of a second that a password takes; its number."""
        door = door_of(self.app)
        with door._database.read() as connection:
            passwords = door.passwords.effective(connection)
        key = door.sessions.open(passwords, scope, name=name, address=self.address, attempt=0)
        with self.client.session_transaction() as session:
            session[KEY] = key
        return int(door.describe()["sessions"][0]["id"])

    def _ask(self, method: str, url: str, *, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        environ = {"REMOTE_ADDR": self.address} | more.pop("environ_overrides", {})
        return self.client.open(
            url, method=method, headers=HTML | (headers or {}), environ_overrides=environ, buffered=True, **more
        )


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def change(home: Path, statement: str, *values: object) -> None:
    """Write to the store as nobody but time would."""
    with closing(sqlite3.connect(home / "instance/namesake.sqlite")) as store:
        store.execute(statement, values)
        store.commit()


def select(home: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "instance/namesake.sqlite")) as store:
        return store.execute(statement).fetchall()
