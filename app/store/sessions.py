"""Who is logged in. Every query is told which sessions still count, as `Counting`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, not_, select, update

from app.store.queries import insert_row, now
from app.store.schema import sessions


@dataclass(frozen=True)
class Counting:
    """passwords: the fingerprint of those that are valid. A session opened before `opened`, or last used before `used`,
    has ended."""

    passwords: str
    opened: datetime
    used: datetime

    def clause(self) -> ColumnElement[bool]:
        return and_(
            sessions.c.passwords == self.passwords,
            sessions.c.created_at > self.opened,
            sessions.c.used_at > self.used,
        )


def add(connection: Connection, **values: Any) -> int:
    """Its id. values: hash, scope, name, address and passwords."""
    return insert_row(connection, sessions, created_at=now(), used_at=now(), **values)


def by_hash(connection: Connection, hash_: str, counting: Counting) -> Row[Any] | None:
    return connection.execute(select(sessions).where(sessions.c.hash == hash_, counting.clause())).first()


def every(connection: Connection, counting: Counting) -> list[Row[Any]]:
    """The one used last comes first."""
    query = select(sessions).where(counting.clause())
    return list(connection.execute(query.order_by(sessions.c.used_at.desc(), sessions.c.id.desc())))


def use(connection: Connection, session_id: int) -> None:
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(used_at=now()))


def remove(connection: Connection, session_id: int) -> bool:
    """Whether there was one."""
    return connection.execute(delete(sessions).where(sessions.c.id == session_id)).rowcount == 1


def remove_all(connection: Connection) -> int:
    """How many there were."""
    return int(connection.execute(delete(sessions)).rowcount)


def remove_ended(connection: Connection, counting: Counting) -> None:
    connection.execute(delete(sessions).where(not_(counting.clause())))
