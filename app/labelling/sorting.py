"""Faces of one person that leave them together: under another name, or to wait for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from app.errors import Conflict, InvalidInput, NotFound
from app.labelling import decisions, standing
from app.labelling.labels import clean_label
from app.labelling.people import known_person
from app.labelling.placing import place_photo
from app.labelling.workspace import Work, Workspace
from app.recognition.splitting import propose_split
from app.store import queries
from app.store.changes import FACE

Json = dict[str, Any]

ACTIONS = ("unlabel", "reject")


def sort_faces(
    workspace: Workspace, person_id: int, face_ids: Sequence[int], label: str | None, action: str | None
) -> int:
    """Give some faces of a person another name, or let them wait for one; the decision (of one action).

    action: "unlabel" takes the name back, "reject" remembers besides that they are not this person, as another name
    does; the label does not matter then. Raises InvalidInput, NotFound, and Conflict when one of them has another name
    by now: nothing changes then.
    """
    if action and action not in ACTIONS:
        raise InvalidInput(f"The action must be {' or '.join(ACTIONS)}.")
    name = None if action else clean_label(label)
    with workspace.changing() as work:
        rows = _chosen(work, person_id, face_ids)
        work.watch(FACE, *(row.id for row in rows))
        if name is None:
            _release(workspace, work, rows, str(action))
        else:
            _move(workspace, work, rows, name)
        work.rewrite = True
    assert work.action is not None  # noqa: S101  (there is at least one face)
    return work.action


def split(workspace: Workspace, person_id: int, face_ids: Sequence[int], label: str | None) -> int:
    """Say that some of a person's faces are someone else's: of that name, or of one who has none yet; the decision.

    Raises what sort_faces raises, and InvalidInput when no face would stay.
    """
    with workspace.database.read() as connection:
        mine = {row.id for row in queries.faces_of_person(connection, person_id)}
    if mine and mine <= set(face_ids):
        raise InvalidInput("Every face is ticked, so nobody would be left: give the person another name instead.")
    named = bool(label and label.strip())
    return sort_faces(workspace, person_id, face_ids, label if named else None, None if named else "reject")


def read_split(workspace: Workspace, person_id: int) -> Json:
    """A person as standing has them, with `leaving`: the ids of faces that are probably someone else's.

    Raises NotFound.
    """
    person = standing.show_person(workspace, person_id)
    with workspace.database.read() as connection:
        rows = queries.faces_of_person(connection, person_id)
    leaving = propose_split([queries.unpack(row.encoding) for row in rows])
    return person | {"leaving": [rows[index].id for index in leaving.tolist()]}


def _chosen(work: Work, person_id: int, face_ids: Sequence[int]) -> list[Row[Any]]:
    person = known_person(work.connection, person_id)
    if not face_ids:
        raise InvalidInput("Tick at least one face.")
    mine = {row.id: row for row in queries.faces_of_person(work.connection, person_id)}
    for face_id in face_ids:
        if face_id not in mine:
            if queries.face(work.connection, face_id) is None:
                raise NotFound("There is no such face.")
            raise Conflict(f"One of these faces is not named {person.name} any more. Nothing was changed.")
    return [mine[face_id] for face_id in dict.fromkeys(face_ids)]


def _move(workspace: Workspace, work: Work, rows: Sequence[Row[Any]], name: str) -> None:
    if rows[0].person == name:
        raise Conflict(f"These faces are named {name} already. Nothing was changed.")
    for row in rows:
        queries.reject(work.connection, row.id, row.person_id)
    decisions.name_faces(workspace, work, rows, name, "move")


def _release(workspace: Workspace, work: Work, rows: Sequence[Row[Any]], action: str) -> None:
    for row in rows:
        more = {"rejected": row.person_id} if action == "reject" else {}
        decisions.decide(work, row, action, status="inbox", person_id=None, **more)
        if more:
            queries.reject(work.connection, row.id, row.person_id)
    for photo_id in dict.fromkeys(row.photo_id for row in rows):
        place_photo(workspace, work, photo_id)
