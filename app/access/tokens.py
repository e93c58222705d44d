"""Tokens: what scripts show instead of a password."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from app.access.policy import Scope
from app.access.secret import fingerprint, new_key
from app.errors import Conflict, InvalidInput, NotFound
from app.store import keys
from app.store.db import Database

Json = dict[str, Any]

_MARK = "namesake_"
"""what every token starts with, so that one that has got out is known for what it is"""


class Tokens:
    """Those of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, scope: str) -> Json:
        """{"id", "name", "scope", "token"}: the token is told this once, only its hash is kept.

        Raises InvalidInput for a scope that is none, and Conflict when another has the name.
        """
        try:
            wanted = Scope.of(scope)
        except ValueError:
            raise InvalidInput("The scope of a token is read, label or admin.") from None
        token = _MARK + new_key()
        with self._database.write() as connection:
            if keys.token_by_name(connection, name) is not None:
                raise Conflict("There is a token of that name already. Nothing was changed.")
            token_id = keys.add_token(connection, name, fingerprint(token), wanted.word)
        return {"id": token_id, "name": name, "scope": wanted.word, "token": token}

    def every(self, connection: Connection) -> list[Json]:
        """{"id", "name", "scope", "created", "used"}, by name. used: to the hour, None if never."""
        return [
            {"id": row.id, "name": row.name, "scope": row.scope, "created": row.created_at, "used": row.used_at}
            for row in keys.all_tokens(connection)
        ]

    def revoke(self, token_id: int) -> None:
        """Raises NotFound."""
        with self._database.write() as connection:
            if not keys.remove_token(connection, token_id):
                raise NotFound("There is no such token.")

    def revoke_named(self, name: str) -> None:
        """Raises NotFound."""
        with self._database.write() as connection:
            found = keys.token_by_name(connection, name)
            if found is None:
                raise NotFound("There is no token of that name.")
            keys.remove_token(connection, found.id)
