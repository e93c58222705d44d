"""A backup holds everything of one moment, and a restore brings exactly that back."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.errors import Conflict, DiskFull, InvalidInput, NamesakeError
from app.labelling import archives, backups, decisions, people, photos, reading, resetting, restoring, reviewing, undoing
from app.labelling.workspace import Workspace
from app.store import backup
from tests.labelling.consistency import assert_consistent, files_in, names_in, rows, snapshot
from tests.labelling.saying import face_of, name, named_photo
from tests.labelling.squares import picture, upload
from tests.labelling.test_resetting import fill_reserve, reset


def silent(_done: int, _total: int, _message: str) -> None:
    return None


@pytest.fixture
def used(workspace: Workspace) -> Workspace:
    """Somebody has worked here: names, a merge that was undone, a face put aside, one that waits."""
    for take, person in enumerate(("alice", "bob", "alice", "carol")):
        named_photo(workspace, person, take=take)
    waiting = upload(workspace, "dave", "alice", take=9, name="waiting.png")
    decisions.dismiss(workspace, face_of(workspace, waiting), "ignore")
    return workspace


def person(workspace: Workspace, label: str) -> int:
    return next(each["id"] for each in reading.read_people(workspace) if each["name"] == label)


def write(workspace: Workspace, target: Path) -> Path:
    backups.write_backup(workspace, target, silent)
    return target


def tables(home: Path) -> dict[str, Any]:
    """Every row that a backup brings back."""
    names = ("people", "photos", "faces", "decisions", "changes", "rejections", "vouches", "calibrations")
    return {table: rows(home, f"SELECT * FROM {table} ORDER BY 1") for table in names}


def without_the_restore(found: dict[str, Any]) -> dict[str, Any]:
    return found | {"decisions": [row for row in found["decisions"] if row["kind"] != "restore"]}


class TestABackup:
    def test_comes_back_as_it_was(self, used: Workspace, home: Path, tmp_path: Path) -> None:
        file = write(used, home / "mine.zip")
        before, lay, names = tables(home), files_in(home), names_in(home)
        named_photo(used, "mallory", take=20)
        people.merge(used, person(used, "carol"), "alice")
        result = restoring.restore(used, file, silent)
        assert (result["photos"], result["faces"], result["people"], result["missing"]) == (5, 6, 3, 0)
        assert without_the_restore(tables(home)) == before
        assert (files_in(home), names_in(home)) == (lay, names)
        assert_consistent(used)

    def test_brings_back_what_undoes_a_reset(self, used: Workspace, home: Path) -> None:
        before = files_in(home)
        fill_reserve(home)
        reset(used)
        file = write(used, home / "mine.zip")
        (retired,) = rows(home, "SELECT count(*) AS n FROM photos WHERE state = 'retired'")
        assert retired["n"] == 5
        shutil.rmtree(home / "datasets/backups")
        restoring.restore(used, file, silent)
        undoing.undo(used)
        assert files_in(home) == before
        assert_consistent(used)

    def test_comes_back_into_an_empty_installation(self, used: Workspace, home: Path, tmp_path_factory: Any) -> None:
        from app import create_app

        file = write(used, home / "mine.zip")
        other = tmp_path_factory.mktemp("other")
        app = create_app(other)
        try:
            restoring.restore(app.extensions["namesake"], file, silent)
            assert without_the_restore(tables(other)) == tables(home)
            assert files_in(other) == files_in(home)
            assert_consistent(other)
        finally:
            app.extensions["namesake"].close()
