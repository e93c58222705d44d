"""The door: who asks, and who comes in."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from app.access import attempts
from app.access.passwords import Passwords, opened_by
from app.access.policy import Scope
from app.access.secret import fingerprint
from app.access.sessions import Sessions
from app.access.tokens import Tokens
from app.config import Settings
from app.errors import LoginNeeded, NamesakeError
from app.store import keys
from app.store import sessions as session_rows
from app.store.db import Database
from app.store.queries import now

log = logging.getLogger("namesake.access")

# Writing it down at every request would have each of them wait for the write lock.
_NOTED_EVERY = timedelta(hours=1)


@dataclass(frozen=True)
class Caller:
    """Who asks. name: what their decisions are kept under. The ids: how they are known, if they are."""

    scope: Scope
    name: str | None = None
    session_id: int | None = None
    token_id: int | None = None

    @property
    def is_admin(self) -> bool:
        return self.scope is Scope.ADMIN


NOBODY = Caller(Scope.NOBODY)


class Door:
    """That of one installation. secret: as read_secret gives it."""

    def __init__(self, settings: Settings, database: Database, secret: str) -> None:
        self._database = database
        self._api_token = fingerprint(settings.api_token) if settings.api_token else None
        self.passwords = Passwords(settings, database, secret)
        self.sessions = Sessions(database)
        self.tokens = Tokens(database)

    def look(self, token: str | None, session_key: Callable[[], str | None]) -> tuple[bool, Caller]:
        """Whether there is a password at all, and who shows this.

        A token counts more than a session, and one that is not known makes nobody of anyone. session_key: asked for
        where it matters.
        """
        with self._database.read() as connection:
            passwords = self.passwords.effective(connection)
            caller, used_at = NOBODY, None
            if token is not None:
                caller, used_at = self._show_token(connection, token)
            elif passwords and (key := session_key()) is not None:
                caller, used_at = self._show_session(connection, key, passwords)
        if used_at is None or now() - used_at > _NOTED_EVERY:
            self._note_use(caller)
        return bool(passwords), caller

    def log_in(self, password: str, *, name: str | None, address: str) -> str:
        """The key of a new session. Raises LoginNeeded for a wrong password, and TooManyAttempts."""
        attempt = attempts.begin(self._database, address)
        with self._database.read() as connection:
            passwords = self.passwords.effective(connection)
        scope = opened_by(passwords, password)
        if scope is None:
            log.warning("A wrong password was tried from %s.", address)
            raise LoginNeeded("That is not the password.")
        return self.sessions.open(passwords, scope, name=name, address=address, attempt=attempt)

    def describe(self) -> dict[str, Any]:
        """{"passwords", "sessions", "tokens"}. passwords: where each comes from, by what it opens."""
        with self._database.read() as connection:
            return {
                "passwords": {scope.word: source for scope, source in self.passwords.sources(connection).items()},
                "sessions": self.sessions.every(connection, self.passwords.effective(connection)),
                "tokens": self.tokens.every(connection),
            }

    def _show_token(self, connection: Connection, token: str) -> tuple[Caller, datetime | None]:
        shown = fingerprint(token)
        if self._api_token is not None and hmac.compare_digest(shown, self._api_token):
            return Caller(Scope.ADMIN, "API_TOKEN"), None
        row = keys.token_by_hash(connection, shown)
        if row is None:
            return NOBODY, None
        return Caller(Scope.of(row.scope), row.name, token_id=row.id), row.used_at

    def _show_session(
        self, connection: Connection, key: str, passwords: dict[Scope, str]
    ) -> tuple[Caller, datetime | None]:
        row = self.sessions.find(connection, key, passwords)
        if row is None:
            return NOBODY, None
        return Caller(Scope.of(row.scope), row.name, session_id=row.id), row.used_at

    def _note_use(self, caller: Caller) -> None:
        if caller.session_id is None and caller.token_id is None:
            return
        # A courtesy: no answer fails for it.
        with suppress(NamesakeError), self._database.write() as connection:
            if caller.session_id is not None:
                session_rows.use(connection, caller.session_id)
            if caller.token_id is not None:
                keys.use_token(connection, caller.token_id)
