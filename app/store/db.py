"""Transactions over the store.

Readers see one consistent state (WAL); a writer takes the write lock first, so that what it reads stays true
until it commits. The lock also guards the files that go with the rows: whoever moves a photo or writes
train.pickle holds it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, insert, select
from sqlalchemy.exc import OperationalError

from app.errors import DiskFull, Unavailable
from app.store.files import make_folder, takes
from app.store.migrations import migrate
from app.store.schema import VERSION, metadata, state

_LOCK_WAIT_S = 60
_BUSY = "Someone else's change is taking long. Nothing was changed: try again."


class Database:
    """The store at `path`: made on first use, brought up to date when older. Raises ConfigError for a newer one."""

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        if not path.exists():
            path.touch(mode=0o600)  # whose faces these are is nobody's business who only has an account here
        self._engine = create_engine(
            f"sqlite:///{path}", connect_args={"timeout": _LOCK_WAIT_S, "check_same_thread": False}, max_overflow=-1
        )
        event.listen(self._engine, "connect", _prepare_connection)
        event.listen(self._engine, "begin", _begin)
        self._turns = path.with_suffix(".lock")
        # One process at a time: SQLite does not wait its turn to switch a new file to write-ahead logging.
        with self._turn():
            with closing(sqlite3.connect(path, timeout=_LOCK_WAIT_S)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            self._create()

    def _create(self) -> None:
        with self._writing() as connection:
            migrate(connection)
            metadata.create_all(connection)
            if connection.execute(select(state.c.version)).scalar() is None:
                connection.execute(insert(state).values(id=1, version=VERSION, revision=0))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A snapshot: everything read inside belongs to one revision."""
        with translate_sqlite_errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, undo: Callable[[], None] = lambda: None) -> Iterator[Connection]:
        """The one writer. `undo` puts files back when anything fails, while the lock is still held."""
        with self._turn(), self._writing(undo) as connection:
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Stand in line with all processes. Whoever dies gives up the turn.

        SQLite lets in whoever happens to knock, and those knock least often who have waited longest: under load some
        waited for seconds. Here they knock most often.
        """
        lock = os.open(self._turns, os.O_RDONLY | os.O_CREAT, 0o600)  # also where nothing can be written
        try:
            begun = time.monotonic()
            while not takes(lock):
                waited = time.monotonic() - begun
                if waited > _LOCK_WAIT_S:
                    raise Unavailable(_BUSY)
                time.sleep(max(0.001, 0.02 - waited / 10))
            yield
        finally:
            os.close(lock)

    @contextmanager
    def _writing(self, undo: Callable[[], None] = lambda: None) -> Iterator[Connection]:
        with translate_sqlite_errors(), self._engine.connect().execution_options(namesake_writes=True) as connection:
            transaction = connection.begin()
            try:
                yield connection
                transaction.commit()
            except BaseException:
                try:
                    undo()
                finally:
                    transaction.rollback()
                raise

    def scrub(self) -> None:
        """Leave nothing in the file but what the tables hold: what was deleted is in no free page, nor in the log.

        Raises Unavailable when somebody reads on and on.
        """
        with translate_sqlite_errors(), closing(self._engine.raw_connection()) as connection:
            connection.execute("VACUUM")
            (busy, _pages, _moved) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Unavailable("The store is being read. What was deleted is out of its file with the next start.")

    def close(self) -> None:
        self._engine.dispose()


def _prepare_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 must not begin on its own: see _begin
    # What is deleted is written over: names and encodings do not live on in free pages.
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A deferred transaction that later writes can fail half-way with "locked"; one that takes the lock at the
    # start waits its turn.
    writes = connection.get_execution_options().get("namesake_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def translate_sqlite_errors() -> Iterator[None]:
    """Say what the store will not do, whoever was asking: SQLAlchemy or sqlite3 itself."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        words = str(getattr(error, "orig", error))
        if "full" in words:
            raise DiskFull("The disk is full. Nothing was changed.") from error
        if "readonly" in words:
            raise Unavailable("The folders of this installation cannot be written to. Nothing was changed.") from error
        if "locked" in words or "busy" in words:
            raise Unavailable(_BUSY) from error
        raise
