"""The unit for systemd and the recipe for containers: checked as far as can be without either running."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from app.config import PROJECT

UNIT = PROJECT / "packaging/systemd/namesake.service"
DOCKERFILE = (PROJECT / "Dockerfile").read_text("utf-8")
COMPOSE = (PROJECT / "compose.yaml").read_text("utf-8")

with_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")


def seconds(text: str) -> int:
    return int(re.findall(r"\d+", text)[0])


@with_systemd
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """As it would be after the steps of docs/operations.md, with this folder in the place of the one there."""
    (tmp_path / "bin").mkdir()
    server = tmp_path / "gunicorn"
    server.touch(0o755)
    text = UNIT.read_text("utf-8").replace("/opt/namesake/.venv/bin/gunicorn", str(server))
    unit = tmp_path / UNIT.name
    unit.write_text(text)
    told = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")


@with_systemd
def test_the_unit_exposes_little() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(UNIT)]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout[-400:] + told.stderr


def test_whoever_stops_it_waits_longer_than_an_upload_may_take() -> None:
    graceful = runpy.run_path(str(PROJECT / "gunicorn.conf.py"))["graceful_timeout"]
    assert seconds(re.findall(r"TimeoutStopSec=(.*)", UNIT.read_text("utf-8"))[0]) >= graceful + 20
    assert seconds(re.findall(r"stop_grace_period: (.*)", COMPOSE)[0]) >= graceful + 20


def test_the_image_is_made_by_the_steps_of_make_run() -> None:
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    assert "RUN make setup" in DOCKERFILE
    (served,) = re.findall(r"^serve:\n\t(.*)", makefile, re.MULTILINE)
    (command,) = re.findall(r"^CMD \[(.*)\]", DOCKERFILE, re.MULTILINE)
    assert " ".join(re.findall(r'"(.*?)"', command)) == served.replace("$(BIN)", ".venv/bin")


def test_all_that_the_image_is_made_of_is_let_through_and_no_photo_is() -> None:
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    }
    ignored = (PROJECT / ".dockerignore").read_text("utf-8").splitlines()
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert let_through == copied
    assert not let_through & {"instance", "datasets", ".git", ".venv"}
    assert [name for name in copied if not (PROJECT / name).exists()] == []


def test_nobody_is_root_in_it_and_nothing_is_let_in_without_a_password() -> None:
    assert re.search(r"^USER (?!0\b|root)\S+", DOCKERFILE, re.MULTILINE)
    assert "${NAMESAKE_PASSWORD:?" in COMPOSE
    assert re.findall(r'- "(.*:8000)"', COMPOSE) == ["127.0.0.1:8000:8000"]
