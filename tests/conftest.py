"""What every test may use: real photos, a fresh installation, and clients that ask as a script or as a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.config import PROJECT
from app.labelling.workspace import Workspace
from app.recognition import onnx_models
from app.sample import fetch_sample
from tests.labelling.squares import SquaresEngine
from tests.server import WORKERS, Server, share_models

FACES = PROJECT.parent / "shared" / "faces"
HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    import os

    for name in os.environ:
        if name.startswith("NAMESAKE_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def sample_photos() -> dict[str, Path]:
    """The public sample photos by file name, from the cache that `flask demo` uses."""
    return fetch_sample()


@pytest.fixture(scope="session")
def shared_faces() -> Path:
    """A folder of many more real photos, where there is one."""
    if not FACES.is_dir():
        pytest.skip("needs the folder of development photos beside the project")
    return FACES


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dlib's networks lie converted. Read only: who breaks something there takes a copy."""
    folder = tmp_path_factory.mktemp("models")
    onnx_models.load(folder)
    return folder


@pytest.fixture
def make_app(tmp_path: Path, models_folder: Path) -> Iterator[Callable[..., Flask]]:
    """Applications over tmp_path: a second one is what another worker or a restart would see."""
    made: list[Flask] = []

    def make(**settings: object) -> Flask:
        share_models(tmp_path, models_folder)
        app = create_app(tmp_path, **settings)
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["namesake"].close()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    found: Workspace = app.extensions["namesake"]
    return found


@pytest.fixture
def squares(monkeypatch: pytest.MonkeyPatch) -> SquaresEngine:
    """Commands ask for an engine of their own, by method: gives them the one that reads squares."""
    engine = SquaresEngine()
    monkeypatch.setattr(Workspace, "load_engine", lambda *_arguments: engine)
    return engine


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Asks as curl does."""
    return app.test_client()


@pytest.fixture
def make_server(tmp_path: Path, models_folder: Path) -> Iterator[Callable[..., Server]]:
    """Real servers over tmp_path, with three workers: started by the command and settings that are given."""
    made: list[Server] = []

    def make(*command: str, **settings: str) -> Server:
        (tmp_path / "instance").mkdir(exist_ok=True)
        arguments = {"command": command} if command else {}
        made.append(
            Server(tmp_path, settings={"NAMESAKE_WORKERS": str(WORKERS)} | settings, models=models_folder, **arguments)
        )
        return made[-1].start()

    yield make
    for server in made:
        server.kill_everything()
