"""Bringing an older store to the present version, in DDL that SQLite and PostgreSQL both run.

A step is history: it says what the tables were to become then, in its own words, and does not follow schema.py when
that moves on. All steps run in the transaction that opens the store, so that it is of one version or the other.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    inspect,
    select,
    text,
    update,
)

from app.errors import ConfigError
from app.store.schema import VERSION, state


def migrate(connection: Connection) -> None:
    """Bring the tables to VERSION; the caller holds the write lock. A store without tables is left to its maker.

    Raises ConfigError for a store of a version that has no way here, as one written by a newer program.
    """
    if not inspect(connection).has_table(state.name):
        return
    found = connection.execute(select(state.c.version)).scalar()
    if found is None or found == VERSION:
        return
    if found > VERSION or not set(range(found, VERSION)) <= _STEPS.keys():
        raise ConfigError(f"The store is of version {found}; this program reads version {VERSION}.")
    for version in range(found, VERSION):
        _STEPS[version](connection)
    connection.execute(update(state).values(version=VERSION))


def _add_quality_and_vouches(connection: Connection) -> None:
    """1 -> 2"""
    for column in ("flaws VARCHAR(64)", "recognise BOOLEAN", "twin_of INTEGER REFERENCES faces (id)"):
        connection.execute(text(f"ALTER TABLE faces ADD COLUMN {column}"))
    # What was called low quality then was small or blurred; nobody had looked for more.
    connection.execute(
        text(
            """UPDATE faces SET flaws = CASE WHEN bottom - top < 40 OR "right" - "left" < 40 THEN 'small'
            ELSE 'blurred' END WHERE low_quality"""
        )
    )
    then = MetaData()
    for name in ("faces", "people"):  # there already, only named
        Table(name, then, Column("id", Integer, primary_key=True))
    vouches = Table(
        "vouches",
        then,
        Column("face_id", ForeignKey("faces.id"), primary_key=True),
        Column("person_id", ForeignKey("people.id"), primary_key=True),
    )
    calibrations = Table(
        "calibrations",
        then,
        Column("id", Integer, primary_key=True),
        Column("created_at", DateTime, nullable=False),
        Column("after_decision", Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    then.create_all(connection, [vouches, calibrations])


def _add_changes(connection: Connection) -> None:
    """2 -> 3"""
    connection.execute(text("ALTER TABLE people ADD COLUMN cover_id INTEGER"))
    connection.execute(text("ALTER TABLE faces ADD COLUMN skipped INTEGER"))
    connection.execute(text("ALTER TABLE decisions ADD COLUMN action INTEGER"))
    moment = DateTime().compile(connection.dialect)
    connection.execute(text(f"ALTER TABLE decisions ADD COLUMN undone_at {moment}"))
    connection.execute(text("CREATE INDEX ix_decisions_action ON decisions (action)"))
    then = MetaData()
    Table("decisions", then, Column("id", Integer, primary_key=True))  # there already, only named
    changes = Table(
        "changes",
        then,
        Column("id", Integer, primary_key=True),
        Column("action", ForeignKey("decisions.id"), nullable=False, index=True),
        Column("kind", String(16), nullable=False),
        Column("row_id", Integer, nullable=False),
        Column("before", JSON(none_as_null=True)),
        Column("after", JSON(none_as_null=True)),
        sqlite_autoincrement=True,
    )
    then.create_all(connection, [changes])


def _add_access(connection: Connection) -> None:
    """3 -> 4"""
    for table in ("decisions", "jobs"):
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN who VARCHAR(80)"))
    then = MetaData()
    Table(
        "passwords",
        then,
        Column("scope", String(8), primary_key=True),
        Column("hash", String(255), nullable=False),
        Column("created_at", DateTime, nullable=False),
    )
    Table(
        "sessions",
        then,
        Column("id", Integer, primary_key=True),
        Column("hash", String(64), nullable=False, unique=True),
        Column("scope", String(8), nullable=False),
        Column("name", String(80)),
        Column("address", String(45), nullable=False),
        Column("passwords", String(64), nullable=False),
        Column("created_at", DateTime, nullable=False),
        Column("used_at", DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    Table(
        "tokens",
        then,
        Column("id", Integer, primary_key=True),
        Column("name", String(80), nullable=False, unique=True),
        Column("hash", String(64), nullable=False, unique=True),
        Column("scope", String(8), nullable=False),
        Column("created_at", DateTime, nullable=False),
        Column("used_at", DateTime),
        sqlite_autoincrement=True,
    )
    Table(
        "attempts",
        then,
        Column("id", Integer, primary_key=True),
        Column("address", String(45), nullable=False, index=True),
        Column("right", Boolean, nullable=False),
        Column("created_at", DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    then.create_all(connection)


_STEPS: dict[int, Callable[[Connection], None]] = {1: _add_quality_and_vouches, 2: _add_changes, 3: _add_access}
