"""What is asked of the store when labels leave it, or come from elsewhere."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, insert, select, update

from app.store.queries import LIVE, REMOVED
from app.store.schema import decisions, faces, people, photos, rejections, vouches

_NAMED_PHOTOS = select(faces.c.photo_id).where(faces.c.status == "labelled")


def labelled_photos(connection: Connection) -> list[Row[Any]]:
    """Live photos in which someone has a name: all columns, by id."""
    query = select(photos).where(LIVE, photos.c.id.in_(_NAMED_PHOTOS)).order_by(photos.c.id)
    return list(connection.execute(query))


def faces_of_labelled_photos(connection: Connection) -> list[Row[Any]]:
    """Every face of those photos, with `person`."""
    query = (
        select(faces, people.c.name.label("person"))
        .select_from(
            faces.join(photos, photos.c.id == faces.c.photo_id).outerjoin(people, people.c.id == faces.c.person_id)
        )
        .where(LIVE, faces.c.status != REMOVED, faces.c.photo_id.in_(_NAMED_PHOTOS))
    )
    return list(connection.execute(query))


def decided_at(connection: Connection) -> dict[tuple[int, int], str]:
    """When a face was given to a person, by (face, person) and in UTC: here, or where the name was imported from. Of
    some names nobody knows."""
    query = (
        select(decisions.c.face_id, decisions.c.after, decisions.c.created_at)
        .where(decisions.c.face_id.is_not(None), decisions.c.undone_at.is_(None))
        .order_by(decisions.c.id)
    )
    found: dict[tuple[int, int], str | None] = {}
    for face_id, after, created in connection.execute(query):
        if after.get("status") == "labelled":
            found[face_id, after["person_id"]] = after["decided_at"] if "decided_at" in after else as_text(created)
    return {key: moment for key, moment in found.items() if moment}


def as_text(moment: datetime) -> str:
    """A moment of the store as files have it."""
    return f"{moment.isoformat(timespec='seconds')}Z"


def rejected_names(connection: Connection) -> dict[int, list[str]]:
    """Who a face was said not to be, by face."""
    return _names_by_face(connection, rejections)


def vouched_names(connection: Connection) -> dict[int, list[str]]:
    """Names of a face that a human stands by, by face."""
    return _names_by_face(connection, vouches)


def _names_by_face(connection: Connection, table: Table) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    query = select(table.c.face_id, people.c.name).join(people, people.c.id == table.c.person_id)
    for face_id, name in connection.execute(query.order_by(table.c.face_id, people.c.name)):
        found[face_id].append(name)
    return found


def place_of(connection: Connection, photo_id: int) -> tuple[str, str] | None:
    """(folder, name) of a photo, live or put aside."""
    row = connection.execute(select(photos.c.folder, photos.c.name).where(photos.c.id == photo_id)).first()
    return None if row is None else (row.folder, row.name)


@dataclass(frozen=True)
class Taken:
    """Names of files, in small letters, that a new photo cannot have."""

    uploads: set[str]
    training: set[str]


def taken_names(connection: Connection) -> Taken:
    """What is in use, or once was by a photo that has moved on. Rows of the past count too: their names are unique."""
    rows = connection.execute(select(photos.c.folder, photos.c.name, photos.c.upload_name))
    taken = Taken(set(), set())
    for folder, name, upload_name in rows:
        if folder == "training":
            taken.training.add(name.casefold())
        elif folder == "uploads":
            taken.uploads.add(name.casefold())
        if upload_name:
            taken.uploads.add(upload_name.casefold())
    return taken


def live_photos(connection: Connection) -> list[Row[Any]]:
    """(id, folder, name, sha256) of all."""
    return list(connection.execute(select(photos.c.id, photos.c.folder, photos.c.name, photos.c.sha256).where(LIVE)))


def place_photos(connection: Connection, places: list[dict[str, Any]]) -> None:
    """Where photos are now, each as {"photo_id", "folder", "name", "named_for"}."""
    if places:
        connection.execute(
            update(photos)
            .where(photos.c.id == bindparam("photo_id"))
            .values({column: bindparam(column) for column in ("folder", "name", "named_for")}),
            places,
        )


def set_facts(connection: Connection, face_id: int, **values: Any) -> None:
    """What goes with a face besides its name: recognise, twin_of."""
    connection.execute(update(faces).where(faces.c.id == face_id).values(**values))


def add_lists(connection: Connection, face_id: int, *, rejected: list[int], vouched: list[int]) -> None:
    """Who a face is not, and whose name of it is meant."""
    for table, person_ids in ((rejections, rejected), (vouches, vouched)):
        there = set(connection.execute(select(table.c.person_id).where(table.c.face_id == face_id)).scalars())
        new = [{"face_id": face_id, "person_id": person} for person in dict.fromkeys(person_ids) if person not in there]
        if new:
            connection.execute(insert(table), new)
