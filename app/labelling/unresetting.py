"""Undoing a reset: the photos it put aside are live again, and those it brought from the reserve are put aside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.errors import Conflict
from app.labelling.workspace import Work, Workspace
from app.store import changes, files, queries, staging
from app.store.changes import PHOTO, Change


def is_reset(found: Sequence[Change]) -> bool:
    """Whether these are the changes of a reset: no other decision ends or begins the life of a photo."""
    states = [(change.before or {}, change.after or {}) for change in found if change.kind == PHOTO]
    return any(before.get("state") != after.get("state") for before, after in states)


def bring_back(workspace: Workspace, work: Work, found: Sequence[Change], reset: int, undo: int) -> None:
    """reset, undo: the two decisions. Photos that were uploaded since stay, except where the same photo comes back.

    Raises Conflict where a photo it brought has been changed since.
    """
    roots, connection = workspace.folders.roots, work.connection
    brought = {change.row_id: change for change in found if change.after and change.after["state"] == "live"}
    aside = {change.row_id: change.before for change in found if change.before and change.before["state"] == "live"}
    now = changes.images(connection, PHOTO, brought)
    if any(now[photo_id] != change.after for photo_id, change in brought.items()):
        raise Conflict("The photos of this reset have been changed since: undo that first. Nothing was changed.")
    doubled = staging.live_doubles(connection, aside)
    backup = f"undo-{undo}"
    leaving = {**{i: image for i, image in now.items() if image}, **changes.images(connection, PHOTO, doubled)}
    moves = [_aside(roots, image, backup) for image in leaving.values() if image]
    staging.retire(connection, list(leaving), undo, backup, work.revision)
    moves += _return(workspace, work, aside, roots["backup"] / f"reset-{reset}")
    work.move(*moves)
    work.rewrite = True


def _aside(roots: dict[str, Path], image: dict[str, Any], backup: str) -> tuple[Path, Path]:
    folder, name = image["folder"], image["name"]
    return roots[folder] / name, roots["backup"] / backup / folder / name


def _return(
    workspace: Workspace, work: Work, aside: dict[int, dict[str, Any]], backup: Path
) -> list[tuple[Path, Path]]:
    """The moves that bring the files back, of those too that the store does not know."""
    roots = workspace.folders.roots
    now = changes.images(work.connection, PHOTO, aside)
    moves: list[tuple[Path, Path]] = []
    known: set[Path] = set()
    for photo_id, was in aside.items():
        image = now[photo_id] or was
        name = was["name"]
        if was["folder"] in roots:
            source = roots[image["folder"]] / image["name"]
            known.add(source)
            if queries.photo_by_path(work.connection, was["folder"], name) is not None:  # uploaded since
                stem, _dot, extension = name.rpartition(".")
                taken = queries.upload_names_like(work.connection, stem)
                name = files.free_name(roots[was["folder"]], stem, extension, taken)
            if source.exists():
                moves.append((source, roots[was["folder"]] / name))
        changes.restore(work.connection, PHOTO, photo_id, was | {"name": name})
        staging.touch(work.connection, photo_id, work.revision)
    strays = [
        path for kind in ("uploads", "training") for path in sorted((backup / kind).glob("*")) if path not in known
    ]
    moves += [
        (path, roots[path.parent.name] / path.name)
        for path in strays
        if not (roots[path.parent.name] / path.name).exists()
    ]
    return moves
