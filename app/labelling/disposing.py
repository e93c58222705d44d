"""What is to go for good: moved out of the way within the change that says so, and deleted once that is committed.

So a file is never gone while the store still speaks of it. What a killed process did not get to delete is deleted at
the next start, together with what the change has left in the store's file.
"""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection

from app.errors import NamesakeError
from app.labelling.workspace import Workspace
from app.store import queries

log = logging.getLogger("namesake")

Moves = list[tuple[Path, Path]]
_PREFIX = "gone-"


def folder(workspace: Workspace, revision: int) -> Path:
    """Where the files go that the change of this revision does away with."""
    return workspace.folders.roots["staging"] / f"{_PREFIX}{revision}"


def moves_of_everything(workspace: Workspace, connection: Connection, revision: int) -> Moves:
    """Every file that the store knows, and the pictures made of them. Files of others stay where they are."""
    known = {workspace.folders.path(photo.folder, photo.name) for photo in queries.photos_with_files(connection)}
    gone = folder(workspace, revision)
    moves = [
        (path, gone / str(number))
        for number, path in enumerate(sorted(path for path in known if path is not None))
        if path.is_file()
    ]
    made = workspace.settings.instance / "pictures"
    if made.is_dir():  # perhaps on another file system: a folder stays on its own
        moves.append((made, workspace.settings.instance / f".{_PREFIX}{revision}"))
    return moves


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
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return True


def _left(workspace: Workspace) -> list[Path]:
    roots = {workspace.folders.roots["staging"]: "", workspace.settings.instance: "."}
    return [path for root, dot in roots.items() for path in root.glob(f"{dot}{_PREFIX}[0-9]*")]
