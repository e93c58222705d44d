"""What the journal of decisions tells, as plain functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, case, or_, select

from app.store.schema import decisions, faces, people, photos


def decisions_about_faces(connection: Connection) -> list[Row[Any]]:
    """(id, kind, face_id, before, after, suggestion) of every decision about a face and every reset that was
    not taken back, oldest first."""
    query = (
        select(
            decisions.c.id, decisions.c.kind, decisions.c.face_id,
            decisions.c.before, decisions.c.after, decisions.c.suggestion,
        )
        .where(or_(decisions.c.face_id.is_not(None), decisions.c.kind == "reset"), decisions.c.undone_at.is_(None))
        .order_by(decisions.c.id)
    )  # fmt: skip
    return list(connection.execute(query))


def named_without_decision(connection: Connection) -> list[Row[Any]]:
    """(person_id, revision, batch), without doubles, of faces that came with a name: by a reset, or from a pickle.

    revision: when the name came. batch: the reset that put the face aside, None while it is there.
    """
    decided = select(decisions.c.face_id).where(decisions.c.face_id.is_not(None), decisions.c.undone_at.is_(None))
    put_aside_by = case((photos.c.state == "retired", photos.c.batch)).label("batch")
    query = (
        select(faces.c.person_id, faces.c.labelled_at_revision.label("revision"), put_aside_by)
        .join(photos, photos.c.id == faces.c.photo_id)
        .where(faces.c.person_id.is_not(None), photos.c.state != "staged", faces.c.id.not_in(decided))
        .distinct()
        .order_by(faces.c.labelled_at_revision, faces.c.person_id)
    )
    return list(connection.execute(query))


def faces_of_any_time(connection: Connection, face_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """(id, photo_id, person, live) by face id, those that a reset has put aside too: `live` is false for them."""
    query = (
        select(faces.c.id, faces.c.photo_id, people.c.name.label("person"), (photos.c.state == "live").label("live"))
        .join(photos, photos.c.id == faces.c.photo_id)
        .outerjoin(people, people.c.id == faces.c.person_id)
        .where(faces.c.id.in_(face_ids))
    )
    return {row.id: row for row in connection.execute(query)}
