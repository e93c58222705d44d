"""Names that the rest of the gallery contradicts, for a human to put right or to stand by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from app.errors import Conflict, NotFound
from app.labelling.reading import Json, evidence, read_faces
from app.labelling.workspace import Workspace
from app.recognition.contradictions import Contradiction, Evidence, contradictions
from app.store import queries, vouching
from app.store.changes import FACE

# Up to here everyone is compared with everyone in a quarter of a second, so that a page about something else may ask.
_QUICK = 4000


def read_doubts(workspace: Workspace) -> list[Json]:
    """{"face", "label", "looks_like", "score", "own": [evidence], "others": [evidence]}, clearest case first.

    score: how likely the label is wrong. own, others: the nearest faces of its own label and of the other.
    """
    found = _find(workspace)
    wanted = {each.face_id for each in found}
    wanted |= {near.face_id for each in found for near in (*each.own, *each.others)}
    with workspace.database.read() as connection:
        rows = queries.faces_by_id(connection, wanted)
        names = queries.names(connection)
    # Someone may have spoken since.
    standing = [each for each in found if each.face_id in rows and rows[each.face_id].person_id == each.person]
    faces = read_faces(workspace, [rows[each.face_id] for each in standing])
    return [
        {
            "face": face,
            "label": names[each.person],
            "looks_like": names[each.other],
            "score": each.score,
            "own": _shown(each.own, rows),
            "others": _shown(each.others, rows),
        }
        for each, face in zip(standing, faces, strict=True)
    ]


def count_doubts(workspace: Workspace) -> int | None:
    """How many names look wrong; None where nobody has looked, and looking would take longer than a page may."""
    if len(workspace.view_gallery()) <= _QUICK:
        return len(_find(workspace))
    kept = workspace.kept.get("doubts")
    return None if kept is None else len(kept[1])


def people_in_doubt(workspace: Workspace) -> set[int]:
    """Who has a face that looks like someone else's; as far as count_doubts knows."""
    if len(workspace.view_gallery()) <= _QUICK:
        return {doubt.person for doubt in _find(workspace)}
    kept = workspace.kept.get("doubts")
    return set() if kept is None else {doubt.person for doubt in kept[1]}


def vouch(workspace: Workspace, face_id: int, label: str | None = None) -> None:
    """Say that a name is right although the others doubt it. It is in doubt again once the face has another name.

    label: the name that was on the screen, if it is to be checked. Raises NotFound, and Conflict when the face has no
    name or another one, or when that has been said already.
    """
    with workspace.changing() as work:
        face = queries.face(work.connection, face_id)
        if face is None:
            raise NotFound("There is no such face.")
        if face.status != "labelled":
            raise Conflict("This face has no name, so there is nothing to say about it.")
        if label and face.person != label.strip():
            raise Conflict(f"This face is named {face.person} by now. Nothing was changed.")
        if vouching.is_vouched(work.connection, face_id, face.person_id):
            raise Conflict(f"That this is {face.person} has been said already. Nothing was changed.")
        work.watch(FACE, face_id)
        vouching.vouch(work.connection, face_id, face.person_id)
        work.decide("vouch", face_id=face_id, before={}, after={"vouched": face.person_id})


def _find(workspace: Workspace) -> list[Contradiction]:
    """Worked out once for every state of the store."""
    view = workspace.view_gallery()
    kept = workspace.kept.get("doubts")
    if kept is not None and kept[0] == view.revision:
        found: list[Contradiction] = kept[1]
        return found
    with workspace.database.read() as connection:
        vouched, ruled_out = vouching.vouched(connection), vouching.ruled_out(connection)
    found = contradictions(view.face_ids, view.persons, view.encodings, vouched=vouched, ruled_out=ruled_out)
    workspace.kept["doubts"] = view.revision, found
    return found


def _shown(near: Sequence[Evidence], rows: dict[int, Row[Any]]) -> list[Json]:
    return [evidence(rows[each.face_id], each.distance) for each in near if each.face_id in rows]
