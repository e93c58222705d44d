"""Sidecars beside the photos in training: written anew whenever that is asked for, and tidied up then.

A photo that has moved leaves its sidecar behind, until the next writing removes it. What another program has
written or rewritten, and may hold a person's work, is left alone and named.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import NamesakeError
from app.labelling import sidecars
from app.labelling.workspace import Workspace
from app.store import files, queries, sidecar, travelling


@dataclass
class Written:
    """How many files are new or changed, how many were right, how many were removed; and the names of those that
    were left alone, with why."""

    written: int = 0
    unchanged: int = 0
    removed: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)


def write_sidecars(workspace: Workspace) -> Written:
    """Write a sidecar beside every photo in training in which someone has a name."""
    root = workspace.folders.roots["training"]
    result = Written()
    with workspace.database.read() as connection:
        photos = [photo for photo in travelling.labelled_photos(connection) if photo.folder == "training"]
    wanted: set[str] = set()
    for photo in photos:
        name = photo.name + files.SIDECAR_EXTENSION
        # Read photo by photo: what is decided meanwhile is in it.
        try:
            xmp = sidecars.read_sidecar(workspace, photo.id)
        except NamesakeError as error:
            result.left.append((photo.name, error.message))
            continue
        with workspace.database.read() as connection:
            now = queries.photo(connection, photo.id)
        if now is None or now.name != photo.name:
            continue
        wanted.add(name)
        _write(root / name, xmp, result)
    _tidy(root, wanted, result)
    return result


def _write(path: Path, xmp: bytes, result: Written) -> None:
    there = files.read_bytes(path) if path.is_file() else None
    if there == xmp:
        result.unchanged += 1
    elif there is not None and not sidecar.is_ours(there):
        result.left.append((path.name, "It was written by another program."))
    else:
        replace(path, xmp)
        result.written += 1


def replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, whatever was there."""
    incoming = files.write_new(path.parent, data)
    with files.translate_os_errors():
        try:
            os.replace(incoming, path)
            files.sync_folder(path.parent)
        finally:
            files.discard(incoming)


def _tidy(root: Path, wanted: set[str], result: Written) -> None:
    for path in sorted(root.glob(f"*{files.SIDECAR_EXTENSION}")):
        if path.name not in wanted and not path.name.startswith("."):
            if sidecar.is_ours(files.read_bytes(path)):
                path.unlink(missing_ok=True)
                result.removed += 1
            elif not (root / path.stem).exists():
                result.left.append((path.name, "Its photo has moved, but another program wrote it."))
