"""Making store, folders and train.pickle agree again after a crash, or after someone moved files by hand."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from app.errors import Unavailable
from app.labelling import archives, disposing
from app.labelling.workspace import Workspace
from app.store import files, jobs, queries

_STALE_S = 3600


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
            files.make_folder(target.parent)
            found.rename(target)
            files.sync_folder(target.parent)
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
    """Remove what never arrived, and what a job that has ended left. What is young may be arriving elsewhere."""
    archives.sweep(workspace)
    roots = workspace.folders.roots
    staged = list(roots["staging"].glob("*"))
    with workspace.database.read() as connection:  # only now: whose folder is there, its job is known
        resetting = {str(job.id) for job in jobs.unfinished(connection, "reset")}
    left = [path for path in staged if path.name.startswith("import-") and _is_old(path)]
    left += [path for path in staged if path.name.isdigit() and path.name not in resetting]
    arriving = [*workspace.incoming.iterdir(), *workspace.settings.instance.glob(".secret-*")]
    for kind, beginning in product(("uploads", "training"), (files.INCOMING, files.PARTIAL)):
        arriving += roots[kind].glob(f"{beginning}*")
    for path in [*left, *filter(_is_old, arriving)]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            files.discard(path)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _STALE_S
    except FileNotFoundError:
        return False  # it has arrived
