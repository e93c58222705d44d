"""flask doctor: each thing is broken for real, and its line read."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from app.config import PROJECT, load
from app.operations import machine
from app.operations.doctor import examine
from app.operations.findings import Finding
from tests.labelling.squares import SquaresEngine, picture
from tests.small_disk import small_disk

CHECKS = [
    "python", "packages", "settings", "disk", "memory", "folders", "modes", "store", "clock", "journal", "train.pickle",
    "photos", "models", "consumer",
]  # fmt: skip


@pytest.fixture
def home(make_app: Callable[..., Flask], tmp_path: Path) -> Path:
    """An installation with one photo in training and one in uploads, not running."""
    app = make_app()
    app.extensions["namesake"].engine = SquaresEngine()
    client = app.test_client()
    for name, label in (("alice", "Alice"), ("bob", None)):
        data = {"file": (_file(tmp_path, picture(name)), f"{name}.png")}
        answer = client.post("/upload/", data=data, content_type="multipart/form-data").get_json()
        if label:
            fields = {"image_path": answer["image_path"], "label": label}
            assert client.post("/confirm/", data=fields).status_code == 200
    app.extensions["namesake"].close()
    return tmp_path


def _file(folder: Path, data: bytes):  # type: ignore[no-untyped-def]
    path = folder / "sent.png"
    path.write_bytes(data)
    return path.open("rb")


def look(home: Path, check: str, *, deep: bool = False) -> Finding:
    """What is found about one thing."""
    (finding,) = [finding for finding in examine(home, deep=deep) if finding.check == check]
    return finding


def change_store(home: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(home / "instance/namesake.sqlite")) as connection:
        connection.execute(statement, values)
        connection.commit()


def snapshot(home: Path) -> dict[str, tuple[int, int]]:
    paths = [path for path in home.rglob("*") if path.suffix not in (".sqlite-shm", ".sqlite-wal")]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_mode) for path in paths if path.is_file()}


def test_a_sound_installation_is_said_to_be_sound_and_is_left_as_it_was(home: Path) -> None:
    before = snapshot(home)
    findings = list(examine(home, deep=True))
    assert [finding.check for finding in findings] == CHECKS
    assert [finding for finding in findings if finding.state != "ok"] == []
    assert snapshot(home) == before


def test_where_nothing_has_run_yet_nothing_is_broken_and_nothing_is_made(tmp_path: Path) -> None:
    assert {finding.state for finding in examine(tmp_path)} <= {"ok", "mend"}
    assert list(tmp_path.iterdir()) == []


class TestTheRecords:
    def test_a_damaged_store(self, home: Path) -> None:
        path = home / "instance/namesake.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.seek(3 * 4096)
            file.write(os.urandom(8 * 4096))
        finding = look(home, "store")
        assert finding.state == "broken"
        assert "backup" in finding.words

    def test_something_else_in_the_place_of_the_store(self, home: Path) -> None:
        (home / "instance/namesake.sqlite").write_bytes(b"This is no database." * 500)
        assert "not a database" in look(home, "store").words
        assert look(home, "store").state == "broken"

    def test_a_store_of_a_newer_program(self, home: Path) -> None:
        change_store(home, "UPDATE state SET version = 99")
        finding = look(home, "store")
        assert finding.state == "broken"
        assert "newer program" in finding.words

    def test_a_decision_from_the_future(self, home: Path) -> None:
        change_store(home, "UPDATE decisions SET created_at = '2999-01-01 00:00:00.000000'")
        finding = look(home, "clock")
        assert finding.state == "mend"
        assert "2999-01-01" in finding.words

    def test_a_change_that_was_cut_off(self, home: Path) -> None:
        (home / "instance/journal-7.jsonl").touch()
        finding = look(home, "journal")
        assert finding.state == "mend"
        assert "journal-7.jsonl" in finding.words
        assert "flask reconcile" in finding.words

    @pytest.mark.parametrize("data", [b"", b"cposix\nsystem\n(S'true'\ntR.", None])
    def test_a_pickle_that_cannot_be_read(self, home: Path, data: bytes | None) -> None:
        path = home / "instance/train.pickle"
        path.unlink() if data is None else path.write_bytes(data)
        finding = look(home, "train.pickle")
        assert finding.state == "broken"
        assert "flask reconcile" in finding.words

    def test_a_pickle_that_says_something_else(self, home: Path) -> None:
        path = home / "instance/train.pickle"
        tree = pickle.loads(path.read_bytes())
        tree["label_encoder"]["classes_"] = ["Mallory"]
        path.write_bytes(pickle.dumps(tree))
        assert look(home, "train.pickle").state == "broken"

    def test_a_photo_that_is_gone_or_cut_short(self, home: Path) -> None:
        (home / "datasets/uploads/bob.png").unlink()
        training = home / "datasets/training/Alice_01.png"
        training.write_bytes(training.read_bytes()[:-1])
        finding = look(home, "photos")
        assert finding.state == "broken"
        assert "datasets/uploads/bob.png" in finding.words
        assert "datasets/training/Alice_01.png" in finding.words

    def test_a_changed_byte_is_found_by_looking_deeper(self, home: Path) -> None:
        path = home / "datasets/uploads/bob.png"
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        assert look(home, "photos").state == "ok"
        assert look(home, "photos", deep=True).state == "broken"


class TestTheInstallation:
    def test_a_setting_that_stops_the_start(self, home: Path) -> None:
        (home / "instance/config.toml").write_text("worker = 3\n")
        finding = look(home, "settings")
        assert finding.state == "broken"
        assert "Did you mean WORKERS?" in finding.words

    def test_an_address_for_all_without_a_password(self, home: Path) -> None:
        (home / "instance/config.toml").write_text('bind = "0.0.0.0:8000"\n')
        finding = look(home, "settings")
        assert finding.state == "mend"
        assert "set-password" in finding.words
        (home / "instance/config.toml").write_text('bind = "0.0.0.0:8000"\npassword = "correct horse"\n')
        assert look(home, "settings").state == "ok"
        assert "horse" not in look(home, "settings").words

    def test_a_folder_that_is_not_there(self, home: Path) -> None:
        (home / "datasets/reserve").rmdir()
        finding = look(home, "folders")
        assert finding.state == "mend"
        assert "reserve" in finding.words

    def test_a_folder_that_nothing_can_be_written_to(self, home: Path) -> None:
        # proc takes no file of anyone, root included.
        (home / "instance/config.toml").write_text('dataset_folder = "/proc"\n')
        finding = look(home, "folders")
        assert finding.state == "broken"
        assert "/proc" in finding.words

    @pytest.mark.parametrize(("name", "mode"), [("namesake.sqlite", 0o644), ("secret", 0o640), ("train.pickle", 0o604)])
    def test_what_others_can_read(self, home: Path, name: str, mode: int) -> None:
        (home / "instance").chmod(0o755)
        assert look(home, "modes").state == "ok"
        (home / "instance" / name).chmod(mode)
        finding = look(home, "modes")
        assert finding.state == "mend"
        assert name in finding.words
        (home / "instance").chmod(0o700)
        assert look(home, "modes").state == "ok"

    def test_a_model_that_is_damaged(self, home: Path, models_folder: Path) -> None:
        folder = home / "instance/models"
        folder.unlink()
        folder.mkdir()
        for path in models_folder.glob("*.onnx"):
            (folder / path.name).write_bytes(path.read_bytes() + b"x")
        finding = look(home, "models")
        assert finding.state == "mend"
        assert "damaged" in finding.words

    def test_a_job_that_nobody_works_on(self, home: Path) -> None:
        change_store(
            home,
            "INSERT INTO jobs (kind, state, payload, done, total, message, attempts, created_at) "
            "VALUES ('encode', 'queued', '{}', 0, 1, '', 0, '2026-01-01 00:00:00.000000')",
        )
        assert look(home, "consumer").state == "mend"
        with (home / "instance/consumer.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert look(home, "consumer").state == "ok"

    def test_too_little_room(self, home: Path) -> None:
        with small_disk(home / "datasets/uploads", megabytes=8):
            finding = look(home, "disk")
        assert finding.state == "broken"
        assert "MB left" in finding.words


def test_too_little_memory(home: Path, tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:         786432 kB\n")
    (finding,) = machine.check_memory(load(home, {}), meminfo)
    assert (finding.state, finding.check) == ("mend", "memory")
    assert "lower WORKERS" in finding.words


class TestTheCommand:
    def run(self, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "doctor", *options]
        environment = os.environ | {"NAMESAKE_HOME": str(home)}
        return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)

    def test_says_a_line_for_each_check(self, home: Path) -> None:
        told = self.run(home)
        assert told.returncode == 0, told
        assert [line.split()[1].rstrip(":") for line in told.stdout.splitlines()] == CHECKS

    def test_works_where_nothing_else_starts_and_mends_nothing_before_it_looks(self, home: Path) -> None:
        (home / "instance/namesake.sqlite").write_bytes(b"This is no database." * 500)
        told = self.run(home, "--json")
        assert told.returncode == 1
        findings = {finding["check"]: finding for finding in json.loads(told.stdout)}
        assert findings["store"]["state"] == "broken"
        assert "Traceback" not in told.stderr
