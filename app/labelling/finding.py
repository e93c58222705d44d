"""Finding the faces of photos that are stored already, and storing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import Connection

from app import meters
from app.errors import NamesakeError, NotFound
from app.labelling import pictures
from app.labelling.ignoring import ignore_look_alikes
from app.labelling.workspace import Workspace
from app.recognition import bulk
from app.recognition.engine import DetectedFace
from app.store import files, queries


@dataclass(frozen=True)
class _Found:
    faces: list[DetectedFace]
    drawn: pictures.Drawn


Problem = tuple[int, NamesakeError]
"""A photo (id) whose faces cannot be looked for, and why."""

Watch = Callable[[int, Sequence[Problem]], None]


def find_faces(
    workspace: Workspace, photo_ids: Sequence[int], watch: Watch = lambda _done, _problems: None
) -> list[Problem]:
    """Find the faces of stored photos, but for those where that has been done; the photos where it cannot be done.

    watch: told, each time some are stored, how many photos that was and which of them could not be done.
    """
    problems: list[Problem] = []

    def view(photo_id: int) -> bulk.Viewing[_Found | None]:
        with workspace.database.read() as connection:
            photo = queries.photo(connection, photo_id)
        if photo is None:
            raise NotFound("There is no such photo.")
        if photo.encoded:
            return None
        path = workspace.folders.path(photo.folder, photo.name)
        if path is None or not path.exists():
            raise NotFound("The file of this photo is not here.")
        decoded = workspace.decode(files.read_bytes(path))
        faces = yield decoded
        return _Found(faces, pictures.draw(decoded, [face.box for face in faces]))

    def store(outcomes: Sequence[bulk.Outcome[int, _Found | None]]) -> None:
        refused = [(photo_id, outcome) for photo_id, outcome in outcomes if isinstance(outcome, NamesakeError)]
        _store(workspace, {photo_id: outcome for photo_id, outcome in outcomes if isinstance(outcome, _Found)})
        problems.extend(refused)
        watch(len(outcomes), refused)

    bulk.view_all(workspace.engine, photo_ids, view, store)
    return problems


def add_faces(
    connection: Connection,
    photo_id: int,
    found: Sequence[DetectedFace],
    revision: int,
    named: Mapping[int, int] = MappingProxyType({}),
) -> list[int]:
    """Add the faces found in a photo; their ids. named: the person (id) of those, by index, that have a name."""
    meters.count("faces_found", len(found))
    return [
        queries.add_face(
            connection,
            photo_id,
            face.box,
            queries.pack(face.encoding),
            low_quality=face.low_quality,
            flaws=face.flaws,
            revision=revision,
            person_id=named.get(index),
        )
        for index, face in enumerate(found)
    ]


def _store(workspace: Workspace, found: dict[int, _Found]) -> None:
    if not found:
        return
    faces: dict[int, list[int]] = {}
    with workspace.changing() as work:
        for photo_id in found:
            photo = queries.photo(work.connection, photo_id)
            if photo is not None and not photo.encoded:
                queries.update_photo(work.connection, photo_id, encoded=True)
                faces[photo_id] = add_faces(work.connection, photo_id, found[photo_id].faces, work.revision)
        ignore_look_alikes(workspace, work, [face_id for face_ids in faces.values() for face_id in face_ids])
    for photo_id, face_ids in faces.items():
        pictures.keep(workspace, photo_id, face_ids, found[photo_id].drawn)
