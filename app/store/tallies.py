"""How much there is of everything that operators watch."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from app.store.schema import decisions, faces, jobs, people, photos


def decisions_by_kind(connection: Connection) -> dict[str, int]:
    """Those that were taken back too."""
    query = select(decisions.c.kind, func.count()).group_by(decisions.c.kind)
    return {kind: count for kind, count in connection.execute(query)}


def jobs_by_state(connection: Connection) -> dict[str, int]:
    query = select(jobs.c.state, func.count()).group_by(jobs.c.state)
    return {state: count for state, count in connection.execute(query)}


def count_people(connection: Connection) -> int:
    """Those with a labelled face."""
    labelled = faces.join(photos, photos.c.id == faces.c.photo_id).join(people, people.c.id == faces.c.person_id)
    live = photos.c.state == "live"
    query = select(func.count(people.c.id.distinct())).select_from(labelled).where(live)
    return int(connection.execute(query).scalar_one())
