"""A copy of the store in a file of its own: made while the store is used, checked as what a stranger may have sent, and
taken over as one change of the store that is there.

Who may ask, and what this machine had to do, belongs to the installation and not to its labels. It does not leave with
a copy, and stays as it is when one is taken over: a token that was revoked since does not come back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import JSON, Column, Connection, Table, delete, select, text

from app.errors import ConfigError, InvalidInput, NamesakeError
from app.store import queries
from app.store.artifact import ENCODING_SIZE
from app.store.changes import PHOTO
from app.store.db import Database, translate_sqlite_errors
from app.store.schema import changes, decisions, faces, metadata, photos, state

STAYS = frozenset({"jobs", "sessions", "tokens", "attempts", "passwords"})
"""tables whose rows do not travel; those that there are"""
_AT_ONCE = 5_000
_LARGEST = 1 << 53
"""which no number in a store comes near"""
_DISAGREES = "The store in the backup does not agree with itself."
_NONE_OF_OURS = "The store in the backup is damaged, or is none of ours."
_MISPLACED = "The store in the backup has a photo in a place where none can be."


def copy_store(store: Path, target: Path) -> int:
    """Copy what is committed; its revision. Whoever holds the write lock gets the state before their own change.

    Raises DiskFull and Unavailable.
    """
    with (
        translate_sqlite_errors(),
        closing(sqlite3.connect(store, timeout=60)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.execute("PRAGMA secure_delete=ON")
        there = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for name in sorted(STAYS & there):
            copy.execute(f'DELETE FROM "{name}"')  # noqa: S608  (one of our own)
        # What a reset has only read so far is no part of anything yet.
        copy.execute("DELETE FROM faces WHERE photo_id IN (SELECT id FROM photos WHERE state = 'staged')")
        copy.execute("DELETE FROM photos WHERE state = 'staged'")
        copy.commit()
        return int(copy.execute("SELECT revision FROM state").fetchone()[0])


@contextmanager
def open_copy(path: Path) -> Iterator[Connection]:
    """Read a copy, brought to this program's version in place. Raises InvalidInput for whatever is wrong with it."""
    _check_file(path)
    try:
        with translate_sqlite_errors():
            copy = Database(path)
    except ConfigError as error:
        raise InvalidInput(f"The backup cannot be read by this program. {error.message}") from error
    except NamesakeError:
        raise
    except Exception as error:  # of an older version, it says, and may be anything
        raise InvalidInput(_NONE_OF_OURS) from error
    try:
        with copy.read() as connection:
            _check_rows(connection)
            yield connection
    finally:
        copy.close()


def replace_rows(connection: Connection, copy: Connection, revision: int) -> None:
    """Make the rows of the store those of a checked copy, at this revision; the caller holds the write lock.

    Numbers that were in use, here or there, do not come to mean something else.
    """
    travelling = _travelling()
    connection.execute(text("PRAGMA defer_foreign_keys=ON"))  # faces refer to faces
    # Without it every face that goes is looked for in all others, as somebody's twin.
    connection.execute(text("CREATE INDEX faces_twin_of ON faces (twin_of)"))
    for table in reversed(travelling):
        connection.execute(delete(table))
    connection.execute(text("DROP INDEX faces_twin_of"))
    for table in travelling:
        _copy_rows(table, copy, connection)
    for name, number in _sequences(copy).items():
        known = connection.execute(
            text("UPDATE sqlite_sequence SET seq = max(seq, :number) WHERE name = :name"),
            {"name": name, "number": number},
        )
        if not known.rowcount:
            connection.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"),
                {"name": name, "number": number},
            )
    connection.execute(state.update().values(revision=revision))


def _copy_rows(table: Table, copy: Connection, connection: Connection) -> None:
    """As SQLite has the values: a JSON null and none at all are not the same."""
    columns = ", ".join(f'"{column.name}"' for column in table.c)
    places = ", ".join("?" for _column in table.c)
    rows = copy.exec_driver_sql(f'SELECT {columns} FROM "{table.name}"')  # noqa: S608  (names of our own)
    while some := rows.fetchmany(_AT_ONCE):
        insert = f'INSERT INTO "{table.name}" ({columns}) VALUES ({places})'  # noqa: S608
        connection.exec_driver_sql(insert, [tuple(row) for row in some])


def mentions(copy: bytes, person_ids: Collection[int], names: Collection[str]) -> bool:
    """Whether a copy knows a person, by a number or a name. One that cannot be read may do."""
    try:
        with closing(sqlite3.connect(":memory:")) as store:
            store.deserialize(copy)
            known = store.execute("SELECT id, name FROM people").fetchall()
    except sqlite3.DatabaseError:
        return True
    return any(person_id in person_ids or called in names for person_id, called in known)


def _travelling() -> list[Table]:
    return [table for table in metadata.sorted_tables if table.name not in STAYS and table is not state]


def _sequences(copy: Connection) -> dict[str, int]:
    known = set(metadata.tables)
    rows = copy.execute(text("SELECT name, seq FROM sqlite_sequence"))
    return {name: number for name, number in rows if name in known and type(number) is int and 0 <= number < _LARGEST}


def _check_file(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as copy:
            copy.execute("PRAGMA trusted_schema=OFF")
            kinds = copy.execute("SELECT type, name FROM sqlite_master").fetchall()
            if any(kind not in ("table", "index") for kind, _name in kinds):
                raise InvalidInput("The store in the backup holds more than tables, so it was not opened.")
            if copy.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                raise InvalidInput("The store in the backup is damaged.")
            if copy.execute("PRAGMA foreign_key_check").fetchone() is not None:
                raise InvalidInput(_DISAGREES)
            numbers = copy.execute("SELECT typeof(version), typeof(revision) FROM state").fetchall()
            if numbers != [("integer", "integer")]:
                raise InvalidInput("The store in the backup is damaged.")
    except sqlite3.DatabaseError as error:
        raise InvalidInput(_NONE_OF_OURS) from error


def _check_rows(connection: Connection) -> None:
    """That every row can be read and holds what its columns are for, that no photo lies where none can, now or in the
    journal, and that every encoding is 128 numbers."""
    first = decisions.alias()
    try:
        if connection.execute(select(decisions.c.id).where(decisions.c.action.not_in(select(first.c.id)))).first():
            raise InvalidInput(_DISAGREES)
        for table in _travelling():
            kinds = [(_kind(column), bool(column.nullable)) for column in table.c]
            for row in connection.execute(select(table)):
                if not all(_fits(value, *kind) for value, kind in zip(row, kinds, strict=True)):
                    raise ValueError
                _check_row(table, row._asdict())
    except InvalidInput:
        raise
    except Exception as error:  # there is no end to what a column may hold that is none of ours
        raise InvalidInput("The store in the backup has a row that cannot be read.") from error


def _kind(column: Column[Any]) -> type:
    return dict if isinstance(column.type, JSON) else column.type.python_type


def _fits(value: Any, kind: type, nullable: bool) -> bool:
    """SQLite takes anything anywhere."""
    if value is None:
        return nullable
    if kind is int:
        return type(value) is int and abs(value) < _LARGEST
    return isinstance(value, kind)


def _check_row(table: Table, row: dict[str, Any]) -> None:
    if table is photos and not (row["state"] in ("live", "retired") and _is_place(row)):
        raise InvalidInput(_MISPLACED)
    if table is photos and row["sha256"] is not None and row["size"] < 0:
        raise ValueError
    if (
        table is changes
        and row["kind"] == PHOTO
        and not all(map(_is_place, filter(None, (row["before"], row["after"]))))
    ):
        raise InvalidInput(_MISPLACED)
    if table is faces:
        encoding = row["encoding"]
        if len(encoding) != 4 * ENCODING_SIZE or not np.isfinite(queries.unpack(encoding)).all():
            raise InvalidInput("The store in the backup has a face without an encoding.")


def _is_place(photo: dict[str, Any]) -> bool:
    folder, name, upload_name = photo["folder"], photo["name"], photo["upload_name"]
    if upload_name is not None and not _is_plain(upload_name):
        return False
    match folder:
        case "uploads" | "training":
            return _is_plain(name)
        case "backup" | "staging":  # the second only in the journal of a reset
            return not name.startswith("/") and "\\" not in name and ".." not in name.split("/")
        case _:
            return folder in ("elsewhere", "gone")  # known by name alone: there is no file


def _is_plain(part: str) -> bool:
    return part.isprintable() and not part.startswith(".") and "/" not in part and "\\" not in part
