"""Every address, asked by everyone: the policy, the whole policy, and nothing but the policy."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask

from app.access import passwords
from app.access.policy import NEEDS, Scope, needed_for
from tests.access.doors import API_TOKEN, Visitor, bearer, change, door_of, select
from tests.conftest import HTML
from tests.views.site import MULTIPART


class Address(NamedTuple):
    endpoint: str
    method: str
    url: str


def addresses(app: Flask) -> list[Address]:
    """Every one there is, with numbers of nothing in it."""
    return [
        Address(rule.endpoint, method, re.sub("<path:[^>]+>", "app.css", re.sub("<id:[^>]+>", "999999", rule.rule)))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"OPTIONS"})
    ]


def test_every_endpoint_is_in_the_table_and_nothing_else(shut: Flask) -> None:
    assert {rule.endpoint for rule in shut.url_map.iter_rules()} == set(NEEDS)


def test_what_is_not_in_the_table_is_for_administrators() -> None:
    assert needed_for("newly.made") is Scope.ADMIN


def test_the_few_that_are_open_and_those_for_administrators() -> None:
    assert {name for name, scope in NEEDS.items() if scope is Scope.NOBODY} == {
        "static", "health.show_health", "operations.show_live", "operations.show_ready", "access.show_login",
        "access.log_in",
    }  # fmt: skip
    assert {name for name, scope in NEEDS.items() if scope is Scope.ADMIN} >= {
        "admin.show", "admin.reset_training", "access.create_token", "access.revoke_token", "access.end_session",
        "access.end_sessions",
    }  # fmt: skip


def test_what_changes_something_takes_more_than_looking(shut: Flask) -> None:
    """But for coming in and going out."""
    changing = {rule.endpoint for rule in shut.url_map.iter_rules() if "POST" in (rule.methods or set())}
    assert {name for name in changing if NEEDS[name] <= Scope.READ} == {"access.log_in", "access.log_out"}


TOKENS = {"a read token": Scope.READ, "a label token": Scope.LABEL, "an admin token": Scope.ADMIN}
SESSIONS = {"a user": Scope.LABEL, "an administrator": Scope.ADMIN}
ENDED = {
    "an expired session": "UPDATE sessions SET used_at = '2020-01-01 00:00:00.000000'",
    "an ended session": "DELETE FROM sessions",
}


@pytest.fixture
def quiet(locked: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """No consumer is started for the resets that are asked for."""
    monkeypatch.setattr(locked.extensions["namesake-queue"], "ensure_consumer", lambda: None)
    return locked


def outcome(answer_status: int, location: str | None) -> str:
    if answer_status == 303 and (location or "").startswith("/login/"):
        return "to log in"
    return {401: "to log in", 403: "refused"}.get(answer_status, "let in")


def expected(scope: Scope, needed: Scope) -> str:
    return "let in" if scope >= needed else "refused" if scope else "to log in"


def by_policy(app: Flask, scope: Scope) -> dict[Address, str]:
    return {
        address: expected(scope, needed_for(address.endpoint)) for address in addresses(app) if not is_login(address)
    }


def is_login(address: Address) -> bool:
    """Or to log out, which leads to the page to log in on. What they answer whom is told in test_login."""
    return address.endpoint in ("access.show_login", "access.log_in", "access.log_out")


@pytest.mark.parametrize("accept", ["text/html", "application/json", "image/jpeg", None])
def test_nobody(quiet: Flask, accept: str | None) -> None:
    client = quiet.test_client(use_cookies=False)
    wanted, found = by_policy(quiet, Scope.NOBODY), {}
    for address in wanted:
        headers = {"Accept": accept} if accept else {}
        answer = client.open(address.url, method=address.method, headers=headers, buffered=True)
        found[address] = outcome(answer.status_code, answer.location)
        assert answer.status_code != (303 if accept != "text/html" else 401), address
        if answer.status_code == 401 and address.method != "HEAD":
            assert set(answer.get_json()) == {"message", "request_id"}
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert found == wanted


@pytest.mark.parametrize("who", [*TOKENS, "API_TOKEN"])
def test_tokens(quiet: Flask, who: str) -> None:
    scope = TOKENS.get(who, Scope.ADMIN)
    token = door_of(quiet).tokens.create(who, scope.word)["token"] if who in TOKENS else API_TOKEN
    client, wanted, found = quiet.test_client(use_cookies=False), by_policy(quiet, scope), {}
    for address in wanted:
        answer = client.open(address.url, method=address.method, headers=bearer(token), buffered=True)
        found[address] = outcome(answer.status_code, answer.location)
        if found[address] == "refused" and address.method != "HEAD":
            assert f"scope {needed_for(address.endpoint).word};" in answer.get_json()["message"]
    assert found == wanted


@pytest.mark.parametrize("who", [*SESSIONS, *ENDED])
def test_sessions(quiet: Flask, tmp_path: Path, who: str) -> None:
    visitor, wanted, found = Visitor(quiet), by_policy(quiet, SESSIONS.get(who, Scope.NOBODY)), {}
    for address in wanted:
        visitor.hold(SESSIONS.get(who, Scope.ADMIN))
        if who in ENDED:
            change(tmp_path, ENDED[who])
        headers = HTML | ({"X-CSRFToken": visitor.token()} if address.method == "POST" else {})
        answer = visitor.client.open(address.url, method=address.method, headers=headers, buffered=True)
        found[address] = outcome(answer.status_code, answer.location)
    assert found == wanted


def test_this_machine_without_a_password(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    monkeypatch.setattr(app.extensions["namesake-queue"], "ensure_consumer", lambda: None)
    client, wanted, found = app.test_client(use_cookies=False), by_policy(app, Scope.ADMIN), {}
    for address in wanted:
        answer = client.open(address.url, method=address.method, buffered=True)
        found[address] = outcome(answer.status_code, answer.location)
    assert found == wanted


def test_other_machines_without_a_password(make_app: Callable[..., Flask]) -> None:
    app = make_app(api_token=API_TOKEN)
    client = app.test_client(use_cookies=False)
    for address in addresses(app):
        for headers in ({}, bearer(API_TOKEN)):
            answer = client.open(
                address.url, method=address.method, headers=headers, environ_overrides={"REMOTE_ADDR": "10.0.0.9"}
            )
            assert answer.status_code == 403, address


@pytest.mark.parametrize("url", ["/nothing/here", "/people", "/photos/abc/"])
def test_nobody_learns_which_addresses_there_are(shut: Flask, url: str) -> None:
    client = shut.test_client()
    assert client.get(url).status_code == 401
    assert client.get(url, headers=HTML).location == f"/login/?next={url}"
    assert client.get(url, headers=bearer(API_TOKEN)).status_code in (308, 404)


def test_nobody_can_ask_by_another_method_either(shut: Flask) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        assert shut.test_client().open("/people/", method=method).status_code == 401


# --- what a refusal costs, and what it carries


def test_who_is_refused_costs_nothing(locked: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No password is compared, nothing is written, and not a byte of what was sent is read."""
    monkeypatch.setattr(passwords, "check_password_hash", lambda *_arguments: pytest.fail("compared"))
    rows = [select(tmp_path, f"SELECT * FROM {table}") for table in ("attempts", "sessions", "tokens", "decisions")]
    body = io.BytesIO(bytes(30_000_000))
    for headers in ({}, bearer("unknown"), {"Cookie": "namesake=nonsense"}):
        answer = locked.test_client(use_cookies=False).post(
            "/upload/", input_stream=body, content_length=30_000_000, content_type=MULTIPART, headers=headers
        )
        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers
    assert body.tell() == 0
    assert rows == [
        select(tmp_path, f"SELECT * FROM {table}") for table in ("attempts", "sessions", "tokens", "decisions")
    ]
    assert not list((tmp_path / "datasets/uploads").iterdir())


@pytest.mark.parametrize("url", ["/login/", "/people/", "/admin/", "/photos/1/image.jpg", "/static/app.css"])
@pytest.mark.parametrize("headers", [{}, HTML])
def test_every_answer_before_the_door_carries_the_headers(shut: Flask, url: str, headers: dict[str, str]) -> None:
    answer = shut.test_client().get(url, headers=headers, buffered=True)
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert (answer.headers["X-Frame-Options"], answer.headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert url.startswith("/static/") or answer.headers["Cache-Control"] == "private, no-store"


def test_health_says_more_to_those_who_are_let_in(shut: Flask) -> None:
    client = shut.test_client()
    for url, details in (("/healthz", {"faces", "people", "engine"}), ("/healthz/ready", set())):
        for headers in ({}, bearer("unknown")):
            assert set(client.get(url, headers=headers).get_json()) == {"status"}
        assert set(client.get(url, headers=bearer(API_TOKEN)).get_json()) > {"status"} | details
