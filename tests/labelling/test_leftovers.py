"""What a killed server or a power cut has left: pictures that were cut off, and files that never arrived."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.errors import Unavailable
from app.labelling import pictures
from app.labelling.workspace import Workspace
from tests.labelling.consistency import assert_consistent, snapshot
from tests.labelling.saying import name
from tests.labelling.squares import upload


@pytest.mark.parametrize("left", [b"", b"\0" * 3000, b"\xff\xd8\xff\xe0 half"])
def test_a_picture_that_a_power_cut_has_cut_off_is_drawn_anew(workspace: Workspace, left: bytes) -> None:
    photo = upload(workspace, "alice")
    path = pictures.display(workspace, photo)
    path.write_bytes(left)
    with Image.open(pictures.display(workspace, photo)) as image:
        image.load()


@pytest.mark.parametrize(
    "left",
    ["datasets/.staging/import-1/.incoming-2", "datasets/.staging/7/a.png", "instance/.incoming/3.jpg",
     "datasets/training/.partial-a.png", "datasets/uploads/.incoming-4", "instance/.secret-5"],
)  # fmt: skip
def test_what_never_arrived_is_gone_after_a_start(
    workspace: Workspace, home: Path, open_workspace: Callable[[], Workspace], left: str
) -> None:
    path = home / left
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    past = time.time() - 7200
    for each in (path, path.parent):
        os.utime(each, (past, past))
    open_workspace()
    assert not path.exists()


def test_a_disk_that_becomes_read_only_half_way_is_put_right_by_the_next_change(
    workspace: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name(workspace, upload(workspace, "bob", take=1), "bob")
    photo = upload(workspace, "alice")
    before = snapshot(home)

    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)  # once the photo has moved
        real = os.rename
        patch.setattr(os, "rename", lambda one, other: real(one, other) if "training" in str(other) else refuse())
        patch.setattr(os, "unlink", refuse)
        patch.setattr("app.labelling.publication.copy", refuse)
        with pytest.raises(Unavailable):
            name(workspace, photo, "alice")
    workspace.settle()
    assert snapshot(home) == before
    name(workspace, photo, "alice")
    assert_consistent(workspace)
