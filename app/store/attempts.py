"""The passwords that were tried lately, from where and when: never what was tried."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, or_, select, update

from app.store.queries import insert_row, now
from app.store.schema import attempts


def add(connection: Connection, address: str) -> int:
    """Its id. It counts as wrong until it has turned out to be right."""
    return insert_row(connection, attempts, address=address, right=False, created_at=now())


def mark_right(connection: Connection, attempt_id: int) -> None:
    connection.execute(update(attempts).where(attempts.c.id == attempt_id).values(right=True))


def wrong_since(connection: Connection, since: datetime, address: str | None = None) -> list[datetime]:
    """When wrong ones were tried, from everywhere or from one address, oldest first."""
    query = select(attempts.c.created_at).where(~attempts.c.right, attempts.c.created_at > since)
    if address is not None:
        query = query.where(attempts.c.address == address)
    return list(connection.execute(query.order_by(attempts.c.id)).scalars())


def was_right_since(connection: Connection, since: datetime, address: str) -> bool:
    """Whether somebody has come in from there."""
    query = select(attempts.c.id).where(attempts.c.right, attempts.c.created_at > since, attempts.c.address == address)
    return connection.execute(query.limit(1)).first() is not None


def forget(connection: Connection, *, wrong_before: datetime, right_before: datetime) -> None:
    wrong = ~attempts.c.right & (attempts.c.created_at <= wrong_before)
    right = attempts.c.right & (attempts.c.created_at <= right_before)
    connection.execute(delete(attempts).where(or_(wrong, right)))
