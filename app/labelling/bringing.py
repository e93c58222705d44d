"""Labels that were given out, brought back: an archive of the whole training set, or a table of labels."""

from __future__ import annotations

from collections import defaultdict
from typing import BinaryIO

from app.errors import InvalidInput
from app.labelling.joining import Taken
from app.labelling.naming import Wanted, apply_names
from app.labelling.unpacking import import_archive
from app.labelling.workspace import Work, Workspace
from app.store import label_table, queries
from app.store.label_table import LabelRow

_ZIP = (b"PK\3\4", b"PK\5\6")


def bring_back(workspace: Workspace, file: BinaryIO) -> Taken:
    """Take in an archive or a table, whichever it is: all of it, in one action that can be undone.

    file: can be sought. Raises what import_archive and import_labels raise; nothing was changed then.
    """
    beginning = file.read(4)
    file.seek(0)
    if not beginning:
        raise InvalidInput("The file is empty.")
    if beginning in _ZIP:
        return import_archive(workspace, file)
    return import_labels(workspace, file.read(label_table.MAX_BYTES + 1))


def import_labels(workspace: Workspace, data: bytes) -> Taken:
    """Name the faces that a table names, in photos that are here: known by their hash, else by their path.

    Raises InvalidInput for what is no table of labels.
    """
    taken = Taken()
    with workspace.changing() as work:
        by_photo: dict[int | None, list[LabelRow]] = defaultdict(list)
        for row in label_table.load(data):
            by_photo[_photo_of(workspace, work, row)].append(row)
        for row in by_photo.pop(None, ()):
            _refuse(taken, row.image_path, Wanted(row.person, row.box), "this photo is not here")
        for photo_id, rows in by_photo.items():
            assert photo_id is not None  # noqa: S101  (those were taken out)
            wanted = [Wanted(row.person, row.box, row.decided_at or None) for row in rows]
            applied = apply_names(workspace, work, photo_id, wanted)
            taken.named += len(applied.named)
            taken.known += applied.known
            for refused in applied.conflicts:
                _refuse(taken, rows[0].image_path, Wanted(refused.name, refused.box), refused.why)
            for unplaced in applied.unplaced:
                _refuse(taken, rows[0].image_path, unplaced, "no face was found there")
    return taken


def _photo_of(workspace: Workspace, work: Work, row: LabelRow) -> int | None:
    photo = queries.photo_by_hash(work.connection, row.sha256) if row.sha256 else None
    if photo is None:
        photo = queries.photo_by_path(work.connection, *workspace.folders.parse(row.image_path))
        if photo is not None and row.sha256 and photo.sha256:
            return None  # another photo of that name
    return None if photo is None else int(photo.id)


def _refuse(taken: Taken, image_path: str, wanted: Wanted, why: str) -> None:
    taken.conflicts.append({"image_path": image_path, "box": list(wanted.box), "label": wanted.name, "message": why})
