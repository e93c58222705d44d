"""Installations behind a password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.security import generate_password_hash

from app import create_app
from app.store import keys
from tests.access.doors import ADMIN_PASSWORD, API_TOKEN, PASSWORD, Visitor


@pytest.fixture(scope="session")
def hashes() -> dict[str, str]:
    """What set-password stores for the two passwords: a tenth of a second each, spent once."""
    return {"label": generate_password_hash(PASSWORD), "admin": generate_password_hash(ADMIN_PASSWORD)}


@pytest.fixture
def locked(make_app: Callable[..., Flask], hashes: dict[str, str]) -> Flask:
    """An installation with both passwords, and a token in its settings."""
    app = make_app(api_token=API_TOKEN)
    with app.extensions["namesake"].database.write() as connection:
        for scope, hash_ in hashes.items():
            keys.set_password(connection, scope, hash_)
    return app


@pytest.fixture
def visitor(locked: Flask) -> Visitor:
    return Visitor(locked)


@pytest.fixture(scope="session")
def shut(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> Iterator[Flask]:
    """As `locked`, but one for all tests, and with everything in its settings: only for requests that change nothing
    but sessions."""
    home = tmp_path_factory.mktemp("shut")
    app = create_app(home, password=PASSWORD, admin_password=ADMIN_PASSWORD, api_token=API_TOKEN)
    yield app
    app.extensions["namesake"].close()
