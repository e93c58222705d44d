"""What the product tells about photos, faces and people: the shapes of the HTTP contract, as plain dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from app.errors import NotFound
from app.labelling.recognising import describe_use, flaws_of, picture_repeated
from app.labelling.workspace import Workspace
from app.recognition.engine import most_prominent
from app.recognition.openset import Suggestion
from app.store import people, queries, recognised

Json = dict[str, Any]

# So many names a field without scripts lists: more make every page slow, and nobody looks through them.
_NAMES = 1000
# A name less likely than this is not worth offering for someone new.
_WORTH_OFFERING = 0.01


def read_photo(workspace: Workspace, photo_id: int) -> Json:
    """A photo with its faces; at the top level what is known of the most prominent one. Raises NotFound."""
    photo, rows = _photo_with_faces(workspace, photo_id)
    faces = read_faces(workspace, rows)
    best = faces[prominent(rows, photo)] if faces else None
    return {
        "predicted_label": best and best["predicted_label"],
        "confidence_score": best["confidence_score"] if best else 0.0,
        "image_path": workspace.folders.image_path(photo.folder, photo.name),
        "photo_id": photo.id,
        "faces": faces,
    }


def read_face(workspace: Workspace, face_id: int) -> Json:
    """One face. Raises NotFound."""
    with workspace.database.read() as connection:
        row = queries.face(connection, face_id)
    if row is None:
        raise NotFound("There is no such face.")
    return read_faces(workspace, [row])[0]


def read_faces(workspace: Workspace, rows: Sequence[Row[Any]]) -> list[Json]:
    """The faces with a suggestion for each that is still to decide."""
    suggestions = suggest(workspace, [row for row in rows if row.status == "inbox"])
    with workspace.database.read() as connection:
        names = queries.names(connection) if suggestions else {}
    return [describe_face(workspace, row, suggestions.get(row.id), names) for row in rows]


def suggest(workspace: Workspace, rows: Sequence[Row[Any]]) -> dict[int, Suggestion]:
    """Who these faces are, leaving out whom a human has said they are not; by face id."""
    if not rows:
        return {}
    found = workspace.suggest([row.encoding for row in rows])
    with workspace.database.read() as connection:
        rejected = queries.rejected(connection, [row.id for row in rows])
    return {
        row.id: suggestion.without({person for face, person in rejected if face == row.id})
        for row, suggestion in zip(rows, found, strict=True)
    }


def read_page(workspace: Workspace, photo_id: int) -> tuple[Json, list[Json]]:
    """A photo and its faces with what only a page needs: sizes, quality, and the labelled faces that are the
    reason for each suggestion. Raises NotFound."""
    photo, rows = _photo_with_faces(workspace, photo_id)
    suggestions = suggest(workspace, [row for row in rows if row.status == "inbox"])
    with workspace.database.read() as connection:
        names = queries.names(connection)
        nearest = {near.face_id for suggestion in suggestions.values() for near in suggestion.nearest}
        known = queries.faces_by_id(connection, nearest | {row.twin_of for row in rows if row.twin_of})
        used = recognised.used(connection, [row.id for row in rows])
    faces = [
        describe_face(workspace, row, suggestions.get(row.id), names)
        | {"nearest": _reasons(suggestions.get(row.id), known)}
        | describe_use(row, row.id in used)
        | {"twin": _twin(row, suggestions.get(row.id), known)}
        for row in rows
    ]
    for face in faces:
        if face["predicted_label"] is None:
            face["candidates"] = [c for c in face["candidates"] if c["confidence"] >= _WORTH_OFFERING]
    page = {
        "id": photo.id,
        "image_path": workspace.folders.image_path(photo.folder, photo.name),
        "name": photo.upload_name or photo.name,
        "display": f"/photos/{photo.id}/image.jpg" if photo.sha256 else None,
        "width": photo.width or max((row.right for row in rows), default=1),
        "height": photo.height or max((row.bottom for row in rows), default=1),
        "state": "ready" if photo.encoded else "pending",
    }
    return page, faces


def read_people(workspace: Workspace) -> list[Json]:
    """Everyone with a labelled face, by name."""
    with workspace.database.read() as connection:
        return [_person(row) for row in queries.known_people(connection)]


def read_names(workspace: Workspace) -> list[str]:
    """The names a field offers to choose from; where there are very many, those first in the alphabet."""
    with workspace.database.read() as connection:
        return people.names_in_use(connection, _NAMES)


def read_person(workspace: Workspace, person_id: int) -> Json:
    """One person with their faces. Raises NotFound."""
    with workspace.database.read() as connection:
        people = queries.known_people(connection, person_id)
        if not people:
            raise NotFound("There is no such person.")
        rows = queries.faces_of_person(connection, person_id)
    return _person(people[0]) | {"faces": read_faces(workspace, rows)}


def read_counts(workspace: Workspace) -> Json:
    """How much there is of everything."""
    with workspace.database.read() as connection:
        by_status = queries.count_faces(connection)
        return {
            "photos": queries.count_photos(connection),
            "uploads": queries.count_photos(connection, "uploads"),
            "faces": sum(by_status.values()),
            "labelled": by_status.get("labelled", 0),
            "inbox": by_status.get("inbox", 0),
            "ignored": by_status.get("ignored", 0) + by_status.get("not_a_face", 0),
            "people": len(queries.known_people(connection)),
        }


def prominent(rows: Sequence[Row[Any]], photo: Row[Any]) -> int:
    """Which of a photo's faces it is of."""
    boxes = [(row.top, row.right, row.bottom, row.left) for row in rows]
    # A photo known from an adopted pickle only has no size: the faces' own extent serves.
    width = photo.width or max(box[1] for box in boxes) or 1
    height = photo.height or max(box[2] for box in boxes) or 1
    return most_prominent(boxes, width, height)


def _photo_with_faces(workspace: Workspace, photo_id: int) -> tuple[Row[Any], list[Row[Any]]]:
    with workspace.database.read() as connection:
        photo = queries.photo(connection, photo_id)
        if photo is None:
            raise NotFound("There is no such photo.")
        return photo, queries.faces_of_photo(connection, photo_id)


def describe_face(workspace: Workspace, row: Row[Any], suggestion: Suggestion | None, names: dict[int, str]) -> Json:
    """A face as the HTTP contract tells it. suggestion: for one that waits."""
    if suggestion is None:
        # A human has spoken: what was named is certain, what was dismissed is nobody we know.
        predicted, confidence, candidates = row.person, float(row.person is not None), []
    else:
        predicted = None if suggestion.person is None else names[suggestion.person]
        confidence = suggestion.confidence
        candidates = [{"label": names[c.person], "confidence": c.confidence} for c in suggestion.candidates]
    return {
        "id": row.id,
        "photo_id": row.photo_id,
        "image_path": workspace.folders.image_path(row.folder, row.file_name),
        "box": [row.top, row.right, row.bottom, row.left],
        "status": row.status,
        "label": row.person,
        "predicted_label": predicted,
        "confidence_score": confidence,
        "candidates": candidates,
        "thumb": thumb_url(row.id),
        "flaws": flaws_of(row),
    }


def _twin(row: Row[Any], suggestion: Suggestion | None, known: dict[int, Row[Any]]) -> Json | None:
    """The face that this one is almost the same picture as: of the person it was named, or of anyone while it waits."""
    near = known.get(row.twin_of)
    if suggestion is not None:
        repeated = picture_repeated(suggestion)
        return None if repeated is None else evidence(known[repeated.face_id], repeated.distance)
    return None if near is None or near.person_id != row.person_id else evidence(near)


def _reasons(suggestion: Suggestion | None, known: dict[int, Row[Any]]) -> list[Json]:
    if suggestion is None:
        return []
    return [evidence(known[near.face_id], near.distance) for near in suggestion.nearest if near.face_id in known]


def evidence(row: Row[Any], distance: float | None = None) -> Json:
    """A labelled face that speaks for or against a name."""
    return {
        "label": row.person,
        "distance": distance,
        "thumb": thumb_url(row.id),
        "url": f"/photos/{row.photo_id}/#face-{row.id}",
    }


def _person(row: Row[Any]) -> Json:
    return {"id": row.id, "name": row.name, "count": row.face_count, "cover": thumb_url(row.cover)}


def thumb_url(face_id: int) -> str:
    return f"/faces/{face_id}/thumb.jpg"
