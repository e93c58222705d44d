"""What is to go for good: moved out of the way within the change that says so, and deleted once that is committed.

So a file is never gone while the store still speaks of it. What a killed process did not get to delete is deleted at
the next start, together with what the change has left in the store's file.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection

from app.errors import NamesakeError
from app.labelling import pictures
from app.labelling.workspace import Workspace
from app.store import inventory, queries

log = logging.getLogger("namesake")

Moves = list[tuple[Path, Path]]


def moves(workspace: Workspace, revision: int, files: Iterable[Path], made: Iterable[Path]) -> Moves:
    """Those of these files that there are, out of the way of the change of this revision. made: what lies in instance,
    which may be on another file system."""
    found: Moves = []
    for gone, paths in zip(_folders(workspace, revision), (files, made), strict=True):
        gone.mkdir(parents=True, exist_ok=True)  # even for no file: it says that the store is to be written anew
        there = (path for path in dict.fromkeys(paths) if path.exists())
        found += [(path, gone / str(number)) for number, path in enumerate(there)]
    return found


def moves_of_everything(workspace: Workspace, connection: Connection, revision: int) -> Moves:
    """Every file that the store knows, and the pictures made of them. Files of others stay where they are."""
    known = {workspace.folders.path(photo.folder, photo.name) for photo in queries.photos_with_files(connection)}
    files = sorted(path for path in known if path is not None)
    return moves(workspace, revision, files, [pictures.folder(workspace)])


def dispose(workspace: Workspace) -> bool:
    """Delete what committed changes have done away with, and every trace of it in the store's file. False when that
    has to wait for the next start."""
    if not _left(workspace):
        return True
    with workspace.still() as connection:  # what was not committed is put back
        committed = queries.revision(connection)
        found = {path: int(path.name.rpartition("-")[2]) <= committed for path in _left(workspace)}
        for path in (path for path, is_committed in found.items() if not is_committed):
            with suppress(OSError):
                path.rmdir()
    gone = [path for path, is_committed in found.items() if is_committed]
    if not gone:
        return True
    try:
        workspace.database.scrub()
    except NamesakeError as error:
        log.warning("what was deleted is not out of the store's file yet: %s", error.message)
        return False
    _sweep_pictures(workspace)
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return True


def _sweep_pictures(workspace: Workspace) -> None:
    """Remove pictures of what is not there any more: another process may have been drawing one at that moment."""
    with workspace.database.read() as connection:
        known = {"face": inventory.ids(connection, "faces"), "photo": inventory.ids(connection, "photos")}
    for path in pictures.folder(workspace).glob("*-*.jpg"):
        kind, _dash, number = path.stem.partition("-")
        if kind in known and number.isdigit() and int(number) not in known[kind]:
            path.unlink(missing_ok=True)


def _folders(workspace: Workspace, revision: int | str) -> tuple[Path, Path]:
    return workspace.folders.roots["staging"] / f"gone-{revision}", workspace.settings.instance / f".gone-{revision}"


def _left(workspace: Workspace) -> list[Path]:
    return [path for pattern in _folders(workspace, "[0-9]*") for path in pattern.parent.glob(pattern.name)]
