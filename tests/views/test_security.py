"""Who may ask, and what browsers are told to refuse on our behalf."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import HTML
from tests.views.site import Json, Page, Site

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FORMS = ["/upload/", "/confirm/", "/faces/1/move", "/faces/1/unlabel", "/faces/1/dismiss", "/reset_training/",
         "/login/", "/logout/", "/tokens/", "/tokens/1/revoke", "/sessions/1/end", "/sessions/end",
         "/backups/", "/backups/x/restore", "/backups/x/delete", "/people/1/erase", "/photos/1/erase"]  # fmt: skip
EVERY_ADDRESS = ["/", "/people/", "/admin/", "/healthz", "/photos/1/", "/photos/1/image.jpg", "/faces/1/thumb.jpg",
                 "/static/app.css", "/nothing/here"]  # fmt: skip


def ask(site: Site, url: str = "/", *, method: str = "GET", html: bool = False, **environ: str) -> TestResponse:
    """A request whose WSGI environment differs in something from that of a request on this machine."""
    headers = HTML if html else {}
    return site.client.open(url, method=method, headers=headers, environ_overrides=environ, buffered=True)


# --- this machine only


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_ask(untouched: Site, address: str) -> None:
    assert ask(untouched, REMOTE_ADDR=address).status_code == 200


@pytest.mark.parametrize(
    "address",
    ["192.168.1.20", "10.0.0.1", "172.17.0.1", "8.8.8.8", "0.0.0.0", "::", "fe80::1", "::ffff:192.168.1.20", "", "?"],
)
def test_other_machines_may_not(untouched: Site, address: str) -> None:
    assert ask(untouched, REMOTE_ADDR=address).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_this_machine_may_be_called_by_its_names(untouched: Site, host: str) -> None:
    assert ask(untouched, HTTP_HOST=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "192.168.1.20:8000",
        "0.0.0.0:8000",
        "localhost@evil.example",
        "evil.example@localhost",
        "evil.example#localhost",
        "evil.example/localhost",
        "[",
        "[::1",
        "",
    ],
)
def test_a_name_that_was_pointed_here_is_refused(untouched: Site, host: str) -> None:
    assert ask(untouched, HTTP_HOST=host).status_code in (400, 403)


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Anything",
     "X-Real-IP", "x-forwarded-for"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["127.0.0.1", "203.0.113.9", ""])
def test_what_a_proxy_passed_on_is_refused(untouched: Site, header: str, value: str) -> None:
    assert untouched.client.get("/", headers={header: value}).status_code == 403


@pytest.mark.parametrize("url", EVERY_ADDRESS)
def test_no_address_answers_strangers(untouched: Site, url: str) -> None:
    for answer in (ask(untouched, url, REMOTE_ADDR="192.168.1.20"), ask(untouched, url, HTTP_HOST="evil.example")):
        assert answer.status_code == 403
        assert set(answer.get_json()) == {"message", "request_id"}
        assert "password" in answer.get_json()["message"]


@pytest.mark.parametrize("url", FORMS)
def test_strangers_change_nothing(untouched: Site, url: str) -> None:
    before = untouched.everything()
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ask(untouched, url, method=method, REMOTE_ADDR="192.168.1.20").status_code == 403
    assert untouched.everything() == before


def test_strangers_get_a_page_that_says_why_and_nothing_else(untouched: Site) -> None:
    answer = ask(untouched, "/people/", html=True, REMOTE_ADDR="192.168.1.20")
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    page = Page(answer.text)
    assert "password" in page.by_id["message"]
    assert "waiting" not in page.text, "not even how many faces there are"


# --- other sites


@pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "nonsense", ""])
@pytest.mark.parametrize("url", FORMS)
def test_what_another_site_sends_is_refused(untouched: Site, url: str, site: str) -> None:
    before = untouched.everything()
    answer = untouched.client.post(url, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert "another site" in answer.get_json()["message"]
    assert untouched.everything() == before


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://localhost:9999", "https://localhost", "http://127.0.0.1",
     "http://localhost.evil.example", "http://localhost@evil.example"],
)  # fmt: skip
def test_what_comes_from_another_origin_is_refused(untouched: Site, origin: str) -> None:
    before = untouched.everything()
    for more in ({}, {"Sec-Fetch-Site": "same-origin"}):
        answer = untouched.client.post("/faces/1/dismiss", data={"action": "ignore"}, headers={"Origin": origin} | more)
        assert answer.status_code == 403
    assert untouched.everything() == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
    ],
)
def test_our_own_pages_and_scripts_may_send(album: Site, headers: dict[str, str]) -> None:
    answer = album.client.post("/faces/1/dismiss", data={"action": "ignore"}, headers=headers)
    assert answer.status_code == 200


def test_the_origin_includes_the_port(album: Site) -> None:
    headers = {"Origin": "http://localhost:8000"}
    fields = {"action": "ignore"}
    url = "/faces/1/dismiss"
    assert album.client.post(url, data=fields, headers=headers, base_url="http://localhost:8001").status_code == 403
    assert album.client.post(url, data=fields, headers=headers, base_url="http://localhost:8000").status_code == 200


def test_a_link_on_another_site_may_lead_here(untouched: Site) -> None:
    answer = untouched.client.get("/", headers=HTML | {"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200


def test_other_sites_are_never_let_in_by_cors(untouched: Site) -> None:
    for method in ("GET", "OPTIONS"):
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        answer = untouched.client.open("/", method=method, headers=headers)
        assert not [name for name, _value in answer.headers if name.startswith("Access-Control")]


# --- the token


def test_a_script_without_cookies_needs_no_token(album: Site) -> None:
    assert album.client.post("/faces/1/dismiss", data={"action": "ignore"}).status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("token", [None, "", "wrong", "somebody else's"])
def test_a_browser_needs_the_token_of_its_page(untouched: Site, token: str | None, accept: str) -> None:
    other = Site(untouched.app, untouched.home)
    sent = {"csrf_token": other.token() if token == "somebody else's" else token} if token is not None else {}
    untouched.token()
    before = untouched.everything()
    answer = untouched.browser.post(
        "/faces/1/dismiss", data={"action": "ignore"} | sent, headers={"Accept": f"{accept},*/*"}
    )
    assert answer.status_code == 400
    assert "Reload" in (Page(answer.text).by_id["message"] if accept == "text/html" else answer.get_json()["message"])
    assert untouched.everything() == before


@pytest.mark.parametrize("cookie", ["nonsense", "eyJjc3JmX3Rva2VuIjoiMSJ9.AAAA.BBBB", ""])
def test_a_cookie_we_did_not_sign_does_not_help(untouched: Site, cookie: str) -> None:
    before = untouched.everything()
    headers = {"Cookie": f"namesake={cookie}"}
    answer = untouched.client.post("/faces/1/dismiss", data={"action": "ignore"}, headers=headers)
    assert answer.status_code == 400
    assert untouched.everything() == before


@pytest.mark.parametrize("url", FORMS)
def test_no_form_works_without_the_token(untouched: Site, url: str) -> None:
    untouched.token()
    before = untouched.everything()
    assert untouched.browser.post(url, headers=HTML).status_code == 400
    assert untouched.everything() == before


def test_the_token_comes_in_the_form_or_in_a_header(album: Site) -> None:
    fields = {"action": "ignore"}
    in_form = album.browser.post("/faces/1/dismiss", data=fields | {"csrf_token": album.token()}, headers=HTML)
    in_header = album.browser.post("/faces/2/dismiss", data=fields, headers=HTML | {"X-CSRFToken": album.token()})
    assert (in_form.status_code, in_header.status_code) == (303, 303)


def test_a_token_outlives_a_restart(album: Site, make_app: Callable[..., Flask]) -> None:
    token = album.token()
    album.browser.application = make_app()
    fields = {"action": "ignore", "csrf_token": token}
    assert album.browser.post("/faces/1/dismiss", data=fields, headers=HTML).status_code == 303


def test_the_cookie_is_for_this_site_and_for_no_script(untouched: Site) -> None:
    cookie = untouched.get("/", html=True).headers["Set-Cookie"]
    assert cookie.startswith("namesake=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_scripts_get_no_cookie(untouched: Site) -> None:
    for url in EVERY_ADDRESS:
        assert "Set-Cookie" not in untouched.get(url).headers


def test_the_key_of_the_signatures_is_for_the_owner_only(untouched: Site) -> None:
    secret = untouched.home / "instance/secret"
    assert secret.stat().st_mode & 0o077 == 0


# --- what browsers are told

REQUESTS: dict[str, Json] = {
    "JSON": {"path": "/"},
    "a page": {"path": "/", "headers": HTML},
    "an empty answer": {"path": "/", "method": "HEAD"},
    "what may be asked": {"path": "/upload/", "method": "OPTIONS"},
    "a picture": {"path": "/photos/1/image.jpg"},
    "a thumbnail": {"path": "/faces/1/thumb.jpg"},
    "a script": {"path": "/static/js/upload.js"},
    "a style sheet": {"path": "/static/app.css"},
    "health": {"path": "/healthz"},
    "a slash too few": {"path": "/people"},
    "400": {"path": "/upload/", "method": "POST"},
    "400 as a page": {"path": "/upload/", "method": "POST", "headers": HTML},
    "403": {"path": "/", "environ_overrides": {"REMOTE_ADDR": "192.168.1.20"}},
    "403 as a page": {"path": "/", "environ_overrides": {"REMOTE_ADDR": "192.168.1.20"}, "headers": HTML},
    "404": {"path": "/nothing/here"},
    "404 as a page": {"path": "/nothing/here", "headers": HTML},
    "404 for a file": {"path": "/static/nothing.css"},
    "405": {"path": "/", "method": "DELETE"},
    "405 as a page": {"path": "/", "method": "DELETE", "headers": HTML},
    "415": {"path": "/upload/", "method": "POST", "json": {}},
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_answer_carries_the_headers(untouched: Site, kind: str) -> None:
    answer = untouched.client.open(**REQUESTS[kind], buffered=True)
    assert answer.headers["Content-Security-Policy"] == CSP
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "Permissions-Policy" in answer.headers


def test_so_do_redirections_and_unchanged_pictures(album: Site) -> None:
    sent = album.post("/faces/1/dismiss", {"action": "ignore"}, html=True)
    picture = album.get("/photos/1/image.jpg")
    known = {"If-None-Match": picture.headers["ETag"]}
    unchanged = album.client.get("/photos/1/image.jpg", headers=known, buffered=True)
    assert (sent.status_code, unchanged.status_code) == (303, 304)
    for answer in (sent, unchanged):
        assert answer.headers["Content-Security-Policy"] == CSP
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("kind", sorted(REQUESTS.keys() - {"a script", "a style sheet", "404 for a file"}))
def test_no_cache_between_us_keeps_what_is_private(untouched: Site, kind: str) -> None:
    assert "private" in untouched.client.open(**REQUESTS[kind], buffered=True).headers["Cache-Control"]


# --- pages


@pytest.fixture
def pages(album: Site, monkeypatch: pytest.MonkeyPatch) -> dict[str, Page]:
    """Every kind of page, in every state: by what it shows."""
    monkeypatch.setattr(album.app.extensions["namesake-queue"], "ensure_consumer", lambda: None)
    (album.home / "datasets/reserve/alice.jpg").write_bytes(b"no photo")
    first = album.page("/")
    album.confirm(album.photos["obama"], "<i>Barack</i>")
    album.post(f"/faces/{album.photos['biden']['faces'][0]['id']}/dismiss", {"action": "ignore"})
    album.post("/reset_training/", {"confirm": "RESET"}, html=True)
    photos = {f"photo of {name}": f"/photos/{photo['photo_id']}/" for name, photo in album.photos.items()}
    others = {"uploads": "/", "people": "/people/", "person": "/people/1/", "admin": "/admin/", "job": "/jobs/1/"}
    shown = {name: album.page(url) for name, url in (photos | others).items()}
    refused = {
        "400": album.upload(html=True),
        "403": ask(album, html=True, REMOTE_ADDR="192.168.1.20"),
        "404": album.get("/<script>alert(1)</script>", html=True),
        "409": album.confirm(album.photos["obama"], "Again", html=True),
    }
    return {"first": first} | shown | {name: Page(answer.text) for name, answer in refused.items()}


def test_pages_hold_no_inline_script_or_style(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert page.tags, name
        for tag, attributes in page.tags:
            assert tag != "style", name
            assert tag != "script" or attributes["src"].startswith("/static/"), name
            assert "style" not in attributes, (name, tag)
            assert not [key for key in attributes if key.startswith("on")], (name, tag)


def test_pages_load_and_link_nothing_from_elsewhere(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        for tag, attributes in page.tags:
            for key in ("src", "href", "action", "srcset", "poster", "data", "formaction"):
                address = attributes.get(key, "/")
                assert address.startswith(("/", "#")), (name, tag, address)
                assert not address.startswith("//"), (name, tag, address)


def test_every_form_that_changes_something_carries_the_token(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        forms = [number for number, (tag, form) in enumerate(page.tags) if tag == "form" and form["method"] == "post"]
        for number in forms:
            following = page.tags[number + 1]
            assert following[0] == "input", name
            assert following[1]["name"] == "csrf_token", name
            assert following[1]["value"], name
    assert sum(len(page.all("form", method="post")) for page in pages.values()) >= 10


@pytest.mark.parametrize("referrer", ["http://localhost//evil.example/", "http://localhost/\\evil.example"])
def test_the_way_back_never_leads_to_another_site(untouched: Site, referrer: str) -> None:
    answer = untouched.client.post("/upload/", headers=HTML | {"Referer": referrer})
    for link in Page(answer.text).all("a"):
        assert not link["href"].startswith(("//", "/\\"))
