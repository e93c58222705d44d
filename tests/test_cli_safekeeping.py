"""The commands that keep everything safe: what they ask, say and refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, names_in, snapshot
from tests.labelling.saying import named_photo
from tests.labelling.squares import SquaresEngine
from tests.test_cli import Run, run, told

__all__ = ["run"]  # a fixture


@pytest.fixture
def used(app: Flask) -> Workspace:
    workspace: Workspace = app.extensions["namesake"]
    workspace.engine = SquaresEngine()
    for take, person in enumerate(("alice", "bob", "alice")):
        named_photo(workspace, person, take=take)
    return workspace


def test_what_was_backed_up_comes_back(run: Run, used: Workspace, tmp_path: Path) -> None:
    result = run("backup", tmp_path / "mine.zip")
    assert f"3 photos and 3 faces written to {tmp_path / 'mine.zip'}." in result.output
    named_photo(used, "carol", take=9)
    assert "Restore now?" in run("restore", tmp_path / "mine.zip", input="n\n").output
    assert sorted(names_in(tmp_path)) == ["alice", "alice", "bob", "carol"]
    result = run("restore", tmp_path / "mine.zip", input="y\n")
    assert "Restored: 3 photos and 3 faces. What was here before is in the backup 2" in result.output
    assert sorted(names_in(tmp_path)) == ["alice", "alice", "bob"]
    assert_consistent(used)


def test_a_backup_replaces_no_file_unless_it_is_told_to(run: Run, used: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "mine.zip"
    file.write_bytes(b"mine")
    assert "There is a file mine.zip already" in told(run("backup", file))
    assert file.read_bytes() == b"mine"
    assert run("backup", file, "--force").exit_code == 0
    assert "There is no folder" in told(run("backup", tmp_path / "nowhere" / "mine.zip"))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_backup_is_refused(run: Run, used: Workspace, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.zip").write_bytes(content)
    before = snapshot(tmp_path)
    told(run("restore", tmp_path / "mine.zip", "--yes"))
    assert snapshot(tmp_path) == before


def test_a_person_is_deleted_for_good(run: Run, used: Workspace, tmp_path: Path) -> None:
    run("backup", tmp_path / "elsewhere.zip")
    assert "This cannot be undone" in run("erase", "--person", "alice", input="n\n").output
    assert "alice" in names_in(tmp_path)
    result = run("erase", "--person", "alice", "--with-photos", "--yes")
    assert "Deleted for good: 2 faces and 2 photos." in result.output
    assert names_in(tmp_path) == ["bob"]
    assert_consistent(used)


def test_a_photo_is_deleted_for_good(run: Run, used: Workspace, tmp_path: Path) -> None:
    result = run("erase", "--photo", "datasets/training/bob_01.png", "--yes")
    assert "Deleted for good: 1 face and 1 photo." in result.output
    assert names_in(tmp_path) == ["alice", "alice"]
    assert_consistent(used)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Say what"),
        (("--person", "alice", "--photo", "x"), "Say what"),
        (("--person", "nobody"), "Nobody has this name"),
        (("--photo", "nothing.jpg"), "no photo"),
    ],
)
def test_what_is_not_there_is_not_deleted(
    run: Run, used: Workspace, tmp_path: Path, arguments: tuple[Any, ...], words: str
) -> None:
    before = snapshot(tmp_path)
    assert words in told(run("erase", *arguments, "--yes"))
    assert snapshot(tmp_path) == before
