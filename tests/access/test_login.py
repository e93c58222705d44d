"""Logging in and out, and what a session is worth."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from app.access.policy import Scope
from tests.access.doors import ADMIN_PASSWORD, PASSWORD, Visitor, change, door_of, select
from tests.conftest import HTML
from tests.views.site import Page

ELSEWHERE = ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
             "evil.example", "///evil.example", "/\t/evil.example", "/\n/evil.example", " //evil.example", "http:/a",
             "/ok\\evil", "/%0d%0aX: y\r\n", ""]  # fmt: skip


# --- the page


def test_whoever_is_not_logged_in_is_led_to_the_page_and_back(visitor: Visitor) -> None:
    answer = visitor.get("/people/?q=Ana&x=1")
    assert (answer.status_code, answer.location) == (303, "/login/?next=/people/?q%3DAna%26x%3D1")
    page = Page(visitor.get(answer.location).text)
    (way_back,) = page.all("input", name="next")
    assert visitor.log_in(next=way_back["value"]).location == "/people/?q=Ana&x=1"
    assert visitor.get("/people/?q=Ana&x=1").status_code == 200


def test_the_page_has_one_password_and_says_so_to_browsers(visitor: Visitor) -> None:
    page = Page(visitor.get("/login/").text)
    (password,) = page.all("input", type="password")
    assert (password["autocomplete"], "autofocus" in password, "required" in password) == (
        "current-password",
        True,
        True,
    )
    assert page.all("form", method="post", action="/login/")
    assert not page.all("nav"), "pages that cannot be seen are not offered"
    assert not page.all("a", id="inbox"), "nor is told how many faces wait"


def test_a_wrong_password_is_told_in_words_and_opens_nothing(
    visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "namesake"):
        answer = visitor.log_in("not this one", name="Ana", next="/people/")
    assert answer.status_code == 401
    page = Page(answer.text)
    assert "That is not the password." in page.text
    assert [page.all("input", name=name)[0]["value"] for name in ("name", "next")] == ["Ana", "/people/"]
    assert page.all("input", type="password", **{"aria-invalid": "true", "aria-describedby": "login-error"})
    assert "not this one" not in answer.text
    assert caplog.messages == ["A wrong password was tried from 192.168.1.20."]
    assert visitor.get("/people/").status_code == 303


@pytest.mark.parametrize("password", ["", PASSWORD + " ", PASSWORD.upper(), "x" * 5000])
def test_nothing_but_the_password_will_do(visitor: Visitor, password: str) -> None:
    assert visitor.log_in(password).status_code in (400, 401)
    assert visitor.get("/people/").status_code == 303


def test_a_name_that_is_none_is_refused_in_words(visitor: Visitor) -> None:
    answer = visitor.log_in(name="Ana\u202e")
    assert answer.status_code == 400
    assert "control characters" in answer.text


@pytest.mark.parametrize("next_page", ELSEWHERE)
def test_logging_in_never_leads_to_another_site(shut: Flask, next_page: str) -> None:
    visitor = Visitor(shut)
    answer = visitor.log_in(next=next_page)
    assert (answer.status_code, answer.location) == (303, "/")


def test_an_accent_may_be_typed_either_way(make_app: Callable[..., Flask]) -> None:
    visitor = Visitor(make_app(password="caf\u00e9 cr\u00e8me"))
    assert visitor.log_in("cafe\u0301 cre\u0300me").status_code == 303


def test_without_a_password_there_is_nothing_to_log_in_to(make_app: Callable[..., Flask]) -> None:
    visitor = Visitor(make_app(), address="127.0.0.1")
    assert visitor.get("/login/?next=/people/").location == "/"
    answer = visitor.client.post("/login/", data={"password": PASSWORD})
    assert answer.status_code == 409
    assert "set-password" in answer.get_json()["message"]


def test_a_script_may_log_in_too(shut: Flask) -> None:
    client = shut.test_client()
    assert client.get("/login/").get_json() == {"scope": "nobody", "name": None}
    assert client.post("/login/", data={"password": "wrong one"}).status_code == 401
    assert client.post("/login/", data={"password": PASSWORD, "name": "Ana"}).get_json() == {"message": "Logged in."}
    assert client.get("/login/").get_json() == {"scope": "label", "name": "Ana"}


# --- which password opens what


@pytest.mark.parametrize(("password", "statuses"), [(PASSWORD, (200, 200, 403)), (ADMIN_PASSWORD, (200, 200, 200))])
def test_the_admin_password_opens_everything_and_the_other_labelling(
    shut: Flask, password: str, statuses: tuple[int, ...]
) -> None:
    visitor = Visitor(shut)
    visitor.log_in(password)
    assert tuple(visitor.get(url).status_code for url in ("/", "/review/", "/admin/")) == statuses


@pytest.mark.parametrize("setting", ["password", "admin_password"])
def test_the_only_password_opens_everything(make_app: Callable[..., Flask], setting: str) -> None:
    visitor = Visitor(make_app(**{setting: PASSWORD}))
    visitor.log_in()
    assert visitor.get("/admin/").status_code == 200


def test_who_may_not_is_told_what_to_do(visitor: Visitor) -> None:
    visitor.hold(Scope.LABEL)
    answer = visitor.get("/admin/")
    page = Page(answer.text)
    assert answer.status_code == 403
    assert "admin password" in page.by_id["message"]
    assert page.all("a", href="/login/?next=/admin/")
    assert "/admin/" not in [link["href"] for link in Page(visitor.get("/").text).all("a")]
    assert visitor.log_in(ADMIN_PASSWORD, next="/admin/").location == "/admin/"
    assert visitor.get("/admin/").status_code == 200


# --- the session


def test_the_cookie_is_for_this_host_and_for_no_script(visitor: Visitor) -> None:
    plain = visitor.log_in().headers["Set-Cookie"]
    assert plain.startswith("namesake=")
    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain
    assert "Domain" not in plain
    assert "Secure" not in plain


def test_over_https_the_cookie_is_secure_and_one_from_plain_http_is_not_taken(visitor: Visitor) -> None:
    visitor.hold(Scope.LABEL)
    assert visitor.get("/").status_code == 200
    assert visitor.get("/", base_url="https://localhost").status_code == 303
    answer = visitor.get("/login/", base_url="https://localhost")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-namesake=")
    assert "; Secure;" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_the_store_knows_neither_the_key_nor_the_password(visitor: Visitor, tmp_path: Path) -> None:
    visitor.log_in(name="Ana")
    with visitor.client.session_transaction() as session:
        key = session["key"]
    kept = "\n".join(path.read_bytes().decode("latin-1") for path in (tmp_path / "instance").glob("namesake.sqlite*"))
    assert "Ana" in kept
    for secret in (key, PASSWORD, ADMIN_PASSWORD):
        assert secret not in kept


def test_a_session_of_before_is_not_the_one_of_after(visitor: Visitor) -> None:
    """Fixation: whoever had planted the cookie does not come in with it."""
    token = visitor.token()
    planted = visitor.client.get_cookie("namesake")
    assert planted is not None
    answer = visitor.log_in()
    attacker = Visitor(visitor.app)
    attacker.client.set_cookie("namesake", planted.value)
    assert attacker.get("/people/").status_code == 303
    assert answer.headers["Set-Cookie"].split(";")[0] != f"namesake={planted.value}"
    assert visitor.post("/logout/", {"csrf_token": token}, csrf=False).status_code == 400, "the old token is worthless"


def test_logging_in_again_ends_the_session_of_before(visitor: Visitor) -> None:
    visitor.log_in()
    before = visitor.client.get_cookie("namesake")
    assert before is not None
    visitor.log_in(ADMIN_PASSWORD)
    other = Visitor(visitor.app)
    other.client.set_cookie("namesake", before.value)
    assert other.get("/people/").status_code == 303
    assert [each["scope"] for each in door_of(visitor.app).describe()["sessions"]] == ["admin"]


def test_logging_out_ends_it_for_good(visitor: Visitor) -> None:
    visitor.hold(Scope.LABEL, "Ana")
    kept = visitor.client.get_cookie("namesake")
    assert kept is not None
    page = Page(visitor.get("/").text)
    assert page.all("form", method="post", action="/logout/")
    answer = visitor.post("/logout/")
    assert (answer.status_code, answer.location) == (303, "/login/")
    assert "You are logged out." in visitor.get("/login/").text
    visitor.client.set_cookie("namesake", kept.value)
    assert visitor.get("/").status_code == 303
    assert visitor.get("/", headers={"Accept": "application/json"}).status_code == 401


ENDED = {
    "not used for 14 days": "UPDATE sessions SET used_at = datetime(used_at, '-14 days', '-1 second')",
    "60 days old": "UPDATE sessions SET created_at = datetime(created_at, '-60 days', '-1 second')",
    "ended": "DELETE FROM sessions",
}


@pytest.mark.parametrize("how", ENDED)
def test_an_ended_session_opens_nothing(visitor: Visitor, tmp_path: Path, how: str) -> None:
    visitor.hold(Scope.ADMIN)
    assert visitor.get("/people/").status_code == 200
    change(tmp_path, ENDED[how])
    assert visitor.get("/people/").location == "/login/?next=/people/"
    assert visitor.get("/people/", headers={"Accept": "*/*"}).status_code == 401
    answer = visitor.post("/undo/", headers={"Referer": "http://localhost/decisions/"})
    assert answer.location == "/login/?next=/decisions/&ended=1"
    assert "not logged in any more. Nothing was changed." in Page(visitor.get(answer.location).text).text


@pytest.mark.parametrize(
    "still", ["used_at = datetime(used_at, '-13 days')", "created_at = datetime(created_at, '-59 days')"]
)
def test_a_session_that_is_used_goes_on(visitor: Visitor, tmp_path: Path, still: str) -> None:
    visitor.hold(Scope.LABEL)
    change(tmp_path, f"UPDATE sessions SET {still}")
    before = select(tmp_path, "SELECT used_at FROM sessions")
    assert visitor.get("/people/").status_code == 200
    if "used_at" in still:
        assert select(tmp_path, "SELECT used_at FROM sessions") > before, "it is used again"


def test_looking_around_writes_nothing(visitor: Visitor, tmp_path: Path) -> None:
    visitor.hold(Scope.LABEL)
    change(tmp_path, "CREATE TRIGGER no BEFORE UPDATE ON sessions BEGIN SELECT RAISE(ABORT, 'written'); END")
    assert visitor.get("/people/").status_code == 200


def test_a_stale_page_of_somebody_else_is_not_shown_to_the_next(visitor: Visitor, tmp_path: Path) -> None:
    """What waits to be said travels in the cookie: it ends with the session."""
    visitor.hold(Scope.ADMIN)
    visitor.post("/calibration/forget")
    change(tmp_path, "DELETE FROM sessions")
    visitor.get("/people/")
    assert "Forgotten" not in visitor.get("/login/").text


@pytest.mark.parametrize("old", [PASSWORD, ADMIN_PASSWORD])
def test_another_password_in_the_settings_ends_every_session(make_app: Callable[..., Flask], old: str) -> None:
    visitor = Visitor(make_app(password=PASSWORD, admin_password=ADMIN_PASSWORD))
    visitor.log_in(old)
    kept = visitor.client.get_cookie("namesake")
    assert kept is not None
    again = Visitor(make_app(password=PASSWORD, admin_password=ADMIN_PASSWORD))
    again.client.set_cookie("namesake", kept.value)
    assert again.get("/people/").status_code == 200, "a restart does not"
    changed = Visitor(make_app(password=PASSWORD + "!", admin_password=ADMIN_PASSWORD))
    changed.client.set_cookie("namesake", kept.value)
    assert changed.get("/people/").status_code == 303


# --- other sites


def test_every_form_behind_the_door_carries_the_token_and_no_page_an_inline_script(visitor: Visitor) -> None:
    visitor.hold(Scope.ADMIN, "<b>Ana</b>")
    door_of(visitor.app).tokens.create("<script>alert(1)</script>", "read")
    made = visitor.post("/tokens/", {"name": "<img src=x onerror=alert(1)>", "scope": "read"})
    pages = [Page(visitor.get(url).text) for url in ("/", "/admin/", "/decisions/", "/login/?next=/%22%3E%3Cb%3E")]
    forms = 0
    for page in [Page(made.text), *pages]:
        for number, (tag, attributes) in enumerate(page.tags):
            assert tag not in ("style", "b"), attributes
            assert tag != "script" or attributes["src"].startswith("/static/")
            assert not [key for key in attributes if key.startswith("on") or key == "style"]
            if tag == "form" and attributes.get("method") == "post":
                forms += 1
                assert page.tags[number + 1][1]["name"] == "csrf_token"
    assert forms >= 12


@pytest.mark.parametrize("url", ["/login/", "/logout/", "/sessions/end", "/tokens/"])
@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
def test_another_site_logs_nobody_in_or_out(shut: Flask, url: str, headers: dict[str, str]) -> None:
    visitor = Visitor(shut)
    visitor.hold(Scope.ADMIN)
    answer = visitor.post(url, {"password": ADMIN_PASSWORD, "name": "x", "scope": "admin"}, headers=headers)
    assert answer.status_code == 403
    assert "another site" in answer.text
    assert visitor.get("/").status_code == 200


@pytest.mark.parametrize("url", ["/login/", "/logout/", "/sessions/end", "/tokens/"])
def test_nobody_is_logged_in_or_out_without_the_token_of_the_page(shut: Flask, url: str) -> None:
    visitor = Visitor(shut)
    visitor.hold(Scope.ADMIN)
    assert visitor.post(url, {"password": ADMIN_PASSWORD}, csrf=False).status_code == 400
    assert visitor.get("/").status_code == 200


def test_a_browser_without_a_cookie_needs_the_token_to_log_in(shut: Flask) -> None:
    answer = shut.test_client().post("/login/", data={"password": PASSWORD}, headers=HTML)
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers or "key" not in answer.headers["Set-Cookie"]


def test_logging_out_by_a_link_does_nothing(shut: Flask) -> None:
    visitor = Visitor(shut)
    visitor.hold(Scope.LABEL)
    assert visitor.get("/logout/").status_code == 405
    assert visitor.get("/").status_code == 200
