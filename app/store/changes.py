"""What an action did to rows, so that it can be undone: each row as it was before and as it was after.

A row is described by what decisions can change of it, in words of JSON; None where there is no such row. A face's
rejections and vouches belong to its description.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, exists, func, insert, or_, select, update

from app.store.queries import REMOVED, now
from app.store.schema import calibrations, changes, decisions, faces, people, photos, rejections, vouches

Image = dict[str, Any] | None

FACE, PHOTO, PERSON, CALIBRATION = "face", "photo", "person", "calibration"

_TABLES: dict[str, tuple[Table, tuple[str, ...]]] = {
    FACE: (faces, ("photo_id", "status", "person_id", "labelled_at_revision", "recognise", "twin_of", "skipped")),
    PHOTO: (photos, ("state", "batch", "folder", "name", "upload_name", "named_for")),
    PERSON: (people, ("name", "cover_id")),
    CALIBRATION: (calibrations, ("after_decision",)),
}
_LISTS = {"rejections": rejections, "vouches": vouches}
# SQLite takes 32,766 values in a statement.
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Change:
    """What became of one row."""

    kind: str
    row_id: int
    before: Image
    after: Image


def images(connection: Connection, kind: str, row_ids: Iterable[int]) -> dict[int, Image]:
    """These rows as they are."""
    wanted = list(row_ids)
    found: dict[int, Image] = dict.fromkeys(wanted)
    table, columns = _TABLES[kind]
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        rows = connection.execute(
            select(table.c.id, *(table.c[column] for column in columns)).where(table.c.id.in_(some))
        )
        for row_id, *values in rows:
            found[row_id] = dict(zip(columns, values, strict=True))
        if kind == FACE:
            _add_lists(connection, found, some)
    return found


def record(connection: Connection, action: int, found: Iterable[Change]) -> None:
    """Keep what an action has changed."""
    rows = [
        {"action": action, "kind": each.kind, "row_id": each.row_id, "before": each.before, "after": each.after}
        for each in found
        if each.before != each.after
    ]
    if rows:
        connection.execute(insert(changes), rows)


def of_action(connection: Connection, action: int) -> list[Change]:
    """In the order they were recorded."""
    query = select(changes.c.kind, changes.c.row_id, changes.c.before, changes.c.after).where(
        changes.c.action == action
    )
    return [Change(*row) for row in connection.execute(query.order_by(changes.c.id))]


def faces_of(connection: Connection, action: int, limit: int) -> list[int]:
    """The first faces that an action has changed."""
    query = select(changes.c.row_id).where(changes.c.action == action, changes.c.kind == FACE)
    return list(connection.execute(query.order_by(changes.c.id).limit(limit)).scalars())


def names_of_gone(connection: Connection, person_ids: Iterable[int]) -> dict[int, str]:
    """The last names that people had, of those whom an action has made, changed or taken away."""
    query = select(changes.c.row_id, changes.c.before, changes.c.after).where(
        changes.c.kind == PERSON, changes.c.row_id.in_(list(person_ids))
    )
    rows = connection.execute(query.order_by(changes.c.id))
    return {person_id: (after or before)["name"] for person_id, before, after in rows}


def newest_actions(connection: Connection, limit: int, *, standing: bool = False) -> list[int]:
    """The newest actions, newest first; standing: those only that can be undone."""
    action = func.coalesce(decisions.c.action, decisions.c.id).label("found")
    query = select(action).where(decisions.c.kind != "undo").distinct().order_by(action.desc()).limit(limit)
    if standing:
        recorded = exists().where(changes.c.action == func.coalesce(decisions.c.action, decisions.c.id))
        query = query.where(decisions.c.undone_at.is_(None), recorded)
    return list(connection.execute(query).scalars())


def decisions_of(connection: Connection, actions: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """The decisions that make up each action, oldest first."""
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    query = select(decisions).where(or_(decisions.c.id.in_(actions), decisions.c.action.in_(actions)))
    for row in connection.execute(query.order_by(decisions.c.id)):
        found[row.action or row.id].append(row)
    return dict(found)


def action_of(connection: Connection, decision_id: int) -> int | None:
    """The action that a decision belongs to; None if there is no such decision."""
    query = select(func.coalesce(decisions.c.action, decisions.c.id)).where(decisions.c.id == decision_id)
    found: int | None = connection.execute(query).scalar()
    return found


def people_fit(connection: Connection, found: Sequence[Change]) -> bool:
    """Whether these changes can be taken back among the people there are: everyone who would be given something is
    there or comes back with the rest, and nobody else has the name of one who comes back."""
    wanted: set[int] = set()
    for image in (change.before for change in found if change.before is not None):
        wanted.update(image.get("rejections", ()), image.get("vouches", ()))
        wanted.update(image[key] for key in ("person_id", "named_for") if image.get(key) is not None)
    back = {change.row_id: change.before["name"] for change in found if change.kind == PERSON and change.before}
    others = people.c.name.in_(back.values()) & people.c.id.not_in(back)
    if connection.execute(select(people.c.id).where(others)).first() is not None:
        return False
    return None not in images(connection, PERSON, wanted - back.keys()).values()


def mark_undone(connection: Connection, action: int) -> None:
    """Its decisions count for nothing any more."""
    mine = or_(decisions.c.id == action, decisions.c.action == action)
    connection.execute(update(decisions).where(mine).values(undone_at=now()))


def restore(connection: Connection, kind: str, row_id: int, image: dict[str, Any], **more: Any) -> None:
    """Make a row what it was, making it anew where it has gone. more: columns besides."""
    table, columns = _TABLES[kind]
    values = {column: image[column] for column in columns} | more
    changed = connection.execute(update(table).where(table.c.id == row_id).values(**values))
    if not changed.rowcount:
        connection.execute(insert(table).values(id=row_id, **values))
    if kind == FACE:
        for name, listed in _LISTS.items():
            connection.execute(delete(listed).where(listed.c.face_id == row_id))
            rows = [{"face_id": row_id, "person_id": person} for person in image[name]]
            if rows:
                connection.execute(insert(listed), rows)


def remove(connection: Connection, kind: str, row_id: int, revision: int) -> None:
    """Take away a row that an action has made. A person stays where something else has come to rest on them; a face,
    which the journal may speak of, is only put out of sight."""
    if kind == FACE:
        gone = {"status": REMOVED, "person_id": None, "labelled_at_revision": None, "revision": revision}
        connection.execute(update(faces).where(faces.c.id == row_id).values(**gone))
        return
    if kind == PERSON and any(connection.execute(select(exists().where(used == row_id))).scalar() for used in _HOLDING):
        return
    table, _columns = _TABLES[kind]
    connection.execute(delete(table).where(table.c.id == row_id))


_HOLDING = (faces.c.person_id, photos.c.named_for, rejections.c.person_id, vouches.c.person_id)


def _add_lists(connection: Connection, found: dict[int, Image], face_ids: Sequence[int]) -> None:
    for name, listed in _LISTS.items():
        for face_id in face_ids:
            image = found[face_id]
            if image is not None:
                image[name] = []
        rows = connection.execute(
            select(listed.c.face_id, listed.c.person_id)
            .where(listed.c.face_id.in_(face_ids))
            .order_by(listed.c.person_id)
        )
        for face_id, person in rows:
            image = found[face_id]
            if image is not None:
                image[name].append(person)
