"""From which decision on the user's answers count for how sure the recogniser may be."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from app.store.queries import insert_row, now
from app.store.schema import calibrations, decisions


def begin_after(connection: Connection) -> int:
    """The decision after which answers count; 0 where they were never forgotten."""
    found = connection.execute(select(func.max(calibrations.c.after_decision))).scalar()
    return int(found or 0)


def forget(connection: Connection) -> tuple[int, int]:
    """Have only answers count that are still to come: (the row that says so, the decision after which they do)."""
    newest = int(connection.execute(select(func.max(decisions.c.id))).scalar() or 0)
    return insert_row(connection, calibrations, created_at=now(), after_decision=newest), newest


def count_suggestions(connection: Connection, after: int) -> int:
    """How many decisions after that one were about a suggestion, and stand."""
    query = select(func.count()).select_from(decisions)
    asked = decisions.c.suggestion.is_not(None) & decisions.c.undone_at.is_(None)
    return int(connection.execute(query.where(asked, decisions.c.id > after)).scalar_one())
