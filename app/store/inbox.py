"""The faces that wait for a decision, and what else is in their photos, as a cache follows them by revision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, and_, case, select

from app.store.queries import REMOVED
from app.store.schema import faces, photos, rejections


def changed_faces(connection: Connection, since: int) -> list[Row[Any]]:
    """(id, photo_id, there, status, person_id, encoding, skipped, low_quality, top, right, bottom, left) of every face
    that changed after a revision; the encoding of those only that wait. there: it is in a live photo."""
    there = and_(photos.c.state == "live", faces.c.status != REMOVED).label("there")
    encoding = case((faces.c.status == "inbox", faces.c.encoding)).label("encoding")
    query = (
        select(
            faces.c.id, faces.c.photo_id, there, faces.c.status, faces.c.person_id, encoding, faces.c.skipped,
            faces.c.low_quality, faces.c.top, faces.c.right, faces.c.bottom, faces.c.left,
        )
        .join(photos, photos.c.id == faces.c.photo_id)
        .where(faces.c.revision > since)
        .order_by(faces.c.id)
    )  # fmt: skip
    return list(connection.execute(query))


def rejections_of_waiting(connection: Connection) -> dict[int, set[int]]:
    """Whom each waiting face is said not to be."""
    query = select(rejections.c.face_id, rejections.c.person_id).join(faces, faces.c.id == rejections.c.face_id)
    found: dict[int, set[int]] = {}
    for face_id, person in connection.execute(query.where(faces.c.status == "inbox")):
        found.setdefault(face_id, set()).add(person)
    return found


def ignored_encodings(connection: Connection) -> list[bytes]:
    """Of every stranger that is ignored in a live photo."""
    query = select(faces.c.encoding).join(photos, photos.c.id == faces.c.photo_id)
    return list(connection.execute(query.where(faces.c.status == "ignored", photos.c.state == "live")).scalars())


def statuses(connection: Connection, face_ids: Iterable[int]) -> dict[int, str]:
    """The status of each of these faces that there is."""
    query = select(faces.c.id, faces.c.status).where(faces.c.id.in_(list(face_ids)))
    return {face_id: status for face_id, status in connection.execute(query)}
