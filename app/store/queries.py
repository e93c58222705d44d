"""What is asked of the store and written to it, as plain functions over a connection."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Table, and_, case, delete, func, insert, or_, select, update

from app.store import author
from app.store.schema import decisions, faces, people, photos, rejections, state

Box = tuple[int, int, int, int]

LIVE = photos.c.state == "live"
REMOVED = "removed"
"""the status of a face that was drawn by hand and taken away again"""
# Revisions an epoch. Should an installation make so many changes, everything is once looked at anew, and that is all.
_EPOCH = 1_000_000
_THERE = and_(photos.c.id == faces.c.photo_id, LIVE, faces.c.status != REMOVED)
_FACES_OF_LIVE_PHOTOS = faces.join(photos, _THERE)


def now() -> datetime:
    """UTC, as the store keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


def pack(encoding: NDArray[np.floating[Any]] | Sequence[float]) -> bytes:
    """128 numbers -> 128 little-endian float32."""
    return np.asarray(encoding, dtype="<f4").tobytes()


def unpack(encoding: bytes) -> NDArray[np.float32]:
    return np.frombuffer(encoding, dtype="<f4").astype(np.float32, copy=False)


def insert_row(connection: Connection, table: Table, **values: Any) -> int:
    """Its id."""
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    return int(key[0]) if key is not None else 0


# --- the revision and the publication


def revision(connection: Connection) -> int:
    return int(connection.execute(select(state.c.revision)).scalar_one())


def next_revision(connection: Connection) -> int:
    connection.execute(update(state).values(revision=state.c.revision + 1))
    return revision(connection)


def next_epoch(connection: Connection, above: int = 0) -> int:
    """A revision that begins an epoch: one at which rows went for good, so that nothing known of older revisions
    holds. It is higher than `above`, too."""
    began = (max(revision(connection), above) // _EPOCH + 1) * _EPOCH
    connection.execute(update(state).values(revision=began))
    return began


def same_epoch(one: int, other: int) -> bool:
    """Whether all that changed between two revisions can be told from the rows that are there."""
    return one // _EPOCH == other // _EPOCH


def pickle_length(connection: Connection) -> int | None:
    length: int | None = connection.execute(select(state.c.pickle_length)).scalar_one()
    return length


def set_pickle_length(connection: Connection, length: int) -> None:
    connection.execute(update(state).values(pickle_length=length))


@dataclass(frozen=True)
class LabelledFace:
    """A row of train.pickle before it is one."""

    folder: str
    file_name: str
    box: Box
    encoding: NDArray[np.float32]
    person: str


def labelled_faces(connection: Connection, face_ids: Sequence[int] | None = None) -> list[LabelledFace]:
    """The labelled faces of live photos, or those of them in `face_ids`, in the order they were labelled."""
    query = (
        select(
            photos.c.folder, photos.c.name, faces.c.top, faces.c.right, faces.c.bottom, faces.c.left,
            faces.c.encoding, people.c.name,
        )
        .select_from(_FACES_OF_LIVE_PHOTOS.join(people, people.c.id == faces.c.person_id))
        .where(faces.c.status == "labelled")
        .order_by(faces.c.labelled_at_revision, faces.c.id)
    )  # fmt: skip
    if face_ids is not None:
        query = query.where(faces.c.id.in_(face_ids))
    return [
        LabelledFace(folder, name, (top, right, bottom, left), unpack(encoding), person)
        for folder, name, top, right, bottom, left, encoding, person in connection.execute(query)
    ]


def published_names(connection: Connection, *, before: int) -> list[str]:
    """Who had a labelled face before revision `before`, sorted as train.pickle sorts them."""
    query = (
        select(people.c.name)
        .select_from(_FACES_OF_LIVE_PHOTOS.join(people, people.c.id == faces.c.person_id))
        .where(faces.c.labelled_at_revision < before)
        .distinct()
    )
    return sorted(connection.execute(query).scalars())


# --- photos


def photo(connection: Connection, photo_id: int) -> Row[Any] | None:
    return connection.execute(select(photos).where(photos.c.id == photo_id, LIVE)).first()


def photo_by_hash(connection: Connection, sha256: str, *states: str, batch: int | None = None) -> Row[Any] | None:
    """The photo with these bytes that is live, or in one of `states`."""
    query = select(photos).where(photos.c.sha256 == sha256, photos.c.state.in_(states or ("live",)))
    if batch is not None:
        query = query.where(photos.c.batch == batch)
    return connection.execute(query).first()


def photo_by_path(connection: Connection, folder: str, name: str) -> Row[Any] | None:
    """The photo that is there, or that was uploaded there and has moved on since."""
    there = and_(photos.c.folder == folder, photos.c.name == name)
    if folder == "uploads":
        there = or_(there, photos.c.upload_name == name)
    return connection.execute(select(photos).where(there, LIVE)).first()


def upload_names_like(connection: Connection, stem: str, *, but: int | None = None) -> list[str]:
    """Upload names that start with `stem`, in use or once used by a photo that has moved on; not those of photo
    `but`."""
    mine = photos.c.id == (-1 if but is None else but)
    used = select(photos.c.upload_name).where(photos.c.upload_name.startswith(stem, autoescape=True), LIVE, ~mine)
    there = select(photos.c.name).where(
        photos.c.folder == "uploads", photos.c.name.startswith(stem, autoescape=True), LIVE, ~mine
    )
    return [*connection.execute(used).scalars(), *connection.execute(there).scalars()]


def training_names_like(connection: Connection, stem: str) -> list[str]:
    """Names of files in training that start with `stem`, whether the files are still there or not."""
    query = select(photos.c.name).where(
        photos.c.folder == "training", photos.c.name.startswith(stem, autoescape=True), LIVE
    )
    return list(connection.execute(query).scalars())


def add_photo(connection: Connection, **values: Any) -> int:
    return insert_row(connection, photos, created_at=now(), **values)


def update_photo(connection: Connection, photo_id: int, **values: Any) -> None:
    connection.execute(update(photos).where(photos.c.id == photo_id).values(**values))


def photos_with_inbox(connection: Connection, limit: int, after: int | None = None) -> list[Row[Any]]:
    """Live photos with faces still to decide, newest first: the photo's columns, `faces` and `waiting`."""
    waiting = func.sum(case((faces.c.status == "inbox", 1), else_=0))
    query = (
        select(photos, func.count(faces.c.id).label("faces"), waiting.label("waiting"))
        .select_from(_FACES_OF_LIVE_PHOTOS)
        .group_by(photos.c.id)
        .having(waiting > 0)
        .order_by(photos.c.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(photos.c.id != after)
    return list(connection.execute(query))


def photos_with_files(connection: Connection) -> list[Row[Any]]:
    """Every photo, of the past too, whose file this installation keeps."""
    query = select(photos.c.id, photos.c.folder, photos.c.name, photos.c.size, photos.c.sha256)
    return list(connection.execute(query.where(photos.c.sha256.is_not(None), photos.c.state != "staged")))


def count_photos(connection: Connection, *folders: str) -> int:
    query = select(func.count()).select_from(photos).where(LIVE)
    if folders:
        query = query.where(photos.c.folder.in_(folders))
    return int(connection.execute(query).scalar_one())


# --- faces

_FACE = (
    select(faces, people.c.name.label("person"), photos.c.folder, photos.c.name.label("file_name"))
    .select_from(_FACES_OF_LIVE_PHOTOS.outerjoin(people, people.c.id == faces.c.person_id))
    .order_by(faces.c.photo_id, faces.c.left, faces.c.top, faces.c.id)
)


def face(connection: Connection, face_id: int) -> Row[Any] | None:
    """One face with its person's name and its photo's folder and file name."""
    return connection.execute(_FACE.where(faces.c.id == face_id)).first()


def faces_of_photo(connection: Connection, photo_id: int) -> list[Row[Any]]:
    return list(connection.execute(_FACE.where(faces.c.photo_id == photo_id)))


def faces_of_person(connection: Connection, person_id: int) -> list[Row[Any]]:
    return list(connection.execute(_FACE.where(faces.c.person_id == person_id)))


def faces_by_id(connection: Connection, face_ids: Iterable[int]) -> dict[int, Row[Any]]:
    rows = connection.execute(_FACE.where(faces.c.id.in_(list(face_ids))))
    return {row.id: row for row in rows}


def add_face(
    connection: Connection,
    photo_id: int,
    box: Box,
    encoding: bytes,
    *,
    low_quality: bool,
    flaws: Iterable[str] | None = None,
    revision: int,
    person_id: int | None = None,
) -> int:
    """Its id. flaws: what was measured, None when nobody has looked at the face."""
    top, right, bottom, left = box
    return insert_row(
        connection,
        faces,
        photo_id=photo_id,
        top=top,
        right=right,
        bottom=bottom,
        left=left,
        encoding=encoding,
        low_quality=low_quality,
        flaws=None if flaws is None else ",".join(flaws),
        status="inbox" if person_id is None else "labelled",
        person_id=person_id,
        labelled_at_revision=None if person_id is None else revision,
        revision=revision,
    )


def set_face(
    connection: Connection,
    face_id: int,
    was: str,
    *,
    status: str,
    person_id: int | None,
    revision: int,
    **more: Any,
) -> bool:
    """Change a face if it still is as `was`; whether it was."""
    result = connection.execute(
        update(faces)
        .where(faces.c.id == face_id, faces.c.status == was)
        .values(status=status, person_id=person_id, revision=revision, **more)
    )
    return result.rowcount == 1


def count_faces(connection: Connection) -> dict[str, int]:
    """How many faces of live photos have each status."""
    query = select(faces.c.status, func.count()).select_from(_FACES_OF_LIVE_PHOTOS).group_by(faces.c.status)
    return {status: count for status, count in connection.execute(query)}


# --- people


def find_person(connection: Connection, name: str) -> int | None:
    found: int | None = connection.execute(select(people.c.id).where(people.c.name == name)).scalar()
    return found


def person_id(connection: Connection, name: str) -> int:
    """The person of that name, made if there is none."""
    found = find_person(connection, name)
    return insert_row(connection, people, name=name) if found is None else found


def known_people(connection: Connection, person_id: int | None = None) -> list[Row[Any]]:
    """(id, name, face_count, cover: a face id) of everyone with a labelled face, by name. The cover is the face that
    was chosen while it is theirs, else their first."""
    chosen = func.max(case((faces.c.id == people.c.cover_id, faces.c.id)))
    cover = func.coalesce(chosen, func.min(faces.c.id)).label("cover")
    query = (
        select(people.c.id, people.c.name, func.count().label("face_count"), cover)
        .select_from(_FACES_OF_LIVE_PHOTOS.join(people, people.c.id == faces.c.person_id))
        .group_by(people.c.id, people.c.name)
    )
    if person_id is not None:
        query = query.where(people.c.id == person_id)
    return sorted(connection.execute(query), key=lambda row: _sort_key(row.name))


def _sort_key(name: str) -> tuple[str, str]:
    """Capitals and accents do not part what belongs together: Ana, Ána, Bob."""
    letters = (c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return "".join(letters).casefold(), name


def names(connection: Connection) -> dict[int, str]:
    return {id_: name for id_, name in connection.execute(select(people.c.id, people.c.name))}


def names_in_photo(connection: Connection, photo_id: int) -> list[int]:
    """The people named in a photo, the first named first."""
    query = (
        select(faces.c.person_id)
        .where(faces.c.photo_id == photo_id, faces.c.status == "labelled")
        .order_by(faces.c.labelled_at_revision, faces.c.id)
    )
    return list(connection.execute(query).scalars())


# --- decisions


def add_decision(connection: Connection, kind: str, **values: Any) -> int:
    """Its id. values: before and after, and what else there is of face_id, suggestion and action."""
    return insert_row(connection, decisions, kind=kind, created_at=now(), who=author.name(), **values)


def update_decision(connection: Connection, decision_id: int, **values: Any) -> None:
    connection.execute(update(decisions).where(decisions.c.id == decision_id).values(**values))


def decisions_of_kind(connection: Connection, kind: str) -> list[Row[Any]]:
    """Newest first."""
    query = select(decisions).where(decisions.c.kind == kind).order_by(decisions.c.id.desc())
    return list(connection.execute(query))


def reset_of_job(connection: Connection, job_id: int) -> Row[Any] | None:
    """The decision of a reset job that has switched over."""
    return next((row for row in decisions_of_kind(connection, "reset") if row.after.get("job") == job_id), None)


def reject(connection: Connection, face_id: int, person_id: int) -> None:
    """Remember that this face is not that person."""
    accept(connection, face_id, person_id)
    connection.execute(insert(rejections).values(face_id=face_id, person_id=person_id))


def accept(connection: Connection, face_id: int, person_id: int) -> None:
    """Forget that it was said not to be."""
    connection.execute(delete(rejections).where(rejections.c.face_id == face_id, rejections.c.person_id == person_id))


def rejected(connection: Connection, face_ids: Iterable[int]) -> set[tuple[int, int]]:
    """(face, person) for everything that was said not to be so about these faces."""
    query = select(rejections.c.face_id, rejections.c.person_id).where(rejections.c.face_id.in_(list(face_ids)))
    return {(face_id, person) for face_id, person in connection.execute(query)}
