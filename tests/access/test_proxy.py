"""Whose word is believed about who asks; and nginx itself, with the very text of docs/access.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPMessage, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask

from app import create_app
from app.access.policy import Scope
from app.config import PROJECT
from tests.access.doors import PASSWORD, Visitor, door_of, select
from tests.conftest import HTML
from tests.server import Server, free_port
from tests.views.site import MULTIPART, Page, multipart
from tests.waiting import wait_for

PROXY, CLIENT = "10.0.0.2", "203.0.113.9"
FORWARDED = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "faces.example"}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """An installation with a proxy in front: one for all, for requests that change nothing but sessions."""
    app = create_app(tmp_path_factory.mktemp("behind"), password=PASSWORD, trusted_proxy="10.0.0.0/30")
    yield app
    app.extensions["namesake"].close()


def seen(app: Flask, peer: str, headers: dict[str, str]) -> str:
    """The address that a login is counted under."""
    app.test_client().post(
        "/login/", data={"password": PASSWORD}, headers=headers, environ_overrides={"REMOTE_ADDR": peer}
    )
    return str(door_of(app).describe()["sessions"][0]["address"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (PROXY, CLIENT, CLIENT),
        (f"::ffff:{PROXY}", CLIENT, CLIENT),
        (PROXY, f"127.0.0.1, {CLIENT}", CLIENT),
        (PROXY, f"{CLIENT}, 127.0.0.1", "127.0.0.1"),
        (PROXY, "2001:db8::1", "2001:db8::1"),
        (PROXY, None, PROXY),
        (PROXY, "", PROXY),
        ("10.0.0.4", CLIENT, "10.0.0.4"),
        ("192.168.1.20", CLIENT, "192.168.1.20"),
        ("127.0.0.1", CLIENT, "127.0.0.1"),
    ],
)
def test_only_the_proxy_is_believed_and_of_its_words_the_last(
    behind: Flask, peer: str, forwarded: str | None, address: str
) -> None:
    assert seen(behind, peer, {} if forwarded is None else {"X-Forwarded-For": forwarded}) == address


@pytest.mark.parametrize("header", ["X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP"])
def test_no_other_header_is_believed(behind: Flask, header: str) -> None:
    assert seen(behind, PROXY, {header: f"for={CLIENT}" if header == "Forwarded" else CLIENT}) == PROXY


def test_who_says_that_it_came_by_https_is_believed_if_it_is_the_proxy(behind: Flask) -> None:
    for peer, name in ((PROXY, "__Host-namesake="), ("192.168.1.20", "namesake=")):
        answer = Visitor(behind, address=peer).get("/login/", headers=FORWARDED)
        assert answer.headers["Set-Cookie"].startswith(name)
        assert ("; Secure;" in answer.headers["Set-Cookie"]) is (peer == PROXY)


def test_the_origin_is_that_which_the_browser_sees(behind: Flask) -> None:
    client = behind.test_client(use_cookies=False)
    for origin, status in (("https://faces.example", 200), ("http://faces.example", 403), ("http://localhost", 403)):
        headers = FORWARDED | {"Origin": origin}
        answer = client.post(
            "/login/", data={"password": PASSWORD}, headers=headers, environ_overrides={"REMOTE_ADDR": PROXY}
        )
        assert answer.status_code == status, origin


@pytest.mark.parametrize("client", ["127.0.0.1", "::1", CLIENT])
def test_without_a_password_nothing_that_came_through_a_proxy_is_answered(
    make_app: Callable[..., Flask], client: str
) -> None:
    app = make_app(trusted_proxy="127.0.0.1")
    headers = {"X-Forwarded-For": client, "X-Forwarded-Host": "localhost"}
    assert app.test_client().get("/people/", headers=headers).status_code == 403
    assert app.test_client().get("/people/").status_code == 200


# --- by which name


@pytest.mark.parametrize("host", ["faces.example", "192.168.1.5:8000", "[fd00::1]:8000", "EVIL.example"])
def test_with_a_password_any_name_will_do_but_the_cookie_stays_with_its_own(shut: Flask, host: str) -> None:
    visitor = Visitor(shut)
    visitor.hold(Scope.LABEL)
    assert visitor.get("/people/").status_code == 200
    assert visitor.get("/people/", base_url=f"http://{host}").location == "/login/?next=/people/"


@pytest.mark.parametrize("host", ["", "[", "[::1", "a@b", "evil.example/x", "evil.example#localhost", "a b", "a,b"])
def test_a_name_that_is_none_is_refused(shut: Flask, host: str) -> None:
    environ = {"HTTP_HOST": host}
    for url in ("/login/", "/people/", "/healthz"):
        assert shut.test_client().get(url, environ_overrides=environ).status_code == 400


def test_no_answer_repeats_the_name_that_was_asked_by(shut: Flask) -> None:
    for url in ("/", "/login/", "/people", "/nothing/"):
        for headers in (HTML, {}):
            answer = shut.test_client().get(url, headers=headers | {"Host": "evil.example"})
            assert "evil.example" not in answer.text + str(answer.headers)


# --- nginx


@dataclass
class Nginx:
    """nginx with the server block of the docs, in front of a server of ours."""

    folder: Path
    upstream: int
    port: int = field(default_factory=free_port)

    def start(self) -> Nginx:
        self.certificate = self.folder / "faces.example.pem"
        key = self.folder / "faces.example.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", "/CN=faces.example", "-addext", "subjectAltName=DNS:faces.example",
             "-keyout", str(key), "-out", str(self.certificate)],
            check=True, capture_output=True,
        )  # fmt: skip
        (block,) = re.findall(r"```nginx\n(.*?)```", (PROJECT / "docs/access.md").read_text("utf-8"), re.DOTALL)
        for words, here in {
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
            "/etc/ssl/faces.example": str(self.folder / "faces.example"),
            "http://127.0.0.1:8000": f"http://127.0.0.1:{self.upstream}",
        }.items():
            assert words in block
            block = block.replace(words, here)
        places = "".join(
            f"{kind}_temp_path {self.folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            f"pid {self.folder}/nginx.pid;\nerror_log {self.folder}/nginx.log;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{places}{block}}}\n"
        )
        self.process = subprocess.Popen(
            [_nginx(), "-c", str(configuration), "-p", str(self.folder), "-g", "daemon off;"], stderr=subprocess.DEVNULL
        )
        wait_for(self._answers, "nginx to answer")
        return self

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "nginx.log").read_text()
        try:
            return Browser(self).ask("GET", "/healthz")[0] == 200
        except OSError:
            return False


@dataclass
class Browser:
    """Asks over TLS, trusts the certificate, keeps cookies as they come. address: where it asks from."""

    nginx: Nginx
    address: str = "127.0.0.5"
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, **headers: str
    ) -> tuple[int, HTTPMessage, str]:
        context = ssl.create_default_context(cafile=str(self.nginx.certificate))
        with closing(_Named(self, context)) as connection:
            sent = {"Host": f"faces.example:{self.nginx.port}"} | {k.replace("_", "-"): v for k, v in headers.items()}
            if self.cookies:
                sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = cookie.split(";")[0].partition("=")
                self.cookies[name] = value
            return answer.status, answer.headers, answer.read().decode()


class _Named(HTTPSConnection):
    """A connection to this machine that expects the certificate of faces.example."""

    def __init__(self, browser: Browser, context: ssl.SSLContext) -> None:
        super().__init__("127.0.0.1", browser.nginx.port, timeout=60, source_address=(browser.address, 0))
        self._named = context

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self.timeout, self.source_address)
        self.sock = self._named.wrap_socket(plain, server_hostname="faces.example")


def _nginx() -> str:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin") or ""


@pytest.fixture
def proxied(tmp_path: Path, models_folder: Path) -> Iterator[tuple[Server, Nginx]]:
    """A real server with a password, behind a real nginx."""
    if not _nginx() or not shutil.which("openssl"):
        missing = "needs nginx and openssl (on Debian: apt-get install nginx-light openssl)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    home, folder = tmp_path / "home", tmp_path / "nginx"
    (home / "instance").mkdir(parents=True)
    folder.mkdir()
    settings = {"NAMESAKE_WORKERS": "1", "NAMESAKE_PASSWORD": PASSWORD, "NAMESAKE_TRUSTED_PROXY": "127.0.0.1"}
    server = Server(home, settings=settings, models=models_folder).start()
    nginx = Nginx(folder, server.port)
    try:
        yield server, nginx.start()
    finally:
        nginx.stop()
        server.kill_everything()


def test_nginx_as_the_docs_have_it(proxied: tuple[Server, Nginx], sample_photos: dict[str, Path]) -> None:
    server, nginx = proxied
    browser = Browser(nginx)
    origin = f"https://faces.example:{nginx.port}"

    # The door is shut, and leads to the page to log in on at the same place.
    status, headers, _text = browser.ask("GET", "/people/", **HTML)
    assert (status, headers["Location"]) == (303, "/login/?next=/people/")
    assert headers["Strict-Transport-Security"]
    status, headers, text = browser.ask("GET", "/login/", **HTML)
    cookie = headers["Set-Cookie"]
    assert cookie.startswith("__Host-namesake=")
    assert "; Secure;" in cookie

    # Logged in, as a browser does it: with the token of the page and its own origin.
    (token,) = [meta["content"] for meta in Page(text).all("meta", name="csrf-token")]
    form: dict[str, Any] = {"Content_Type": "application/x-www-form-urlencoded", "Referer": f"{origin}/login/"} | HTML
    fields = urlencode({"password": PASSWORD, "name": "Ana", "next": "/people/", "csrf_token": token})
    assert browser.ask("POST", "/login/", fields, Origin="https://evil.example", **form)[0] == 403
    status, headers, _text = browser.ask("POST", "/login/", fields, Origin=origin, **form)
    assert (status, headers["Location"]) == (303, "/people/")
    assert "; Secure;" in headers["Set-Cookie"]
    assert browser.ask("GET", "/people/", **HTML)[0] == 200

    # A real photo goes through whole.
    (token,) = [meta["content"] for meta in Page(browser.ask("GET", "/", **HTML)[2]).all("meta", name="csrf-token")]
    photo = multipart(("obama.jpg", sample_photos["obama.jpg"].read_bytes()))
    status, _headers, text = browser.ask(
        "POST", "/upload/", photo, Content_Type=MULTIPART, X_CSRFToken=token, Origin=origin
    )
    assert status == 200, text
    assert len(json.loads(text)["faces"]) == 1

    # So does a backup that is larger than photos may be, as far as to where it turns out to be none.
    backup = multipart(("mine.zip", bytes(321 << 20)))
    status, _headers, text = browser.ask(
        "POST", "/backups/upload", backup, Content_Type=MULTIPART, X_CSRFToken=token, Origin=origin
    )
    assert (status, "not a zip archive" in json.loads(text)["message"]) == (400, True)

    # Nobody can say that they are somebody else: what a client writes into the header is not what counts.
    stranger = Browser(nginx, address="127.0.0.6")
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    for number in range(12):
        spoofed = {"X_Forwarded_For": f"203.0.113.{number}", "X_Real_IP": f"203.0.113.{number}"}
        stranger.ask("POST", "/login/", urlencode({"password": "wrong one"}), **form, **spoofed)
    tried = select(server.home, 'SELECT address, count(*) FROM attempts WHERE NOT "right" GROUP BY address')
    assert tried == [("127.0.0.6", 10)]
    assert (server.home / "server.log").read_text().count("A wrong password was tried from 127.0.0.6.") == 10
    assert select(server.home, "SELECT name, address FROM sessions") == [("Ana", "127.0.0.5")]
