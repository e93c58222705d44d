"""Where the file of a photo belongs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from app.labelling.workspace import Work, Workspace
from app.store import files, queries
from app.store.changes import PHOTO, Image


def place_photo(workspace: Workspace, work: Work, photo_id: int, was: Image = None) -> None:
    """Put the file where its faces say: in training under the first name given, or back among the uploads.

    was: the photo as it was once (of app.store.changes), which it becomes again if that fits its faces and the name
    is free.
    """
    work.watch(PHOTO, photo_id)
    photo = queries.photo(work.connection, photo_id)
    named = queries.names_in_photo(work.connection, photo_id)
    if photo is None or photo.folder not in ("uploads", "training"):
        return
    if was is not None and _fits(was, named):
        if (photo.folder, photo.name) != (was["folder"], was["name"]) and not _is_free(workspace, work, was):
            was = None
    elif (photo.folder == "training" and photo.named_for in named) or (photo.folder == "uploads" and not named):
        return
    else:
        was = None
    values = was or _place(workspace, work, photo, named)
    target = workspace.folders.roots[values["folder"]] / values["name"]
    source = workspace.folders.roots[photo.folder] / photo.name
    if source != target:
        work.move((source, target))
    columns = ("folder", "name", "named_for", "upload_name")
    queries.update_photo(work.connection, photo_id, **{column: values[column] for column in columns})
    if len(named) > 1:
        work.rewrite = True  # the photo's other faces are published under its old path


def rename_photos(workspace: Workspace, work: Work, photo_ids: Sequence[int], person_id: int) -> None:
    """Give photos in training the name of a person who is in them, each file with the next number that is free; one
    that has the name already keeps it."""
    work.watch(PHOTO, *photo_ids)
    root = workspace.folders.roots["training"]
    stem = files.safe_stem(queries.names(work.connection)[person_id], "person")
    taken = queries.training_names_like(work.connection, f"{stem}_")
    moves = []
    for photo_id in photo_ids:
        photo = queries.photo(work.connection, photo_id)
        if photo is None:
            continue
        name = photo.name
        if not re.fullmatch(rf"{re.escape(stem)}_\d+\.\w+", name):
            name = files.numbered_name(root, stem, name.rpartition(".")[2], taken)
            taken.append(name)
            moves.append((root / photo.name, root / name))
        queries.update_photo(work.connection, photo_id, name=name, named_for=person_id)
    work.move(*moves)


def _place(workspace: Workspace, work: Work, photo: Row[Any], named: list[int]) -> dict[str, Any]:
    extension = photo.name.rpartition(".")[2]
    if named:
        folder, root = "training", workspace.folders.roots["training"]
        stem = files.safe_stem(queries.names(work.connection)[named[0]], "person")
        name = files.numbered_name(root, stem, extension, queries.training_names_like(work.connection, f"{stem}_"))
    else:
        folder, root = "uploads", workspace.folders.roots["uploads"]
        stem = (photo.upload_name or photo.name).rpartition(".")[0]
        taken = queries.upload_names_like(work.connection, stem, but=photo.id)
        name = files.free_name(root, stem, extension, taken)
    return {
        "folder": folder,
        "name": name,
        "named_for": named[0] if named else None,
        "upload_name": photo.upload_name or (name if folder == "uploads" else None),
    }


def _fits(was: dict[str, Any], named: list[int]) -> bool:
    if was["state"] != "live":
        return False
    return was["folder"] == "training" and was["named_for"] in named if named else was["folder"] == "uploads"


def _is_free(workspace: Workspace, work: Work, was: dict[str, Any]) -> bool:
    path = workspace.folders.path(was["folder"], was["name"])
    there = queries.photo_by_path(work.connection, was["folder"], was["name"])
    return path is not None and not path.exists() and (there is None or there.name != was["name"])
