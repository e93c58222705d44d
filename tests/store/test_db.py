"""Transactions: readers see one state, writers come one after the other, and files follow while the lock is held."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.exc import IntegrityError

from app.errors import ConfigError, DiskFull, Unavailable
from app.store import db, queries
from app.store.db import Database
from app.store.schema import faces, photos, rejections, state


@pytest.fixture
def open_database(tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Connections of as many processes as a test wants."""
    opened = []

    def open_() -> Database:
        opened.append(Database(tmp_path / "instance" / "store.sqlite"))
        return opened[-1]

    yield open_
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database: Callable[[], Database]) -> Database:
    return open_database()


def revision(database: Database) -> int:
    with database.read() as connection:
        return queries.revision(connection)


def change_and_raise(database: Database, error: type[BaseException], undo: Callable[[], None] = lambda: None) -> None:
    with database.write(undo) as connection:
        queries.next_revision(connection)
        raise error


def test_a_new_store_is_at_revision_0_and_has_published_nothing(database: Database) -> None:
    with database.read() as connection:
        assert (queries.revision(connection), queries.pickle_length(connection)) == (0, None)


def test_what_is_committed_outlives_the_process(open_database: Callable[[], Database]) -> None:
    first = open_database()
    with first.write() as connection:
        queries.person_id(connection, "alice")
    first.close()
    with open_database().read() as connection:
        assert list(queries.names(connection).values()) == ["alice"]


def test_what_is_committed_outlives_a_power_cut(database: Database) -> None:
    with database.write() as connection:
        found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]


def test_a_reader_sees_one_state_whatever_is_written_meanwhile(database: Database) -> None:
    with database.read() as connection:
        before = queries.revision(connection)
        with database.write() as writing:
            queries.next_revision(writing)
        assert queries.revision(connection) == before
    assert revision(database) == before + 1


def test_what_raises_is_rolled_back(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        change_and_raise(database, ZeroDivisionError)
    assert revision(database) == 0


def test_undo_runs_while_nobody_else_can_write(
    open_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database()
    monkeypatch.setattr(db, "_LOCK_WAIT_S", 0)
    other = open_database()
    undone = []

    def undo() -> None:
        with pytest.raises(Unavailable), other.write():
            pass
        undone.append(revision(other))

    with pytest.raises(KeyboardInterrupt):
        change_and_raise(database, KeyboardInterrupt, undo)
    assert undone == [0]
    with other.write() as connection:
        assert queries.next_revision(connection) == 1


def test_an_undo_that_fails_still_lets_the_lock_go(database: Database) -> None:
    def undo() -> None:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        change_and_raise(database, ZeroDivisionError, undo)
    with database.write() as connection:
        assert queries.next_revision(connection) == 1


def test_a_commit_that_is_refused_is_undone(database: Database) -> None:
    undone = []

    def change() -> None:
        with database.write(lambda: undone.append(True)) as connection:
            queries.next_revision(connection)
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
            connection.execute(insert(rejections).values(face_id=1, person_id=1))

    with pytest.raises(IntegrityError):
        change()
    assert undone == [True]
    assert revision(database) == 0


def test_writers_wait_for_each_other_and_lose_nothing(open_database: Callable[[], Database]) -> None:
    databases = [open_database(), open_database()]

    def count(number: int) -> None:
        with databases[number % 2].write() as connection:
            value = queries.revision(connection)
            connection.execute(update(state).values(revision=value + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(40)))
    assert revision(databases[0]) == 40


def test_waiting_too_long_is_told_as_something_to_try_again(
    open_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = open_database()
    monkeypatch.setattr(db, "_LOCK_WAIT_S", 0)
    other = open_database()
    with holder.write(), pytest.raises(Unavailable, match="try again"), other.write():
        pass


def test_another_program_that_holds_the_store_is_waited_for_too(
    tmp_path: Path, open_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not stand in line with ours."""
    open_database()
    monkeypatch.setattr(db, "_LOCK_WAIT_S", 0)
    other = open_database()
    with closing(sqlite3.connect(tmp_path / "instance/store.sqlite", isolation_level=None)) as program:
        program.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="try again"), other.write():
            pass
        program.execute("ROLLBACK")
    with other.write() as connection:
        assert queries.next_revision(connection) == 1


def test_the_file_that_writers_line_up_at_can_be_deleted_at_any_time(tmp_path: Path, database: Database) -> None:
    (tmp_path / "instance/store.lock").unlink()
    with database.write() as connection:
        assert queries.next_revision(connection) == 1


def test_a_full_disk_is_told_as_one(database: Database) -> None:
    def fill() -> None:
        with database.write() as connection:
            connection.execute(text("PRAGMA max_page_count = 1"))
            for number in range(1000):
                queries.person_id(connection, f"person {number} " + "x" * 60)

    with pytest.raises(DiskFull):
        fill()
    with database.read() as connection:
        assert queries.names(connection) == {}


def test_a_store_of_another_version_is_refused(open_database: Callable[[], Database]) -> None:
    with open_database().write() as connection:
        connection.execute(update(state).values(version=99))
    with pytest.raises(ConfigError, match="version 99"):
        open_database()


class TestTheTablesRefuse:
    def add_photo(self, database: Database, **values: object) -> int:
        with database.write() as connection:
            return queries.add_photo(
                connection, **{"folder": "uploads", "name": "a.jpg", "sha256": "0" * 64, "encoded": True} | values
            )

    def test_two_live_photos_with_the_same_bytes(self, database: Database) -> None:
        self.add_photo(database)
        self.add_photo(database, name="b.jpg", state="retired")
        with pytest.raises(IntegrityError):
            self.add_photo(database, name="c.jpg")

    def test_two_photos_in_one_place(self, database: Database) -> None:
        self.add_photo(database)
        with pytest.raises(IntegrityError):
            self.add_photo(database, sha256="1" * 64)

    @pytest.mark.parametrize(("status", "person"), [("labelled", None), ("inbox", 1)])
    def test_a_named_face_without_a_person_and_the_reverse(
        self, database: Database, status: str, person: int | None
    ) -> None:
        box = {"top": 0, "right": 1, "bottom": 1, "left": 0}
        values = box | {"photo_id": self.add_photo(database), "encoding": b"", "low_quality": False, "revision": 1}
        with database.write() as connection:
            queries.person_id(connection, "alice")
        face = insert(faces).values(status=status, person_id=person, **values)
        with pytest.raises(IntegrityError, match="labelled_has_person"), database.write() as connection:
            connection.execute(face)

    def test_a_photo_named_for_nobody_it_knows(self, database: Database) -> None:
        with pytest.raises(IntegrityError):
            self.add_photo(database, named_for=4711)
        with database.read() as connection:
            assert connection.execute(photos.select()).first() is None
