"""Rows that go for good: of faces, photos and people, with every trace of them in other rows.

The journal keeps that something was decided, and when. What was decided, about whom, and how to undo it goes: an
action of which a part is gone is marked, and cannot be undone any more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, null, or_, select, update

from app.store.changes import FACE, PERSON, PHOTO
from app.store.files import safe_stem
from app.store.schema import changes, decisions, faces, jobs, people, photos, rejections, vouches

ERASED = "erased"
"""marks, in what a decision keeps, that a part of it is gone"""
_AT_ONCE = 10_000
_PEOPLE = ("person_id", "named_for", "rejected", "accepted", "vouched", "rejections", "vouches")


@dataclass(frozen=True)
class Doomed:
    """What is to go: ids, and the names by which nobody else is known."""

    faces: Collection[int] = ()
    photos: Collection[int] = ()
    people: Collection[int] = ()
    names: Collection[str] = ()
    _names: list[re.Pattern[str]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        # A name in a file's name stands between anything but letters: ana_01.jpg, but not banana.jpg.
        spelt = {*self.names, *(safe_stem(name, "") for name in self.names)} - {""}
        self._names.extend(
            re.compile(rf"(?<![^\W\d_]){re.escape(name)}(?![^\W\d_])", re.IGNORECASE) for name in sorted(spelt)
        )

    def is_named(self, text: str) -> bool:
        return any(name.search(text) for name in self._names)

    def is_in(self, value: Any, key: str = "") -> bool:
        """Whether JSON speaks of the person."""
        if isinstance(value, dict):
            return any(self.is_in(part, name) for name, part in value.items())
        if isinstance(value, list):
            return any(self.is_in(part, key) for part in value)
        return self.is_named(value) if isinstance(value, str) else self._is_person(value, key)

    def taken_out_of(self, value: Any, key: str = "") -> Any:
        """JSON that no longer speaks of the person."""
        if isinstance(value, dict):
            return {name: self.taken_out_of(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [self.taken_out_of(part, key) for part in value if not self._is_person(part, key)]
        return None if self.is_in(value, key) else value

    def _is_person(self, value: Any, key: str) -> bool:
        return key in _PEOPLE and value in self.people


# ---- What there is


def same_photos(connection: Connection, photo_id: int) -> list[Row[Any]]:
    """A photo, and those of the past that have the same bytes; none if there is no such live photo."""
    query = select(photos).where(photos.c.id == photo_id, photos.c.state == "live")
    found = connection.execute(query).first()
    if found is None or found.sha256 is None:
        return [found] if found is not None else []
    return list(connection.execute(select(photos).where(photos.c.sha256 == found.sha256).order_by(photos.c.id)))


def photos_showing(connection: Connection, person_id: int) -> list[Row[Any]]:
    """Every photo, of the past too, in which a person has a face or whose file has their name, with `others`: how many
    more faces in it may be somebody's."""
    other = faces.alias("other")
    others = (
        select(func.count())
        .where(
            other.c.photo_id == photos.c.id,
            other.c.status.in_(("inbox", "ignored", "labelled")),
            or_(other.c.person_id.is_(None), other.c.person_id != person_id),
        )
        .scalar_subquery()
    )
    theirs = select(faces.c.photo_id).where(faces.c.person_id == person_id)
    query = select(photos, others.label("others")).where(or_(photos.c.id.in_(theirs), photos.c.named_for == person_id))
    return list(connection.execute(query.order_by(photos.c.id)))


def face_ids(connection: Connection, *, photo_ids: Collection[int] = (), person_id: int | None = None) -> set[int]:
    """The faces in these photos, and those that are a person's."""
    theirs = select(faces.c.id).where(faces.c.person_id == person_id)
    found = set() if person_id is None else set(connection.execute(theirs).scalars())
    for some in _parts(photo_ids):
        found |= set(connection.execute(select(faces.c.id).where(faces.c.photo_id.in_(some))).scalars())
    return found


def merged_into(connection: Connection, person_id: int) -> set[int]:
    """The person, and those who were said to be the same and of whom nothing is left but the name."""
    found, journal = {person_id}, select(decisions.c.before, decisions.c.after)
    merges = connection.execute(journal.where(decisions.c.kind == "merge", decisions.c.undone_at.is_(None)))
    pairs = [(row.before.get("person_id"), row.after.get("person_id")) for row in merges]
    bare = set(
        connection.execute(select(people.c.id).where(~exists().where(faces.c.person_id == people.c.id))).scalars()
    )
    while more := {one for one, other in pairs if other in found and one in bare} - found:
        found |= more
    return found


def names_ever(connection: Connection, person_ids: Collection[int]) -> set[str]:
    """What these people were called at any time, but for names that somebody else has now."""
    found = set(connection.execute(select(people.c.name).where(people.c.id.in_(person_ids))).scalars())
    rows = connection.execute(
        select(changes.c.before, changes.c.after).where(changes.c.kind == PERSON, changes.c.row_id.in_(person_ids))
    )
    found |= {image["name"] for row in rows for image in row if image}
    journal = select(decisions.c.before, decisions.c.after).where(decisions.c.kind.in_(("rename", "merge", "delete")))
    images = (image for row in connection.execute(journal) for image in row)
    found |= {image["name"] for image in images if image.get("person_id") in person_ids and image.get("name")}
    return found - set(connection.execute(select(people.c.name).where(people.c.id.not_in(person_ids))).scalars())


# ---- What goes


def erase_faces(connection: Connection, doomed: Doomed) -> None:
    """Take the faces away, and every trace of all that is doomed."""
    _erase_from_journal(connection, doomed)
    _erase_from_jobs(connection, doomed)
    for some in _parts(doomed.faces):
        for listed in (rejections, vouches):
            connection.execute(delete(listed).where(listed.c.face_id.in_(some)))
        connection.execute(update(faces).where(faces.c.twin_of.in_(some)).values(twin_of=None))
        connection.execute(update(people).where(people.c.cover_id.in_(some)).values(cover_id=None))
    for some in _parts(doomed.faces):
        connection.execute(delete(faces).where(faces.c.id.in_(some)))


def erase_rest(connection: Connection, doomed: Doomed) -> None:
    """Take the photos and the people away, when no face is theirs any more and photos that stay have new places."""
    for some in _parts(doomed.photos):
        connection.execute(delete(photos).where(photos.c.id.in_(some)))
    for listed in (rejections, vouches):
        connection.execute(delete(listed).where(listed.c.person_id.in_(doomed.people)))
    connection.execute(update(photos).where(photos.c.named_for.in_(doomed.people)).values(named_for=None))
    connection.execute(delete(people).where(people.c.id.in_(doomed.people)))


def _erase_from_journal(connection: Connection, doomed: Doomed) -> None:
    gone = {FACE: set(doomed.faces), PHOTO: set(doomed.photos), PERSON: set(doomed.people)}
    actions = set()
    for row in connection.execute(select(changes)):
        if row.row_id in gone.get(row.kind, ()) or doomed.is_in(row.before) or doomed.is_in(row.after):
            actions.add(row.action)
    told = []
    for row in connection.execute(select(decisions)):
        about = row.face_id in gone[FACE]
        if about or doomed.is_in(row.before) or doomed.is_in(row.after):
            told.append((row, about))
            actions.add(row.action or row.id)
    for row, about in told:
        before, after = ({}, {}) if about else (doomed.taken_out_of(row.before), doomed.taken_out_of(row.after))
        less = {"face_id": None, "suggestion": null()} if about else {}
        _set(connection, row.id, before=before, after=after | {ERASED: True}, **less)
    connection.execute(update(decisions).where(decisions.c.who.in_(doomed.names)).values(who=None))
    for some in _parts(actions):
        connection.execute(delete(changes).where(changes.c.action.in_(some)))
        for row in connection.execute(select(decisions.c.id, decisions.c.after).where(decisions.c.id.in_(some))).all():
            _set(connection, row.id, after=row.after | {ERASED: True})


def _erase_from_jobs(connection: Connection, doomed: Doomed) -> None:
    """Jobs that have ended remember no file: what they had to look at, and what they passed over."""
    for job in connection.execute(select(jobs)).all():
        payload = job.payload | {"folder": "", "files": []} if job.kind == "import" else job.payload
        result = job.result and job.result | {"skipped": []}
        message = "" if doomed.is_named(job.message) else job.message
        who = None if job.who in doomed.names else job.who
        values = {"payload": payload, "result": result, "message": message, "who": who}
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(**values))


def _set(connection: Connection, decision_id: int, **values: Any) -> None:
    connection.execute(update(decisions).where(decisions.c.id == decision_id).values(**values))


def _parts(ids: Iterable[int]) -> Iterator[list[int]]:
    """SQLite takes 32,766 values in a statement."""
    listed = sorted(ids)
    for start in range(0, len(listed), _AT_ONCE):
        yield listed[start : start + _AT_ONCE]
