"""Which named faces are used to recognise others: what was measured, and what a human says to it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling.workspace import Workspace
from app.recognition.openset import Neighbour, Suggestion
from app.recognition.quality import BLURRED, HIDDEN, SAME_PICTURE_DISTANCE, SMALL, TURNED
from app.store import queries, recognised
from app.store.changes import FACE

USES = {"yes": True, "no": False, "auto": None}
_IN_WORDS = {SMALL: "small", BLURRED: "blurred", TURNED: "turned aside", HIDDEN: "cut off by the edge of the photo"}


def set_use(workspace: Workspace, face_id: int, use: str | None) -> None:
    """Say whether a face is to be used to recognise others: `yes`, `no`, or `auto`, as its quality suggests.

    Raises InvalidInput, NotFound, and Conflict when that has been said already or the face was put aside.
    """
    if use not in USES:
        raise InvalidInput(f"The use must be {', '.join(USES)}: say one of them.")
    with workspace.changing() as work:
        face = queries.face(work.connection, face_id)
        if face is None:
            raise NotFound("There is no such face.")
        if face.status not in ("inbox", "labelled"):
            raise Conflict("This face was put aside, so it is not used. Bring it back first.")
        if face.recognise is USES[use]:
            raise Conflict("That is how it is already. Nothing was changed.")
        work.watch(FACE, face_id)
        recognised.set_recognise(work.connection, face_id, USES[use], work.revision)
        before, after = {"recognise": face.recognise}, {"recognise": USES[use]}
        work.decide("recognise", face_id=face_id, before=before, after=after)


def flaws_of(row: Row[Any]) -> list[str]:
    """What was measured: words of recognition.quality."""
    return row.flaws.split(",") if row.flaws else []


def describe_use(row: Row[Any], used: bool) -> dict[str, Any]:
    """What a page says of a face's quality. used: whether it is in the gallery."""
    words = [_IN_WORDS[flaw] for flaw in flaws_of(row)]
    return {"flaw_words": " and ".join(words).capitalize(), "recognise": row.recognise, "used": used}


def picture_repeated(suggestion: Suggestion, person_id: int | None = None, but: int | None = None) -> Neighbour | None:
    """The labelled face, of that person if one is given, that a face is almost the same picture as.

    but: the face itself, when it is labelled.
    """
    for near in suggestion.nearest:
        if near.distance < SAME_PICTURE_DISTANCE and near.face_id != but and person_id in (None, near.person):
            return near
    return None


def remember_twin(connection: Connection, face_id: int, suggestion: Suggestion, person_id: int) -> None:
    """Note whether a face that is being named repeats one that its person has: it then adds nothing to the gallery."""
    twin = picture_repeated(suggestion, person_id, but=face_id)
    recognised.set_twin(connection, face_id, None if twin is None else twin.face_id)
