"""What is changed of people as a whole: their names, their pictures, and whose faces are whose."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Table, delete, exists, func, insert, select, update

from app.store.schema import faces, people, photos, rejections, vouches


def person(connection: Connection, person_id: int) -> Row[Any] | None:
    """(id, name, cover_id), whether they have a face or not."""
    return connection.execute(select(people).where(people.c.id == person_id)).first()


def has_faces(connection: Connection, person_id: int) -> bool:
    """Whether a face of a live photo has this name."""
    query = select(faces.c.id).join(photos, photos.c.id == faces.c.photo_id)
    return connection.execute(query.where(faces.c.person_id == person_id, photos.c.state == "live")).first() is not None


def count(connection: Connection) -> int:
    """How many people have a face in a live photo."""
    query = select(func.count(faces.c.person_id.distinct())).join(photos, photos.c.id == faces.c.photo_id)
    return int(connection.execute(query.where(photos.c.state == "live")).scalar_one())


def names_in_use(connection: Connection, limit: int) -> list[str]:
    """The names of people with a face, in the order of their letters, so many at most."""
    live = select(faces.c.id).join(photos, photos.c.id == faces.c.photo_id)
    has_face = exists(live.where(faces.c.person_id == people.c.id, photos.c.state == "live"))
    return list(
        connection.execute(select(people.c.name).where(has_face).order_by(people.c.name).limit(limit)).scalars()
    )


def photos_named_for(connection: Connection, person_id: int) -> list[int]:
    """The photos whose files in training carry this person's name, in the order of their numbers."""
    query = select(photos.c.id).where(
        photos.c.named_for == person_id, photos.c.state == "live", photos.c.folder == "training"
    )
    return list(connection.execute(query.order_by(photos.c.name, photos.c.id)).scalars())


def rename(connection: Connection, person_id: int, name: str) -> None:
    connection.execute(update(people).where(people.c.id == person_id).values(name=name))


def set_cover(connection: Connection, person_id: int, face_id: int) -> None:
    connection.execute(update(people).where(people.c.id == person_id).values(cover_id=face_id))


def faces_holding(connection: Connection, person_id: int) -> list[int]:
    """Every face that has this name, in photos of the past too, or of which something was said about this person."""
    said = (
        exists().where(listed.c.face_id == faces.c.id, listed.c.person_id == person_id)
        for listed in (rejections, vouches)
    )
    query = select(faces.c.id).where((faces.c.person_id == person_id) | next(said) | next(said))
    return list(connection.execute(query.order_by(faces.c.id)).scalars())


def photos_holding(connection: Connection, person_id: int) -> list[int]:
    """Every photo, of the past too, that is named for this person."""
    return list(connection.execute(select(photos.c.id).where(photos.c.named_for == person_id)).scalars())


def give_faces(connection: Connection, person_id: int, other_id: int, revision: int, *, past: bool = False) -> None:
    """Make one person's faces another's, and what was said of the one said of the other. past: of photos that a
    reset has put aside, too."""
    mine = faces.c.person_id == person_id
    if not past:
        mine &= exists().where(photos.c.id == faces.c.photo_id, photos.c.state == "live")
    connection.execute(update(faces).where(mine).values(person_id=other_id, revision=revision))
    for listed in (rejections, vouches):
        _give(connection, listed, person_id, other_id)
    # Who has the name now is not said not to be its bearer.
    bearer = exists().where(faces.c.id == rejections.c.face_id, faces.c.person_id == other_id)
    connection.execute(delete(rejections).where(rejections.c.person_id == other_id, bearer))


def remove(connection: Connection, person_id: int, other_id: int) -> None:
    """Let a person on whom no face rests go; photos that were named for them are named for the other."""
    connection.execute(update(photos).where(photos.c.named_for == person_id).values(named_for=other_id))
    connection.execute(delete(people).where(people.c.id == person_id))


def _give(connection: Connection, listed: Table, person_id: int, other_id: int) -> None:
    there = set(connection.execute(select(listed.c.face_id).where(listed.c.person_id == other_id)).scalars())
    mine = list(connection.execute(select(listed.c.face_id).where(listed.c.person_id == person_id)).scalars())
    connection.execute(delete(listed).where(listed.c.person_id == person_id))
    rows = [{"face_id": face, "person_id": other_id} for face in mine if face not in there]
    if rows:
        connection.execute(insert(listed), rows)
