"""Making store, folders and train.pickle agree again after a crash, or after someone moved files by hand."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from app.errors import Unavailable
from app.labelling import disposing
from app.labelling.workspace import Workspace
from app.store import files, queries

_STALE_UPLOAD_S = 3600


@dataclass(frozen=True)
class Repairs:
    """What was found. `moved`: photos put back where the store has them; `lost`: image paths with no file, or with
    another than the store knows."""

    interrupted: bool
    moved: int
    lost: list[str]


def reconcile(workspace: Workspace) -> Repairs:
    """Undo what a killed process left half done, look for photos that are not where they should be, and bring
    train.pickle up to date."""
    interrupted = workspace.settle()
    _sweep(workspace)
    with suppress(Unavailable):
        disposing.dispose(workspace)
    with workspace.database.write() as connection:
        missing = [photo for photo in queries.photos_with_files(connection) if not _is_there(workspace, photo)]
        strays = _strays(workspace, connection) if missing else []
        moved, lost = 0, []
        for photo in missing:
            found = next((path for path in strays if _is_copy(path, photo)), None)
            target = workspace.folders.path(photo.folder, photo.name)
            if found is None or target is None or target.exists():
                lost.append(workspace.folders.image_path(photo.folder, photo.name))
                continue
            strays.remove(found)
            target.parent.mkdir(parents=True, exist_ok=True)
            found.rename(target)
            moved += 1
    return Repairs(interrupted, moved, lost)


def _is_there(workspace: Workspace, photo: Row[Any]) -> bool:
    path = workspace.folders.path(photo.folder, photo.name)
    return path is not None and path.is_file() and path.stat().st_size == int(photo.size)


def _strays(workspace: Workspace, connection: Connection) -> list[Path]:
    """Files that the store has nothing to say about."""
    known = {workspace.folders.path(photo.folder, photo.name) for photo in queries.photos_with_files(connection)}
    roots = (workspace.folders.roots[kind] for kind in ("uploads", "training", "backup"))
    return [path for root in roots if root.exists() for path in root.rglob("*") if path.is_file() and path not in known]


def _is_copy(path: Path, photo: Row[Any]) -> bool:
    return path.stat().st_size == int(photo.size) and files.sha256(path) == str(photo.sha256)


def _sweep(workspace: Workspace) -> None:
    """Remove uploads and sidecars that never arrived. Young ones may be arriving in another process."""
    roots = (workspace.folders.roots[kind] for kind in ("uploads", "training"))
    for path in (path for root in roots for path in root.glob(".incoming-*")):
        if time.time() - path.stat().st_mtime > _STALE_UPLOAD_S:
            path.unlink(missing_ok=True)
