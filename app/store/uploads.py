"""Which photos have come in, and which of them still have to be looked at."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from app.store.queries import LIVE
from app.store.schema import photos

_AT_ONCE = 500


def newest(connection: Connection) -> int:
    """The highest number that a photo has; 0 when there is none."""
    return connection.execute(select(func.max(photos.c.id))).scalar() or 0


def not_looked_at(connection: Connection, photo_ids: Collection[int]) -> list[int]:
    """Those of the photos whose faces nobody has looked for, in their order."""
    ids, waiting = list(photo_ids), set()
    for first in range(0, len(ids), _AT_ONCE):
        some = ids[first : first + _AT_ONCE]
        query = select(photos.c.id).where(photos.c.id.in_(some), LIVE, ~photos.c.encoded)
        waiting |= set(connection.execute(query).scalars())
    return [photo_id for photo_id in ids if photo_id in waiting]
