"""Faces that the detector missed: a human draws the box, and the face is encoded and suggested like any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import pictures, reading
from app.labelling.workspace import Work, Workspace
from app.recognition.engine import Box, DetectedFace
from app.recognition.images import Photo
from app.store import files, queries
from app.store.changes import FACE
from app.store.regions import overlap

SMALLEST = 12
"""the least side of a box, in pixels of the photo: below it there is nothing to encode"""
_SIDES = ("top", "right", "bottom", "left")
# From here on two boxes are of one face: those of two people hardly ever share a third.
_SAME = 0.5


class FaceThere(Conflict):
    """The box is almost that of a face that is there already. details: `face`, as reading has it."""


def draw_face(workspace: Workspace, photo_id: int, box: Sequence[int | None]) -> tuple[int, int]:
    """Add the face in a box (top, right, bottom, left, in pixels of the upright photo): (its id, the decision).

    Raises InvalidInput for a box that is none, NotFound where there is no photo or no file of it, FaceThere, and
    Conflict while the photo is still being searched.
    """
    with workspace.database.read() as connection:
        photo = _known(queries.photo(connection, photo_id))
    if not photo.encoded:
        raise Conflict("This photo is still being searched for faces. Wait until that is done.")
    decoded, face = _look(workspace, photo, box)
    with workspace.changing() as work:
        face_id = _add(workspace, work, photo_id, face)
        decision = work.decide("draw", face_id=face_id, before={}, after={"status": "inbox", "box": list(face.box)})
    pictures.keep(workspace, photo_id, [face_id], pictures.draw(decoded, [face.box]))
    return face_id, decision


def draw_with(workspace: Workspace, work: Work, photo_id: int, box: Sequence[int | None]) -> int:
    """Add the face in a box as part of a larger change, which says itself what was decided; the id of the face.

    Raises what draw_face raises, but does not mind that a photo is still being searched.
    """
    _decoded, face = _look(workspace, _known(queries.photo(work.connection, photo_id)), box)
    return _add(workspace, work, photo_id, face)


def check_box(box: Sequence[int | None], width: int, height: int) -> Box:
    """The box, if it may be a face in a photo of this size. Raises InvalidInput."""
    missing = [side for side, value in zip(_SIDES, box, strict=True) if value is None]
    if missing:
        raise InvalidInput(f"Say where the face is: {', '.join(missing)} is missing.")
    top, right, bottom, left = (int(value) for value in box if value is not None)
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise InvalidInput(
            f"The box must lie in the photo, which is {width:,} pixels wide and {height:,} high, with left before "
            "right and top above bottom."
        )
    if min(bottom - top, right - left) < SMALLEST:
        raise InvalidInput(f"The box is too small to hold a face: {SMALLEST} pixels each way are the least.")
    return top, right, bottom, left


def _known(photo: Row[Any] | None) -> Row[Any]:
    if photo is None:
        raise NotFound("There is no such photo.")
    return photo


def _look(workspace: Workspace, photo: Row[Any], box: Sequence[int | None]) -> tuple[Photo, DetectedFace]:
    path = workspace.folders.path(photo.folder, photo.name)
    if path is None or not path.is_file():
        raise NotFound("The file of this photo is not here, so no face can be drawn in it.")
    decoded = workspace.decode(files.read_bytes(path))
    return decoded, workspace.engine.encode_box(decoded, check_box(box, decoded.width, decoded.height))


def _add(workspace: Workspace, work: Work, photo_id: int, face: DetectedFace) -> int:
    for row in queries.faces_of_photo(work.connection, _known(queries.photo(work.connection, photo_id)).id):
        if overlap(face.box, (row.top, row.right, row.bottom, row.left)) >= _SAME:
            raise FaceThere(
                "This face is there already. Nothing was changed.", face=reading.read_face(workspace, row.id)
            )
    face_id = queries.add_face(
        work.connection,
        photo_id,
        face.box,
        queries.pack(face.encoding),
        low_quality=face.low_quality,
        flaws=face.flaws,
        revision=work.revision,
    )
    work.made(FACE, face_id)
    return face_id
