"""What a human says about a face. Each decision is one transaction over rows, files and train.pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import reading, recognising
from app.labelling.labels import clean_label
from app.labelling.photos import find_photo
from app.labelling.placing import place_photo
from app.labelling.workspace import Work, Workspace
from app.recognition.openset import Suggestion
from app.store import queries
from app.store.changes import FACE

DISMISSALS = {"ignore": "ignored", "not_a_face": "not_a_face"}
OnScreen = Mapping[int, dict[str, Any] | None]

_SAID = {"ignored": "is ignored", "not_a_face": "was said not to be a face"}


def confirm(workspace: Workspace, image_path: str | None, label: str | None, face_id: int | None = None) -> int:
    """Name a face that is in the inbox: the one given, else the most prominent of the photo. Its id.

    Raises InvalidInput, NotFound, and Conflict when the face is decided already: nothing changes then.
    """
    name = clean_label(label)
    with workspace.database.read() as connection:
        seen = _face_of_photo(connection, find_photo(workspace, connection, image_path), face_id)
    on_screen = _on_screen(workspace, seen)
    with workspace.changing() as work:
        face = _face_of_photo(work.connection, find_photo(workspace, work.connection, image_path), int(seen.id))
        if face.status != "inbox":
            raise Conflict(_already(face))
        name_faces(workspace, work, [face], name, "confirm", {face.id: on_screen})
    return int(face.id)


def move(workspace: Workspace, face_id: int, label: str | None) -> None:
    """Give a named face another name, and remember that it was not the old one's."""
    name = clean_label(label)
    with workspace.changing() as work:
        face = _face(work.connection, face_id)
        if face.status != "labelled":
            raise Conflict("This face has no name yet: confirm one first.")
        if face.person == name:
            raise Conflict(_already(face))
        work.watch(FACE, face_id)
        queries.reject(work.connection, face_id, face.person_id)
        name_faces(workspace, work, [face], name, "move")
        work.rewrite = True


def unlabel(workspace: Workspace, face_id: int) -> None:
    """Take back what was said about a face: it waits in the inbox again."""
    with workspace.changing() as work:
        face = _face(work.connection, face_id)
        if face.status == "inbox":
            raise Conflict("Nothing has been said about this face yet.")
        decide(work, face, "unlabel", status="inbox", person_id=None)
        if face.status == "labelled":
            work.rewrite = True
            place_photo(workspace, work, face.photo_id)


def reject(workspace: Workspace, face_id: int, label: str | None) -> None:
    """Remember that a face is not this person; where it was named so, it waits in the inbox again."""
    name = clean_label(label)
    on_screen = _on_screen(workspace, _look_at(workspace, face_id))
    with workspace.changing() as work:
        face = _face(work.connection, face_id)
        if face.status not in ("inbox", "labelled") or (face.status == "labelled" and face.person != name):
            raise Conflict(_already(face))
        person_id = queries.find_person(work.connection, name)
        if person_id is None:
            raise NotFound("Nobody has this name.")
        suggestion = on_screen if face.status == "inbox" else None
        decide(work, face, "reject", status="inbox", person_id=None, suggestion=suggestion, rejected=person_id)
        queries.reject(work.connection, face_id, person_id)
        if face.status == "labelled":
            work.rewrite = True
            place_photo(workspace, work, face.photo_id)


def dismiss(workspace: Workspace, face_id: int, action: str | None) -> None:
    """Say that a face needs no name (`ignore`) or is none (`not_a_face`)."""
    if action not in DISMISSALS:
        raise InvalidInput(f"The action must be {' or '.join(DISMISSALS)}.")
    on_screen = _on_screen(workspace, _look_at(workspace, face_id))
    with workspace.changing() as work:
        face = _face(work.connection, face_id)
        if face.status != "inbox":
            raise Conflict(_already(face))
        decide(work, face, action, status=DISMISSALS[action], person_id=None, suggestion=on_screen)


def name_faces(
    workspace: Workspace, work: Work, faces: Sequence[Row[Any]], name: str, kind: str, on_screen: OnScreen | None = None
) -> None:
    """Give faces a name, and all that follows from it. on_screen: what was suggested, by face id."""
    person_id = work.person(name)
    work.watch(FACE, *(face.id for face in faces))
    for face in faces:
        queries.accept(work.connection, face.id, person_id)
        suggestion = (on_screen or {}).get(face.id)
        decide(work, face, kind, status="labelled", person_id=person_id, suggestion=suggestion)
        work.labelled.append(face.id)
        place_photo(workspace, work, face.photo_id)
    recognising.remember_twins(work.connection, person_id, [face.id for face in faces])


def decide(
    work: Work,
    face: Row[Any],
    kind: str,
    *,
    status: str,
    person_id: int | None,
    suggestion: Any = None,
    skipped: int | None = None,
    **more: Any,
) -> None:
    """Change what a face is, if it still is as `face` says, and note it. Raises Conflict.

    skipped: the revision at which it is put off, None for a face that is not.
    """
    work.watch(FACE, face.id)
    order = face.labelled_at_revision if kind == "move" else work.revision
    changed = queries.set_face(
        work.connection,
        face.id,
        was=face.status,
        status=status,
        person_id=person_id,
        revision=work.revision,
        labelled_at_revision=None if person_id is None else order,
        skipped=skipped,
    )
    if not changed:
        raise Conflict(_already(face))
    work.decide(
        kind,
        face_id=face.id,
        before={"status": face.status, "person_id": face.person_id, "order": face.labelled_at_revision},
        after={"status": status, "person_id": person_id, "order": None if person_id is None else order} | more,
        suggestion=suggestion,
    )


def _face_of_photo(connection: Connection, photo_id: int, face_id: int | None) -> Row[Any]:
    rows = queries.faces_of_photo(connection, photo_id)
    if not rows:
        raise InvalidInput("No face was found in this photo, so there is nobody to name.")
    if face_id is None:
        photo = queries.photo(connection, photo_id)
        assert photo is not None  # noqa: S101  (looked up in the same transaction)
        return rows[reading.prominent(rows, photo)]
    for row in rows:
        if row.id == face_id:
            return row
    raise NotFound("There is no such face in this photo.")


def _look_at(workspace: Workspace, face_id: int) -> Row[Any]:
    with workspace.database.read() as connection:
        return _face(connection, face_id)


def _face(connection: Connection, face_id: int) -> Row[Any]:
    face = queries.face(connection, face_id)
    if face is None:
        raise NotFound("There is no such face.")
    return face


def _on_screen(workspace: Workspace, face: Row[Any]) -> dict[str, Any] | None:
    """What the product would have said about a waiting face just before the human did. It takes its time, which nobody
    should spend holding the write lock."""
    return shown(reading.suggest(workspace, [face])[face.id]) if face.status == "inbox" else None


def shown(suggestion: Suggestion, *, asked: bool = True) -> dict[str, Any]:
    """A suggestion as the journal keeps it. asked: whether the human was asked if it is the best known name; what is
    said where nobody was suggested teaches nothing about how sure suggestions may be."""
    told: dict[str, Any] = {"person_id": suggestion.person if asked else None, "confidence": suggestion.confidence}
    if not asked or not suggestion.candidates:
        return told
    best = suggestion.candidates[0]
    return told | {"best_id": best.person, "chance": best.chance, "familiar": suggestion.familiar}


def _already(face: Row[Any]) -> str:
    if face.status == "labelled":
        return f"This face is already named {face.person}. Nothing was changed."
    return f"This face {_SAID.get(face.status, 'has been decided')} already. Nothing was changed."
