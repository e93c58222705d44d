"""How often a password may be tried: in one process, in two applications over one store, and behind real workers."""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask

from app.access import attempts, passwords
from app.access.attempts import FROM_EVERYWHERE, FROM_ONE_ADDRESS
from app.errors import TooManyAttempts
from app.store.db import Database
from tests.access.doors import PASSWORD, Visitor, change, select
from tests.conftest import HTML
from tests.server import Server


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "instance" / "namesake.sqlite")
    yield found
    found.close()


def begin(database: Database, address: str, times: int) -> int:
    """How many of so many attempts were let through."""
    for done in range(times):
        try:
            attempts.begin(database, address)
        except TooManyAttempts:
            return done
    return times


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every password that is compared with a hash, once for each hash."""
    compare, seen = passwords.check_password_hash, []

    def watch(hash_: str, text: str) -> bool:
        seen.append(text)
        return compare(hash_, text)

    monkeypatch.setattr(passwords, "check_password_hash", watch)
    return seen


def test_from_one_address_ten_and_no_more(database: Database) -> None:
    assert begin(database, "203.0.113.1", 50) == FROM_ONE_ADDRESS == 10
    assert begin(database, "203.0.113.2", 50) == FROM_ONE_ADDRESS, "another address is another matter"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8::1", "2001:db8::ffff:1"),
        ("2001:db8:0:0:1::", "2001:db8:0:0:2::"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("unknown", "unknown"),
    ],
)
def test_these_are_the_same_address(database: Database, one: str, other: str) -> None:
    assert begin(database, one, 6) + begin(database, other, 6) == FROM_ONE_ADDRESS


@pytest.mark.parametrize(("one", "other"), [("2001:db8::1", "2001:db8:0:1::1"), ("203.0.113.1", "203.0.113.11")])
def test_these_are_not(database: Database, one: str, other: str) -> None:
    assert begin(database, one, 6) + begin(database, other, 6) == 12


def test_from_everywhere_a_hundred(database: Database) -> None:
    let_in = [begin(database, f"203.0.113.{number}", 5) for number in range(30)]
    assert sum(let_in) == FROM_EVERYWHERE == 100


def test_who_has_come_in_from_there_before_is_not_kept_out_by_others(database: Database, tmp_path: Path) -> None:
    attempts.begin(database, "198.51.100.7")
    change(tmp_path, 'UPDATE attempts SET "right" = 1')
    for number in range(30):
        begin(database, f"203.0.113.{number}", 5)
    assert begin(database, "198.51.100.8", 1) == 0
    assert begin(database, "198.51.100.7", 50) == FROM_ONE_ADDRESS


def test_time_heals(database: Database, tmp_path: Path) -> None:
    begin(database, "203.0.113.1", 10)
    change(tmp_path, "UPDATE attempts SET created_at = datetime(created_at, '-14 minutes')")
    with pytest.raises(TooManyAttempts) as refused:
        attempts.begin(database, "203.0.113.1")
    assert 50 <= int(refused.value.headers["Retry-After"]) <= 61
    assert "Wait 1 minute," in refused.value.message or "Wait 2 minutes," in refused.value.message
    change(tmp_path, "UPDATE attempts SET created_at = datetime(created_at, '-2 minutes')")
    assert begin(database, "203.0.113.1", 50) == FROM_ONE_ADDRESS
    assert len(select(tmp_path, "SELECT id FROM attempts")) == FROM_ONE_ADDRESS, "what is over is forgotten"


def test_a_refused_attempt_writes_nothing_and_waits_for_nobody(database: Database, tmp_path: Path) -> None:
    begin(database, "203.0.113.1", 10)
    before = select(tmp_path, "SELECT * FROM attempts")
    with database.write(), pytest.raises(TooManyAttempts):
        attempts.begin(database, "203.0.113.1")
    assert select(tmp_path, "SELECT * FROM attempts") == before


def test_too_many_are_told_so_on_the_page_and_in_json(visitor: Visitor, hashed: list[str]) -> None:
    begin(visitor.app.extensions["namesake"].database, visitor.address, FROM_ONE_ADDRESS - 1)
    assert visitor.log_in("wrong one").status_code == 401
    assert hashed == ["wrong one"] * 2, "with each hash: else the time would tell which password is nearly right"
    answer = visitor.log_in(PASSWORD)
    assert answer.status_code == 429
    assert "Too many wrong passwords were tried. Wait 15 minutes, then try again." in answer.text
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    json = visitor.post("/login/", {"password": PASSWORD}, headers={"Accept": "application/json"})
    assert (json.status_code, set(json.get_json())) == (429, {"message", "request_id"})
    assert hashed == ["wrong one"] * 2, "nothing was compared any more"
    other = Visitor(visitor.app, address="192.168.1.21")
    assert other.log_in("wrong one").status_code == 401, "a neighbour is not kept out"


def test_the_right_password_costs_nothing(visitor: Visitor, tmp_path: Path) -> None:
    for _ in range(3):
        visitor.log_in()
    assert select(tmp_path, 'SELECT "right" FROM attempts') == [(1,)] * 3
    assert begin(visitor.app.extensions["namesake"].database, visitor.address, 50) == FROM_ONE_ADDRESS


def test_two_applications_over_one_store_count_together(make_app: Callable[..., Flask]) -> None:
    visitors = [Visitor(make_app(password=PASSWORD)) for _ in range(2)]
    statuses = [visitors[number % 2].log_in("wrong one").status_code for number in range(2)]
    begin(visitors[0].app.extensions["namesake"].database, visitors[0].address, FROM_ONE_ADDRESS - 3)
    statuses += [visitors[number % 2].log_in("wrong one").status_code for number in range(4)]
    assert statuses == [401] * 3 + [429] * 3


def _cookie(port: int) -> str:
    """What the page to log in on sets, asked for as if through a proxy with TLS."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/login/", headers=HTML | {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on"})
    cookie = connection.getresponse().headers["Set-Cookie"]
    connection.close()
    return cookie


def _try(port: int, password: str) -> int:
    """A login as a script does it, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/login/", urlencode({"password": password}), form)
    status = connection.getresponse().status
    connection.close()
    return status


def test_real_workers_asked_in_parallel_count_together_and_past_a_restart(tmp_path: Path, models_folder: Path) -> None:
    (tmp_path / "instance").mkdir()
    settings = {"NAMESAKE_WORKERS": "2", "NAMESAKE_PASSWORD": PASSWORD}
    server = Server(tmp_path, settings=settings, models=models_folder).start()
    try:
        assert server.get("/healthz") == (200, {"status": "ok"})
        assert server.get("/people/")[0] == 401
        assert _cookie(server.port).startswith("namesake="), "who is not the proxy is not believed"
        with ThreadPoolExecutor(16) as pool:
            statuses = Counter(pool.map(lambda _number: _try(server.port, "wrong one"), range(40)))
        assert statuses == {401: FROM_ONE_ADDRESS, 429: 30}
        server.kill_everything()
        server.start()
        assert _try(server.port, PASSWORD) == 429
        server.stop()
    finally:
        server.kill_everything()
    log = (tmp_path / "server.log").read_text()
    assert log.count("A wrong password was tried from 127.0.0.1.") == FROM_ONE_ADDRESS
    assert "wrong one" not in log
    assert PASSWORD not in log
