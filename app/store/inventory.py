"""How many rows there are of what, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, func, select

from app.store.schema import (
    attempts,
    changes,
    decisions,
    faces,
    jobs,
    people,
    photos,
    rejections,
    sessions,
    tokens,
    vouches,
)

_TABLES: dict[str, Table] = {
    "faces": faces,
    "photos": photos,
    "people": people,
    "decisions": decisions,
    "changes": changes,
    "rejections": rejections,
    "vouches": vouches,
    "jobs": jobs,
    "sessions": sessions,
    "tokens": tokens,
    "attempts": attempts,
}


@dataclass(frozen=True)
class Rows:
    """bytes: of the files they stand for, if any. since: of the oldest, where that is kept."""

    count: int
    since: datetime | None = None
    bytes: int | None = None


def count_rows(connection: Connection) -> dict[str, Rows]:
    """By table."""
    found = {}
    for name, table in _TABLES.items():
        if table is photos:
            continue  # counted by folder
        count = connection.execute(select(func.count()).select_from(table)).scalar_one()
        oldest = connection.execute(select(func.min(table.c.created_at))).scalar() if "created_at" in table.c else None
        found[name] = Rows(count, oldest)
    return found


def ids(connection: Connection, name: str) -> set[int]:
    """Of every row of a table."""
    return set(connection.execute(select(_TABLES[name].c.id)).scalars())


def count_photos(connection: Connection) -> dict[str, Rows]:
    """By folder: uploads, training, backup, and elsewhere for what is known without a file."""
    query = select(photos.c.folder, func.count(), func.min(photos.c.created_at), func.sum(photos.c.size))
    rows = connection.execute(query.where(photos.c.state != "staged").group_by(photos.c.folder))
    return {folder: Rows(count, oldest, size) for folder, count, oldest, size in rows}
