"""The lists of what is never asked again, so that a "no" can be found and taken back."""

from __future__ import annotations

from typing import Any

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import reading
from app.labelling.labels import clean_label
from app.labelling.workspace import Workspace
from app.store import aside, queries
from app.store.changes import FACE

Json = dict[str, Any]

REJECTED, IGNORED, NOT_A_FACE = "rejected", "ignored", "not_a_face"
LISTS = (REJECTED, IGNORED, NOT_A_FACE)

PAGE = 60
"""faces on one page of a list"""


def read_aside(workspace: Workspace, which: str | None = None, page: int | None = None) -> Json:
    """One of LISTS: {"list", "faces", "page", "pages", "counts"}.

    A face: {"id", "photo_id", "status", "thumb", "url"}, and "label" where the list says who it is not. counts: how
    many there are in each list. Raises InvalidInput for another list, NotFound for a page that there is not.
    """
    which = which or REJECTED
    if which not in LISTS:
        raise InvalidInput(f"The list must be one of {', '.join(LISTS)}.")
    number = 1 if page is None else page
    with workspace.database.read() as connection:
        by_status = queries.count_faces(connection)
        counts = {REJECTED: aside.count_rejections(connection)} | {each: by_status.get(each, 0) for each in LISTS[1:]}
        pages = max(1, -(-counts[which] // PAGE))
        if not 1 <= number <= pages:
            raise NotFound("There is no such page.")
        window = {"limit": PAGE, "offset": (number - 1) * PAGE}
        if which == REJECTED:
            rows = aside.rejections_of_people(connection, **window)
        else:
            rows = aside.faces_put_aside(connection, which, **window)
    faces = [
        {
            "id": row.id,
            "photo_id": row.photo_id,
            "status": row.status,
            "thumb": reading.thumb_url(row.id),
            "url": f"/photos/{row.photo_id}/#face-{row.id}",
        }
        | ({"label": row.person} if which == REJECTED else {})
        for row in rows
    ]
    return {"list": which, "faces": faces, "page": number, "pages": pages, "counts": counts}


def accept(workspace: Workspace, face_id: int, label: str | None) -> int:
    """Forget that a face was said not to be this person, so that it may be suggested again; the decision.

    Raises InvalidInput, NotFound, and Conflict when nobody has said so.
    """
    name = clean_label(label)
    with workspace.changing() as work:
        face = queries.face(work.connection, face_id)
        if face is None:
            raise NotFound("There is no such face.")
        person_id = queries.find_person(work.connection, name)
        if person_id is None:
            raise NotFound("Nobody has this name.")
        if (face_id, person_id) not in queries.rejected(work.connection, [face_id]):
            raise Conflict(f"Nobody has said that this face is not {name}. Nothing was changed.")
        work.watch(FACE, face_id)
        queries.accept(work.connection, face_id, person_id)
        what = {"status": face.status, "person_id": face.person_id}
        return work.decide("unreject", face_id=face_id, before=what, after=what | {"accepted": person_id})
