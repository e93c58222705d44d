"""How much there is of everything that operators watch."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from app.store.schema import decisions, jobs


def decisions_by_kind(connection: Connection) -> dict[str, int]:
    """Those that were taken back too."""
    query = select(decisions.c.kind, func.count()).group_by(decisions.c.kind)
    return {kind: count for kind, count in connection.execute(query)}


def jobs_by_state(connection: Connection) -> dict[str, int]:
    query = select(jobs.c.state, func.count()).group_by(jobs.c.state)
    return {state: count for state, count in connection.execute(query)}
