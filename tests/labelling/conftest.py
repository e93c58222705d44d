"""An installation whose faces are coloured squares: see squares.SquaresEngine for why."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from app.labelling.workspace import Workspace
from tests.labelling.squares import SquaresEngine


@pytest.fixture
def engine() -> SquaresEngine:
    return SquaresEngine()


@pytest.fixture
def open_workspace(make_app: Callable[..., Flask]) -> Callable[..., Workspace]:
    """Another worker over the same home, or the same one after a restart."""

    def open_() -> Workspace:
        workspace: Workspace = make_app().extensions["namesake"]
        workspace.engine = SquaresEngine()
        return workspace

    return open_


@pytest.fixture
def workspace(app: Flask, engine: SquaresEngine) -> Workspace:
    found: Workspace = app.extensions["namesake"]
    found.engine = engine
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def used(lived_in: Path, home: Path, open_workspace: Callable[[], Workspace]) -> Workspace:
    """A copy of the installation that the module's own `lived_in` has made once."""
    shutil.copytree(lived_in, home, dirs_exist_ok=True)
    return open_workspace()
