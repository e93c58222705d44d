"""What was put aside for good: who a face is not, strangers that are ignored, and what is no face."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select

from app.store.queries import LIVE, REMOVED
from app.store.schema import faces, people, photos, rejections

_LIVE_FACES = faces.join(photos, and_(photos.c.id == faces.c.photo_id, LIVE, faces.c.status != REMOVED))
_REJECTED = _LIVE_FACES.join(rejections, rejections.c.face_id == faces.c.id).join(
    people, people.c.id == rejections.c.person_id
)


def count_rejections(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(_REJECTED)).scalar_one())


def rejections_of_people(connection: Connection, limit: int, offset: int) -> list[Row[Any]]:
    """(id, photo_id, status, person) of faces and whom they are said not to be, by that name, the newest face first."""
    query = select(faces.c.id, faces.c.photo_id, faces.c.status, people.c.name.label("person")).select_from(_REJECTED)
    return _page(connection, query.order_by(people.c.name, faces.c.id.desc()), limit, offset)


def faces_put_aside(connection: Connection, status: str, limit: int, offset: int) -> list[Row[Any]]:
    """(id, photo_id, status) of faces with this status, those last put aside first."""
    query = select(faces.c.id, faces.c.photo_id, faces.c.status).select_from(_LIVE_FACES)
    query = query.where(faces.c.status == status).order_by(faces.c.revision.desc(), faces.c.id)
    return _page(connection, query, limit, offset)


def _page(connection: Connection, query: Select[Any], limit: int, offset: int) -> list[Row[Any]]:
    return list(connection.execute(query.limit(limit).offset(offset)))
