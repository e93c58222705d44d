"""Which named faces are used to recognise others: what was measured, and what a human says to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
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


def picture_repeated(suggestion: Suggestion) -> Neighbour | None:
    """The labelled face that a face is almost the same picture as."""
    return next((near for near in suggestion.nearest if near.distance < SAME_PICTURE_DISTANCE), None)


def remember_twins(connection: Connection, person_id: int, face_ids: Iterable[int]) -> None:
    """Note which faces that have just been named repeat one that their person has: they add nothing to the gallery.

    Of the same picture several times, the first stands for all.
    """
    named = sorted(face_ids)
    recognised.set_twin(connection, named, None)
    known, encodings = recognised.labelled_encodings(connection, person_id)
    others = ~np.isin(known, named)
    for face_id in named:
        place = int(np.flatnonzero(known == face_id)[0])
        distances = np.linalg.norm(encodings - encodings[place], axis=1)
        near = np.flatnonzero(others & (distances < SAME_PICTURE_DISTANCE))
        used = recognised.used(connection, known[near].tolist()) if len(near) else set()
        nearest = (int(known[row]) for row in near[np.argsort(distances[near], kind="stable")])
        twin = next((other for other in nearest if other in used), None)
        if twin is not None:
            recognised.set_twin(connection, [face_id], twin)
        others[place] = True
