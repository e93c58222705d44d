"""What opens the door: passwords and tokens, by their hashes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from app.store.queries import insert_row, now
from app.store.schema import passwords, tokens


def password_hashes(connection: Connection) -> dict[str, str]:
    """By what they open."""
    return {scope: hash_ for scope, hash_ in connection.execute(select(passwords.c.scope, passwords.c.hash))}


def set_password(connection: Connection, scope: str, hash_: str) -> None:
    remove_password(connection, scope)
    connection.execute(insert(passwords).values(scope=scope, hash=hash_, created_at=now()))


def remove_password(connection: Connection, scope: str) -> bool:
    """Whether there was one."""
    return connection.execute(delete(passwords).where(passwords.c.scope == scope)).rowcount == 1


def add_token(connection: Connection, name: str, hash_: str, scope: str) -> int:
    """Its id."""
    return insert_row(connection, tokens, name=name, hash=hash_, scope=scope, created_at=now())


def token_by_hash(connection: Connection, hash_: str) -> Row[Any] | None:
    return connection.execute(select(tokens).where(tokens.c.hash == hash_)).first()


def token_by_name(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(tokens).where(tokens.c.name == name)).first()


def all_tokens(connection: Connection) -> list[Row[Any]]:
    """By name."""
    return list(connection.execute(select(tokens).order_by(tokens.c.name)))


def use_token(connection: Connection, token_id: int) -> None:
    connection.execute(update(tokens).where(tokens.c.id == token_id).values(used_at=now()))


def remove_token(connection: Connection, token_id: int) -> bool:
    """Whether there was one."""
    return connection.execute(delete(tokens).where(tokens.c.id == token_id)).rowcount == 1
