"""The jobs table: what background work has done, for any process to show."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select, update

from app.store import author
from app.store.queries import insert_row, now
from app.store.schema import jobs

UNFINISHED = ("queued", "running")
_SHOWN = [column for column in jobs.c if column is not jobs.c.payload]


def add(connection: Connection, kind: str, payload: dict[str, Any], total: int, message: str) -> int:
    return insert_row(
        connection,
        jobs,
        kind=kind,
        state="queued",
        payload=payload,
        done=0,
        total=total,
        message=message,
        attempts=0,
        created_at=now(),
        who=author.name(),
    )


def get(connection: Connection, job_id: int) -> Row[Any] | None:
    return connection.execute(select(jobs).where(jobs.c.id == job_id)).first()


def change(connection: Connection, job_id: int, **values: Any) -> None:
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(**values))


def unfinished(connection: Connection, kind: str | None = None) -> list[Row[Any]]:
    query = select(jobs).where(jobs.c.state.in_(UNFINISHED)).order_by(jobs.c.id)
    return list(connection.execute(query if kind is None else query.where(jobs.c.kind == kind)))


def newest(connection: Connection, limit: int) -> list[Row[Any]]:
    return list(connection.execute(select(*_SHOWN).order_by(jobs.c.id.desc()).limit(limit)))


def shown(connection: Connection, job_id: int) -> Row[Any] | None:
    """A job without its payload, which of a big import is long and of no interest to those who watch it."""
    return connection.execute(select(*_SHOWN).where(jobs.c.id == job_id)).first()


def next_unfinished(connection: Connection, after: int) -> int | None:
    """The job whose turn it is when `after` has just had its own: they go round in the order they came."""
    query = select(jobs.c.id).where(jobs.c.state.in_(UNFINISHED)).order_by(jobs.c.id <= after, jobs.c.id).limit(1)
    return connection.execute(query).scalar()


def rest(connection: Connection) -> None:
    """Jobs that nobody is in the middle of wait to be started again: none has run while nothing did."""
    between_turns = (jobs.c.state == "running") & (jobs.c.attempts == 0)
    connection.execute(update(jobs).where(between_turns).values(state="queued"))
