"""Passwords: hashed with scrypt, so that who steals the store has a long way to go for each guess."""

from __future__ import annotations

import hashlib
import unicodedata

from sqlalchemy import Connection
from werkzeug.security import check_password_hash, generate_password_hash

from app.access.policy import Scope
from app.access.secret import fingerprint
from app.config import LONGEST_SECRET, SHORTEST_PASSWORD, Settings
from app.errors import Conflict, InvalidInput, NotFound
from app.store import keys, sessions
from app.store.db import Database

# A guess takes 32 MB and a tenth of a second.
_METHOD, _COST, _BLOCK, _MEMORY = "scrypt:32768:8:1", 32768, 8, 64 * 1024 * 1024
_SETTINGS = {Scope.LABEL: "PASSWORD", Scope.ADMIN: "ADMIN_PASSWORD"}


class Passwords:
    """Those of one installation: what the settings say counts more than what set-password has stored.

    secret: of the installation. It salts those of the settings, so that every process comes to the same hash.
    """

    def __init__(self, settings: Settings, database: Database, secret: str) -> None:
        self._database = database
        given = {Scope.LABEL: settings.password, Scope.ADMIN: settings.admin_password}
        self._given = {scope: _hash(text, fingerprint(secret + scope.word)) for scope, text in given.items() if text}
        self._from = {scope: settings.sources[_SETTINGS[scope]] for scope in self._given}

    def effective(self, connection: Connection) -> dict[Scope, str]:
        """The hash of each password that opens something."""
        return {Scope.of(word): hash_ for word, hash_ in keys.password_hashes(connection).items()} | self._given

    def sources(self, connection: Connection) -> dict[Scope, str]:
        """Where each of them comes from, in words."""
        return {Scope.of(word): "set-password" for word in keys.password_hashes(connection)} | self._from

    def set(self, scope: Scope, text: str) -> None:
        """Store a password, and end every session. Raises InvalidInput, and Conflict where the settings have one."""
        self._refuse_if_given(scope)
        if not SHORTEST_PASSWORD <= len(text) <= LONGEST_SECRET:
            raise InvalidInput(f"A password must be from {SHORTEST_PASSWORD} to {LONGEST_SECRET} characters long.")
        with self._database.read() as connection:
            effective = self.effective(connection)
        if any(_fits(hash_, text) for other, hash_ in effective.items() if other is not scope):
            raise InvalidInput("The two passwords must differ: one opens more than the other.")
        hash_ = generate_password_hash(_plain(text), _METHOD)
        with self._database.write() as connection:
            keys.set_password(connection, scope.word, hash_)
            sessions.remove_all(connection)

    def remove(self, scope: Scope) -> None:
        """Forget a stored one, and end every session. Raises NotFound, and Conflict where the settings have one."""
        self._refuse_if_given(scope)
        with self._database.write() as connection:
            if not keys.remove_password(connection, scope.word):
                raise NotFound("There is no such password.")
            sessions.remove_all(connection)

    def _refuse_if_given(self, scope: Scope) -> None:
        if scope in self._given:
            raise Conflict(f"{_SETTINGS[scope]} ({self._from[scope]}) counts more than this command. Change it there.")


def opened_by(passwords: dict[Scope, str], text: str) -> Scope | None:
    """What a password opens, None for a wrong one. It is held against every hash: time does not tell which it fits.

    Without one for administrators, the other opens everything.
    """
    fitting = [scope for scope, hash_ in passwords.items() if _fits(hash_, text)]
    if not fitting:
        return None
    return max(fitting) if Scope.ADMIN in passwords else Scope.ADMIN


def _fits(hash_: str, text: str) -> bool:
    return len(text) <= LONGEST_SECRET and check_password_hash(hash_, _plain(text))


def _hash(text: str, salt: str) -> str:
    """As generate_password_hash, but with a salt that is given."""
    digest = hashlib.scrypt(_plain(text).encode(), salt=salt.encode(), n=_COST, r=_BLOCK, p=1, maxmem=_MEMORY)
    return f"{_METHOD}${salt}${digest.hex()}"


def _plain(text: str) -> str:
    """One spelling, whatever a keyboard makes of an accent."""
    return unicodedata.normalize("NFKC", text)
