"""Copies of the store, for backups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.errors import DiskFull
from app.labelling.workspace import Workspace
from app.store.copying import copy_store
from tests.small_disk import small_disk


def test_a_copy_that_finds_no_room_says_so(workspace: Workspace, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, megabytes=1):
        (disk / "filler").write_bytes(os.urandom(1_000_000))
        with pytest.raises(DiskFull, match="The disk is full"):
            copy_store(workspace.settings.store_path, disk / "copy.sqlite")
