"""Passwords: where they come from, what counts, and the commands."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app.config import PROJECT, Settings, load
from app.errors import ConfigError
from tests.access.doors import ADMIN_PASSWORD, API_TOKEN, PASSWORD, Visitor, bearer, door_of, select
from tests.waiting import wait_for

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    def run_(*arguments: str, said: str = "", on: Flask = app) -> Result:
        with on.app_context():
            return on.test_cli_runner().invoke(args=list(arguments), input=said)

    return run_


def told(result: Result) -> str:
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    return result.output


# --- set-password


def test_setting_a_password_shuts_a_running_server_at_once(app: Flask, run: Run, tmp_path: Path) -> None:
    visitor = Visitor(app, address="127.0.0.1")
    assert visitor.get("/people/").status_code == 200
    result = run("set-password", said=f"{PASSWORD}\n")
    assert (result.exit_code, PASSWORD in result.output) == (0, False)
    assert visitor.get("/people/").status_code == 303
    visitor.log_in()
    assert visitor.get("/admin/").status_code == 200, "the only one opens everything"
    ((scope, hash_),) = select(tmp_path, "SELECT scope, hash FROM passwords")
    assert scope == "label"
    assert hash_.startswith("scrypt:32768:8:1$")


def test_every_change_ends_every_session(app: Flask, run: Run) -> None:
    visitor = Visitor(app)
    run("set-password", said=f"{PASSWORD}\n")
    visitor.log_in()
    run("set-password", "--admin", said=f"{ADMIN_PASSWORD}\n")
    assert visitor.get("/people/").status_code == 303
    visitor.log_in()
    assert [visitor.get(url).status_code for url in ("/people/", "/admin/")] == [200, 403]
    run("set-password", said="another one\n")
    assert visitor.get("/people/").status_code == 303
    visitor.log_in("another one")
    run("set-password", "--admin", "--remove")
    assert visitor.get("/people/").status_code == 303


def test_removing_the_last_one_opens_this_machine_again_and_no_other(app: Flask, run: Run) -> None:
    run("set-password", said=f"{PASSWORD}\n")
    assert run("set-password", "--remove").exit_code == 0
    assert Visitor(app, address="127.0.0.1").get("/people/").status_code == 200
    assert Visitor(app).get("/people/").status_code == 403
    assert "no such password" in told(run("set-password", "--remove"))


@pytest.mark.parametrize(
    ("said", "words"),
    [("short77\n", "from 8 to 200"), ("\n", "from 8 to 200"), ("", "from 8 to 200"), ("x" * 201 + "\n", "8 to 200")],
)
def test_what_will_not_do_is_refused_in_words(app: Flask, run: Run, tmp_path: Path, said: str, words: str) -> None:
    assert words in told(run("set-password", said=said))
    assert select(tmp_path, "SELECT * FROM passwords") == []


def test_the_two_must_differ(run: Run) -> None:
    run("set-password", said=f"{PASSWORD}\n")
    assert "must differ" in told(run("set-password", "--admin", said=f"{PASSWORD}\n"))


def test_a_space_belongs_to_a_password(app: Flask, run: Run) -> None:
    run("set-password", said=" spaced out \r\n")
    assert Visitor(app).log_in("spaced out").status_code == 401
    assert Visitor(app).log_in(" spaced out ").status_code == 303


def test_what_the_settings_say_counts_more(make_app: Callable[..., Flask], run: Run, tmp_path: Path) -> None:
    run("set-password", said="the stored one\n")
    given = make_app(password=PASSWORD)
    assert Visitor(given).log_in("the stored one").status_code == 401
    assert Visitor(given).log_in().status_code == 303
    before = select(tmp_path, "SELECT * FROM passwords")
    for arguments in (["set-password"], ["set-password", "--remove"]):
        assert "PASSWORD (given) counts more" in told(run(*arguments, said="yet another\n", on=given))
    assert select(tmp_path, "SELECT * FROM passwords") == before


@pytest.mark.parametrize(("typed", "ends"), [(("at a keyboard",) * 2, 0), (("at a keyboard", "at keyboard"), None)])
def test_at_a_keyboard_it_is_asked_for_twice_and_not_shown(
    tmp_path: Path, typed: tuple[str, str], ends: int | None
) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "set-password"]
    environment = os.environ | {"NAMESAKE_HOME": str(tmp_path)}
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(theirs)
    seen = b""

    def asks(words: bytes) -> bool:
        nonlocal seen
        seen += os.read(ours, 1000)
        return seen.endswith(words)

    wait_for(lambda: asks(b"Password: "), "the first question")
    os.write(ours, f"{typed[0]}\n".encode())
    wait_for(lambda: asks(b"Once more: "), "the second question")
    os.write(ours, f"{typed[1]}\n".encode())
    if ends is None:
        wait_for(lambda: asks(b"Password: "), "the first question again")
        process.terminate()
    assert process.wait(30) == ends or ends is None
    os.close(ours)
    assert b"keyboard" not in seen
    assert len(select(tmp_path, "SELECT * FROM passwords")) == (1 if ends == 0 else 0)


# --- tokens


def test_tokens_are_made_listed_and_revoked_by_command(app: Flask, run: Run) -> None:
    run("set-password", said=f"{PASSWORD}\n")
    made = run("token", "create", "nightly", "--scope", "read")
    token = made.output.splitlines()[-1]
    assert made.exit_code == 0
    client = app.test_client()
    assert "never used" in run("token", "list").output
    assert client.get("/people/", headers=bearer(token)).status_code == 200
    assert client.post("/undo/", headers=bearer(token)).status_code == 403
    listed = run("token", "list").output
    assert listed.startswith("nightly: read, made ")
    assert "last used" in listed
    assert token not in listed
    assert run("token", "revoke", "nightly").exit_code == 0
    assert client.get("/people/", headers=bearer(token)).status_code == 401
    assert run("token", "list").output == "There are no tokens.\n"
    assert "no token of that name" in told(run("token", "revoke", "nightly"))
    assert "name" in told(run("token", "create", " ", "--scope", "read"))


# --- settings


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PASSWORD", "seven77", "from 8 to 200 characters long"),
        ("ADMIN_PASSWORD", "x" * 201, "from 8 to 200 characters long"),
        ("API_TOKEN", "only nineteen chars", "from 20 to 200 characters long"),
    ],
)
def test_a_bad_secret_is_refused_without_showing_it(tmp_path: Path, name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, {f"NAMESAKE_{name}": value})
    assert refused.value.message == f"{name} (environment) must be {allowed}."


def test_two_equal_passwords_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must differ") as refused:
        load(tmp_path, {"NAMESAKE_PASSWORD": PASSWORD, "NAMESAKE_ADMIN_PASSWORD": PASSWORD})
    assert PASSWORD not in refused.value.message


def test_an_empty_secret_is_none(make_app: Callable[..., Flask]) -> None:
    app = make_app(password="", admin_password="", api_token="", trusted_proxy="")
    assert Visitor(app, address="127.0.0.1").get("/people/").status_code == 200
    assert app.test_client().get("/login/", headers=bearer("")).get_json()["name"] is None


def test_settings_do_not_show_their_secrets_when_printed() -> None:
    settings = Settings(password=PASSWORD, admin_password=ADMIN_PASSWORD, api_token=API_TOKEN)
    for secret in (PASSWORD, ADMIN_PASSWORD, API_TOKEN):
        assert secret not in repr(settings)


@pytest.mark.parametrize("value", ["10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8", " 10.0.0.1 "])
def test_a_proxy_is_an_address_or_a_network(tmp_path: Path, value: str) -> None:
    assert load(tmp_path, {"NAMESAKE_TRUSTED_PROXY": value}).trusted_proxy


@pytest.mark.parametrize("value", ["nginx", "10.0.0.0/33", "10.0.0.1/8", "*", "10.0.0.1, 10.0.0.2"])
def test_what_is_no_network_stops_the_start(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match="a network such as"):
        load(tmp_path, {"NAMESAKE_TRUSTED_PROXY": value})


def test_the_secrets_of_the_settings_are_not_written_down(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    Visitor(make_app(password=PASSWORD, admin_password=ADMIN_PASSWORD, api_token=API_TOKEN)).log_in()
    for path in (tmp_path / "instance").glob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for secret in (PASSWORD, ADMIN_PASSWORD, API_TOKEN):
            assert secret.encode() not in content, path.name


def test_describing_the_door_tells_where_passwords_come_from(make_app: Callable[..., Flask], run: Run) -> None:
    run("set-password", said="the stored one\n")
    given = make_app(admin_password=ADMIN_PASSWORD)
    assert door_of(given).describe()["passwords"] == {"label": "set-password", "admin": "given"}
