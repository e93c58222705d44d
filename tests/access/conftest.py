"""Installations behind a password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from tests.access.doors import ADMIN_PASSWORD, API_TOKEN, PASSWORD, Visitor


@pytest.fixture
def locked(make_app: Callable[..., Flask]) -> Flask:
    """An installation with both passwords and a token in its settings."""
    return make_app(password=PASSWORD, admin_password=ADMIN_PASSWORD, api_token=API_TOKEN)


@pytest.fixture
def visitor(locked: Flask) -> Visitor:
    return Visitor(locked)


@pytest.fixture(scope="session")
def shut(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> Iterator[Flask]:
    """As `locked`, but one for all tests: only for requests that change nothing but sessions."""
    home = tmp_path_factory.mktemp("shut")
    app = create_app(home, password=PASSWORD, admin_password=ADMIN_PASSWORD, api_token=API_TOKEN)
    yield app
    app.extensions["namesake"].close()
