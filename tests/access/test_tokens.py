"""Tokens: made once, shown once, and worth what their scope says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from app.access.policy import Scope
from tests.access.doors import API_TOKEN, Visitor, bearer, change, door_of, select
from tests.views.site import Page


def test_a_token_is_shown_once_and_kept_as_a_hash(visitor: Visitor, tmp_path: Path) -> None:
    visitor.hold(Scope.ADMIN)
    answer = visitor.post("/tokens/", {"name": "nightly export", "scope": "read"})
    token = Page(answer.text).by_id["token"]
    assert re.fullmatch(r"namesake_[\w-]{43}", token)
    listed = visitor.get("/admin/")
    assert "nightly export" in listed.text
    assert token not in listed.text
    assert "Set-Cookie" not in answer.headers, "it does not travel in a cookie"
    kept = "\n".join(path.read_bytes().decode("latin-1") for path in (tmp_path / "instance").glob("namesake.sqlite*"))
    assert "nightly export" in kept
    assert token not in kept


def test_scripts_make_list_and_revoke_them(locked: Flask) -> None:
    client = locked.test_client(use_cookies=False)
    made = client.post("/tokens/", data={"name": "ci", "scope": "label"}, headers=bearer(API_TOKEN))
    assert (made.status_code, set(made.get_json())) == (201, {"id", "name", "scope", "token"})
    token = bearer(made.get_json()["token"])
    assert client.get("/login/", headers=token).get_json() == {"scope": "label", "name": "ci"}
    (listed,) = client.get("/admin/", headers=bearer(API_TOKEN)).get_json()["access"]["tokens"]
    assert set(listed) == {"id", "name", "scope", "created", "used"}
    assert (listed["name"], listed["scope"]) == ("ci", "label")
    assert listed["used"] is not None
    url = f"/tokens/{listed['id']}/revoke"
    assert client.post(url, headers=token).status_code == 403, "a token of its own scope cannot"
    assert client.post(url, headers=bearer(API_TOKEN)).status_code == 200
    answer = client.get("/people/", headers=token)
    assert answer.status_code == 401
    assert "revoked" in answer.get_json()["message"]
    assert client.post(url, headers=bearer(API_TOKEN)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"name": "x", "scope": ""}, 400, "read, label or admin"),
        ({"name": "x", "scope": "nobody"}, 400, "read, label or admin"),
        ({"name": "x", "scope": "ADMIN"}, 400, "read, label or admin"),
        ({"name": "", "scope": "read"}, 400, "give a name"),
        ({"name": "a\nb", "scope": "read"}, 400, "line breaks"),
        ({"name": "x" * 81, "scope": "read"}, 400, "80 characters"),
        ({"name": "taken", "scope": "read"}, 409, "already"),
    ],
)
def test_what_is_no_token_is_refused_in_words(
    locked: Flask, tmp_path: Path, fields: dict[str, str], status: int, words: str
) -> None:
    door_of(locked).tokens.create("taken", "read")
    before = select(tmp_path, "SELECT * FROM tokens")
    answer = locked.test_client().post("/tokens/", data=fields, headers=bearer(API_TOKEN))
    assert answer.status_code == status
    assert words in answer.get_json()["message"]
    assert select(tmp_path, "SELECT * FROM tokens") == before


WRONG_PLACES = {
    "the address": {"query_string": {"token": API_TOKEN, "access_token": API_TOKEN}},
    "a cookie": {"headers": {"Cookie": f"token={API_TOKEN}; namesake={API_TOKEN}; Authorization=Bearer {API_TOKEN}"}},
    "a form": {"data": {"token": API_TOKEN, "access_token": API_TOKEN}},
    "another scheme": {"headers": {"Authorization": f"Basic {API_TOKEN}"}},
    "a password's place": {"auth": ("", API_TOKEN)},
    "another header": {"headers": {"X-Api-Key": API_TOKEN, "X-Auth-Token": API_TOKEN}},
    "no scheme": {"headers": {"Authorization": API_TOKEN}},
    "half of it": {"headers": bearer(API_TOKEN[:-1])},
    "more of it": {"headers": bearer(API_TOKEN + "x")},
    "nothing": {"headers": {"Authorization": "Bearer"}},
    "an empty one": {"headers": {"Authorization": "Bearer "}},
    "no text": {"headers": {"Authorization": "Bearer \xff\xfe"}},
}


@pytest.mark.parametrize("where", WRONG_PLACES)
def test_a_token_counts_in_its_header_alone(shut: Flask, where: str) -> None:
    assert shut.test_client().get("/people/", **WRONG_PLACES[where]).status_code == 401
    assert shut.test_client().get("/people/", headers=bearer(API_TOKEN)).status_code == 200


def test_a_session_key_is_no_token_and_a_token_no_session(shut: Flask) -> None:
    visitor = Visitor(shut)
    visitor.hold(Scope.ADMIN)
    with visitor.client.session_transaction() as session:
        key = session["key"]
        session["key"] = API_TOKEN
    assert shut.test_client().get("/people/", headers=bearer(key)).status_code == 401
    assert visitor.get("/people/").status_code == 303


def test_a_wrong_token_is_not_made_good_by_a_session(shut: Flask) -> None:
    visitor = Visitor(shut)
    visitor.hold(Scope.ADMIN)
    assert visitor.get("/people/", headers={"Accept": "*/*"} | bearer("gone")).status_code == 401


def test_its_last_use_is_known_to_the_hour(locked: Flask, tmp_path: Path) -> None:
    token = door_of(locked).tokens.create("ci", "read")["token"]
    client = locked.test_client()
    assert select(tmp_path, "SELECT used_at FROM tokens") == [(None,)]
    client.get("/people/", headers=bearer(token))
    (first,) = select(tmp_path, "SELECT used_at FROM tokens")
    client.get("/people/", headers=bearer(token))
    assert select(tmp_path, "SELECT used_at FROM tokens") == [first]
    change(tmp_path, "UPDATE tokens SET used_at = datetime(used_at, '-61 minutes')")
    client.get("/people/", headers=bearer(token))
    assert select(tmp_path, "SELECT used_at FROM tokens") >= [first]


def test_without_a_password_a_token_gives_a_name_and_no_more(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    token = door_of(app).tokens.create("ci", "read")["token"]
    client = app.test_client()
    assert client.get("/login/", headers=bearer(token)).get_json() == {"scope": "admin", "name": "ci"}
    elsewhere = {"REMOTE_ADDR": "10.0.0.9"}
    assert client.get("/people/", headers=bearer(token), environ_overrides=elsewhere).status_code == 403


def test_the_admin_page_ends_sessions_one_by_one_or_all_at_once(visitor: Visitor) -> None:
    others = [Visitor(visitor.app, address=f"10.0.0.{number}") for number in (1, 2)]
    numbers = [other.hold(Scope.LABEL, f"Person {number}") for number, other in enumerate(others)]
    visitor.hold(Scope.ADMIN, "Ana")
    page = visitor.get("/admin/").text
    for told in ("Person 0", "Person 1", "Ana", "10.0.0.1", "10.0.0.2"):
        assert told in page
    answer = visitor.post(f"/sessions/{numbers[0]}/end")
    assert answer.location == "/admin/#access"
    assert [other.get("/people/").status_code for other in others] == [303, 200]
    assert visitor.post(f"/sessions/{numbers[0]}/end").status_code == 404
    visitor.post("/sessions/end")
    assert [each.get("/people/").status_code for each in (*others, visitor)] == [303, 303, 303]


def test_the_admin_page_without_a_password_says_how_to_set_one(make_app: Callable[..., Flask]) -> None:
    page = Visitor(make_app(), address="127.0.0.1").get("/admin/").text
    assert "set-password" in page


def test_no_secret_of_the_settings_is_shown(shut: Flask) -> None:
    client = shut.test_client()
    shown = {each["name"]: each for each in client.get("/admin/", headers=bearer(API_TOKEN)).get_json()["settings"]}
    assert [shown[name]["value"] for name in ("PASSWORD", "ADMIN_PASSWORD", "API_TOKEN", "TRUSTED_PROXY")] == [
        "set", "set", "set", ""
    ]  # fmt: skip
