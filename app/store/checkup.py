"""Looking at a store from outside, without opening it for use: nothing is made, brought up to date or mended."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Select, create_engine, func, inspect, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from app.store.jobs import UNFINISHED
from app.store.schema import decisions, jobs, passwords, state

# Whoever holds the write lock writes: that is answer enough.
_PATIENCE_S = 0.2


class Unreadable(Exception):
    """Says in SQLite's words why."""


def why_not_writable(path: Path) -> str | None:
    """Why nothing can be written to the store at `path`, in words; None when it can."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_PATIENCE_S)) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            return None
        return f"The store cannot be written to: {error}."
    except sqlite3.DatabaseError as error:
        return f"The store is damaged: {error}."
    return None


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A snapshot of the store as it lies there. Raises Unreadable."""
    engine = create_engine(f"sqlite:///file:{path}?mode=ro&uri=true", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except DatabaseError as error:
        raise Unreadable(str(error.orig)) from error


def version(path: Path) -> int | None:
    with reading(path) as connection:
        found: int | None = connection.execute(select(state.c.version)).scalar()
        return found


def find_damage(path: Path) -> list[str]:
    """What SQLite finds wrong in the file, in its words."""
    with reading(path) as connection:
        found = [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check"))]
        return [] if found == ["ok"] else found


def newest(path: Path) -> datetime | None:
    """When the last decision was made."""
    with reading(path) as connection:
        found: datetime | None = connection.execute(select(func.max(decisions.c.created_at))).scalar()
        return found


def has_password(path: Path) -> bool:
    """False too where there is no store, or one that cannot be read."""
    return bool(_count(path, select(func.count()).select_from(passwords), passwords.name))


def count_waiting(path: Path) -> int:
    """Jobs that are not finished; 0 too where there is no store, or one that cannot be read."""
    return _count(path, select(func.count()).select_from(jobs).where(jobs.c.state.in_(UNFINISHED)), jobs.name)


def _count(path: Path, query: Select[int], table: str) -> int:
    if not path.exists():
        return 0
    try:
        with reading(path) as connection:
            there = inspect(connection).has_table(table)
            return int(connection.execute(query).scalar_one()) if there else 0
    except Unreadable:
        return 0
