"""Backups of a running server, made and restored while it serves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.tally import status as memory
from tests.labelling.consistency import assert_consistent, names_in
from tests.server import Server
from tests.views.test_backups import rewritten
from tests.waiting import wait_for

WORKERS = 3


@pytest.fixture
def server(tmp_path: Path, models_folder: Path) -> Iterator[Server]:
    (tmp_path / "instance").mkdir()
    server = Server(tmp_path, settings={"NAMESAKE_WORKERS": str(WORKERS)}, models=models_folder).start()
    yield server
    server.kill_everything()


def name(server: Server, photo: Path, label: str) -> dict[str, Any]:
    status, answer = server.post("/upload/", file=(photo.name, photo.read_bytes()))
    assert status == 200, answer
    status, answer = server.post("/confirm/", image_path=answer["image_path"], label=label)
    assert status == 200, answer
    return dict(answer)


def done(server: Server, answer: tuple[int, Any]) -> dict[str, Any]:
    """The job that was asked for, once it has ended well."""
    assert answer[0] == 202, answer
    job = wait_for(lambda: _ended(server, answer[1]["job_url"]), "the job to end")
    assert job["state"] == "done", job
    return job


def _ended(server: Server, url: str) -> dict[str, Any] | None:
    job = server.get(url)[1]
    return job if job["state"] in ("done", "failed") else None


def everywhere(server: Server, path: str) -> list[Any]:
    """The answers of as many requests as make sure that every worker has given one."""
    with ThreadPoolExecutor(4) as pool:
        return [answer for _status, answer in pool.map(server.get, [path] * 8 * WORKERS)]


def test_a_server_is_backed_up_and_restored_while_it_serves(
    server: Server, sample_photos: dict[str, Path], tmp_path: Path
) -> None:
    name(server, sample_photos["obama.jpg"], "alice")
    made = done(server, server.post("/backups/"))["result"]["name"]
    name(server, sample_photos["biden.jpg"], "bob")
    assert {len(answer["people"]) for answer in everywhere(server, "/people/")} == {2}
    waiting = server.post("/upload/", file=("obama2.jpg", sample_photos["obama2.jpg"].read_bytes()))[1]
    everywhere(server, "/review/")

    done(server, server.post(f"/backups/{made}/restore"))
    for answer in everywhere(server, "/people/"):
        assert [person["name"] for person in answer["people"]] == ["alice"]
    assert {answer["remaining"]["faces"] for answer in everywhere(server, "/review/")} == {0}
    assert server.get(f"/photos/{waiting['photo_id']}/")[0] == 404
    again = server.post("/upload/", file=("obama2.jpg", sample_photos["obama2.jpg"].read_bytes()))[1]
    assert again["predicted_label"] == "alice"
    assert again["photo_id"] > waiting["photo_id"]
    assert_consistent(tmp_path)

    file = tmp_path / "mine.zip"
    assert server.run("flask", "--app", "wsgi", "backup", str(file)).wait(60) == 0
    name(server, sample_photos["biden.jpg"], "carol")
    log = tmp_path / "server.log"
    assert server.run("flask", "--app", "wsgi", "restore", "--yes", str(file)).wait(60) == 1
    assert "The server is running: stop it first" in log.read_text()
    assert names_in(tmp_path) == ["alice", "carol"]
    server.stop()
    assert server.run("flask", "--app", "wsgi", "restore", "--yes", str(file)).wait(60) == 0
    assert names_in(tmp_path) == ["alice"]
    assert "Restored: 2 photos and 2 faces." in log.read_text()
    assert "Traceback" not in log.read_text()
    assert_consistent(tmp_path)


@pytest.fixture
def new_machine(tmp_path: Path, models_folder: Path) -> Iterator[Server]:
    """Another installation, with nothing in it and one worker, which is ready."""
    home = tmp_path / "new"
    (home / "instance").mkdir(parents=True)
    server = Server(home, settings={"NAMESAKE_WORKERS": "1"}, models=models_folder).start()
    wait_for(lambda: server.get("/healthz/ready")[0] == 200, "the worker to be ready")
    yield server
    server.kill_everything()


def among_backups(server: Server) -> list[str]:
    """Everything there, hidden or not."""
    return sorted(path.name for path in (server.home / "datasets/archives").rglob("*"))


def test_a_backup_moves_to_a_new_machine_without_a_shell_and_without_being_held_in_memory(
    server: Server, new_machine: Server, sample_photos: dict[str, Path]
) -> None:
    name(server, sample_photos["obama.jpg"], "alice")
    made = done(server, server.post("/backups/"))["result"]["name"]
    status, file = server.get_bytes(f"/backups/{made}.zip")
    assert status == 200
    large = rewritten(file, settings=bytes(200 << 20))

    (worker,) = [pid for pid in new_machine.pids("gunicorn") if pid != new_machine.process.pid]
    Path(f"/proc/{worker}/clear_refs").write_text("5")  # forgets the peak so far
    before = memory(str(worker), "VmRSS")
    status, kept = new_machine.post("/backups/upload", file=("mine.zip", large))
    assert status == 201, kept
    assert memory(str(worker), "VmHWM") - before < 50
    done(new_machine, new_machine.post(f"/backups/{kept['name']}/restore"))
    assert names_in(new_machine.home) == ["alice"]
    assert_consistent(new_machine.home)


@contextmanager
def on_its_way(server: Server) -> Iterator[None]:
    """A tenth of a backup has come in; at the end its sender hangs up."""
    with socket.create_connection(("127.0.0.1", server.port)) as sender:
        sender.sendall(
            b"POST /backups/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n"
            b"Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
            b'--edge\r\nContent-Disposition: form-data; name="file"; filename="mine.zip"\r\n\r\n' + bytes(1_000_000)
        )
        wait_for(lambda: "arriving.zip" in among_backups(server), "the backup to be on its way")
        yield


def test_of_a_backup_whose_sender_hangs_up_nothing_stays(new_machine: Server) -> None:
    with on_its_way(new_machine):
        pass
    wait_for(lambda: among_backups(new_machine) == [], "what has come of it to go")
    assert new_machine.get("/backups/") == (200, {"backups": []})
    assert "Traceback" not in (new_machine.home / "server.log").read_text()


def test_of_a_backup_that_was_coming_in_when_all_was_killed_nothing_stays(new_machine: Server) -> None:
    with on_its_way(new_machine):
        new_machine.kill_everything()
    assert "arriving.zip" in among_backups(new_machine)
    new_machine.start()
    assert among_backups(new_machine) == []
