"""Older stores come along. version_1.sql is a store that the program of version 1 wrote, as sqlite3 dumps it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateColumn

from app.errors import ConfigError
from app.store import keys, migrations, queries, recognised
from app.store.db import Database
from app.store.schema import VERSION, decisions, faces, jobs, metadata, state

_DUMP = Path(__file__).with_name("version_1.sql").read_text("utf-8")
_TABLES = ("decisions", "faces", "jobs", "people", "photos", "rejections", "state")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "namesake.sqlite"
    with closing(sqlite3.connect(path)) as store:
        store.executescript(_DUMP)
    return path


@pytest.fixture
def opened(old: Path) -> Iterator[Database]:
    database = Database(old)
    yield database
    database.close()


def content(path: Path) -> dict[str, list[dict[str, Any]]]:
    with closing(sqlite3.connect(path)) as store:
        store.row_factory = sqlite3.Row
        return {table: [dict(row) for row in store.execute(f"SELECT * FROM {table} ORDER BY 1")] for table in _TABLES}


def shape(path: Path) -> dict[str, Any]:
    """Every table's columns, keys and indexes, as the database has them."""
    database = Database(path)
    with database.read() as connection:
        seen = inspect(connection)
        found = {
            table: (
                {column["name"]: (str(column["type"]), column["nullable"]) for column in seen.get_columns(table)},
                seen.get_pk_constraint(table)["constrained_columns"],
                sorted((key["constrained_columns"], key["referred_table"]) for key in seen.get_foreign_keys(table)),
                sorted(str(index["name"]) for index in seen.get_indexes(table)),
            )
            for table in metadata.tables
        }
    database.close()
    return found


def test_a_store_of_version_1_opens_with_every_row(old: Path) -> None:
    before = content(old)
    assert {table: len(rows) for table, rows in before.items() if rows} == {
        "decisions": 5, "faces": 6, "people": 2, "photos": 5, "rejections": 1, "state": 1
    }  # fmt: skip
    Database(old).close()
    after = content(old)
    for table, rows in before.items():
        expected = [row | {"version": VERSION} for row in rows] if table == "state" else rows
        assert [{key: new[key] for key in row} for row, new in zip(expected, after[table], strict=True)] == expected


def test_it_then_has_the_tables_that_a_new_store_has(old: Path, tmp_path: Path) -> None:
    assert shape(old) == shape(tmp_path / "new.sqlite")


def test_opening_it_again_changes_nothing(old: Path) -> None:
    Database(old).close()
    before = content(old)
    Database(old).close()
    assert content(old) == before


def test_what_was_called_low_quality_has_a_reason_and_what_was_not_has_none(opened: Database) -> None:
    with opened.read() as connection:
        rows = queries.faces_by_id(connection, range(1, 7))
    assert {id_: row.flaws for id_, row in rows.items()} == {
        1: None, 2: None, 3: "blurred", 4: "small", 5: None, 6: None
    }  # fmt: skip
    assert {(row.recognise, row.twin_of) for row in rows.values()} == {(None, None)}


def test_its_gallery_is_used_as_before_but_for_flawed_faces(opened: Database) -> None:
    with opened.read() as connection:
        used = {face for face, person, _ in recognised.changes(connection, 0, lambda _face: None) if person}
    assert used == {1, 2}


def test_its_decisions_are_nobodys_and_its_door_has_no_password(opened: Database) -> None:
    with opened.read() as connection:
        assert {row.who for row in connection.execute(decisions.select())} == {None}
        assert keys.password_hashes(connection) == {}
        assert keys.all_tokens(connection) == []


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_migration_that_fails_half_way_leaves_the_old_store(
    old: Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    step = migrations._STEPS[1]

    def fail(connection: Connection) -> None:
        step(connection)
        raise failure

    before = _dump(old)
    monkeypatch.setitem(migrations._STEPS, 1, fail)
    with pytest.raises(failure):
        Database(old)
    assert _dump(old) == before
    monkeypatch.undo()
    Database(old).close()
    assert content(old)["state"][0]["version"] == VERSION


@pytest.mark.parametrize("version", [VERSION + 1, 0, -1])
def test_a_store_of_a_version_without_a_way_here_is_refused_and_left_alone(old: Path, version: int) -> None:
    with closing(sqlite3.connect(old)) as store:
        store.execute("UPDATE state SET version = ?", (version,))
        store.commit()
    before = _dump(old)
    with pytest.raises(ConfigError, match=f"version {version}; this program reads version {VERSION}"):
        Database(old)
    assert _dump(old) == before


def test_every_version_has_a_step_to_the_next() -> None:
    assert set(migrations._STEPS) == set(range(1, VERSION))


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=lambda dialect: dialect.name)
def test_added_columns_are_what_the_schema_says_in_both_databases(dialect: Any) -> None:
    written = {str(CreateColumn(faces.c[name]).compile(dialect=dialect)) for name in ("flaws", "recognise", "twin_of")}
    assert written == {"flaws VARCHAR(64)", "recognise BOOLEAN", "twin_of INTEGER"}
    assert {str(CreateColumn(table.c.who).compile(dialect=dialect)) for table in (decisions, jobs)} == {
        "who VARCHAR(80)"
    }
    assert str(CreateColumn(state.c.version).compile(dialect=dialect)) == "version INTEGER NOT NULL"


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as store:
        return list(store.iterdump())
