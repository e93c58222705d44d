"""Sessions: who has logged in, until they log out, stay away, or a password changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row

from app.access.policy import Scope
from app.access.secret import fingerprint, new_key
from app.errors import NotFound
from app.store import attempts, sessions
from app.store.db import Database
from app.store.queries import now
from app.store.sessions import Counting

UNUSED, LONGEST = timedelta(days=14), timedelta(days=60)
"""a session ends when it has not been used for so long, and when it is so old"""


class Sessions:
    """Those of one installation. passwords: the hashes of those that are valid, as Passwords.effective gives them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, passwords: dict[Scope, str], scope: Scope, *, name: str | None, address: str, attempt: int) -> str:
        """The key of a new one. attempt: the one that turned out to be right."""
        key, counting = new_key(), _counting(passwords)
        kept = {"hash": fingerprint(key), "scope": scope.word, "name": name, "address": address[:45]}
        with self._database.write() as connection:
            attempts.mark_right(connection, attempt)
            sessions.remove_ended(connection, counting)
            sessions.add(connection, passwords=counting.passwords, **kept)
        return key

    def find(self, connection: Connection, key: str, passwords: dict[Scope, str]) -> Row[Any] | None:
        """The session of this key, if it has not ended."""
        return sessions.by_hash(connection, fingerprint(key), _counting(passwords))

    def every(self, connection: Connection, passwords: dict[Scope, str]) -> list[dict[str, Any]]:
        """{"id", "name", "scope", "address", "opened", "used"}, the one used last first. used: to the hour."""
        return [
            {
                "id": row.id,
                "name": row.name,
                "scope": row.scope,
                "address": row.address,
                "opened": row.created_at,
                "used": row.used_at,
            }
            for row in sessions.every(connection, _counting(passwords))
        ]

    def end(self, session_id: int) -> None:
        """Raises NotFound."""
        with self._database.write() as connection:
            if not sessions.remove(connection, session_id):
                raise NotFound("There is no such session: it has ended.")

    def end_all(self) -> None:
        with self._database.write() as connection:
            sessions.remove_all(connection)


def _counting(passwords: dict[Scope, str]) -> Counting:
    text = "|".join(f"{scope.word}:{passwords[scope]}" for scope in sorted(passwords))
    return Counting(fingerprint(text), now() - LONGEST, now() - UNUSED)
