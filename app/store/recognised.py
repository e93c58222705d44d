"""Which labelled faces are used to recognise others: the gallery, as the store sees it.

A face is used when a human says so, and left out when a human says that. Where nobody has spoken it is used if it is
sound: not of low quality, and not almost the same picture as one that was named before it. Someone who has no sound
face would never be recognised, so all of theirs are used then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, not_, or_, select, update

from app.store.queries import LIVE, unpack
from app.store.schema import faces, photos

Change = tuple[int, int | None, NDArray[np.float32] | None]

# More people than this are not listed in a query: all faces that depend on others are looked at instead.
_LISTED = 500

_twin, _twin_photo = faces.alias("twin"), photos.alias("twin_photo")
_other, _other_photo = faces.alias("other"), photos.alias("other_photo")
_others_twin, _others_twin_photo = faces.alias("others_twin"), photos.alias("others_twin_photo")


def changes(connection: Connection, since: int, person_of: Callable[[int], int | None]) -> list[Change]:
    """(face id, person or None, encoding or None) of every face that came into the gallery, left it, or may have
    done either, after revision `since`.

    person_of: whose face, of those in the gallery at that revision, a face is. When the last sound face of someone
    goes, the others come in.
    """
    query = select(
        faces.c.id, faces.c.person_id, faces.c.encoding, and_(faces.c.person_id.is_not(None), _USED).label("used")
    ).join(photos, photos.c.id == faces.c.photo_id)
    # Someone who knows nothing yet has nothing to forget.
    wanted = or_(faces.c.revision > since, _depends_on_changes(connection, since, person_of)) if since else _USED
    return [_change(row) for row in connection.execute(query.where(wanted).order_by(faces.c.id))]


def used(connection: Connection, face_ids: Iterable[int]) -> set[int]:
    """Which of these faces are in the gallery."""
    query = select(faces.c.id).join(photos, photos.c.id == faces.c.photo_id)
    return set(connection.execute(query.where(faces.c.id.in_(list(face_ids)), _USED)).scalars())


def count_used(connection: Connection) -> int:
    """How many faces are in the gallery."""
    query = select(func.count()).select_from(faces.join(photos, photos.c.id == faces.c.photo_id)).where(_USED)
    return int(connection.execute(query).scalar_one())


def set_recognise(connection: Connection, face_id: int, recognise: bool | None, revision: int) -> None:
    """What a human says about it; None: as measured."""
    connection.execute(update(faces).where(faces.c.id == face_id).values(recognise=recognise, revision=revision))


def set_twin(connection: Connection, face_ids: Collection[int], twin_of: int | None) -> None:
    """Faces that are almost the same picture as another; None for those that are not."""
    connection.execute(update(faces).where(faces.c.id.in_(face_ids)).values(twin_of=twin_of))


def labelled_encodings(connection: Connection, person_id: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The labelled faces of a person, as they are in this very change: ids (n,) and encodings (n, 128)."""
    query = select(faces.c.id, faces.c.encoding).join(photos, photos.c.id == faces.c.photo_id)
    rows = connection.execute(query.where(LIVE, faces.c.person_id == person_id, faces.c.status == "labelled")).all()
    encodings = np.frombuffer(b"".join(row.encoding for row in rows), "<f4").reshape(len(rows), -1)
    return np.array([row.id for row in rows], np.int64), encodings.astype(np.float32)


def _change(row: Row[Any]) -> Change:
    return (row.id, row.person_id, unpack(row.encoding)) if row.used else (row.id, None, None)


def _depends_on_changes(
    connection: Connection, since: int, person_of: Callable[[int], int | None]
) -> ColumnElement[bool]:
    """Faces that are used or not according to the other faces of somebody who got or lost one."""
    changed = connection.execute(select(faces.c.id, faces.c.person_id).where(faces.c.revision > since)).all()
    people = {person for face, now in changed for person in (now, person_of(face)) if person is not None}
    dependent = and_(faces.c.recognise.is_(None), or_(faces.c.low_quality, faces.c.twin_of.is_not(None)))
    return dependent if len(people) > _LISTED else and_(faces.c.person_id.in_(people), dependent)


def _sound(face: Any, twin: Any, twin_photo: Any) -> ColumnElement[bool]:
    earlier = or_(
        twin.c.labelled_at_revision < face.c.labelled_at_revision,
        and_(twin.c.labelled_at_revision == face.c.labelled_at_revision, twin.c.id < face.c.id),
    )
    repeats = exists().where(
        twin.c.id == face.c.twin_of,
        twin.c.person_id == face.c.person_id,
        earlier,
        func.coalesce(twin.c.recognise, not_(twin.c.low_quality)),
        twin_photo.c.id == twin.c.photo_id,
        twin_photo.c.state == "live",
    )
    return func.coalesce(face.c.recognise, and_(not_(face.c.low_quality), not_(repeats)))


_HAS_SOUND = exists().where(
    _other.c.person_id == faces.c.person_id,
    _other_photo.c.id == _other.c.photo_id,
    _other_photo.c.state == "live",
    _sound(_other, _others_twin, _others_twin_photo),
)
_USED = and_(
    faces.c.status == "labelled",
    photos.c.state == "live",
    or_(_sound(faces, _twin, _twin_photo), and_(faces.c.recognise.is_(None), not_(_HAS_SOUND))),
)
