"""Photos that a reset has read but not switched to yet, and the switch itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, literal, select, update

from app.store.queries import LIVE, insert_row, now
from app.store.schema import faces
from app.store.schema import photos as photos_table


def photos(connection: Connection, job_id: int) -> list[Row[Any]]:
    """What the job has staged, in the order it did."""
    query = select(photos_table).where(_staged_by(job_id)).order_by(photos_table.c.id)
    return list(connection.execute(query))


def add_photo(connection: Connection, job_id: int, **values: Any) -> int:
    return insert_row(connection, photos_table, state="staged", batch=job_id, encoded=True, created_at=now(), **values)


def drop(connection: Connection, job_id: int) -> None:
    """Forget what the job staged."""
    ids = select(photos_table.c.id).where(_staged_by(job_id))
    connection.execute(delete(faces).where(faces.c.photo_id.in_(ids)))
    connection.execute(delete(photos_table).where(_staged_by(job_id)))


def retire_live(connection: Connection, decision_id: int, backup: str, revision: int) -> None:
    """Every live photo becomes one of the past, its file now in the backups folder `backup`."""
    live = select(photos_table.c.id).where(LIVE)
    connection.execute(update(faces).where(faces.c.photo_id.in_(live)).values(revision=revision))
    for folder in ("uploads", "training"):
        connection.execute(
            update(photos_table)
            .where(LIVE, photos_table.c.folder == folder)
            .values(folder="backup", name=literal(f"{backup}/{folder}/") + photos_table.c.name)
        )
    # "elsewhere" may come back from the same pickle: its name makes room.
    connection.execute(
        update(photos_table)
        .where(LIVE, photos_table.c.folder == "elsewhere")
        .values(folder="gone", name=literal(f"{backup}/") + photos_table.c.name)
    )
    connection.execute(update(photos_table).where(LIVE).values(state="retired", batch=decision_id))


def live(connection: Connection) -> list[int]:
    """All live photos."""
    return list(connection.execute(select(photos_table.c.id).where(LIVE)).scalars())


def retire(connection: Connection, photo_ids: Sequence[int], decision_id: int, backup: str, revision: int) -> None:
    """These live photos become ones of the past, their files now in the backups folder `backup`."""
    for photo_id in photo_ids:
        touch(connection, photo_id, revision)
        connection.execute(
            update(photos_table)
            .where(photos_table.c.id == photo_id)
            .values(
                state="retired",
                batch=decision_id,
                name=literal(f"{backup}/") + photos_table.c.folder + "/" + photos_table.c.name,
                folder="backup",
            )
        )


def live_doubles(connection: Connection, photo_ids: Iterable[int]) -> list[int]:
    """The live photos that have the same bytes as one of these."""
    other = photos_table.alias("other")
    query = select(photos_table.c.id, other.c.id).where(
        photos_table.c.sha256 == other.c.sha256, photos_table.c.id != other.c.id, LIVE
    )
    wanted = set(photo_ids)
    return [live for live, photo_id in connection.execute(query) if photo_id in wanted]


def touch(connection: Connection, photo_id: int, revision: int) -> None:
    """Have galleries look at a photo's faces again."""
    connection.execute(update(faces).where(faces.c.photo_id == photo_id).values(revision=revision))


def publish(connection: Connection, job_id: int, revision: int) -> None:
    """What the job staged becomes live, its files now in training."""
    ids = select(photos_table.c.id).where(_staged_by(job_id))
    in_staged = faces.c.photo_id.in_(ids)
    connection.execute(update(faces).where(in_staged).values(revision=revision))
    connection.execute(
        update(faces).where(in_staged, faces.c.status == "labelled").values(labelled_at_revision=revision)
    )
    connection.execute(
        update(photos_table)
        .where(_staged_by(job_id))
        .values(
            state="live",
            folder="training",
            name=func.replace(photos_table.c.name, f"{job_id}/", ""),
        )
    )


def _staged_by(job_id: int) -> Any:
    return (photos_table.c.state == "staged") & (photos_table.c.batch == job_id)
